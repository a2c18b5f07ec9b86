# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipe of the way out: what the lock makes of the send connectors that are there."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.outbound import (
    outbound_lock,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    apply_all,
    plan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.routing import route
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import (
    State,
    read_state,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.tests.support import connectors as sites
from ansible_collections.mailedge.lockdown.tests.support.locked import (
    LAN_HOST,
    PROVIDER,
    STRANGERS,
    lock,
    meets,
)

SMART = {"smart_hosts": ["out.filter.example"]}


def _out(state: State, **options: t.Any) -> State:
    given = {**SMART, **options}
    after = apply_all(plan(state, outbound_lock(state, given)), state)
    assert plan(after, outbound_lock(after, given)) == (), "a second run would change something"
    return after


def test_mail_goes_to_the_smart_hosts_and_the_old_way_is_kept_disabled() -> None:
    after = _out(sites.modern(), port=2525, require_tls=True)

    connector = after.send["mail to filter"]
    assert route(after.send.values(), "anywhere.example") == "Mail to filter"
    assert (connector["port"], connector["require_tls"], connector["dns_routing_enabled"]) == (
        2525,
        True,
        False,
    )
    assert connector["source_transport_servers"] == frozenset({"ex1"})
    assert after.send["internet"] == {**sites.modern().send["internet"], "enabled": False}


def test_what_leaks_by_a_closer_space_is_closed_and_what_belongs_to_others_is_not() -> None:
    others = [
        sites.send("Com", address_spaces=["*.com;1"]),
        sites.send("Partner", address_spaces=["partner.example"]),
        sites.send(
            "Outbound to Office 365 - 1234", address_spaces=["*"], cloud_services_mail_enabled=True
        ),
        sites.send("EdgeSync - Inbound to Site", address_spaces=["--"], smart_hosts=["--"]),
        sites.send("Fax", address_spaces=["FAX:*;1"], smart_hosts=["fax.birke.example"]),
    ]
    after = _out(sites.site(Version.E2016, [], others))

    assert {key for key, connector in after.send.items() if not connector["enabled"]} == {"com"}


def test_a_lock_of_one_space_closes_that_space_only() -> None:
    state = sites.site(
        Version.E2016, [], [sites.send("Internet"), sites.send("A", address_spaces=["a.example"])]
    )
    after = _out(state, address_spaces=["a.example"])

    assert {key for key, connector in after.send.items() if not connector["enabled"]} == {"a"}


def test_old_connectors_can_be_kept_and_named_sources_are_used() -> None:
    after = _out(
        sites.modern(),
        close="keep",
        name="Out",
        source_transport_servers=["EX1", "ex2.birke.example"],
    )

    assert after.send["internet"]["enabled"] is True
    assert after.send["out"]["source_transport_servers"] == frozenset({"ex1", "ex2"})
    assert _out(after, close="keep", name="Out").send["out"] == after.send["out"]


def test_an_edge_server_has_no_source_servers() -> None:
    assert "source_transport_servers" not in _out(sites.edge()).send["mail to filter"]


@pytest.mark.parametrize(
    ("options", "text"), [({}, "smart_hosts"), ({**SMART, "close": "burn"}, "close")]
)
def test_an_outbound_lock_that_cannot_be_meant_is_refused(
    options: dict[str, t.Any], text: str
) -> None:
    with pytest.raises(PlanError, match=text):
        outbound_lock(sites.modern(), options)


def _real_site() -> State:
    folder = os.environ.get("MAILEDGE_FIXTURES")
    if not folder:
        pytest.skip("MAILEDGE_FIXTURES does not name the folder of the real dumps")
    rows = {
        name: json.loads(
            (pathlib.Path(folder) / f"exchange2019_{name}_connectors.json").read_text(
                encoding="utf-8"
            )
        )
        for name in ("receive", "send")
    }
    owner = rows["receive"][0]["Server"]
    exchange = {"major": 15, "minor": 2, "build": 986, "revision": 5}
    return read_state({"name": owner, "fqdn": f"{owner}.exlab.dom", "exchange": exchange}, rows)


def test_a_real_server_is_locked_in_both_directions() -> None:
    state = _real_site()
    after = _out(lock(state))

    assert meets(state, STRANGERS[0]).accepts_anonymous
    assert meets(after, STRANGERS[0]).refused
    assert meets(after, STRANGERS[2]).refused
    assert meets(after, PROVIDER).accepts_anonymous
    assert meets(after, LAN_HOST).groups == meets(state, LAN_HOST).groups
    assert route(after.send.values(), "anywhere.example") == "Mail to filter"
