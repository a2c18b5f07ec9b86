# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards of who delivered lately, of what the agent answers about the logs."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import (
    _guards_recent,
    mail_logs,
    recent,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    apply_all,
    desired,
    plan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import Finding
from ansible_collections.mailedge.lockdown.tests.support import connectors as sites
from ansible_collections.mailedge.lockdown.tests.support.guarded import (
    DEFAULT,
    FILTER,
    NAMED,
    STRIP,
    networks_of,
)

SINCE, LAST = "2026-01-01T00:00:00.000Z", "2026-01-14T09:00:00.000Z"
KNOWN = {"Example Filter": RangeSet.parse(["203.0.113.64/26"])}


def log(*rows: t.Any, names: t.Sequence[t.Any] = (), **more: t.Any) -> dict[str, t.Any]:
    """What the agent answers of a protocol log; a row is a sender and how many messages."""

    def told(values: t.Iterable[t.Any]) -> list[list[t.Any]]:
        return [
            [[f"EX1\\{DEFAULT}", sender], count, SINCE, LAST, count] for sender, count in values
        ]

    return {
        "folder": "C:\\Logs",
        "from": mail_logs.FRONTEND,
        "error": None,
        "read": 1,
        "bytes": 9,
        "since": SINCE,
        "covered_from": SINCE,
        "oldest": "20251201",
        "last": LAST,
        "rules": [
            {"name": mail_logs.MESSAGES, "rows": told(rows), "over": 0},
            {"name": mail_logs.NAMED, "rows": told(names), "over": 0},
        ],
        **more,
    }


def findings_of(
    answered: dict[str, t.Any] | None, *changes: t.Mapping[str, t.Any], level: str = "Verbose"
) -> dict[str, Finding]:
    """What the guards find on a lock, or other changes, by their ids."""
    before = sites.modern(protocol_logging_level=level)
    after = apply_all(plan(before, desired(receive=changes or (STRIP, FILTER))), before)
    networks = networks_of(**NAMED, inbound_lock=True)
    asked = recent.Asked(addresses=True, known=KNOWN, messages=2)
    answers = {mail_logs.PROTOCOL: [answered]} if answered else {}
    senders = recent.of(answers, before, networks, asked)
    return {
        finding.id: finding
        for finding in _guards_recent.check(before, after, networks, senders, asked)
    }


def test_guard_recent_senders_refused() -> None:
    rows = [("203.0.113.9", 3), ("203.0.113.70", 4), ("203.0.113.10", 1), ("198.51.100.3", 50)]
    (finding,) = findings_of(log(*rows)).values()
    assert (finding.id, finding.severity) == ("recent_senders_refused", "stop")
    assert finding.sentence.startswith(
        "These 2 addresses delivered 7 messages in 14 days and would be refused: "
        "203.0.113.70 (4 messages, the last on 2026-01-14, in the range of Example Filter) and "
        "203.0.113.9 (3 messages, the last on 2026-01-14)."
    )
    # Where nobody loses anything, there is nothing to say, whoever came.
    assert findings_of(log(*rows), FILTER) == {}
    assert findings_of(None, FILTER) == {}
    assert findings_of(log(("198.51.100.3", 50), ("[fe80::1%11]", 1))) == {}


@pytest.mark.parametrize(
    ("answered", "level", "severity", "words"),
    [
        (None, "Verbose", "stop", "could not be summed up"),
        (log(error="UnauthorizedAccessException"), "Verbose", "stop", "Unauthorized"),
        (log(folder=""), "Verbose", "stop", "keeps no protocol log"),
        (log(**{"from": mail_logs.SERVICE}), "Verbose", "stop", "front end transport"),
        (log(("198.51.100.3", 5)), "None", "warn", f"'{DEFAULT}'"),
        (log(("198.51.100.3", 5), ("nonsense", 2)), "Verbose", "warn", "2 messages are of senders"),
        (log(("nonsense", 2)), "Verbose", "stop", "2 messages are of senders"),
        (
            log(("198.51.100.3", 5), covered_from="2026-01-09T00:00:00.000Z", oldest="20260109"),
            "Verbose",
            "warn",
            "goes back to 2026-01-09T00:00:00.000Z only",
        ),
        (
            log(("198.51.100.3", 5), covered_from="2026-01-09T00:00:00.000Z", stopped="bytes"),
            "Verbose",
            "warn",
            "the limit of size",
        ),
        (
            log(("198.51.100.3", 5), unread=[{"name": "RECV.LOG", "error": "IOException"}]),
            "Verbose",
            "warn",
            "RECV.LOG (IOException)",
        ),
        (
            log(("10.20.0.1", 95), ("198.51.100.3", 5), names=[("10.20.0.1", 19)]),
            "Verbose",
            "stop",
            "load balancer",
        ),
    ],
)
def test_guard_recent_senders_unknown(
    answered: dict[str, t.Any] | None, level: str, severity: str, words: str
) -> None:
    finding = findings_of(answered, level=level)["recent_senders_unknown"]
    assert finding.severity == severity
    assert words in finding.sentence
