# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab that plays a site which was read, so that what is about to be done to it is rehearsed."""

from __future__ import annotations

import pathlib
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange.directory import Directory
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.asked import answers_otherwise
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.exchange import (
    directory_of,
    empty,
    host_of,
)
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.file import (
    HostReading,
    SiteReading,
)
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.fortigate import device_of
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.places import plan
from ansible_collections.mailedge.lockdown.tests.lab.site import Place, Site

# Of a description that goes with the rehearsal, what would reach the real site: for each host, so
# that no variable of a group counts more.
_NOT_REACHED: t.Mapping[str, t.Any] = {
    "mailedge_rehearsal": True,
    "mailedge_domains": [],
    "mailedge_probe_hosts": [],
    "mailedge_probe_web_targets": [],
    "mailedge_exchange_online_enabled": False,
    "mailedge_fortigate_vdom": "root",
    "mailedge_fortigate_from": "localhost",
}


class Rehearsal(Lab):
    """A lab made from a reading. `told` says, one sentence each, what of the site it does not play,
    once it has started.
    """

    def __init__(self, reading: SiteReading, **options: t.Any) -> None:
        self._reading = reading
        site, self._places = plan(reading)
        super().__init__([site], **options, described=False)
        self.told: list[str] = []

    def start(self) -> Lab:
        self.told = [f"{text} It is not in the lab." for text in self._reading.not_read]
        for name, told in self._reading.hosts.items():
            self.told += [
                f"{name}: {what} was left out of the reading, because it holds a secret or may."
                for what in told.left_out
            ]
        return super().start()

    def places(self) -> list[Place]:
        return list(self._places)

    def _exchange(self, place: Place, folder: pathlib.Path) -> ExchangeHost:
        told = self._reading.hosts[place.host]
        host, unlike = host_of(told, self._directory(told), folder)
        unlike += answers_otherwise(host, told)
        self.told += [f"{place.host}: {sentence}" for sentence in unlike]
        return host

    def _directory(self, told: HostReading) -> Directory:
        """That of the organization; an Edge server has one of its own."""
        fresh = directory_of(told)
        empty(fresh)
        if told.facts.get("edge"):
            return fresh
        return self._directories.setdefault(fresh.domain, fresh)

    def _device(self, site: Site, serial: str) -> Device:
        assert self._reading.firewall is not None
        device, unlike = device_of(self._reading.firewall, serial)
        self.told += [f"the firewall, {sentence}" for sentence in unlike]
        self.told += [
            f"the firewall, {what} was left out of the reading, because it holds a secret."
            for what in self._reading.firewall.left_out
        ]
        self.told += [f"the firewall, {text}" for text in self._reading.firewall.untold]
        return device

    def _inventory(self, whole: dict[str, t.Any]) -> dict[str, t.Any]:
        """How the lab is reached stands with each host, where no description of the real site
        counts more; but for its name nothing describes the site.
        """
        for group in whole["mailedge"]["children"].values():
            shared = {
                name: value
                for name, value in group["vars"].items()
                if name.startswith(("mailedge_probe_", "mailedge_fortigate_"))
                and name not in _DESCRIBING
            }
            vdom = self._reading.firewall.vdom if self._reading.firewall else "root"
            without = {} if self._reading.firewall else {"mailedge_fortigate_host": ""}
            apart = {**_NOT_REACHED, "mailedge_fortigate_vdom": vdom, **without}
            for name, variables in group["hosts"].items():
                group["hosts"][name] = {**apart, **shared, **variables}
            group["vars"] = {"mailedge_site": self._reading.site}
        return whole


# What is a description, and not how something is reached.
_DESCRIBING = (
    "mailedge_fortigate_vips",
    "mailedge_fortigate_addresses",
    "mailedge_fortigate_interfaces",
)
