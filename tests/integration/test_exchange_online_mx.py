# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the MX of a tenant's domains points, by a real DNS server on loopback."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.names import NameServer, Zones
from ansible_collections.mailedge.lockdown.tests.support.exchange_online_modules import (
    MX,
    Tenant,
    ids,
    running,
)

SILENT = ["nothing"]


@pytest.fixture
def tenant(tmp_path: pathlib.Path) -> t.Iterator[Tenant]:
    yield from running(tmp_path)


@pytest.mark.parametrize(
    ("records", "fault", "guard", "words"),
    [
        (["10 mx1.filter.example."], "", "", ""),
        (["10 hafen-example.mail.protection.outlook.com."], "", "mx_here", "hafen-example.mail."),
        (["10 mx1.filter.example.", "20 h.a1b2.mx.microsoft."], "", "mx_here", "h.a1b2.mx"),
        (["10 mx1.filter.example."], "SERVFAIL", "mx_unknown", "hafen.example"),
        (["10 mx1.filter.example."], "lame", "mx_unknown", "hafen.example"),
        ([], "", "mx_unknown", "DNS has no MX for hafen.example"),
        (["0 ."], "", "mx_unknown", "DNS has no MX for hafen.example"),
    ],
)
def test_dns_says_where_the_mx_points_or_it_is_unknown(
    tenant: Tenant, records: list[str], fault: str, guard: str, words: str
) -> None:
    zones = Zones(["hafen.example"])
    zones.add("hafen.example", "A", "192.0.2.80")
    if records:
        zones.add("hafen.example", "MX", *records)
    start = tenant.dump()
    with NameServer(zones) as server:
        if fault:
            server.faults["hafen.example"] = fault
        asking = {"mx_from_dns": True, "resolver": "127.0.0.1", "resolver_port": server.port}
        told = tenant.lock(mx_hosts=[], **asking)
        assert told["failed"] == bool(guard), told.get("msg")
        if guard:
            assert guard in ids(told)
            assert words in told["msg"]
            assert tenant.dump() == start
            assert told["state"] in ("open", "unknown")
        if guard == "mx_unknown":
            named = tenant.locked(**asking)
            assert named["state"] == "unknown", "it is named, and may be moved unseen"
            assert guard in ids(named)
        elif not guard:
            assert tenant.locked(mx_hosts=[], **asking)["state"] == "in order"


@pytest.mark.parametrize(
    ("named", "moved", "guard", "words"),
    [
        ([], ["10 mx1.filter.example."], "", ""),
        ([], ["0 hafen-example.mail.protection.outlook.com."], "mx_here", "the tenant refuses the"),
        (MX, ["0 hafen-example.A1b2.mx.microsoft."], "mx_here", "give the tenant back as it was"),
        (MX, ["10 MX1.filter.example."], "", ""),
        (MX, ["10 mx.other.example."], "mx_elsewhere", "DNS has mx.other.example as MX"),
        ([], [], "mx_unknown", "DNS has no MX for hafen.example"),
        (MX, [], "mx_unknown", "DNS has no MX for hafen.example"),
        (MX, SILENT, "mx_unknown", "DNS does not tell the MX of hafen.example"),
    ],
)
def test_an_mx_that_is_moved_after_the_lock_is_noticed(
    tenant: Tenant, named: list[str], moved: list[str], guard: str, words: str
) -> None:
    """By whoever only reads as well, with as many requests as before."""
    zones = Zones(["hafen.example"])
    zones.add("hafen.example", "A", "192.0.2.80")
    zones.add("hafen.example", "MX", "10 mx1.filter.example.")
    with NameServer(zones) as server:
        asking = {"mx_from_dns": True, "resolver": "127.0.0.1", "resolver_port": server.port}
        tenant.locked(mx_hosts=named, **asking)
        start = tenant.dump()
        del zones.records["hafen.example", "MX"]
        if moved is SILENT:
            server.faults["hafen.example"] = "SERVFAIL"
        elif moved:
            zones.add("hafen.example", "MX", *moved)
        tenant.online.reset_counters()
        told = tenant.lock(mx_hosts=named, check=True, check_permissions=False, **asking)
        assert tenant.online.requests + tenant.online.logins <= 4
        assert ids(told) & {"mx_here", "mx_elsewhere", "mx_unknown"} == ({guard} - {""})
        assert told["failed"] is (guard in ("mx_here", "mx_elsewhere")), told
        assert told["plan"] == []
        assert tenant.dump() == start
        if not guard:
            assert told["state"] == "in order"
            return
        sentences = [told.get("msg", ""), *(finding["sentence"] for finding in told["guards"])]
        assert any(words in sentence for sentence in sentences), sentences
        if guard == "mx_unknown":
            assert told["state"] == "unknown"
        accepted = tenant.lock(mx_hosts=named, accept_risks=[guard], check=True, **asking)
        assert (accepted["failed"], accepted["state"]) == (False, "in order")


def test_dns_is_not_asked_where_nobody_said_so(tenant: Tenant) -> None:
    with NameServer(Zones(["hafen.example"])) as server:
        named = {"resolver": "127.0.0.1", "resolver_port": server.port}
        assert "mx_unknown" in ids(tenant.lock(mx_hosts=[], **named))
        assert server.asked == []


def test_a_rollback_that_locks_says_no_state_where_nothing_tells_the_mx(tenant: Tenant) -> None:
    tenant.locked()
    opened = tenant.rollback("original")
    assert not tenant.dump()["InboundConnector"]
    back = tenant.rollback(opened["snapshot"]["name"])
    (row,) = tenant.dump()["InboundConnector"]
    assert row["RestrictDomainsToCertificate"], "it is locked again"
    assert "mx_unknown" in ids(back)
    assert "state" not in back
