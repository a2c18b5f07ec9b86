# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run says of a site: nothing is green that was not looked at, and the worst comes first."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.acceptance import (
    Acceptances,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.lines import (
    detail_lines,
    site_line,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    ELSEWHERE,
    LEFT_OUT,
    MANAGED,
    NOT_LOOKED_AT,
    NOT_MANAGED,
    PLAYBOOKS,
    HostVerdict,
    Part,
    Record,
    by_site,
    record,
)

TODAY = datetime.date(2026, 11, 25)
IN_ORDER: dict[str, t.Any] = {"changed": False, "state": "in order", "plan": [], "guards": []}
STRANGERS = "The internet may send without a login."


def judged(
    result: t.Mapping[str, t.Any] | None,
    how: str = MANAGED,
    *,
    playbook: str = "drift",
    acceptances: Acceptances | None = None,
) -> Record | None:
    part = Part(how, "" if how == MANAGED else "A reason.")
    return record("exchange", "ex1", part, result, playbook=playbook, acceptances=acceptances)


def accepting(until: str | None) -> Acceptances:
    """Everything of the site, until a day."""
    entry = {"id": "*", "until": until, "reason": "moving next week"}
    return Acceptances("birke", [entry] if until else [], TODAY)


def state(result: t.Mapping[str, t.Any] | None, how: str = MANAGED, **more: t.Any) -> str:
    judgement = judged(result, how, **more)
    assert judgement is not None
    return judgement.state


def test_who_is_to_blame_comes_before_who_had_to_wait() -> None:
    waited = {"state": "open", "failed": True, "held_back": True, "msg": "It had to wait."}
    blamed = {"failed": True, "msg": "It cannot be changed."}
    records = [
        layer_record
        for layer, result in (("exchange", waited), ("iis", blamed))
        if (layer_record := record(layer, "ex1", Part(MANAGED), result, playbook="apply"))
    ]
    verdict = HostVerdict("ex1", "birke", tuple(records))
    assert verdict.state == "open"
    assert verdict.reason == "It cannot be changed."
    (site,) = by_site([verdict])
    assert site_line(site) == "birke: open. ex1, iis: It cannot be changed."
    alone = HostVerdict("ex1", "birke", (records[0],))
    assert site_line(by_site([alone])[0]) == "birke: open. ex1, exchange: It had to wait."


@pytest.mark.parametrize(
    "result",
    [
        None,
        {},
        {"skipped": True},
        {"changed": False},
        {"changed": False, "plan": [], "guards": []},
        {"state": "fine"},
        {"unreachable": True, "msg": "no answer"},
        {"unreachable": True, "state": "in order"},
        {"failed": True, "msg": "refused"},
        {"failed": True, "state": "in order", "msg": "refused"},
        {"failed": True},
    ],
)
def test_a_result_that_proves_nothing_is_unknown(result: dict[str, t.Any] | None) -> None:
    judgement = judged(result)
    assert judgement is not None
    assert judgement.state == "unknown"
    assert judgement.findings


def test_what_a_result_says() -> None:
    assert state(IN_ORDER) == "in order"
    assert state({**IN_ORDER, "state": "drift", "plan": ["Change it."]}) == "drift"
    opened = judged(
        {**IN_ORDER, "state": "open", "strangers": {"before": [STRANGERS], "after": []}}
    )
    assert opened is not None
    assert (opened.state, opened.findings) == ("open", (STRANGERS,))
    stopped = judged(
        {
            **IN_ORDER,
            "state": "open",
            "failed": True,
            "msg": "A guard stops it.",
            "strangers": {"before": [STRANGERS], "after": []},
        }
    )
    assert stopped is not None
    assert stopped.state == "open"
    assert stopped.findings == ("A guard stops it.", STRANGERS)


def test_a_layer_that_another_host_does_has_no_record_here() -> None:
    assert judged(IN_ORDER, ELSEWHERE) is None


@pytest.mark.parametrize("how", [NOT_MANAGED, NOT_LOOKED_AT, LEFT_OUT])
def test_a_result_does_not_count_for_a_layer_that_was_not_to_be_looked_at(how: str) -> None:
    assert state(IN_ORDER, how) in ("not managed", "not looked at")


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("2026-11-26", "accepted"),
        ("2026-11-25", "accepted"),
        ("2026-11-24", "drift"),
        (None, "drift"),
    ],
)
def test_drift_is_accepted_until_a_day(until: str | None, expected: str) -> None:
    result = {**IN_ORDER, "state": "drift", "plan": ["Change it."]}
    assert state(result, acceptances=accepting(until)) == expected


def test_an_open_door_is_never_accepted() -> None:
    result = {**IN_ORDER, "state": "open", "strangers": {"before": [STRANGERS], "after": []}}
    assert state(result, acceptances=accepting("2027-01-01")) == "open"


def verdict(
    *records: Record, host: str = "ex1", site: str = "birke", trouble: str = ""
) -> HostVerdict:
    return HostVerdict(host, site, tuple(records), trouble)


def of(layer: str, state: str, *findings: str, left_out: bool = False) -> Record:
    return Record(layer, "ex1", state, findings, left_out=left_out)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([], "unknown"),
        ([of("exchange", "not managed"), of("outside", "not looked at")], "unknown"),
        ([of("exchange", "not managed"), of("fortigate", "not managed")], "unknown"),
        ([of("exchange", "in order"), of("outside", "not looked at")], "in order"),
        ([of("exchange", "in order"), of("fortigate", "not managed")], "in order"),
        ([of("exchange", "in order"), of("fortigate", "not looked at", left_out=True)], "unknown"),
        ([of("exchange", "open"), of("fortigate", "not looked at", left_out=True)], "open"),
        ([of("exchange", "in order"), of("fortigate", "drift")], "drift"),
        ([of("exchange", "drift"), of("fortigate", "unknown")], "unknown"),
        ([of("exchange", "open"), of("fortigate", "unknown")], "open"),
        ([of("exchange", "accepted"), of("fortigate", "in order")], "accepted"),
        ([of("exchange", "restored"), of("fortigate", "not managed")], "restored"),
        ([of("exchange", "in order"), of("outside", "not judged")], "in order"),
        ([of("outside", "not judged")], "not judged"),
    ],
)
def test_the_worst_layer_is_the_state_of_the_host(records: list[Record], expected: str) -> None:
    assert verdict(*records).state == expected


def test_trouble_is_never_in_order() -> None:
    assert verdict(of("exchange", "in order"), trouble="The proof failed.").state == "unknown"
    assert verdict(of("exchange", "open"), trouble="The proof failed.").state == "open"
    for playbook in PLAYBOOKS:
        assert verdict(of("exchange", "in order"), trouble="x").breaks(playbook)


def test_what_breaks_a_promise() -> None:
    broken = {
        playbook: {
            state_of_layer
            for state_of_layer in ("open", "unknown", "drift", "accepted", "not judged", "in order")
            if verdict(of("x", state_of_layer)).breaks(playbook)
        }
        for playbook in PLAYBOOKS
    }
    strict = {"open", "unknown", "drift"}
    assert broken == {
        "apply": {*strict, "not judged"},
        "drift": {*strict, "not judged"},
        "offline": {*strict, "not judged"},
        "probe": strict,
        "rollback": {"unknown"},
        "snapshots": {"unknown"},
        "refresh_ranges": {"unknown"},
        "publish_ranges": {"unknown"},
    }


def test_a_rollback_that_leaves_the_door_open_says_so_and_is_no_failure() -> None:
    result = {
        "changed": True,
        "state": "open",
        "strangers": {"before": [], "after": [STRANGERS]},
        "snapshot": {"name": "x"},
    }
    judgement = judged(result, playbook="rollback")
    assert judgement is not None
    assert (judgement.state, judgement.findings) == ("open", (STRANGERS,))


@pytest.mark.parametrize("state", ["open", "drift", "unknown", "in order", ""])
def test_a_rollback_that_was_refused_fails_whatever_is_known_of_the_door(state: str) -> None:
    refused = judged(
        {"failed": True, "msg": "Another run has leased it.", "state": state}, playbook="rollback"
    )
    assert refused is not None
    for others in ((), (of("fortigate", "open", STRANGERS),), (of("fortigate", "restored"),)):
        assert verdict(refused, *others).breaks("rollback")
    # A door that was given back must not hide what could not be asked.
    given_back = of("exchange", "open", STRANGERS)
    assert not verdict(given_back).breaks("rollback")
    assert verdict(given_back, of("fortigate", "unknown")).breaks("rollback")


def test_sites_are_told_worst_first() -> None:
    states = ["in order", "accepted", "drift", "unknown", "open"]
    hosts = [verdict(of("exchange", state), host=state, site=f"s-{state}") for state in states]
    assert [site.state for site in by_site(hosts)] == [
        "open",
        "unknown",
        "drift",
        "accepted",
        "in order",
    ]
    # Of two hosts of one site, the worse one speaks.
    both = by_site(
        [verdict(of("exchange", "in order")), verdict(of("exchange", "drift"), host="ex2")]
    )
    assert [(host_verdict.site, host_verdict.state) for host_verdict in both] == [
        ("birke", "drift")
    ]


def test_the_line_of_a_site() -> None:
    fine = by_site(
        [
            verdict(
                of("exchange", "in order"),
                of("outside", "not looked at", "mailedge_probe_targets is not set."),
            )
        ]
    )
    assert site_line(fine[0]) == (
        "birke: in order. Looked at: exchange. Not looked at: "
        "outside (mailedge_probe_targets is not set)."
    )
    opened = by_site([verdict(of("exchange", "open", STRANGERS), of("fortigate", "not managed"))])
    assert (
        site_line(opened[0]) == f"birke: open. ex1, exchange: {STRANGERS} Not managed: fortigate."
    )
    back = by_site([verdict(of("exchange", "restored"))])
    assert site_line(back[0]) == "birke: restored. Looked at: exchange."
    assert site_line(back[0], check_mode=True) == "birke: would be restored. Looked at: exchange."
    never = by_site([verdict()])
    assert site_line(never[0]) == "birke: unknown. Nothing of it was looked at."


def test_a_plan_is_never_told_as_if_it_were_done() -> None:
    drift = Record(
        "exchange",
        "ex1",
        "drift",
        (),
        ("Disable the receive connector 'x' and keep it.",),
        ("any: a → b",),
    )
    for playbook, check_mode in (("drift", False), ("drift", True), ("apply", True)):
        lines = detail_lines(verdict(drift), playbook, check_mode=check_mode, verbose=False)
        assert "    a run would: Disable the receive connector 'x' and keep it." in lines
        assert "    now → as described: any: a → b" in lines
    done = Record("exchange", "ex1", "in order", (), drift.plan, drift.exposure)
    lines = detail_lines(verdict(done), "apply", check_mode=False, verbose=False)
    assert "    done: Disable the receive connector 'x' and keep it." in lines
    assert "    before → after: any: a → b" in lines


def test_what_cannot_be_told_pair_by_pair_is_told_as_two_lists() -> None:
    both: dict[str, t.Any] = {"before": ("everybody",), "after": ("the provider", "the office")}
    drift = Record("fortigate", "ex1", "drift", (), ("Change the policy 7.",), **both)
    lines = detail_lines(verdict(drift), "drift", check_mode=True, verbose=False)
    assert lines[-3:] == [
        "    now: everybody",
        "    as described: the provider",
        "    as described: the office",
    ]


def test_the_plan_of_a_run_that_a_guard_stopped_was_not_carried_out() -> None:
    stopped = {
        "failed": True,
        "changed": False,
        "state": "open",
        "msg": "No.",
        "plan": ["Close it."],
    }
    judgement = judged(stopped, playbook="apply")
    assert judgement is not None
    lines = detail_lines(verdict(judgement), "apply", check_mode=False, verbose=False)
    assert "    a run would: Close it." in lines
    assert not any("done:" in line for line in lines)
    # Nor was that of a firewall that was only tried before the connectors, in check mode.
    tried = judged({"changed": True, "state": "open", "plan": ["Close it."]}, playbook="apply")
    assert tried is not None
    assert "    a run would: Close it." in detail_lines(
        verdict(tried), "apply", check_mode=False, verbose=False
    )


def test_a_host_in_order_has_no_details_and_a_long_plan_is_counted() -> None:
    assert (
        detail_lines(verdict(of("exchange", "in order")), "drift", check_mode=False, verbose=False)
        == []
    )
    long = Record(
        "exchange", "ex1", "drift", (), tuple(f"Change {number}." for number in range(50))
    )
    assert len(detail_lines(verdict(long), "drift", check_mode=False, verbose=False)) < 15
    assert len(detail_lines(verdict(long), "drift", check_mode=False, verbose=True)) > 50


def test_a_check_of_apply_shows_an_open_door_and_fails_only_where_it_would_stay_open() -> None:
    closing = {
        **IN_ORDER,
        "state": "open",
        "plan": ["Close it."],
        "strangers": {"before": [STRANGERS], "after": []},
    }
    staying = {**closing, "strangers": {"before": [STRANGERS], "after": [STRANGERS]}}
    for result, fails in ((closing, False), (staying, True), ({"failed": True, "msg": "x"}, True)):
        judgement = judged(result, playbook="apply")
        assert judgement is not None
        assert verdict(judgement).breaks("apply", check_mode=True) is fails
        assert verdict(judgement).breaks("apply")
        assert verdict(judgement).breaks("drift", check_mode=True)


def test_a_run_that_wrote_something_names_the_way_back() -> None:
    result = {
        **IN_ORDER,
        "changed": True,
        "plan": ["Close it."],
        "snapshot": {"name": "20260114T101500.250Z-4f1c2a-apply.json"},
    }
    judgement = judged(result, playbook="apply")
    assert judgement is not None
    lines = detail_lines(verdict(judgement), "apply", check_mode=False, verbose=False)
    assert "    the state before is kept as 20260114T101500.250Z-4f1c2a-apply.json" in lines


def test_a_rollback_says_what_it_left_as_it_is() -> None:
    back = {"changed": True, "plan": ["Enable it."], "state": "in order"}
    judgement = judged({**back, "further": ["a.json", "b.json"]}, playbook="rollback")
    assert judgement is not None
    assert judgement.state == "restored"
    [sentence] = judgement.findings
    assert "the door may still be locked: name 'original'" in sentence
    assert sentence.endswith("goes further back: a.json, b.json.")
    judgement = judged(
        {**back, "not_restored": ["The receive connector 'x' is gone."]}, playbook="rollback"
    )
    assert judgement is not None
    assert (judgement.state, judgement.findings) == (
        "unknown",
        ("The receive connector 'x' is gone.",),
    )
    judgement = judged({**back, "further": []}, playbook="rollback")
    assert judgement is not None
    assert judgement.findings == ()


def test_a_host_whose_site_is_done_by_another_one_is_no_failure() -> None:
    done_elsewhere = HostVerdict("ex2", "birke", (), elsewhere=True)
    assert done_elsewhere.state == "not managed"
    assert not done_elsewhere.breaks("publish_ranges")
    assert [
        site.state
        for site in by_site([done_elsewhere, verdict(of("published ranges", "in order"))])
    ] == ["in order"]
    assert HostVerdict("ex2", "birke", (), trouble="No.", elsewhere=True).breaks("publish_ranges")


def test_what_was_written_is_told_as_it_is_now() -> None:
    strangers = {"before": ["The internet may send."], "after": ["192.0.2.0/24 may send."]}
    result = {**IN_ORDER, "state": "open", "strangers": strangers}
    read, written = judged(result), judged({**result, "snapshot": {"name": "x"}}, playbook="apply")
    assert read is not None
    assert written is not None
    assert (read.findings, written.findings) == (
        ("The internet may send.",),
        ("192.0.2.0/24 may send.",),
    )
