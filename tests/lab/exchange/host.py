# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server with Exchange: what the agent finds on it, its shell, its cmdlets."""

from __future__ import annotations

import collections
import datetime
import ipaddress
import os
import pathlib
import shutil
import tempfile
import threading
import time
import typing as t
import weakref

from ansible_collections.mailedge.lockdown.tests.lab.exchange import rows, transport
from ansible_collections.mailedge.lockdown.tests.lab.exchange.cmdlets import Cmdlets, Rows, matching
from ansible_collections.mailedge.lockdown.tests.lab.exchange.directory import Directory, Server
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import (
    EDITIONS,
    Edition,
    Generation,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import (
    ExchangeError,
    missing_parameters,
    nobody_to_ask,
    not_found,
    printed_id,
    unknown_command,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.leaving import leaves_by
from ansible_collections.mailedge.lockdown.tests.lab.exchange.mutex import Mutexes
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import Stored
from ansible_collections.mailedge.lockdown.tests.lab.exchange.parameters import (
    COMMON,
    bind,
    commands,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.rights import (
    ANONYMOUS,
    AUTHENTICATED,
    EVERYONE,
    Rights,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.sessions import Sessions
from ansible_collections.mailedge.lockdown.tests.lab.exchange.shapes import Style
from ansible_collections.mailedge.lockdown.tests.lab.windows.defaults import furnish
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall import rules
from ansible_collections.mailedge.lockdown.tests.lab.windows.host import WindowsHost
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.server import Iis
from ansible_collections.mailedge.lockdown.tests.lab.windows.transport_logs import (
    NOUNS,
    TransportLogs,
)

Hook = t.Callable[[str, str, t.Mapping[str, t.Any]], None]
"""Called as ``hook("before" | "after", cmdlet, parameters)`` around every cmdlet.

It may wait, change the server, or raise ExchangeError.

The opening of a shell is such an event too, under the name sessions.SHELL."""

# A user of the domain who is no administrator.
COLLEAGUE = "S-1-5-21-1004336348-1177238915-682003330-1105"
# The sign between thousands, by culture. Whether it goes by the server's culture at all is
# unverified.
_SEPARATORS = {"de-DE": ".", "de-CH": "\u2019", "fr-FR": "\u202f", "tr-TR": "."}

# The contents of its IIS.
_IIS = {
    Generation.RTM2007: "2007",
    Generation.SP2007: "2007",
    Generation.E2010: "2010",
    Generation.E2013: "2013",
    Generation.E2016: "2016",
    Generation.E2019: "2019",
    Generation.SE: "se",
}


class ExchangeHost:
    """One server. Thread-safe: cmdlets take turns under the lock of their directory.

    `hidden` holds cmdlets, and pairs of cmdlet and parameter, that the user's roles do not give.
    `accounts` are the users that may open a session, by name; None lets everybody in. `counters`
    counts reads, writes and opened shells; whoever runs the host adds its own.
    """

    def __init__(
        self,
        name: str,
        edition: Edition | str,
        directory: Directory,
        *,
        addresses: t.Sequence[str] = ("192.0.2.25", "2001:db8::25"),
        culture: str = "en-US",
        anonymous_account: str = ANONYMOUS,
        everyone_account: str = EVERYONE,
        authenticated_account: str = AUTHENTICATED,
        folder: pathlib.Path | None = None,
    ) -> None:
        self.edition = EDITIONS[edition] if isinstance(edition, str) else edition
        self.server = Server(name.upper(), f"{name.lower()}.{directory.domain}", self.edition.edge)
        self.directory = directory
        self.addresses = tuple(addresses)
        self.culture = culture
        self.setup_running = False
        # Seconds by which the server's clock is wrong.
        self.clock_ahead = 0.0
        self.hide_parameters = False
        self.hidden: set[str | tuple[str, str]] = set()
        self.hooks: list[Hook] = []
        self.counters: collections.Counter[str] = collections.Counter()
        self.rights = Rights(
            directory.netbios, anonymous_account, authenticated_account, everyone_account
        )
        self.sessions = Sessions(self)
        self.mutexes = Mutexes()
        self.windows = WindowsHost()
        if not self.edition.edge:
            self.windows.add_iis(lambda: Iis(_IIS[self.edition.generation]))
        furnish(self.windows, self.edition)
        rules.install(self.windows.firewall, self.edition.generation.name)
        # The arguments of every run of icacls, so that a test sees who may read the snapshots; and
        # how the next ones end.
        self.icacls: list[list[str]] = []
        self.icacls_code = 0
        # Paths that the administrators own.
        self._owned: set[str] = set()
        self._folder = folder
        self._folder_lock = threading.Lock()
        self.logs = TransportLogs(self.edition, self.server.name, lambda: self.folder, self.now)
        directory.servers[self.server.name.casefold()] = self.server
        separator = _SEPARATORS.get(culture, ",")
        style = Style(old=self.edition.generation < Generation.E2010, separator=separator)
        self.cmdlets = Cmdlets(self.server, self.edition, directory, self.rights, style)

    @property
    def name(self) -> str:
        """The short name, in capitals as Windows has it."""
        return self.server.name

    @property
    def fqdn(self) -> str:
        """The full name."""
        return self.server.fqdn

    @property
    def folder(self) -> pathlib.Path:
        """What stands for the disk of the server."""
        with self._folder_lock:
            if self._folder is None:
                self._folder = pathlib.Path(
                    tempfile.mkdtemp(prefix=f"mailedge-lab-{self.name.lower()}-")
                )
                weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            return self._folder

    @property
    def environment(self) -> dict[str, str]:
        """Variables of Windows that the agent may expand."""
        return {"ProgramData": str(self.folder / "ProgramData")}

    def run_icacls(self, arguments: list[str]) -> int:
        """Run icacls; give its exit code."""
        self.icacls.append(arguments)
        if arguments[1:] == ["/setowner", "*S-1-5-32-544"] and not self.icacls_code:
            self.own(arguments[0])
        return self.icacls_code

    def own(self, path: str | pathlib.Path) -> None:
        """Make a file one of the administrators'; others belong to a user of the domain."""
        self._owned.add(os.path.realpath(path))

    def sddl(self, path: str) -> str:
        """The security descriptor of a file, as Get-Acl tells it (learn.microsoft.com, "SID
        Strings").
        """
        owned = os.path.realpath(path) in self._owned
        return "O:BAG:SYD:AI" if owned else f"O:{COLLEAGUE}G:DUD:AI"

    def now(self) -> float:
        """What the clock of the server says, as seconds since 1970."""
        return time.time() + self.clock_ahead

    def time_utc(self) -> str:
        """The same, as the agent says it."""
        now = datetime.datetime.fromtimestamp(self.now(), datetime.timezone.utc)
        return now.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

    def facts(self) -> dict[str, t.Any]:
        """The agent's host facts."""
        major, minor, build, revision = self.edition.build
        return {
            "name": self.name,
            "fqdn": self.fqdn,
            "powershell": self.edition.powershell,
            "language_mode": "FullLanguage",
            "culture": self.culture,
            "exchange": {
                "major": major,
                "minor": minor,
                "build": build,
                "revision": revision,
                "install_path": self.edition.install_path,
            },
            "edge": self.edition.edge,
            "roles": list(self.edition.roles),
            "addresses": list(self.addresses),
            "anonymous_account": self.rights.anonymous,
            "everyone_account": self.rights.everyone,
            "users_account": self.rights.authenticated,
            "setup_running": self.setup_running,
            "admin": True,
        }

    def commands(self) -> dict[str, tuple[str, ...]]:
        """The cmdlets that the user's roles give, and their parameters."""
        return {
            cmdlet: tuple(name for name in parameters if (cmdlet, name) not in self.hidden)
            for cmdlet, parameters in {
                **commands(self.edition),
                **self.logs.commands(),
            }.items()
            if cmdlet not in self.hidden
        }

    def event(self, moment: str, name: str, parameters: t.Mapping[str, t.Any]) -> None:
        """Tell the hooks."""
        for hook in tuple(self.hooks):
            hook(moment, name, parameters)

    def colleague(self, cmdlet: str, parameters: t.Mapping[str, t.Any]) -> Rows:
        """What somebody at the server's own console does: says yes to what is asked, is counted
        nowhere, and no hook hears of it.
        """
        with self.directory.lock:
            return self.cmdlets.run(cmdlet, bind(commands(self.edition)[cmdlet], parameters))

    def invoke(
        self, cmdlet: str, parameters: t.Mapping[str, t.Any], *, remote: bool | None = None
    ) -> Rows:
        """Run a cmdlet, in a remote session or in the local shell (by default the one that this
        edition has).

        Values: None, bool, int, str, lists and tables of these, and a credential as a pair of user
        name and password. Gives one table an object, whose values are None, bool, int, datetime,
        str (also Shown), lists and tables. Raises ExchangeError.
        """
        if remote is None:
            remote = not self.edition.local_shell
        available = self.commands()
        proper = {name.casefold(): name for name in (*available, "Get-Command")}.get(
            cmdlet.casefold()
        )
        try:
            if proper is None:
                raise unknown_command(cmdlet)
            self.event("before", proper, parameters)
            objects = self._run(proper, parameters, available, remote)
            self.event("after", proper, parameters)
        except ExchangeError as error:
            numbered = self.edition.generation >= Generation.E2013
            error_id = printed_id(error, proper or cmdlet, self.name, numbered)
            raise ExchangeError(
                error.class_name,
                error_id,
                error.category,
                error.message,
                terminating=error.terminating,
            ) from None
        return objects

    def _run(
        self,
        cmdlet: str,
        parameters: t.Mapping[str, t.Any],
        available: t.Mapping[str, tuple[str, ...]],
        remote: bool,
    ) -> Rows:
        if cmdlet == "Get-Command":
            given = bind(("Name",), parameters)
            return matching(
                available, given.get("Name", "*"), self.hide_parameters and remote, COMMON
            )
        given = bind(available[cmdlet], parameters)
        verb, noun = cmdlet.split("-", 1)
        # A cmdlet that can prompt has to be told not to. In the local shell the agent's own
        # preference does it.
        if (
            remote
            and verb in ("Set", "Remove", "Add")
            and "Confirm" in available[cmdlet]
            and given.get("Confirm") is not False
        ):
            if "Identity" not in given:
                raise missing_parameters("Identity")
            raise nobody_to_ask(cmdlet)
        self.counters["reads" if verb == "Get" else "writes"] += 1
        if noun in NOUNS:
            if str(given.get("Identity")).casefold() not in (
                self.name.casefold(),
                self.fqdn.casefold(),
            ):
                raise not_found(given.get("Identity"), self._controller)
            return [self.logs.row(noun)]
        with self.directory.lock:
            return self.cmdlets.run(cmdlet, given)

    @property
    def _controller(self) -> str:
        """The transport service's own domain controller: it sees no change but in its turn."""
        return self.directory.controllers[0] if self.directory.controllers else ""

    def receive_connectors(self) -> list[Stored]:
        """The receive connectors of this server, as its transport service sees them.

        Counts as no read.
        """
        with self.directory.lock:
            held = self.cmdlets.receive_connectors(self._controller)
            return [connector for connector in held if connector.server == self.name]

    def shown(self) -> dict[str, dict[str, t.Any]]:
        """``receive_connectors`` of this server and ``send_connectors`` of its organization, by
        name, as JSON. Equal for equal states.
        """
        style = self.cmdlets.style
        with self.directory.lock:
            return {
                "receive_connectors": {
                    connector.name: rows.plain(
                        connector,
                        self.cmdlets.receive_settings,
                        self.rights.read(connector.rights),
                        style,
                    )
                    for connector in self.receive_connectors()
                },
                "send_connectors": {
                    connector.name: rows.plain(connector, self.cmdlets.send_settings, None, style)
                    for connector in self.cmdlets.send_connectors(self._controller)
                },
            }

    def _local(self, version: int) -> transport.IPAddress | None:
        """The server's own address that senders of this family come to."""
        own = [ipaddress.ip_address(text) for text in self.addresses]
        return next((address for address in own if address.version == version), None)

    def listens(self, version: int, port: int = 25) -> bool:
        """Whether a sender of this family finds anything there: without a binding, nothing does."""
        local = self._local(version)
        return local is not None and bool(
            transport.listening(self.receive_connectors(), local, port)
        )

    def listens_at(self, local: str, port: int = 25) -> bool:
        """The same of one of its addresses."""
        return bool(
            transport.listening(self.receive_connectors(), ipaddress.ip_address(local), port)
        )

    def admission(
        self, sender: str, local: str | None = None, port: int = 25
    ) -> transport.Admission:
        """What a sender may do without a login that comes to `local`, or to the server's own
        address of its family.
        """
        address = ipaddress.ip_address(sender)
        came_to = ipaddress.ip_address(local) if local else self._local(address.version)
        if came_to is None:
            return transport.Admission()
        return transport.admit(
            self.receive_connectors(),
            self.rights.stranger,
            address,
            came_to,
            port,
            every_recipient=self.directory.accepts_strangers,
        )

    def leaves_by(self, domain: str, size: int = 0, server: str = "") -> Stored | None:
        """The send connector by which mail to a domain leaves that waits on this server, or on
        `server`.
        """
        with self.directory.lock:
            held = self.cmdlets.send_connectors(self._controller)
        return leaves_by(held, domain, server or self.name, size)

    def ports(self) -> list[int]:
        """The ports that a connector in service listens on."""
        enabled = [
            connector for connector in self.receive_connectors() if connector.values["Enabled"]
        ]
        return sorted(
            {binding.port for connector in enabled for binding in connector.values["Bindings"]}
        )

    def foreign_bindings(self) -> list[str]:
        """Bindings of receive connectors to addresses that the server does not have: at its next
        restart the transport service may fail to start (Set-ReceiveConnector.md, Bindings).
        """
        own = {*self.addresses, "127.0.0.1", "::1"}
        with self.directory.lock:
            held = [
                connector for connector in self.directory.view("") if connector.server == self.name
            ]
            return sorted(
                str(binding)
                for connector in held
                for binding in connector.values["Bindings"]
                if not binding.is_any and binding.host not in own
            )
