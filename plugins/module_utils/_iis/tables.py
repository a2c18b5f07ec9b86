# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written at a site: rules in its own location of applicationHost.config, in their order,
and IP lists of locations below it.
"""

from __future__ import annotations

import dataclasses
import types
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.ip_list import (
    Entry,
    IpList,
    entry_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.patterns import below
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.schema import (
    DEFAULTS,
    OPTIONS,
    Row,
    Rule,
    canonical,
    plain,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.sections import (
    SECTIONS,
    Sections,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.state import Place, State
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    change as transaction,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Desired,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.tables import (
    Table,
    Tables,
)

REWRITE_RULES, IP_LISTS = "rewrite_rules", "ip_lists"
PLACE = "place"
"""The option of a rule that names those that stand before it, as a snapshot remembers them."""

Change = transaction.Change[str]


class RewriteRules(Table[State, str]):
    """The rules of the site's own location, by their names."""

    noun = "rewrite rule"

    def identity(self, key: str) -> str:
        return key.casefold()

    def find(self, state: State, key: str) -> tuple[str, Row] | None:
        names = [rule.name for rule in state.local]
        for at, rule in enumerate(state.local):
            if rule.name.casefold() == key.casefold():
                place = {"before": tuple(names[:at]), "behind": tuple(names[at + 1 :])}
                return rule.name, {**rule.row(), PLACE: place}
        return None

    def stands(self, row: Row) -> Row:
        return {PLACE: row[PLACE]["before"]}

    def created(self, state: State, desired: Desired[str]) -> Row:
        options = self._known(desired)
        if not options.get("url"):
            raise PlanError(
                f"There is no rewrite rule '{desired.key}' any more, and it is not known whole. "
                "Nothing was changed."
            )
        options.pop(PLACE, None)
        return {**DEFAULTS, **options}

    def _known(self, desired: Desired[str]) -> dict[str, t.Any]:
        options = canonical(desired.options or {})
        unknown = sorted(set(options) - {*OPTIONS, PLACE})
        if unknown:
            raise PlanError(
                f"The rewrite rule '{desired.key}' is described with {', '.join(unknown)}, which "
                "no rule has. Nothing was changed."
            )
        return options

    def differing(self, row: Row, options: Row) -> tuple[Row, Row]:
        wished = canonical(options)
        misplaced = PLACE in wished and _misplaced(row[PLACE], wished.pop(PLACE))
        after = {option: value for option, value in wished.items() if row[option] != value}
        before = {option: row[option] for option in after}
        if misplaced:
            before[PLACE], after[PLACE] = row[PLACE]["before"], tuple(options[PLACE])
        return before, after

    def apply(self, change: Change, state: State) -> State:
        key = change.key.casefold()
        rules = list(state.local)
        at = next((index for index, rule in enumerate(rules) if rule.name.casefold() == key), None)
        if change.action == Action.MODIFY and at is not None:
            options = {name: value for name, value in change.after.items() if name != PLACE}
            held = dataclasses.replace(rules.pop(at), **options)
            if PLACE in change.after:
                at = position_behind([rule.name for rule in rules], change.after[PLACE])
            rules.insert(at, held)
            return dataclasses.replace(state, local=tuple(rules))
        moved = rules.pop(at) if at is not None else None
        if change.action == Action.CREATE:
            moved = Rule(name=change.key, level=state.site, **change.after)
        if change.action != Action.REMOVE and moved is not None:
            rules.insert(_position(rules, change.place), moved)
        return dataclasses.replace(state, local=tuple(rules))

    def plain(self, row: Row) -> dict[str, t.Any]:
        shown = plain({option: value for option, value in row.items() if option in OPTIONS})
        # Of a whole row it is more than that.
        if isinstance(row.get(PLACE), tuple):
            shown[PLACE] = list(row[PLACE])
        return shown

    def undone(self, change: Change) -> tuple[Desired[str], t.Sequence[str]]:
        if change.action == Action.CREATE:
            return Desired(REWRITE_RULES, change.key, None), ()
        return Desired(REWRITE_RULES, change.key, self.plain(change.before), change.was), ()

    def complaints(self, state: State, change: Change) -> t.Iterable[str]:
        if change.action != Action.CREATE:
            return
        for place in state.places.values():
            for rule in place.rules or ():
                if rule.name.casefold() == change.key.casefold() and rule not in state.local:
                    yield (
                        f"{state.site}{place.path} has a rewrite rule of its own that is called "
                        f"'{rule.name}'. With another of that "
                        "name above it IIS would answer every request there with an error. Nothing "
                        "was changed. Rename or remove it."
                    )
                    return

    def keys(self, state: State) -> t.Sequence[str]:
        return [rule.name for rule in state.local]


def _misplaced(stands: t.Mapping[str, t.Sequence[str]], wish: t.Iterable[str]) -> bool:
    """Whether a rule does not stand right behind those that it is to stand behind, as far as they
    are there.
    """
    wanted = {str(name).casefold() for name in wish}
    before, behind = ({name.casefold() for name in stands[side]} for side in ("before", "behind"))
    return bool(wanted & behind or before - wanted)


def position_behind(names: t.Sequence[str], place: t.Iterable[str]) -> int:
    """Where a rule goes that is to stand behind others: right behind the last that is there."""
    wanted = {str(name).casefold() for name in place}
    return max((at + 1 for at, name in enumerate(names) if name.casefold() in wanted), default=0)


def _position(rules: t.Sequence[Rule], place: str | None) -> int:
    folded = [rule.name.casefold() for rule in rules]
    return folded.index(place.casefold()) if place and place.casefold() in folded else len(rules)


class IpLists(Table[State, str]):
    """What the location of a path in applicationHost.config says of addresses, by the path. A list
    that says nothing is none.

    `entries` are networks, or `deny NETWORK`, in the order in which they decide; as text in
    snapshots.
    """

    noun = "IP list"

    def identity(self, key: str) -> str:
        return key.casefold()

    def find(self, state: State, key: str) -> tuple[str, Row] | None:
        place = state.places.get(key.casefold())
        if place is None or place.ip_list is None:
            return None
        entries = own_entries(state, place)
        if not entries and place.ip_list.allow_unlisted == _above(state, place):
            return None
        return place.path, {"allow_unlisted": place.ip_list.allow_unlisted, "entries": entries}

    def created(self, state: State, desired: Desired[str]) -> Row:
        place = state.places.get(desired.key.casefold())
        if place is None or place.ip_list is None:
            raise PlanError(
                f"The IP list of {state.site}{desired.key} cannot be read. Nothing was changed."
            )
        options = self._canonical(desired.options or {})
        return {"allow_unlisted": place.ip_list.allow_unlisted, "entries": (), **options}

    @staticmethod
    def _canonical(options: Row) -> dict[str, t.Any]:
        held = dict(options)
        if "entries" in held:
            held["entries"] = tuple(
                entry if isinstance(entry, Entry) else _entry(str(entry))
                for entry in held["entries"]
            )
        return held

    def differing(self, row: Row, options: Row) -> tuple[Row, Row]:
        wished = self._canonical(options)
        after = {
            option: value
            for option, value in wished.items()
            if (
                _meanings(row["entries"]) != _meanings(value)
                if option == "entries"
                else row[option] != value
            )
        }
        return {option: row[option] for option in after}, after

    def apply(self, change: Change, state: State) -> State:
        base = state.places[change.key.casefold()]
        held = t.cast(IpList, base.ip_list)
        if change.action == Action.REMOVE:
            after: Row = {"allow_unlisted": _above(state, base), "entries": ()}
        else:
            after = {
                "allow_unlisted": held.allow_unlisted,
                "entries": own_entries(state, base),
                **change.after,
            }
        level = level_of(state, base.path)
        entries = tuple(dataclasses.replace(entry, level=level) for entry in after["entries"])
        places = {
            key: _with_list(place, held, entries, after["allow_unlisted"], level)
            if below(place.path, base.path)
            else place
            for key, place in state.places.items()
        }
        return dataclasses.replace(state, places=types.MappingProxyType(places))

    def plain(self, row: Row) -> dict[str, t.Any]:
        shown = dict(row)
        if "entries" in shown:
            shown["entries"] = [text_of(entry) for entry in shown["entries"]]
        return shown

    def undone(self, change: Change) -> tuple[Desired[str], t.Sequence[str]]:
        if change.action == Action.CREATE:
            return Desired(IP_LISTS, change.key, None), ()
        return Desired(IP_LISTS, change.key, self.plain(change.before)), ()


def level_of(state: State, path: str) -> str:
    """The level of what stands in the location of a path."""
    return f"{state.site}{path}"


def own_entries(state: State, place: Place) -> tuple[Entry, ...]:
    """The entries that stand at the place itself, without what is inherited. Where IIS does not
    tell the levels, those that are not there one level up.
    """
    level = level_of(state, place.path).casefold()
    held = place.ip_list or IpList()
    parent = state.place_of(place.path.rpartition("/")[0]).ip_list if place.path else None
    above = parent.entries if parent else ()

    def is_own(entry: Entry) -> bool:
        return entry not in above if entry.level is None else entry.level.casefold() == level

    return tuple(filter(is_own, held.entries))


def _above(state: State, place: Place) -> bool:
    """What allowUnlisted is one level up, which is inherited."""
    if not place.path:
        return True
    parent = place.path.rpartition("/")[0]
    held = state.place_of(parent).ip_list
    return True if held is None else held.allow_unlisted


def _with_list(
    place: Place, before: IpList, entries: tuple[Entry, ...], allow_unlisted: bool, level: str
) -> Place:
    """The place after the list of `level` at or above it was `before` and got those entries."""
    held = place.ip_list
    if held is None:
        return place
    at_level = [
        entry for entry in held.entries if (entry.level or "").casefold() == level.casefold()
    ]
    others = [entry for entry in held.entries if entry not in at_level]
    # Inherited ones come first, those of levels below after.
    at = (
        held.entries.index(at_level[0])
        if at_level
        else sum(len(entry.level or "") < len(level) for entry in others)
    )
    merged = (*others[:at], *entries, *others[at:])
    flag = allow_unlisted if held.allow_unlisted == before.allow_unlisted else held.allow_unlisted
    return dataclasses.replace(
        place, ip_list=dataclasses.replace(held, allow_unlisted=flag, entries=merged)
    )


def _meanings(entries: t.Iterable[Entry]) -> list[tuple[t.Any, ...]]:
    """Entries by meaning: the key is text, and one mask has two spellings. The order counts between
    those that let in and those that refuse only.
    """
    held = list(entries)
    meant = [
        (entry.allowed, str(entry.ranges or (entry.address, entry.mask, entry.domain)))
        for entry in held
    ]
    return sorted(meant) if all(entry.allowed for entry in held) else list(meant)


def text_of(entry: Entry) -> str:
    """An entry as a snapshot has it, such that _entry() gives it back to the letter."""
    sign = "" if entry.allowed else "deny "
    if entry.domain:
        return f"{sign}domain {entry.domain}"
    return f"{sign}{entry.address}/{entry.mask}" if entry.mask else f"{sign}{entry.address}"


def _entry(text: str) -> Entry:
    allowed = not text.startswith("deny ")
    bare = text if allowed else text[len("deny ") :]
    if bare.startswith("domain "):
        return Entry("", "", bare[len("domain ") :], allowed)
    address, _slash, mask = bare.partition("/")
    if mask and (":" in address or "." in mask or not mask.isdigit()):
        return Entry(address, mask, "", allowed)
    return (
        entry_of(bare, allowed=allowed)
        if not mask or int(mask) <= 32
        else Entry(address, mask, "", allowed)
    )


TABLES: Tables[State, str] = Tables(
    {REWRITE_RULES: RewriteRules(), IP_LISTS: IpLists(), SECTIONS: Sections()}
)
