# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site accepts: finding by finding, until a day, and never an open door."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.acceptance import (
    Acceptances,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    MANAGED,
    Part,
    Record,
    record,
)

TODAY = datetime.date(2026, 11, 25)
BANNER = "birke/ex1/exchange/differs/MX/receive_connectors.banner"
RANGES = "birke/ex1/exchange/differs/MX/receive_connectors.remote_ip_ranges"


def entry(name: str, until: str = "2026-12-31", **more: t.Any) -> dict[str, t.Any]:
    return {"id": name, "until": until, "reason": "moving", **more}


def drift(*properties: str, **more: t.Any) -> dict[str, t.Any]:
    difference = {
        "table": "receive_connectors",
        "noun": "receive connector",
        "object": "MX",
        "action": "modify",
        "properties": list(properties),
    }
    return {"state": "drift", "plan": [], "differences": [difference], **more}


def judged(
    result: dict[str, t.Any], *entries: dict[str, t.Any], today: datetime.date = TODAY
) -> Record:
    acceptances = Acceptances("birke", entries, today)
    told = record(
        "exchange", "ex1", Part(MANAGED), result, playbook="drift", acceptances=acceptances
    )
    assert told is not None
    return told


def test_all_drift_of_a_layer_has_to_be_accepted() -> None:
    assert judged(drift("banner"), entry(BANNER)).state == "accepted"
    both = drift("banner", "remote_ip_ranges")
    half = judged(both, entry(BANNER))
    assert half.state == "drift"
    assert half.findings == (
        "Accepted until 2026-12-31: moving. That is: The receive connector 'MX': banner is not as "
        "described.",
    )
    assert judged(both, entry(BANNER), entry(RANGES)).state == "accepted"
    assert judged(both, entry("birke/*/exchange/differs/MX/*")).state == "accepted"
    assert judged(both, entry("*")).state == "accepted"


@pytest.mark.parametrize(
    "other",
    [
        "birke/ex1/exchange/differs/MX/receive_connectors.bann",
        "birke/ex1/exchange/differs/MX/receive_connectors.banner/x",
        "birke/ex2/exchange/*",
        "Birke/*",
        "birke/ex1/exchange/differs/M?/receive_connectors.banner",
        "birke/ex1/exchange/differs/.*/receive_connectors.banner",
        "",
    ],
)
def test_an_entry_accepts_what_it_names_and_nothing_else(other: str) -> None:
    assert judged(drift("banner"), entry(other)).state == "drift"


@pytest.mark.parametrize(
    ("day", "state"),
    [
        ("2026-11-24", "accepted"),
        ("2026-11-25", "accepted"),
        ("2026-11-26", "drift"),
        ("2027-11-25", "drift"),
    ],
)
def test_the_last_day_counts_and_the_next_one_does_not(day: str, state: str) -> None:
    told = judged(
        drift("banner"), entry(BANNER, "2026-11-25"), today=datetime.date.fromisoformat(day)
    )
    assert told.state == state
    [sentence] = told.findings
    assert sentence == (
        "Accepted until 2026-11-25: moving."
        if state == "accepted"
        else "It was accepted until 2026-11-25, which is over."
    )


def test_of_two_entries_the_one_that_holds_longer_counts() -> None:
    told = judged(drift("banner"), entry(BANNER, "2026-11-01"), entry("*", "2026-12-01"))
    assert told.state == "accepted"
    [(_note, decision)] = told.decided
    assert decision.entry is not None
    assert decision.entry.id == "*"


def test_a_wrong_result_is_told_as_one() -> None:
    told = judged(drift("banner"), entry(BANNER, wrong_result=True))
    assert told.findings == ("Accepted until 2026-12-31: the result is wrong, moving.",)


@pytest.mark.parametrize(
    "worse",
    [
        {"state": "open", "strangers": {"before": ["The internet may send."], "after": []}},
        {"state": "unknown", "differences": []},
        {"unreachable": True, "msg": "No answer."},
        {"failed": True, "msg": "It broke."},
    ],
)
@pytest.mark.parametrize("wrong", [False, True])
def test_what_is_worse_than_drift_is_accepted_by_nothing(
    worse: dict[str, t.Any], wrong: bool
) -> None:
    told = judged({**drift("banner"), **worse}, entry("*", wrong_result=wrong))
    assert told.state == worse.get("state", "unknown" if "unreachable" in worse else "drift")
    assert not any(
        decision.entry for note, decision in told.decided if note.state in ("open", "unknown")
    )


def test_a_guard_that_stops_the_run_is_accepted_by_its_own_id() -> None:
    guard = {"id": "own_networks", "severity": "stop", "sentence": "10.0.0.0/8 could not send."}
    stopped = drift("banner", failed=True, guards=[guard], msg="10.0.0.0/8 could not send.")
    assert judged(stopped, entry(BANNER)).state == "drift"
    whole = judged(stopped, entry(BANNER), entry("birke/ex1/exchange/own_networks//"))
    assert whole.state == "accepted"
