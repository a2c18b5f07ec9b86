# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sections that rules and IP lists stand in: there is always a row of each, and what of it is
missing is its value.

IIS makes a section with the first thing that is written into it. A snapshot remembers whether it
was there before, so that a rollback leaves the very same file.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.ip_list import IpList
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.schema import (
    IP_SECURITY,
    PREFIX,
    RULES,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    change as transaction,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Desired,
    Row,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.tables import Table

SECTIONS = "sections"
MISSING = "missing"
NOTHING, SECTION, LOCATION = "nothing", "section", "location"
"""What is missing of it: not a thing, the section in its location, or the location with it."""

RULES_KEY = "rewrite rules"
_LIST_KEY = "IP list "
_LEVELS = (NOTHING, SECTION, LOCATION)
_MOST = "most"

Change = transaction.Change[str]


def list_key(path: str) -> str:
    """The key of the section of a path's IP list."""
    return f"{_LIST_KEY}{path}"


def place_of(key: str) -> tuple[str, str]:
    """The path of a section below the site, and its name."""
    return ("", RULES) if key.casefold() == RULES_KEY else (key[len(_LIST_KEY) :], IP_SECURITY)


def is_drop(change: Change) -> bool:
    """Whether a change takes a section away."""
    return change.table == SECTIONS and change.after[MISSING] != NOTHING


class Sections(Table[State, str]):
    """The sections of the site's locations in applicationHost.config. What somebody else has in one
    of them keeps it there.
    """

    noun = "section"

    def identity(self, key: str) -> str:
        return key.casefold()

    def find(self, state: State, key: str) -> tuple[str, Row] | None:
        path, section = place_of(key)
        held = state.location_of(path)
        missing = LOCATION if held is None else NOTHING if section in held else SECTION
        most = NOTHING
        if held is None or _is_ours(state, path, section):
            most = SECTION if held and held - {section} else LOCATION
        return key, {MISSING: missing, _MOST: most}

    def created(self, state: State, desired: Desired[str]) -> Row:
        raise PlanError(f"There is always a section '{desired.key}'. Nothing was changed.")

    def differing(self, row: Row, options: Row) -> tuple[Row, Row]:
        wish, held = str(options[MISSING]), str(row[MISSING])
        if wish != NOTHING:
            wish = min(wish, str(row[_MOST]), key=_LEVELS.index)
            # What is gone already is not put back empty.
            wish = max(wish, held, key=_LEVELS.index)
        return ({MISSING: held}, {MISSING: wish}) if wish != held else ({}, {})

    def apply(self, change: Change, state: State) -> State:
        path, section = place_of(change.key)
        name, locations = f"{state.site}{path}".casefold(), list(state.locations)
        at = [
            number for number, (held, _sections) in enumerate(locations) if held.casefold() == name
        ]
        if not is_drop(change):
            if at:
                held, sections = locations[at[0]]
                locations[at[0]] = (held, sections | {section})
            else:
                locations.append((f"{state.site}{path}", frozenset({section})))
        elif at and (section != RULES or not state.local):
            held, sections = locations[at[0]]
            locations[at[0]] = (held, sections - {section})
            if change.after[MISSING] == LOCATION:
                del locations[at[0]]
        return dataclasses.replace(state, locations=tuple(locations))

    def plain(self, row: Row) -> dict[str, t.Any]:
        return {MISSING: row[MISSING]} if MISSING in row else {}

    def undone(self, change: Change) -> tuple[Desired[str], t.Sequence[str]]:
        return Desired(SECTIONS, change.key, self.plain(change.before)), ()


def _is_ours(state: State, path: str, section: str) -> bool:
    """Whether a section holds nothing but what this collection writes."""
    if section == RULES:
        # A <clear/> in it keeps the server's own rules away, and shows by their absence.
        inherits = not state.above or any(rule.level == "" for rule in state.root.rules or ())
        return inherits and all(rule.name.casefold().startswith(PREFIX) for rule in state.local)
    place = state.places.get(path.casefold())
    held = (place.ip_list if place else None) or IpList()
    return held.deny_action == "Forbidden" and not held.proxy_mode
