# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan in plain words, and who reaches which path before and after."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis import publish
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.guards import INTERNET
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.ip_list import Entry
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.model import passing
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.patterns import (
    INPUT,
    blocked_path,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.recipes import (
    Wish,
    blocked_by_rules,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.schema import Condition
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.sections import (
    SECTIONS,
    is_drop,
    place_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.senders import NOBODY, matched
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.tables import (
    IP_LISTS,
    PLACE,
    REWRITE_RULES,
    TABLES,
    Change,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    LOOPBACK,
    PRIVATE,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.diff import field_lines
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Row,
)

_MOST = 6
_LET_IN, _REFUSED, _UNKNOWN = "let in", "refused", "not known"


def change_sentence(change: Change, site: str) -> str:
    """One change as one sentence for the operator."""
    if change.table == REWRITE_RULES:
        return _rule_sentence(change, site)
    if change.table == SECTIONS:
        path, section = place_of(change.key)
        what = f"section {section.rpartition('/')[2]} in the location of {site}{path}"
        return f"Remove the empty {what}." if is_drop(change) else f"Make the {what}."
    what = f"the IP list of {site}{change.key}"
    if change.action == Action.REMOVE:
        return f"Remove {what}."
    if change.action == Action.CREATE:
        others = (
            "others are let in as well"
            if change.after.get("allow_unlisted", True)
            else "nobody else is let in"
        )
        return f"Create {what}: {_entries(change.after.get('entries', ()))}; {others}."
    parts = []
    if "entries" in change.after:
        old, new = [_words(change, side) for side in ("before", "after")]
        gone, come = (
            [entry for entry in old if entry not in new],
            [entry for entry in new if entry not in old],
        )
        parts += [
            f"{word} {_listed(texts)}"
            for word, texts in (("without", gone), ("with", come))
            if texts
        ] or ["in another order"]
    if "allow_unlisted" in change.after:
        parts.append(
            "let in who is not listed"
            if change.after["allow_unlisted"]
            else "refuse who is not listed"
        )
    return f"Change {what}: {', '.join(parts)}."


def _words(change: Change, side: str) -> list[str]:
    return [entry.words() for entry in getattr(change, side).get("entries", ())]


def _entries(entries: t.Sequence[Entry]) -> str:
    return _listed([entry.words() for entry in entries])


def _rule_sentence(change: Change, site: str) -> str:
    what = f"the rewrite rule '{change.key}' of {site}"
    if change.action == Action.REMOVE:
        return f"Remove {what}."
    if change.action == Action.MOVE:
        return f"Move {what} right before the rule '{change.place}'."
    conditions = t.cast("tuple[Condition, ...]", change.after.get("conditions", ()))
    about = _about(conditions)
    if change.action == Action.CREATE:
        place = f", right before the rule '{change.place}'" if change.place is not None else ""
        return f"Create {what}{place}: {about or change.after.get('action')}."
    differences = [about] if about else []
    differences += [
        f"{option} {change.before.get(option)} → {value}"
        for option, value in change.after.items()
        if option not in ("conditions", PLACE)
    ]
    if PLACE in change.after:
        place = change.after[PLACE]
        where = f"behind the rule '{place[-1]}'" if place else "before all other rules"
        differences.append(f"it goes {where}")
    return f"Change {what}: {'; '.join(differences) or 'its conditions'}."


def _about(conditions: t.Sequence[Condition]) -> str:
    path = next(
        (blocked_path(condition.pattern) for condition in conditions if condition.input == INPUT),
        None,
    )
    allowed = NOBODY
    for condition in conditions:
        if condition.input == "{REMOTE_ADDR}" and condition.negate:
            allowed |= matched(condition.pattern).certain
    return f"refuse {path} to all but {_listed(allowed.to_texts())}" if path else ""


def _listed(texts: t.Sequence[str]) -> str:
    more = len(texts) - _MOST
    return (
        ", ".join(texts[:_MOST]) + (f" and {more} more" if more > 0 else "") if texts else "nobody"
    )


def before_after(after: State, changes: t.Sequence[Change]) -> dict[str, t.Any]:
    """{"before": {table: {key: options}}, "after": …}: the options that differ."""
    sides: dict[str, dict[str, dict[str, t.Any]]] = {"before": {}, "after": {}}
    for change in changes:
        table = TABLES[change.table]
        old: Row = change.before if change.action != Action.MOVE else {}
        held = table.find(after, change.key)
        options = set(change.after) or set(change.before)
        new: Row = (
            {}
            if held is None
            else {name: value for name, value in held[1].items() if name in options}
        )
        for side, row in (("before", old), ("after", new)):
            sides[side].setdefault(change.table, {})[change.key] = table.plain(
                {name: value for name, value in row.items() if name not in ("name", PLACE)}
            )
    return sides


def senders(wish: Wish, state: State) -> dict[str, RangeSet]:
    """The groups of senders that exposure speaks of. Who is named is in one of them."""
    named = wish.own_networks | wish.exchange_servers | state.server.itself | wish.proxies
    return {
        "own networks": wish.own_networks,
        "other Exchange servers": wish.exchange_servers - wish.own_networks,
        "the server itself": state.server.itself,
        "the reverse proxy": wish.proxies,
        "unnamed private addresses": PRIVATE - LOOPBACK - named,
        "any internet address": INTERNET - named,
    }


def paths(wish: Wish, *states: State) -> list[str]:
    """The paths that exposure speaks of: those of Exchange, and whatever is or shall be blocked."""
    held: dict[str, str] = {}
    for state in states:
        known = [
            path
            for path in state.directories
            if publish.known(path) is not None and path.count("/") == 1
        ]
        lists = [
            place.path
            for place in state.places.values()
            if place.path and TABLES[IP_LISTS].find(state, place.path)
        ]
        for path in (
            *known,
            *(block.path for block in wish.on(state)),
            *blocked_by_rules(state),
            *lists,
        ):
            held.setdefault(path.casefold(), path)
    return [held[key] for key in sorted(held)]


def _met(
    state: State, path: str, groups: t.Mapping[str, RangeSet]
) -> dict[str, dict[str, RangeSet]]:
    through = passing(state, path)
    return {
        name: {
            text: part
            for text, part in (
                (_LET_IN, group & through.certain),
                (_REFUSED, group - through.at_most),
                (_UNKNOWN, (group & through.at_most) - through.certain),
            )
            if part
        }
        for name, group in groups.items()
        if group
    }


def exposure(before: State, after: State, wish: Wish) -> dict[str, t.Any]:
    """{"before": tree, "after": tree, "words": sentences}; a tree is path → senders → what they
    meet.
    """
    trees: dict[str, dict[str, t.Any]] = {"before": {}, "after": {}}
    words: list[str] = []
    groups = senders(wish, after)
    for path in paths(wish, before, after):
        old = _met(before, path, groups)
        new = old if after is before else _met(after, path, groups)
        for side, who in (("before", old), ("after", new)):
            trees[side][path] = {name: _shown(parts) for name, parts in who.items()}
        for name in old:
            words += _lines(path, name, old[name], new[name])
    return {**trees, "words": words}


def _shown(parts: t.Mapping[str, RangeSet]) -> t.Any:
    if len(parts) == 1:
        return next(iter(parts))
    ranked = sorted(parts, key=lambda text: -parts[text].size)
    return {
        text: "all others" if text == ranked[0] else parts[text].to_texts()[:100] for text in ranked
    }


def _lines(
    path: str, name: str, old: t.Mapping[str, RangeSet], new: t.Mapping[str, RangeSet]
) -> list[str]:
    parts = {
        (earlier, other): before & after
        for earlier, before in old.items()
        for other, after in new.items()
        if before & after
    }
    ranked = sorted(parts.items(), key=lambda item: (-item[1].size, item[0]))
    lines = []
    for position, ((earlier, other), part) in enumerate(ranked):
        text = earlier if earlier == other else f"{earlier} → {other}"
        who = name if position == 0 else f"{name}, {_listed(part.to_texts())}"
        lines.append(f"{path}: {who}: {text}")
    return lines


def _parts(parts: t.Mapping[str, t.Any]) -> str:
    return ", ".join(f"{text} {ranges}" for text, ranges in parts.items())


def diff_lines(tree: t.Mapping[str, t.Any], rows: t.Mapping[str, t.Any]) -> list[str]:
    """One side of --diff: who meets what, then one line for each differing value."""
    lines = [
        f"{path}: {name}: {answer if isinstance(answer, str) else _parts(answer)}"
        for path, groups in tree.items()
        for name, answer in groups.items()
    ]
    for table, entries in rows.items():
        noun = TABLES[table].noun
        for key, options in entries.items():
            lines += field_lines(f"{noun} {key}", options)
    return lines
