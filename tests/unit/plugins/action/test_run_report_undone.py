# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run says of what it has taken back, of hosts that never ran, and of what nobody saw."""

from __future__ import annotations

import copy
import datetime
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.action.run_report import Judge, fronts
from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.stage import (
    DELIVER,
    REACH,
    Door,
    Groups,
    stage,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import EVERYTHING, RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import blind_spots
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._registered import (
    result_of,
    sites_of,
)

TODAY = datetime.date(2026, 1, 14)
PROVIDER = RangeSet.parse(["198.51.100.0/24"])
GROUPS = Groups(PROVIDER, PROVIDER)
SERVER = "10.20.1.11"
WAY_IN = "fortigate way in"
STRANGERS = "Everybody can reach port 25 of the virtual IP 'VIP-mail'."

Plain = dict[str, t.Any]


def host(*layers: str, site: str = "birke", how: str = "managed", **variables: t.Any) -> Plain:
    parts = {layer: {"how": how, "why": ""} for layer in layers}
    return {"__mailedge": {"parts": parts, "described": {"site": site}}, **variables}


def front(who: RangeSet) -> Plain:
    door = Door((4,), (25,), {REACH: (who, who)}, ("203.0.113.25",), (SERVER,), 25, "VIP-mail")
    return stage("firewall", GROUPS, [door])


def undone(answer: Plain, **more: t.Any) -> dict[str, Plain]:
    """Two servers of a site whose apply failed, after which its firewall was opened again."""
    locked = {
        "state": "in order",
        "changed": True,
        "snapshot": {"name": "s"},
        "strangers": {"before": [STRANGERS], "after": []},
        "edge": {**front(PROVIDER), "before": front(EVERYTHING)},
        **more,
    }
    behind = [Door((4,), (25,), {DELIVER: (EVERYTHING, EVERYTHING)})]
    server = {
        "state": "in order",
        "edge": stage("exchange", GROUPS, behind, addresses=[SERVER], complete=True),
    }
    return {
        "ex1": host(
            WAY_IN,
            __mailedge_result_fortigate_way_in=locked,
            __mailedge_result_fortigate=answer,
            __mailedge_undo_firewall=True,
            __mailedge_failure="The proof failed.",
        ),
        "ex2": host("exchange", __mailedge_result_exchange=server),
    }


@pytest.mark.parametrize(
    ("answer", "states"),
    [
        ({"changed": True, "state": "restored"}, ["open", "unknown"]),
        ({"failed": True, "msg": "No answer."}, ["unknown", ""]),
    ],
)
def test_a_firewall_that_was_opened_again_shuts_no_door(answer: Plain, states: list[str]) -> None:
    hosts = undone(answer)
    judge = Judge("apply", TODAY, fronts(hosts))
    first, second = (judge.host(name, variables) for name, variables in hosts.items())
    assert first.state == states[0]
    strangers = [door for door in (*first.doors, *second.doors) if door["who"] == "a stranger"]
    assert not any(door["answer"] == "refused" for door in strangers)
    if states[1]:
        assert second.state == states[1], "by its firewall it is no greener than it was before"
        assert second.breaks("apply")


def test_a_firewall_that_nobody_has_read_is_not_as_it_was() -> None:
    unread: list[Plain] = [{}, {"skipped": True}, {"failed": True, "msg": "No answer."}]
    for registered in unread:
        hosts = undone({"changed": True})
        hosts["ex1"]["__mailedge_result_fortigate_way_in"] = registered
        told = Judge("apply", TODAY, fronts(hosts)).host("ex1", hosts["ex1"])
        assert [each.state for each in told.records] == ["unknown"]


def test_what_was_not_written_to_is_told_as_it_was_read() -> None:
    variables = undone({"changed": True}, changed=False, edge=front(PROVIDER))["ex1"]
    assert result_of(WAY_IN, variables)["edge"] == front(PROVIDER)
    # Of what was written to, and not read before, nobody knows.
    written = undone({"changed": True}, edge=front(PROVIDER))["ex1"]
    assert "edge" not in result_of(WAY_IN, written)


def test_a_layer_that_was_given_back_is_not_as_described() -> None:
    given_back = {"changed": True, "state": "in order", "restored": "20260114T101500.250Z.json"}
    variables = host(
        "exchange",
        __mailedge_result_host={"layers": {"exchange": {"state": "in order", "changed": True}}},
        __mailedge_undone_host={"layers": {"exchange": given_back}},
        __mailedge_undo_host={"exchange": "s"},
        __mailedge_failure="The proof failed.",
    )
    told = Judge("apply", TODAY).host("ex1", variables)
    assert [each.state for each in told.records] == ["drift"]
    opened = copy.deepcopy(variables)
    opened["__mailedge_undone_host"]["layers"]["exchange"]["state"] = "open"
    assert Judge("apply", TODAY).host("ex1", opened).state == "open"


@pytest.mark.parametrize(
    ("site", "siblings"),
    [
        ("birke", {}),
        (" birke ", {}),
        ("{{ client }}", {"__mailedge_sites": {"sites": {"birke": ["ex1", "ex2"]}}}),
    ],
)
def test_a_host_that_never_ran_stays_in_its_site(site: str, siblings: Plain) -> None:
    in_order = {"state": "in order"}
    hosts = {
        "ex1": host("exchange", __mailedge_result_exchange=in_order, **siblings),
        "ex2": {"mailedge_site": site},
    }
    judge = Judge("drift", TODAY, sites=sites_of(hosts))
    assert {judge.host(name, known).site for name, known in hosts.items()} == {"birke"}


def test_a_host_of_which_nobody_says_the_site_is_one_of_its_own() -> None:
    named = host("exchange")
    named["__mailedge"]["described"]["site_hosts"] = ["ex1", "ex2"]
    hosts = {"ex1": named, "ex2": {}, "ex3": {"mailedge_site": "{{ client }}"}}
    judge = Judge("drift", TODAY, sites=sites_of(hosts))
    sites = {name: judge.host(name, known).site for name, known in hosts.items()}
    assert sites == {"ex1": "birke", "ex2": "birke", "ex3": "ex3"}


@pytest.mark.parametrize(
    ("variables", "layers"),
    [
        ({"__mailedge_result_exchange": {"state": "open"}}, ["exchange"]),
        ({"__mailedge_result_exchange": {"unreachable": True, "msg": "No."}}, ["exchange"]),
        ({}, ["exchange"]),
        ({"__mailedge_result_exchange": {"state": "in order"}}, ["exchange", "ex2"]),
    ],
)
def test_an_acceptance_of_what_nobody_saw_is_not_to_be_taken_out(
    variables: Plain, layers: list[str]
) -> None:
    entries = ["birke/ex1/exchange/differs/*", "birke/ex2/*", "*/windows tls/*", "birke/nobody/*"]
    known = host(*layers, **variables)
    if "ex2" in layers:
        known["__mailedge"]["parts"]["ex2"] = {"how": "not looked at", "why": "Not selected."}
    known["__mailedge"]["described"]["accepted_drift"] = [
        {"id": name, "until": "2027-01-31", "reason": "known"} for name in entries
    ]
    judge = Judge("drift", TODAY)
    blind = blind_spots([judge.host("ex1", known)])
    left = judge.accepted.unmatched(blind)["birke"]
    assert "birke/nobody/*" in left
    needed = "birke/ex2/*" if "ex2" in layers else "birke/ex1/exchange/differs/*"
    assert needed not in left
    assert needed in judge.accepted.unmatched()["birke"]


def test_an_acceptance_at_a_host_that_never_ran_is_not_to_be_taken_out() -> None:
    known = host("exchange", __mailedge_result_exchange={"state": "in order"})
    known["__mailedge"]["described"]["accepted_drift"] = [
        {"id": name, "until": "2027-01-31", "reason": "known"}
        for name in ("birke/ex1/*", "birke/ex2/iis/*")
    ]
    hosts = {"ex1": known, "ex2": {"mailedge_site": "birke"}}
    judge = Judge("drift", TODAY, sites=sites_of(hosts))
    verdicts = [judge.host(name, variables) for name, variables in hosts.items()]
    assert judge.accepted.unmatched(blind_spots(verdicts)) == {"birke": ["birke/ex1/*"]}
