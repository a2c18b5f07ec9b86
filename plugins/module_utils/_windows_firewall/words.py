# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan, and who reaches what, in plain words."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    NOT_INTERNET,
    PRIVATE,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.diff import field_lines
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall import model
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.state import (
    POLICY,
    Profile,
    State,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.tables import (
    TABLES,
    Change,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.texts import Rule

_SHOWN = 4
_INTERNET = model.WORLD - NOT_INTERNET
_PRIVATE = PRIVATE & model.WORLD
_MOST_TEXTS = 100


def ranges(senders: RangeSet, named: RangeSet | None = None) -> str:
    """Some addresses for a sentence. The internet and private networks go by name where they are in
    it, all but who is `named`.
    """
    known = named or RangeSet()
    if model.WORLD - known <= senders:
        return "everybody" if senders >= model.WORLD else "everybody else"
    parts: list[str] = []
    for whole, name in ((_INTERNET, "the internet"), (_PRIVATE, "private addresses")):
        part = senders & whole
        if part and whole - known <= senders:
            parts.append(name)
        else:
            parts += part.to_texts()
    if not parts:
        parts = senders.to_texts()
    more = len(parts) - _SHOWN
    if more > 0:
        return f"{', '.join(parts[:_SHOWN])} and {more} more"
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def profiles(selected: t.Sequence[Profile]) -> str:
    """Profiles for a sentence: `domain and public profiles`."""
    names = " and ".join(profile.name for profile in selected)
    return f"{names} profile{'s' if len(selected) > 1 else ''}"


def doubt(rule: Rule, port: int) -> str:
    """Why it is not certain whom a rule lets in."""
    reasons = []
    if rule.unknown:
        reasons.append(f"not understood of it is {', '.join(sorted(rule.unknown))}")
    if rule.remote.words:
        reasons.append(
            f"{', '.join(sorted(rule.remote.words))} stands for addresses that only the server "
            "knows"
        )
    if rule.conditions:
        reasons.append(f"it has conditions ({', '.join(sorted(rule.conditions))})")
    if port not in rule.ports:
        reasons.append(f"{', '.join(sorted(rule.ports.words))} may stand for that port")
    return "; ".join(reasons) or "another rule may block them"


def _entries(texts: t.Sequence[str], noun: str) -> str:
    if not texts or tuple(texts) == ("*",):
        return f"any {noun}"
    shown = ", ".join(texts[:_SHOWN])
    return f"{shown} and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else shown


def sentence(change: Change) -> str:
    """One change as one sentence."""
    if change.action == Action.CREATE:
        return (
            f"Make the firewall rule '{change.key}': "
            f"{_entries(change.after['remote_addresses'], 'address')} to "
            f"{_entries(change.after['local_ports'], 'port')}."
        )
    if change.action == Action.REMOVE:
        return f"Remove the firewall rule '{change.key}' of this collection."
    parts = []
    for option, after in change.after.items():
        before = change.before[option]
        if option == "enabled":
            parts.append("enable it" if after else "disable it")
        elif option == "remote_addresses":
            parts.append(
                f"remote addresses: {_entries(before, 'address')} → {_entries(after, 'address')}"
            )
        elif option == "local_ports":
            parts.append(f"local ports: {_entries(before, 'port')} → {_entries(after, 'port')}")
        else:
            parts.append(f"{option}: {before or 'any'} → {after or 'any'}")
    return f"Change the firewall rule '{change.key}': {'; '.join(parts)}."


def stranger_sentences(state: State, ports: t.Sequence[int], named: RangeSet) -> list[str]:
    """Who certainly reaches the ports that nobody has named, and by what."""
    sentences = []
    for port in ports:
        strangers = model.open_to(state, port) - named
        if strangers:
            whom = ranges(model.open_to(state, port), named)
            sentences.append(
                f"{capital(whom)} can reach port {port}: {_causes(state, port, named)}."
            )
    return sentences


def capital(text: str) -> str:
    """A text as the beginning of a sentence."""
    return f"{text[:1].upper()}{text[1:]}"


def _causes(state: State, port: int, named: RangeSet) -> str:
    causes: dict[str, None] = {}
    for bit in state.current:
        profile = state.profiles[bit]
        if not profile.enabled:
            causes[f"Windows Firewall is off in the {profile.name} profile"] = None
        elif profile.excluded:
            causes[f"Windows Firewall leaves out {', '.join(profile.excluded)}"] = None
        elif profile.lets_in:
            causes[f"the {profile.name} profile lets in whatever no rule blocks"] = None
        else:
            for held in model.ways_in(state, port, profile):
                if model.certain(held.rule, port) - named:
                    by = " of group policy" if held.store == POLICY else ""
                    causes[f"by the rule '{held.rule.name}'{by}"] = None
    return "; ".join(causes)


def exposure_tree(state: State, ports: t.Sequence[int]) -> dict[str, t.Any]:
    """Port → who reaches it: `possible`, and `certain` of them, as ranges."""
    tree = {}
    for port in ports:
        reach = model.reach_of(state, port)
        tree[f"port {port}"] = {
            "possible": _texts(reach.possible),
            "certain": _texts(reach.certain),
        }
    return tree


def _texts(addresses: RangeSet) -> list[str]:
    return ["everybody"] if addresses == model.WORLD else addresses.to_texts()[:_MOST_TEXTS]


def exposure(before: State, after: State, ports: t.Sequence[int]) -> dict[str, t.Any]:
    """{"before": tree, "after": tree, "words": sentences} for results and diffs."""
    lines = []
    for port in ports:
        sides = []
        for state in (before, after):
            reach = model.reach_of(state, port)
            text = ranges(reach.possible) if reach.possible else "nobody"
            sides.append(
                text if reach.possible == reach.certain or not reach.possible else f"perhaps {text}"
            )
        lines.append(
            f"port {port}: {sides[0]}"
            if sides[0] == sides[1]
            else f"port {port}: {sides[0]} → {sides[1]}"
        )
    return {
        "before": exposure_tree(before, ports),
        "after": exposure_tree(after, ports),
        "words": lines,
    }


def before_after(before: State, after: State, changes: t.Sequence[Change]) -> dict[str, t.Any]:
    """The options that differ, on both sides: {"before": {"rules": {key: options}}, "after": …}."""
    sides: dict[str, dict[str, t.Any]] = {"before": {}, "after": {}}
    for change in changes:
        options = {*change.before, *change.after}
        for side, state in (("before", before), ("after", after)):
            there = TABLES[change.table].find(state, change.key)
            if there is not None:
                row = {name: value for name, value in there[1].items() if name in options}
                sides[side][change.key] = TABLES[change.table].plain(row)
    return {side: {"rules": rules} if rules else {} for side, rules in sides.items()}


def diff_lines(tree: t.Mapping[str, t.Any], told: t.Mapping[str, t.Any]) -> list[str]:
    """One side of what --diff shows: who reaches what, then the options that differ."""
    lines = [f"{port}: {', '.join(reach['possible']) or 'nobody'}" for port, reach in tree.items()]
    for name, options in told.get("rules", {}).items():
        lines += field_lines(f"rule {name}", options)
    return lines
