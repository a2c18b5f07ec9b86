# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks from outside, as a play registers them."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.table import CONTROL


def look(
    name: str,
    expect: str,
    verdict: str,
    why: str = "accepted",
    *,
    stage: str = "rcpt",
    source: str = "192.0.2.7",
    needs_control: bool = False,
    **about: t.Any,
) -> dict[str, t.Any]:
    """What a host registers that takes one look, as far as the filters look at it. `about`: the
    address.
    """
    answer = {
        "verdict": verdict,
        "reason": why,
        "needs_positive_control": needs_control,
        "stage": stage,
        "sentence": f"It is {verdict}.{f' {CONTROL}' if needs_control else ''}",
    }
    address = {
        "targets": ["192.0.2.9"],
        "address": "192.0.2.9",
        "family": "ipv4",
        "port": 25,
        "peer": "192.0.2.9:25",
        "source": source,
        "seen_as": None,
        "source_allowed": False,
        "sender_address_hidden": False,
        "compared_with_control": False,
        "reachable": verdict != "inconclusive",
        "verdict": verdict,
        "delivery": verdict,
        "relay": None,
        "spoof": None,
        "needs_positive_control": needs_control,
        "cases": {"delivery": answer, "relay": None, "spoof": None},
        "sentences": [f"192.0.2.9:25 is {verdict}."],
        **about,
    }
    result = {
        "verdict": verdict,
        "delivery": verdict,
        "addresses": [address],
        "sentences": [f"192.0.2.9:25 is {verdict}."],
        "control": {"ipv4": None, "ipv6": None},
    }
    return {
        "looks": [{**result, "name": name}],
        "__mailedge_vantage": {"looks": [{"name": name, "expect": expect}]},
    }
