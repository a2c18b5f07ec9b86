# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks from outside found, as findings of a report that a site may accept one by one."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.proof import Looked
from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.stage import (
    REACH,
    Door,
    Groups,
    stage,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.looks import taken
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.acceptance import (
    Acceptances,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import Record
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._outside import (
    outside,
    whole_edge,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._whole_edge import (
    WAY_IN,
    Edge,
    edge_of,
)
from ansible_collections.mailedge.lockdown.tests.support.looks import look

TODAY = datetime.date(2026, 1, 14)
OTHER: dict[str, t.Any] = {
    "address": "192.0.2.10",
    "peer": "192.0.2.10:25",
    "targets": ["192.0.2.10"],
}


def seen(looks: list[dict[str, t.Any]], *accepted: str) -> Record:
    """The record of these looks, where a site accepts these findings."""
    entries = [{"id": name, "until": "2026-02-01", "reason": "Known."} for name in accepted]
    registered = {"results": looks}
    record, _lines = outside(
        "drift",
        "ex1",
        registered,
        taken(registered),
        (),
        Edge(),
        Acceptances("birke", entries, TODAY),
    )
    return record


def test_what_is_accepted_of_one_address_is_not_of_another() -> None:
    first = look("the filter", "open", "closed")
    second = look("the filter", "open", "closed", **OTHER)
    both = {**first, "looks": [_together(first, second)]}
    mine, other = (f"birke/ex1/outside/look/the filter/{peer}" for peer in ("192.0.2.9:25", "*:25"))
    assert [note.aspect for note in seen([both]).notes] == ["192.0.2.9:25", "192.0.2.10:25"]
    assert seen([both]).state == "drift"
    assert seen([both], mine).state == "drift"
    assert seen([both], other).state == "accepted"
    assert seen([first], mine).state == "accepted"


def test_what_is_accepted_of_a_path_is_not_of_another() -> None:
    answers = {
        path: {
            "verdict": "closed",
            "reason": "refused",
            "needs_positive_control": False,
            "stage": "http",
            "sentence": "It is refused.",
            "expect": "open",
        }
        for path in ("/owa", "/EWS")
    }
    web = look("the web", "any", "closed", protocol="https", peer="192.0.2.9:443", cases=answers)
    aspects = [note.aspect for note in seen([web]).notes]
    assert aspects == ["192.0.2.9:443 /owa", "192.0.2.9:443 /EWS"]
    mine, other = (
        f"birke/ex1/outside/look/the web/192.0.2.9:443 %2F{path}" for path in ("owa", "EWS")
    )
    assert seen([web], mine).state == "drift"
    assert seen([web], mine, other).state != "drift"


def test_a_look_that_was_not_taken_is_at_no_address() -> None:
    point = {"looks": [{"name": "a stranger"}]}
    record = seen([{"unreachable": True, "msg": "No route.", "__mailedge_vantage": point}])
    assert [(note.subject, note.aspect) for note in record.notes] == [("a stranger", "")]


@pytest.mark.parametrize("looked", [True, False])
def test_a_door_that_is_left_out_is_one_that_nobody_knows(looked: bool) -> None:
    """Whether looks from outside judge the doors or the layers do."""
    provider = RangeSet.parse(["198.51.100.0/24"])
    shut = {REACH: (provider, provider)}
    front = stage(
        "firewall",
        Groups(provider, provider),
        [Door((4,), (25,), shut, ("192.0.2.9",), ("10.20.1.11",), 25, "VIP-mail")],
        left_out="The firewall has 9 more doors.",
    )
    parts = {WAY_IN: {"how": "managed", "why": ""}}
    if looked:
        parts["outside"] = {"how": "managed", "why": ""}
    edge = edge_of(parts, {WAY_IN: {"edge": front}}.get, None)
    registered = {"results": [look("a stranger", "closed", "closed")]}
    told, _lines = outside("drift", "ex1", registered, taken(registered), (), edge, None)
    (of_look,) = [note for note in told.notes if note.what == "doors_left_out"]
    assert (told.state, of_look.state) == ("unknown", "unknown")
    records = whole_edge("ex1", parts, {"fortigate_vips": ["VIP-mail"]}, edge, {"in order"})
    assert [record.state for record in records] == ([] if looked else ["unknown"])
    assert all(note.what == "doors_left_out" for record in records for note in record.notes)
    of_others = dataclasses.replace(edge, looks=(Looked("b", "192.0.2.9", 25, "closed"),))
    assert of_others.judged((), looked=False, elsewhere=True)[0] == "unknown"


def _together(*looks: dict[str, t.Any]) -> dict[str, t.Any]:
    """One look that went to the addresses of several."""
    results = [each["looks"][0] for each in looks]
    return {
        **results[0],
        "addresses": [address for result in results for address in result["addresses"]],
    }
