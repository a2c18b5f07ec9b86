# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks of one run held against each other: the allowed sender is what a refusal is measured by.

Some refusals are the lock or a fault, and nothing in them says which. Where an allowed sender is
accepted at the same address in the same run, the server is up and takes mail for that recipient, so
that it is this host that is refused.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.machine import name_in
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import all_together, asked, summed_up
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.verdict import (
    CLOSED,
    DELIVERY,
    INCONCLUSIVE,
    OPEN,
)

Plain = t.Mapping[str, t.Any]


class Sought(t.NamedTuple):
    """One look of a run: who looked, what it was to find, what mail_edge_probe found."""

    name: str
    expect: str
    result: Plain


class _Allowed(t.NamedTuple):
    """An allowed sender that was accepted, and what was found where it was."""

    name: str
    address: Plain


def settled(looks: t.Iterable[Sought]) -> list[Plain]:
    """The result of each look, with what the looks from allowed senders prove of it."""
    looks = list(looks)
    allowed = [
        _Allowed(look.name, address)
        for look in looks
        if look.expect == OPEN
        for address in look.result.get("addresses") or ()
        if address["peer"] and address["cases"][DELIVERY]["verdict"] == OPEN
    ]
    return [look.result if look.expect == OPEN else _held_against(look.result, allowed) for look in looks]


def _held_against(result: Plain, allowed: t.Sequence[_Allowed]) -> Plain:
    if not result.get("addresses") or not any(_half_proven(one) for one in result["addresses"]):
        return result
    return all_together({**result, "addresses": [_address(one, allowed) for one in result["addresses"]]})


def _half_proven(address: Plain) -> bool:
    return any(
        answer["verdict"] == INCONCLUSIVE and answer["needs_positive_control"] for _case, answer in asked(address)
    )


def _address(address: Plain, allowed: t.Sequence[_Allowed]) -> Plain:
    control = next((one for one in allowed if _counts(one.address, address)), None)
    if control is None or not _half_proven(address):
        return address
    named = f"An allowed sender ({control.name})" if control.name else "An allowed sender"
    cases = {
        case: {**answer, "verdict": CLOSED, "sentence": f"{answer['sentence']} {named} is accepted there in this run."}
        if answer and answer["verdict"] == INCONCLUSIVE and answer["needs_positive_control"]
        else answer
        for case, answer in address["cases"].items()
    }
    return summed_up({**address, "cases": cases})


def _counts(control: Plain, address: Plain) -> bool:
    """Whether what an allowed sender found says something of a refusal found at the same door."""
    if control["peer"] != address["peer"]:
        return False
    # Taken once and refused once, one host has met a limit, not a lock.
    if control["source"] == address["source"]:
        return False
    if address["cases"][DELIVERY]["stage"] == "banner":
        return True
    # A name was heard before the refusal: it must not be that of something on the way.
    names = [name_in(one["banner"]) for one in (control, address)]
    return bool(address["compared_with_control"] or (names[0] and names[0] == names[1]))
