# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of a diff: one a value, so that a long list shows what it gains and loses."""

from __future__ import annotations

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.diff import (
    field_lines,
    text_diff,
)


def test_every_value_has_a_line_of_its_own() -> None:
    fields = {
        "ranges": ["198.51.100.0/24", "10.0.0.0/8"],
        "groups": frozenset({"b", "a"}),
        "nobody": [],
        "enabled": True,
        "relay": False,
        "hops": 1,
        "fqdn": None,
        "banner": "",
        "limits": {"size": 5, "login": None},
    }
    assert field_lines("x", fields) == [
        # A list in its own order, a set in that of its texts.
        "x: ranges: 198.51.100.0/24",
        "x: ranges: 10.0.0.0/8",
        "x: groups: a",
        "x: groups: b",
        "x: nobody: none",
        "x: enabled: true",
        "x: relay: false",
        "x: hops: 1",
        "x: fqdn: not set",
        "x: banner: not set",
        "x: limits: size 5, login not set",
    ]


def test_both_sides_end_each_line() -> None:
    assert text_diff(["a", "b"], []) == {"before": "a\nb\n", "after": ""}
