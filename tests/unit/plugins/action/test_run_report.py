# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host registered, and the verdict on it."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.action.run_report import (
    Judge,
    _fail_on,
    _snapshots,
    fronts,
    looks_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.stage import (
    DELIVER,
    REACH,
    Door,
    Groups,
    stage,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import EVERYTHING, RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.lines import site_line
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import by_site
from ansible_collections.mailedge.lockdown.tests.support.looks import look

TODAY = datetime.date(2026, 1, 14)


def registered(playbook: str, *layers: str, **variables: t.Any) -> dict[str, t.Any]:
    """The variables of a host that is to do these layers."""
    parts = {layer: {"how": "managed", "why": ""} for layer in layers}
    return {"__mailedge": {"parts": parts, "described": {"site": "birke"}}, **variables}


@pytest.mark.parametrize(
    ("looks", "state"),
    [
        ([look("a stranger", "closed", "closed")], "in order"),
        ([look("a stranger", "closed", "closed"), look("the filter", "open", "open")], "in order"),
        ([look("the filter", "open", "open")], "not judged"),
        ([look("the filter", "open", "open"), look("a stranger", "any", "open")], "not judged"),
        ([look("the filter", "open", "closed")], "drift"),
    ],
)
def test_outside_is_in_order_only_where_a_stranger_was_refused(
    looks: list[dict[str, t.Any]], state: str
) -> None:
    verdict_of_host = Judge("drift", TODAY).host(
        "ex1", registered("drift", "outside", __mailedge_result_outside={"results": looks})
    )
    assert verdict_of_host.state == state
    if state == "not judged":
        assert "nobody has judged what a stranger gets" in verdict_of_host.records[0].findings[0]
        assert verdict_of_host.breaks("drift")


@pytest.mark.parametrize("playbook", ["drift", "apply", "probe"])
def test_silence_is_no_lock_where_nothing_shows_that_somebody_is_there(playbook: str) -> None:
    silent = look(
        "a stranger",
        "closed",
        "closed",
        "no_connection",
        stage="connect",
        needs_control=True,
        reachable=False,
    )
    seen = {"__mailedge_result_outside": {"results": [silent]}}
    told = Judge(playbook, TODAY).host("ex1", registered(playbook, "outside", **seen)).records[0]
    assert told.state == "unknown"
    assert "192.0.2.9:25 answered nobody in this run" in told.findings[0]
    beside = {
        "__mailedge_result_outside": {
            "results": [silent, look("us", "open", "open", source="192.0.2.8")]
        }
    }
    assert (
        not Judge(playbook, TODAY)
        .host("ex1", registered(playbook, "outside", **beside))
        .records[0]
        .findings
    )
    earlier = {
        **seen,
        "__mailedge_look_before": {"results": [look("a stranger", "closed", "open")]},
    }
    assert (
        not Judge(playbook, TODAY)
        .host("ex1", registered(playbook, "outside", **earlier))
        .records[0]
        .findings
    )


def test_an_undo_that_could_not_give_all_back_is_not_called_done() -> None:
    undone = {
        "changed": True,
        "state": "in order",
        "plan": [],
        "not_restored": ["The receive connector 'x' is gone."],
    }
    variables = registered(
        "apply",
        "exchange",
        __mailedge_undone_host={"layers": {"exchange": undone}},
        __mailedge_failure="The proof failed.",
        __mailedge_undo_host={"exchange": "20260114T101500.250Z-4f1c2a-apply.json"},
    )
    verdict_of_host = Judge("apply", TODAY).host("ex1", variables)
    assert verdict_of_host.trouble == (
        "The proof failed. What this run had changed could not be undone as a whole: "
        "The receive connector 'x' is gone."
    )
    whole = {
        **variables,
        "__mailedge_undone_host": {"layers": {"exchange": {**undone, "not_restored": []}}},
    }
    assert (
        "What this run had changed was undone." in Judge("apply", TODAY).host("ex1", whole).trouble
    )
    crashed = {**variables, "__mailedge_undone_host": {"failed": True, "msg": "It broke."}}
    assert (
        "could not be undone as a whole: It broke."
        in Judge("apply", TODAY).host("ex1", crashed).trouble
    )


def test_nothing_looked_at_is_nothing_to_report() -> None:
    """Also where drift is told only."""
    off = {"how": "not managed", "why": ""}
    parts = {"exchange": off, "outside": {"how": "not looked at", "why": ""}}
    judge = Judge("drift", TODAY)
    verdict_of_host = judge.host(
        "ex1", {"__mailedge": {"parts": parts, "described": {"site": "birke"}}}
    )
    for level in ("never", "open", "unknown", "drift"):
        told = judge.failing([verdict_of_host], fail_on={"ex1": level}, check_mode=False)
        assert set(told) == {"ex1"}


@pytest.mark.parametrize(
    ("level", "failing"),
    [
        ("drift", {"open", "unknown", "drift"}),
        ("unknown", {"open", "unknown"}),
        ("open", {"open"}),
        ("never", set()),
    ],
)
def test_from_which_state_on_a_drift_fails_a_host(level: str, failing: set[str]) -> None:
    judge = Judge("drift", TODAY)
    verdicts = [
        judge.host(state, registered("drift", "exchange", __mailedge_result_exchange=result))
        for state, result in {
            "open": {"state": "open", "strangers": {"before": ["They get in."], "after": []}},
            "unknown": {"unreachable": True, "msg": "no answer"},
            "drift": {"state": "drift"},
            "in order": {"state": "in order"},
        }.items()
    ]
    levels = dict.fromkeys(("open", "unknown", "drift", "in order"), level)
    assert set(judge.failing(verdicts, fail_on=levels, check_mode=False)) == failing
    # A host whose tasks never ran fails whatever is asked, and no other playbook reads it.
    never = judge.host("never", {})
    assert "never" in judge.failing([*verdicts, never], fail_on=levels, check_mode=False)
    apply = Judge("apply", TODAY)
    assert {"open", "unknown", "drift"} == set(
        apply.failing(verdicts, fail_on=levels, check_mode=False)
    )


def test_a_host_without_a_description_fails_by_the_strictest_of_the_others() -> None:
    def host(level: str) -> dict[str, t.Any]:
        return {"__mailedge": {"parts": {}, "described": {"site": "s", "fail_on": level}}}

    assert _fail_on({"a": host("never"), "b": {}}) == {"a": "never", "b": "never"}
    assert _fail_on({"a": host("never"), "b": host("open"), "c": {}})["c"] == "open"
    assert _fail_on({"a": {}}) == {"a": "drift"}


def test_an_acceptance_that_fits_nothing_at_any_host_of_its_site_is_told() -> None:
    def host(*ids: str) -> dict[str, t.Any]:
        entries = [{"id": name, "until": "2027-01-31", "reason": "known"} for name in ids]
        result = {
            "state": "drift",
            "guards": [{"id": "unsaved", "severity": "warn", "sentence": "It is not saved."}],
        }
        variables = registered("drift", "exchange", __mailedge_result_exchange=result)
        variables["__mailedge"]["described"]["accepted_drift"] = entries
        return variables

    judge = Judge("drift", TODAY)
    told = judge.host("ex1", host("birke/ex1/exchange/unsaved//", "birke/ex2/*", "birke/nobody"))
    assert told.state == "drift", "a guard that is told only makes no drift, accepted or not"
    assert judge.accepted.unmatched() == {"birke": ["birke/ex2/*", "birke/nobody"]}
    assert judge.host("ex2", host("birke/ex2/*")).state == "accepted"
    assert judge.accepted.unmatched() == {"birke": ["birke/nobody"]}


def test_what_a_look_found_is_a_finding_of_its_own_name() -> None:
    looks = [look("a stranger", "closed", "open"), look("the filter", "open", "closed")]
    outside = Judge("drift", TODAY).host(
        "ex1", registered("drift", "outside", __mailedge_result_outside={"results": looks})
    )
    [record] = outside.records
    assert [(note.key, note.state, note.severity) for note in record.notes] == [
        (("look", "a stranger", "192.0.2.9:25"), "open", "critical"),
        (("look", "the filter", "192.0.2.9:25"), "drift", "warning"),
    ]
    assert record.findings == tuple(note.words for note in record.notes)


def test_the_description_may_come_with_the_answer_of_the_server() -> None:
    about = registered("drift", "exchange")["__mailedge"]
    layers = {"exchange": {"changed": False, "state": "in order", "plan": []}}
    answer = {"changed": False, "layers": layers, "description": about}
    assert Judge("drift", TODAY).host("ex1", {"__mailedge_result_host": answer}).state == "in order"
    unreachable = {"unreachable": True, "msg": "It does not answer.", "description": about}
    verdict_of_host = Judge("drift", TODAY).host("ex1", {"__mailedge_result_host": unreachable})
    assert (verdict_of_host.site, verdict_of_host.state, verdict_of_host.records[0].findings) == (
        "birke",
        "unknown",
        ("It does not answer.",),
    )
    broken = Judge("drift", TODAY).host(
        "ex1", {"__mailedge_result_host": {"failed": True, "msg": "It broke."}}
    )
    assert (broken.state, broken.never_ran, broken.records[0].findings) == (
        "unknown",
        False,
        ("It broke.",),
    )
    nothing = Judge("drift", TODAY).host("ex1", {})
    assert (nothing.state, nothing.never_ran) == ("unknown", True)


@pytest.mark.parametrize("undone", [False, True])
def test_what_a_run_saved_is_handed_on_and_not_what_its_undo_saved(undone: bool) -> None:
    """The firewall's tasks of one run share a snapshot, of which the last one has the whole."""
    variables: dict[str, t.Any] = {
        "__mailedge_result_host": {"snapshots": {"exchange": "of-the-apply"}},
        "__mailedge_result_fortigate_way_in": {
            "snapshot": {"name": "f", "folder": "x", "content": "a half"}
        },
        "__mailedge_result_fortigate_way_out": {
            "snapshot": {"name": "f", "folder": "x", "content": "the whole"}
        },
    }
    if undone:
        variables.update(
            __mailedge_undo_host={"exchange": "of-the-apply"},
            __mailedge_undo_firewall=True,
            __mailedge_undone_host={"snapshots": {"exchange": "of-the-undo"}},
            __mailedge_result_fortigate={
                "snapshot": {"name": "u", "folder": "x", "content": "of the undo"}
            },
        )
    assert _snapshots(
        {"ex1": variables, "ex2": {"__mailedge_result_host": {"changed": False}}}
    ) == {"ex1": {"exchange": "of-the-apply", "fortigate": {"name": "f", "content": "the whole"}}}


def _waited(changed: bool, given: t.Any, **variables: t.Any) -> dict[str, t.Any]:
    """What a host registered that is to wait for the provider's mail."""
    registered_there = registered(
        "apply",
        "exchange",
        __mailedge_result_exchange={"state": "in order", "changed": changed},
        **({} if given is None else {"__mailedge_delivery": given}),
        **variables,
    )
    registered_there["__mailedge"]["described"]["prove_delivery_minutes"] = 15
    return registered_there


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({"verdict": "delivered"}, "in order"),
        ({"verdict": "partly"}, "drift"),
        ({"verdict": "unknown"}, "unknown"),
        ({"verdict": "a word of another version"}, "unknown"),
        ({}, "unknown"),
        ({"verdict": "delivered", "unreachable": True}, "unknown"),
        ({"unreachable": True}, "unknown"),
    ],
)
def test_what_the_provider_s_mail_has_proven_decides_the_site_s_line(
    given: dict[str, t.Any], state: str
) -> None:
    told = Judge("apply", TODAY).host("ex1", _waited(True, {**given, "msg": "What was seen."}))
    line = site_line(by_site([told])[0], check_mode=False)
    assert told.state == state
    assert line.startswith(f"birke: {state}.")
    assert ("ex1, delivery: What was seen." in line) == (state != "in order")
    assert told.breaks("apply") == (state != "in order")


def test_mail_that_was_not_waited_for_is_named_and_never_in_order() -> None:
    told = Judge("apply", TODAY).host("ex1", _waited(False, {"skipped": True}))
    assert told.state == "in order"
    line = site_line(by_site([told])[0])
    assert "Looked at: exchange. Not looked at: delivery (nothing was changed" in line
    # A change that nobody waited after.
    for way in (
        _waited(True, {"skipped": True}),
        _waited(True, None),
        _waited(False, None, __mailedge_result_fortigate_way_in={"changed": True}),
    ):
        told = Judge("apply", TODAY).host("ex1", way)
        assert told.state == "unknown"
        assert told.records[-1].findings == (
            "The provider's mail was not waited for, because the run ended before.",
        )


def test_nobody_waits_for_mail_in_a_check_nor_where_the_site_does_not_ask_for_it() -> None:
    silent = _waited(True, None)
    del silent["__mailedge"]["described"]["prove_delivery_minutes"]
    for judge, variables in (
        (Judge("apply", TODAY), silent),
        (Judge("apply", TODAY, check_mode=True), _waited(True, {"skipped": True})),
        (Judge("drift", TODAY), _waited(True, None)),
    ):
        assert [each.layer for each in judge.host("ex1", variables).records] == ["exchange"]


PROVIDER = RangeSet.parse(["198.51.100.0/24"])
GROUPS = Groups(PROVIDER, PROVIDER)
SERVER, ELSEWHERE = "10.20.1.11", "10.20.1.99"
WAY_IN, LAYERS = "fortigate way in", ("fortigate way in", "windows firewall", "exchange")


def edge_of(layer: str, doors: list[Door], **more: t.Any) -> dict[str, t.Any]:
    """The result of a layer in order that tells of these doors."""
    return {"state": "in order", "edge": stage(layer, GROUPS, doors, **more)}


def firewall(leads_to: tuple[str, ...] = (SERVER,), inside: int = 25) -> dict[str, t.Any]:
    """One with the site's virtual IP, locked, and a second one open to everybody."""
    shut, gaping = {REACH: (PROVIDER, PROVIDER)}, {REACH: (EVERYTHING, EVERYTHING)}
    mail = Door((4,), (25,), shut, ("203.0.113.25",), (SERVER,), 25, "VIP-mail")
    second = Door((4,), (2525,), gaping, ("203.0.113.82",), leads_to, inside, "VIP-second")
    return edge_of("firewall", [mail, second])


def behind(right: str, who: RangeSet) -> dict[str, t.Any]:
    more = {"addresses": [SERVER], "complete": True} if right == DELIVER else {}
    return edge_of(right, [Door((4,), (25,), {right: (who, who)})], **more)


def edge_verdict(
    playbook: str,
    front: dict[str, t.Any],
    rules: dict[str, t.Any] | None = None,
    connectors: dict[str, t.Any] | None = None,
    *more: str,
    **variables: t.Any,
) -> t.Any:
    results = dict(zip(LAYERS, (front, rules, connectors)))
    layers = [layer for layer, result in results.items() if result]
    known = registered(playbook, *layers, *more, **variables)
    known["__mailedge"]["described"]["fortigate_vips"] = ["VIP-mail"]
    known["__mailedge_result_fortigate_way_in"] = front
    known["__mailedge_result_host"] = {
        "layers": {layer: result for layer, result in results.items() if result and layer != WAY_IN}
    }
    return Judge(playbook, TODAY).host("ex1", known)


@pytest.mark.parametrize("playbook", ["apply", "drift"])
def test_a_door_at_which_strangers_perhaps_get_in_is_not_green(playbook: str) -> None:
    verdict = edge_verdict(playbook, firewall())
    assert verdict.state == "unknown"
    assert verdict.breaks(playbook)
    assert verdict.reason == (
        "a stranger at 203.0.113.82 port 2525 (VIP-second) gets: taken, unless refused by Windows "
        "Firewall (which is not managed) or Exchange (which is not managed)"
    )
    perhaps = [Door((4,), (25,), {DELIVER: (EVERYTHING, RangeSet())})]
    connectors = edge_of("exchange", perhaps, addresses=[SERVER, ELSEWHERE])
    beside = edge_verdict(playbook, firewall((ELSEWHERE,)), None, connectors)
    assert beside.state == "unknown", "by another address of the server"


@pytest.mark.parametrize(
    ("front", "rules", "connectors"),
    [
        (firewall((ELSEWHERE,)), None, None),
        (firewall(()), None, None),
        (firewall(inside=587), None, None),
        (firewall(), behind(REACH, PROVIDER), None),
        (firewall(), None, behind(DELIVER, PROVIDER)),
    ],
)
def test_a_door_that_a_layer_shuts_or_that_is_not_the_servers_stays_green(
    front: dict[str, t.Any], rules: dict[str, t.Any] | None, connectors: dict[str, t.Any] | None
) -> None:
    assert edge_verdict("drift", front, rules, connectors).state == "in order"


def test_the_doors_are_told_as_they_are_as_they_would_be_and_as_they_were() -> None:
    def answers(doors: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, str]:
        return {door["name"]: door["answer"] for door in doors if door["who"] == "a stranger"}

    mail, second = "VIP-mail", "VIP-second"
    shut = {REACH: (PROVIDER, PROVIDER)}
    doors = [
        Door((4,), (25,), shut, ("203.0.113.25",), (SERVER,), 25, "VIP-mail"),
        Door((4,), (2525,), shut, ("203.0.113.82",), (SERVER,), 25, "VIP-second"),
    ]
    front = firewall()
    plain = edge_verdict("drift", firewall())
    assert (plain.doors_described, plain.doors_before) == ((), ())
    front["edge"]["described"] = stage("firewall", GROUPS, doors)
    verdict = edge_verdict("drift", front)
    assert answers(verdict.doors) == {mail: "refused", second: "unknown"}
    assert answers(verdict.doors_described) == {mail: "refused", second: "refused"}
    assert verdict.doors_before == ()
    assert verdict.doors == plain.doors
    after = edge_of("firewall", doors)
    after["edge"]["before"] = firewall()["edge"]
    verdict = edge_verdict("apply", after)
    assert answers(verdict.doors_before) == {mail: "refused", second: "unknown"}
    assert answers(verdict.doors) == {mail: "refused", second: "refused"}


def test_a_door_at_which_strangers_certainly_get_in_is_open() -> None:
    layers = firewall(), behind(REACH, EVERYTHING), behind(DELIVER, EVERYTHING)
    verdict = edge_verdict("drift", *layers)
    assert verdict.state == "open"
    assert verdict.reason == "a stranger at 203.0.113.82 port 2525 (VIP-second) gets: taken"
    assert edge_verdict("rollback", *layers).state == "restored"


def test_a_door_that_is_known_too_little_of_is_judged_by_the_looks_where_there_are_any() -> None:
    def looked_at(*verdicts: tuple[str, str]) -> str:
        looks = [look("a stranger", "closed", verdict) for _at, verdict in verdicts]
        for seen, (at, _verdict) in zip(looks, verdicts):
            seen["__mailedge_vantage"]["looks"][0]["stands_for"] = at
        outside = {"__mailedge_result_outside": {"results": looks}}
        return str(edge_verdict("drift", firewall(), None, None, "outside", **outside).state)

    mail, second = "203.0.113.25:25", "203.0.113.82:2525"
    assert looked_at((mail, "closed"), (second, "closed")) == "in order"
    assert looked_at((mail, "closed")) == "unknown"


@pytest.mark.parametrize("seen", [("203.0.113.25:25", "203.0.113.82:2525"), ("203.0.113.25:25",)])
def test_what_one_host_of_a_site_looked_at_is_seen_for_the_others(seen: tuple[str, ...]) -> None:
    looks = [look("a stranger", "closed", "closed") for _at in seen]
    for item, at in zip(looks, seen):
        item["__mailedge_vantage"]["looks"][0]["stands_for"] = at
    owner = registered("drift", WAY_IN, "outside", __mailedge_result_outside={"results": looks})
    owner["__mailedge_result_fortigate_way_in"] = firewall((ELSEWHERE,))
    second = registered("drift", "exchange")
    second["__mailedge"]["parts"]["outside"] = {"how": "elsewhere", "why": "DNS is ex1's."}
    shut = [Door((4,), (25,), {DELIVER: (PROVIDER, PROVIDER)})]
    there = edge_of("exchange", shut, addresses=[ELSEWHERE], complete=True)
    second["__mailedge_result_host"] = {"layers": {"exchange": there}}
    hosts = {"ex1": owner, "ex2": second}
    judge = Judge("drift", TODAY, fronts(hosts), looks=looks_of(hosts))
    verdict = judge.host("ex2", second)
    assert verdict.state == ("in order" if len(seen) == 2 else "unknown")
    if verdict.state == "unknown":
        assert verdict.reason.startswith(
            "A known door was not looked at from outside: a stranger at 203.0.113.82 port 2525"
        )
        assert verdict.breaks("drift")
