# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook probe reports of a tenant that it has asked."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.action.run_report import Judge
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import HostVerdict

TODAY = datetime.date(2026, 11, 25)
UNREAD = "The connector 'Filter' could not be read."
BYPASS = "The rule 'Fax' sets SCL -1."


def probed(told: dict[str, t.Any], how: str = "managed", expect: str = "closed") -> HostVerdict:
    about = {
        "parts": {"exchange online": {"how": how, "why": "Nobody could ask it."}},
        "described": {"site": "birke", "probe_expect": expect},
    }
    variables = {"__mailedge": about, "__mailedge_result_exchange_online": told}
    return Judge("probe", TODAY).host("ex1", variables)


@pytest.mark.parametrize(
    ("told", "state", "words"),
    [
        ({"state": "in order", "unread": [], "bypasses": [BYPASS]}, "in order", BYPASS),
        ({"state": "unknown", "unread": [UNREAD], "bypasses": []}, "unknown", UNREAD),
        (
            {"state": "open", "strangers": {"before": ["Anybody may deliver."]}},
            "open",
            "Anybody may deliver.",
        ),
        ({"failed": True, "msg": "The tenant gave no token."}, "unknown", "gave no token"),
    ],
)
def test_a_tenant_that_was_asked_is_in_the_verdict(
    told: dict[str, t.Any], state: str, words: str
) -> None:
    verdict = probed(told)
    assert verdict.state == state
    assert words in " ".join(verdict.records[0].findings)
    assert verdict.breaks("probe") is (state != "in order")
    if state == "unknown":
        assert {note.state for note in verdict.records[0].notes} == {"unknown"}
    looked = probed(told, expect="any")
    assert looked.state == "not judged"
    assert not looked.breaks("probe")


def test_a_tenant_that_nobody_could_ask_is_told_as_not_looked_at() -> None:
    (record,) = probed({}, how="not looked at").records
    assert (record.state, record.findings) == ("not looked at", ("Nobody could ask it.",))
