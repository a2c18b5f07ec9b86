# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab: sites of Exchange servers on loopback, each with WinRM, PowerShell, port 25 and port 443,
and one port to play tricks by.
"""

from __future__ import annotations

import functools
import pathlib
import secrets
import shutil
import socket
import tempfile
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab import gate
from ansible_collections.mailedge.lockdown.tests.lab.clock import Clock
from ansible_collections.mailedge.lockdown.tests.lab.control import ControlServer, LabClient
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.directory import Directory
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import EDITIONS, Generation
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.faults import Faults, HttpEvents
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer
from ansible_collections.mailedge.lockdown.tests.lab.front_end import FrontEnd, Greeter
from ansible_collections.mailedge.lockdown.tests.lab.inventory import (
    build_inventory,
    undescribed,
    write_inventory,
)
from ansible_collections.mailedge.lockdown.tests.lab.on_the_way import OnTheWay
from ansible_collections.mailedge.lockdown.tests.lab.runner import Machine, Settings, find_pwsh
from ansible_collections.mailedge.lockdown.tests.lab.site import (
    DEFAULT_SITES,
    SOURCES,
    Place,
    Site,
    places,
)
from ansible_collections.mailedge.lockdown.tests.lab.smtp import Mailbox
from ansible_collections.mailedge.lockdown.tests.lab.web import WebFrontEnd
from ansible_collections.mailedge.lockdown.tests.lab.wsman.auth import Accounts
from ansible_collections.mailedge.lockdown.tests.lab.wsman.certificate import (
    Certificate,
    make_certificate,
)
from ansible_collections.mailedge.lockdown.tests.lab.wsman.server import Listener
from ansible_collections.mailedge.lockdown.tests.lab.wsman.service import (
    MAX_ENVELOPE_KB,
    MAX_ENVELOPE_KB_OF_2008,
    Service,
)

_OLD_REFUSAL = "550 5.7.1 Unable to relay"


class LabHost:
    """One server of the lab, with everything around it. Its user may log in by WinRM and open the
    Exchange shell.
    """

    def __init__(
        self,
        place: Place,
        exchange: ExchangeHost,
        folder: pathlib.Path,
        password: str,
        clock: Clock,
        settings: Settings,
        address: str,
        firewall: FortiGateServer | None = None,
    ) -> None:
        self.place = place
        self.firewall = firewall
        self.exchange = exchange
        self.clock = clock
        self.username = f"{place.site.name.upper()}\\operator"
        self.password = password
        self.faults = Faults(clock)
        self.machine = Machine(exchange, self.faults, settings)
        self.certificate: Certificate = make_certificate(exchange.fqdn, folder)
        exchange.sessions.accounts = {self.username: password}
        accounts = Accounts(self.username, password, folder)
        # As Exchange 2007 and 2010 are on Windows Server 2008 and 2008 R2.
        older = exchange.edition.generation < Generation.E2013
        kilobytes = MAX_ENVELOPE_KB_OF_2008 if older else MAX_ENVELOPE_KB
        self.winrm = Service(self.machine, exchange.name, kilobytes)
        hooks = HttpEvents(self.faults, self.machine, self._count)
        self.http = Listener(self.winrm, accounts, hooks=hooks)
        self.https = Listener(self.winrm, accounts, self.certificate, hooks=hooks)
        self._down_until = 0.0
        self.http.is_down = self.https.is_down = lambda: clock.monotonic() < self._down_until
        self.mailbox = Mailbox(
            fqdn=exchange.fqdn,
            accepts=exchange.directory.accepts,
            admission=exchange.admission,
            listens=exchange.listens,
            tls=self.certificate.context,
            clock=clock,
            log=exchange.logs.write,
            track=exchange.logs.track,
        )
        if older:
            self.mailbox.relay_refusal = _OLD_REFUSAL
        played = place.players(4)
        self._sources = {source: played[role] for role, source in SOURCES.items()}
        passes = functools.partial(self._passes, 25) if firewall else None
        self.front_end = FrontEnd(
            self.mailbox, address, self._sources, played["internet"], place.players(6), passes
        )
        guard = self._guard_web if firewall else None
        # An Edge server has no web.
        web = "ClientAccess" in exchange.edition.roles
        plays = functools.partial(self._player, played["internet"])
        at = (place.addresses[0], 443)
        self.web = (
            WebFrontEnd(exchange, address, self.certificate, plays, guard, at) if web else None
        )
        self.machine.network = self.go_down

    def _player(self, otherwise: str, source: str) -> str:
        return self._sources.get(source, otherwise)

    def _guard_web(self, listener: socket.socket) -> None:
        admitted = {source: self._passes(443, played) for source, played in self._sources.items()}
        gate.guard(listener, admitted, self._passes(443, self.place.players(4)["internet"]))

    def _passes(self, port: int, sender: str) -> bool:
        """Whether the firewall lets a sender through to a port. Those within the site do not come
        by it.
        """
        version = 6 if ":" in sender else 4
        played = self.place.players(version)
        if self.firewall is None or sender not in (played["internet"], played["provider"]):
            return True
        target = self.place.addresses[1] if version == 6 else self.place.public_address
        return self.firewall.device.admits(sender, target, port)

    def _count(self) -> None:
        self.exchange.counters["http_requests"] += 1

    @property
    def shells(self) -> int:
        """How many shells of WinRM are open."""
        return self.winrm.shells

    def go_down(self, seconds: float) -> None:
        """The network to the host is gone for so long; what runs on it goes on."""
        self._down_until = max(self._down_until, self.clock.monotonic() + seconds)
        for listener in (self.http, self.https):
            listener.cut_all()

    def start(self) -> None:
        """Open port 25 and the web. WinRM is open already."""
        self.front_end.start()
        if self.web:
            self.web.start()

    def refresh(self) -> None:
        """Let what is open follow the connectors and the firewall."""
        self.front_end.refresh()
        if self.web:
            self.web.refresh()

    def close(self) -> None:
        """End everything."""
        self.faults.clear()
        self.machine.kill()
        for listener in (self.http, self.https):
            listener.close()
        self.winrm.close()
        self.front_end.close()
        if self.web:
            self.web.close()


class Lab:
    """A lab, as a context manager. Everything listens on loopback, on free ports.

    `inventory` is where the inventory is written; without one it lies in the lab's own folder,
    which goes with it. `password` is that of all its users. `pwsh` is the PowerShell to run the
    agent in; '' for the stand-in, None for what find_pwsh() finds. `described` is whether the
    inventory describes the sites. `hosts` by the names that they have in the inventory.
    """

    def __init__(
        self,
        sites: t.Sequence[Site] = DEFAULT_SITES,
        *,
        inventory: str | pathlib.Path | None = None,
        password: str | None = None,
        pwsh: str | None = None,
        start_seconds: float = 0.0,
        shell_seconds: float = 0.0,
        described: bool = True,
    ) -> None:
        self.sites = tuple(sites)
        self._described = described
        self.clock = Clock()
        self.password = password or f"Lab-{secrets.token_urlsafe(12)}"
        self.folder = pathlib.Path()
        self.inventory = pathlib.Path(inventory).absolute() if inventory else pathlib.Path()
        self._own_inventory = inventory is None
        self._pwsh = (find_pwsh() if pwsh is None else pwsh) or None
        self._start_seconds = start_seconds
        self._shell_seconds = shell_seconds
        self.hosts: dict[str, LabHost] = {}
        self.firewalls: dict[str, FortiGateServer] = {}
        # An SMTP proxy of the network from which somebody looks; it stands on nobody's way at
        # first.
        self.proxy = OnTheWay()
        self._directories: dict[str, Directory] = {}
        self._greeter: Greeter | None = None
        self._control: ControlServer | None = None

    def __enter__(self) -> Lab:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> Lab:
        """Start everything and write the inventory. Where something cannot be started, nothing
        stays.
        """
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mailedge-lab-"))
        try:
            self._greeter = Greeter(self.proxy)
            for site in self.sites:
                if site.firewall:
                    self._add_firewall(site)
            for count, place in enumerate(self.places(), 1):
                self._add(place, f"127.0.1.{count}")
            self._control = ControlServer(self)
            if self._own_inventory:
                self.inventory = self.folder / "inventory.yml"
            whole = build_inventory(
                list(self.hosts.values()), self._greeter.port, self._control.access()
            )
            write_inventory(self.inventory, self._inventory(whole))
        except BaseException:
            self.stop()
            raise
        return self

    def places(self) -> list[Place]:
        """The servers in their sites."""
        return places(self.sites)

    def _inventory(self, whole: dict[str, t.Any]) -> dict[str, t.Any]:
        """The inventory that is written, of one that says everything."""
        return whole if self._described else undescribed(whole)

    def _device(self, site: Site, serial: str) -> Device:
        """A FortiGate in front of a site, as an installer leaves it."""
        device = Device(version=f"v{site.firewall}", serial=serial)
        several = len(site.editions) > 1
        device.routing.connected = []
        for place in self.places():
            if place.site is site:
                device.routing.connected[:0] = [
                    (network, "internal") for network in place.own_networks
                ]
                device.seed_mail_site(
                    place.public_address,
                    place.addresses[0],
                    place.addresses[1],
                    place.name.lower() if several else "",
                )
        return device

    def _add_firewall(self, site: Site) -> None:
        folder = self.folder / f"{site.name}-firewall"
        folder.mkdir()
        device = self._device(site, f"FGTLAB{len(self.firewalls) + 1:010}")
        server = FortiGateServer(device, folder=folder)
        server.token = f"Lab-{secrets.token_urlsafe(24)}"
        server.changed = self.refresh
        self.firewalls[site.name] = server
        server.__enter__()

    def _exchange(self, place: Place, folder: pathlib.Path) -> ExchangeHost:
        """A server as it stands at a client's before the lock."""
        edition = EDITIONS[place.edition]
        directory = self._directories.setdefault(
            place.site.name, Directory(place.site.domain, ("dc1", "dc2"))
        )
        # An Edge server has a directory of its own, and stands outside of the site's Windows
        # domain.
        return defaults.site(
            edition,
            place.name,
            place.site.domain,
            directory=None if edition.edge else directory,
            addresses=place.addresses,
            folder=folder,
        )

    def _add(self, place: Place, address: str) -> None:
        folder = self.folder / place.host
        folder.mkdir()
        exchange = self._exchange(place, folder)
        exchange.sessions.seconds = self._shell_seconds
        settings = Settings(pwsh=self._pwsh, start=self._start_seconds)
        firewall = self.firewalls.get(place.site.name)
        host = LabHost(
            place, exchange, folder, self.password, self.clock, settings, address, firewall
        )
        self.hosts[place.host] = host
        host.machine.changed = self.refresh
        host.front_end.proxy = self.proxy
        host.start()

    def refresh(self) -> None:
        """Let what is open follow the connectors and the firewall: a server of a site may have
        changed those of another.
        """
        for host in list(self.hosts.values()):
            host.refresh()

    def stop(self) -> None:
        """Stop everything; remove the lab's folder, and an inventory that was written elsewhere."""
        if self._control:
            self._control.close()
        for host in self.hosts.values():
            host.close()
        self.hosts.clear()
        for firewall in self.firewalls.values():
            firewall.__exit__()
        self.firewalls.clear()
        if self._greeter:
            self._greeter.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        if not self._own_inventory:
            self.inventory.unlink(missing_ok=True)
        self._control = self._greeter = None

    def client(self) -> LabClient:
        """A client of the control port."""
        if self._control is None:
            raise RuntimeError("The lab is not running.")
        return LabClient(**self._control.access())
