# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers and devices of the lab read as discover does it, and made anew from what was read."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import reading
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.errors import DeviceError
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import Agent
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent_reading import ask
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._discover.kept import (
    text_of,
    whole_of,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._discover.readings import Readings
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._host_reading import (
    HostReader,
    told,
)
from ansible_collections.mailedge.lockdown.tests.lab import standin
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.answers import shown
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.schema import Refused
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.system import device_table
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal import asked, compare
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.exchange import (
    directory_of,
    empty,
    host_of,
)
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.file import (
    SiteReading,
    understand,
)

Row = dict[str, t.Any]
_SHELL = {
    "way": "auto",
    "fqdn": None,
    "credential": None,
    "authentication": "Kerberos",
    "seconds": 60,
}


def read_host(host: ExchangeHost) -> Row:
    """What host_reading_info gives."""
    reader = HostReader(_SHELL, None, "Default Web Site")
    steps = reader.reading_steps()
    agent = Agent(lambda stdin: (0, standin.answer(host, stdin), b""), 300)
    return told(steps, ask(agent, {"protocol": 1, "shell": _SHELL, "mutex": None, "steps": steps}))


class _Direct:
    """What takes the place of the client, without a web server: its certificate takes a second."""

    def __init__(self, device: Device) -> None:
        self.device, self.vdom = device, next(iter(device.configs))
        self.version, self.serial = device.version, device.serial

    def _refused(self, path: str) -> DeviceError:
        return DeviceError("GET", path, status=404, code=-3, where="here")

    def table(self, path: str, **_options: t.Any) -> t.Any:
        known = device_table(self.device, path)
        if known is not None:
            return known
        config = self.device.configs[self.vdom]
        try:
            return [shown(config.table(path), row) for row in config.all(path).values()]
        except Refused:
            raise self._refused(path) from None

    single = table

    def monitor(self, path: str, **query: t.Any) -> t.Any:
        if path.startswith("router/ipv"):
            return self.device.routing.listed(int(path[-1]))
        entries = self.device.feed_entries(self.vdom, str(query.get("mkey")))
        if entries is None:
            raise self._refused(path)
        return [{"entry": text, "valid": True} for text in entries]


def read_device(device: Device) -> Row:
    """What fortios_reading_info gives."""
    client: t.Any = _Direct(device)
    return t.cast("Row", json.loads(json.dumps(reading.whole(client))))


def text(hosts: t.Mapping[str, Row], firewall: Row | None = None, **described: t.Any) -> str:
    """The file of a site."""
    if firewall:
        described["fortigate_host"] = "127.0.0.1"
    results = {name: {"reading": row} for name, row in hosts.items()}
    readings = Readings("birke", tuple(hosts), described=described)
    return text_of(whole_of(readings, results, {"reading": firewall} if firewall else {}))


def kept(
    hosts: t.Mapping[str, Row], firewall: Row | None = None, **described: t.Any
) -> SiteReading:
    """A site as the lab reads it from its file."""
    return understand(json.loads(text(hosts, firewall, **described)))


def played(row: Row) -> tuple[ExchangeHost, list[str]]:
    """A server made from what was read of one, and what the lab says that it does not play."""
    whole = kept({"birke-ex1": row}).hosts["birke-ex1"]
    directory = directory_of(whole)
    empty(directory)
    host, unlike = host_of(whole, directory)
    return host, [*unlike, *asked.answers_otherwise(host, whole)]


def unlike(first: Row, second: Row) -> list[str]:
    """In which answers two readings of a server differ; their order means nothing."""
    sentences = [
        f"{name}: {first['host'][name]} and {second['host'].get(name)}"
        for name in first["host"]
        if first["host"][name] != second["host"].get(name)
    ]
    for step, answer in first["answers"].items():
        again = second["answers"][step]
        if ("rows" in answer) != ("rows" in again):
            sentences.append(f"{step}: {answer} and {again}")
        elif "rows" in answer:
            sentences += compare.differences(step, answer["rows"], again["rows"])
    return sentences
