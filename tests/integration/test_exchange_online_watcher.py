# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read by Microsoft's documented interfaces: the drifts of its own monitor, and the
accepted domains.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.authority import (
    MANAGE_AS_APP,
    MANAGE_AS_APP_V2,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.graph import READ_MONITORS
from ansible_collections.mailedge.lockdown.tests.support.exchange_online_modules import (
    CERTIFICATE,
    Tenant,
    ids,
    running,
)
from ansible_collections.mailedge.lockdown.tests.support.fortigate import Result


@pytest.fixture
def tenant(tmp_path: pathlib.Path) -> t.Iterator[Tenant]:
    for tenant in running(tmp_path):
        tenant.online.reader.graph_roles.add(READ_MONITORS)
        tenant.locked()
        tenant.online.clock.advance(1801)
        yield tenant


def watched(tenant: Tenant, **options: t.Any) -> Result:
    """What the module that reads tells, by the app that may only read."""
    reader = tenant.online.reader
    told = tenant.info(
        provider_certificate=CERTIFICATE,
        client_id=reader.client_id,
        client_secret=reader.secret,
        microsoft_monitor=True,
        **{"graph_url": tenant.online.graph.url, **options},
    )
    assert not told["failed"], told["msg"]
    assert reader.secret not in str(told)
    assert all(token not in str(told) for token in tenant.online.authority.issued)
    return told


def test_what_the_second_watcher_has_noticed_is_told(tenant: Tenant) -> None:
    graph = tenant.online.graph
    monitor = graph.monitor("mail flow")
    graph.drift(
        monitor,
        "inboundconnector",
        "hafen by certificate",
        ("Enabled", True, False),
        ("SenderIPAddresses", [], ["203.0.113.0/24"]),
    )
    graph.drift(monitor, "organizationconfig", "hafen", ("RejectDirectSend", True, None))
    graph.drift(monitor, "transportrule", "old", ("Ensure", "Present", "Absent"))["status"] = (
        "fixed"
    )
    graph.drift(monitor, "x", "y")["resourceType"] = "microsoft.entra.conditionalaccesspolicy"
    graph.page = 1
    graph.throttle = 1
    told = watched(tenant)
    watch = told["microsoft_monitor"]
    assert (watch["monitors"], watch["elsewhere"], watch["unknown"]) == (["mail flow"], 1, "")
    assert [drift["name"] for drift in watch["drifts"]] == ["hafen by certificate", "hafen"]
    assert watch["drifts"][0]["properties"][0] == {
        "name": "Enabled",
        "wanted": True,
        "current": False,
    }
    first, second, others = watch["sentences"]
    assert "since 2026-01-14T06:00:57.4830642Z" in first
    assert "inboundconnector 'hafen by certificate'" in first
    assert "Enabled is false, wanted is true" in first
    assert 'SenderIPAddresses is ["203.0.113.0/24"], wanted is []' in first
    assert "RejectDirectSend is null, wanted is true" in second
    assert "1 drifts of other services" in others
    assert told["state"] == "in order", "it is a second watcher, and no judge"


def test_nothing_noticed_is_not_said_where_nobody_watches(tenant: Tenant) -> None:
    assert "No monitor of Microsoft's runs" in watched(tenant)["microsoft_monitor"]["sentences"][0]
    graph = tenant.online.graph
    graph.monitor("asleep", status="inactive")
    assert "No monitor of Microsoft's runs" in watched(tenant)["microsoft_monitor"]["sentences"][0]
    graph.monitor("awake")
    (sentence,) = watched(tenant)["microsoft_monitor"]["sentences"]
    assert "(awake) has noticed nothing" in sentence
    assert "by its baseline alone" in sentence


@pytest.mark.parametrize(
    "fault", ["permission", "busy", "page", "nothing there", "no list", "a page"]
)
def test_a_watcher_that_cannot_be_asked_is_unknown_and_the_tenant_is_told_all_the_same(
    tenant: Tenant, fault: str
) -> None:
    graph = tenant.online.graph
    monitor = graph.monitor("mail flow")
    for name in ("a", "b"):
        graph.drift(monitor, "inboundconnector", name)
    options: dict[str, t.Any] = {}
    if fault == "permission":
        tenant.online.reader.graph_roles.clear()
    elif fault == "busy":
        graph.throttle = 1000
    elif fault == "page":
        # A link that leads away gets no token.
        start, graph.page, graph.url = graph.url, 1, "https://elsewhere.example"
        options["graph_url"] = start
    elif fault == "nothing there":
        options["graph_url"] = "https://127.0.0.1:9"
    else:
        graph.instead = '{"value": {"id": 1}}' if fault == "no list" else "<html>Sign in</html>"
    told = watched(tenant, **options)
    watch = told["microsoft_monitor"]
    assert watch["drifts"] == []
    assert watch["unknown"].startswith("What Microsoft's monitor has noticed is not known.")
    assert watch["sentences"] == [watch["unknown"]]
    if fault == "permission":
        assert READ_MONITORS in watch["unknown"]
    assert told["state"] == "in order"


def test_nobody_asks_graph_who_was_not_told_to(tenant: Tenant) -> None:
    assert "microsoft_monitor" not in tenant.info(provider_certificate=CERTIFICATE)
    assert tenant.online.graph.requests == 0
    told = tenant.info(microsoft_monitor=True, cloud="us_gov_high")
    assert told["failed"]
    assert "in the worldwide cloud alone" in told["msg"]
    assert tenant.info(microsoft_monitor=True, graph_url="http://x.example")["failed"]


def test_the_documented_interface_reads_the_domains(tenant: Tenant) -> None:
    online = tenant.online
    online.reset_counters()
    options = {"check": True, "check_permissions": False, "documented_api": True}
    told = tenant.locked(**options)
    assert told["state"] == "in order"
    assert "hafen.example" in told["tenant"]["domains"]
    assert online.requests + online.logins <= 4
    asked = {
        path.split("/")[-1].split("?")[0]: names for _verb, path, names, _code in online.api.log
    }
    assert asked["AcceptedDomain"] == ("Get-AcceptedDomain",)
    assert "Get-AcceptedDomain" not in asked["$batch"]

    online.writer.app_roles = {MANAGE_AS_APP}
    told = tenant.locked(**options)
    assert told["state"] == "unknown"
    assert "not_all_read" in ids(told)
    (sentence,) = [each["sentence"] for each in told["guards"] if each["id"] == "not_all_read"]
    assert MANAGE_AS_APP_V2 in sentence
    assert tenant.locked(**{**options, "documented_api": False})["state"] == "in order"
