# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole site is looked at host by host, side by side: counted, in a time of the test's own."""

from __future__ import annotations

import collections
import pathlib
import threading

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.task import LookTask
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.together import (
    at_once,
    one_host_each,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.web_names import web_targets
from ansible_collections.mailedge.lockdown.tests.support.smtp_server import (
    Server,
    certificate,
)
from ansible_collections.mailedge.lockdown.tests.support.strangers import looked
from ansible_collections.mailedge.lockdown.tests.support.web_server import WebServer

ROUND_TRIP = 0.06  # seconds, as across a continent


def test_what_leads_to_each_other_is_one_host() -> None:
    visits = [
        ({"192.0.2.1", "mail"}, lambda: "a"),
        ({"192.0.2.2", "owa"}, lambda: "b"),
        ({"2001:db8::1", "mail"}, lambda: "c"),
        ({"192.0.2.1", "owa"}, lambda: "d"),
        ({"192.0.2.9"}, lambda: "e"),
    ]
    chains = [[visit() for visit in chain] for chain in one_host_each(visits)]
    assert chains == [["a", "b", "c", "d"], ["e"]]


def test_a_failure_is_told_when_all_is_done() -> None:
    done: list[int] = []

    def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        at_once([fail, *(lambda number=number: done.append(number) for number in range(40))])
    assert sorted(done) == list(range(40))


class Crowd:
    """How many looks are going on at each host, whatever address and port they are at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now: dict[str, int] = collections.Counter()
        self.most: dict[str, int] = collections.Counter()

    def look(self, task: LookTask, index: int) -> None:
        """Look, and count. A look ends its connection before it ends; servers hear of it later.

        The last number of an address is that of its host.
        """
        host = task.doors_found.doors[index].address.rpartition(".")[2]
        with self._lock:
            self._now[host] += 1
            self.most[host] = max(self.most[host], self._now[host])
        LOOK(task, index)
        with self._lock:
            self._now[host] -= 1


LOOK = LookTask.look


def test_a_whole_site_is_looked_at_in_time(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3 domains, 12 names, IPv4 and IPv6 (played by a second address), ports 25, 587 and 443; the
    web at the names and addresses that are made of these.
    """
    pem = certificate(tmp_path)
    names = [
        f"{name}.d{domain}.example" for domain in range(3) for name in ("mx", "owa", "ex", "a")
    ]
    first = {name: f"127.7.0.{number}" for number, name in enumerate(names, 1)}
    second = {name: f"127.7.1.{number}" for number, name in enumerate(names, 1)}

    crowd = Crowd()

    def counted(task: LookTask, index: int) -> None:
        crowd.look(task, index)

    monkeypatch.setattr(LookTask, "look", counted)
    addresses = [*first.values(), *second.values()]
    mails = [Server(addresses[0], 0, {}, None), Server(addresses[0], 0, {}, None)]
    webs = [WebServer(pem, address=addresses[0])]
    mail, submission, port = mails[0].port, mails[1].port, webs[0].port
    for address in addresses[1:]:
        mails += [Server(address, number, {}, None) for number in (mail, submission)]
        webs.append(WebServer(pem, address=address, port=port))
    look = {"targets": names, "address_family": "ipv4"}
    both = {name: [first[name], second[name]] for name in names}
    at_web = web_targets([], {"targets": names, "target_addresses": both})
    assert len(at_web) == 36, "each address is asked by itself, too"
    results = looked(
        {**look, "name": "25", "port": mail},
        {**look, "name": "587", "port": submission},
        {**look, "name": "443", "targets": at_web, "port": port, "protocol": "https"},
        sender="probe@watchtower.example",
        recipient="postmaster@hafen.example",
        relay_recipient="probe@elsewhere.example",
        own_domain_sender="office@hafen.example",
        target_addresses=both,
    )
    assert [len(result["addresses"]) for result in results] == [24, 24, 48]
    # Two addresses with three ports each, one connection to each of them by each name, and never
    # two at once.
    assert {server.connections for server in mails} == {1}
    assert {server.connections for server in webs} == {2}
    assert set(crowd.most.values()) == {1}
    assert len(crowd.most) == 12
    # What each host is asked, and that all of it happens one after the other there.
    waits: dict[str, int] = collections.Counter()
    for result in results:
        for address in result["addresses"]:
            assert address["verdict"] == "open"
            name = address["address"].rpartition(".")[2]
            # A connection and a handshake are three round trips at most, a question is one.
            asked = sum(line.startswith("C: ") for line in address["transcript"])
            waits[name] += 3 + asked
    assert max(waits.values()) * ROUND_TRIP < 15
    for server in mails:
        server.stop()
    for web in webs:
        web.stop()
