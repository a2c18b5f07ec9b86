# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of lists.

None of them has an order that means anything; a wish may be a table of add, remove and set.
"""

from __future__ import annotations

import bisect
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    Endpoint,
    Interval,
    RangeError,
    RangeSet,
    parse_address,
    parse_endpoint,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.kinds import (
    Kind,
    KindError,
    quoted,
)


class ListKind(Kind):
    """The base of the kinds of lists.

    A text in place of a list is taken as its items, parted by commas.
    """

    listlike: t.ClassVar[bool] = True

    def merge(self, current: t.Any, wish: t.Any) -> t.Any:
        if not isinstance(wish, t.Mapping):
            return self.parse(wish)
        unknown = sorted(str(key) for key in wish if key not in ("add", "remove", "set"))
        if unknown:
            raise KindError(f"{quoted(unknown[0])} is not one of add, remove and set.")
        named = {key: value for key, value in wish.items() if value is not None}
        if not named:
            raise KindError("it names none of add, remove and set.")
        if "set" in named and len(named) > 1:
            raise KindError(
                "set gives the whole list, so that add and remove beside it have no meaning."
            )
        if "set" in named:
            return self.parse(named["set"])
        return self.combine(
            self.parse([]) if current is None else current,
            self.parse(named.get("add", [])),
            self.parse(named.get("remove", [])),
        )

    def combine(self, current: t.Any, added: t.Any, removed: t.Any) -> t.Any:
        """`current` without `removed`, then with `added`; all three canonical."""
        return (current - removed) | added

    def items(self, value: t.Any) -> list[t.Any]:
        """What was given, as a list. Raises KindError for what is none."""
        if value is None or value == "":
            return []
        if isinstance(value, str):
            return [item.strip() for item in value.split(",") if item.strip()]
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise KindError(
                f"{quoted(value)} is neither a list nor a table of add, remove and set."
            )
        for item in value:
            if item is None or item == "" or isinstance(item, (t.Mapping, list, tuple, bool)):
                raise KindError(f"the list has an item {quoted(item)}, which is not a text.")
        return list(value)

    def argument(self) -> dict[str, t.Any]:
        return {"type": "raw"}


class Flags(ListKind):
    """A set of words; canonical is a frozenset in this spelling, without `zero` and `dropped`."""

    def __init__(self, *words: str, zero: str = "None", dropped: t.Iterable[str] = ()) -> None:
        self.words, self.zero, self.dropped = words, zero, tuple(dropped)
        self._spelling = {word.lower(): word for word in (*words, zero, *self.dropped)}

    def parse(self, value: t.Any) -> frozenset[str]:
        words = self.read(value)
        unknown = sorted(words - set(self.words))
        if unknown:
            raise KindError(
                f"{quoted(unknown[0])} is not one of {', '.join((*self.words, self.zero))}."
            )
        if words and self.zero in self._words(value):
            raise KindError(f"{self.zero} stands alone, and not beside {', '.join(sorted(words))}.")
        return words

    def read(self, value: t.Any) -> frozenset[str]:
        return frozenset(self._words(value)) - {self.zero, *self.dropped}

    def _words(self, value: t.Any) -> set[str]:
        texts = [str(item).strip() for item in self.items(value)]
        return {self._spelling.get(text.lower(), text) for text in texts}

    def show(self, canonical: t.Any) -> t.Any:
        known = [word for word in self.words if word in canonical]
        return known + sorted(canonical - set(known))

    def write(self, canonical: t.Any) -> t.Any:
        # As one text, which is how an enumeration of flags reads itself; a list would need a
        # conversion of its own.
        return ", ".join(self.show(canonical)) or self.zero


class Ranges(ListKind):
    """Ranges of addresses; canonical is a RangeSet, whose entries stay as they were given.

    They are not merged, because the size of an entry decides which connector a sender meets.
    """

    def parse(self, value: t.Any) -> RangeSet:
        try:
            return RangeSet.parse(self.items(value))
        except RangeError as error:
            raise KindError(str(error)) from None

    def combine(self, current: t.Any, added: t.Any, removed: t.Any) -> t.Any:
        untouched: list[Interval] = []
        touched: list[Interval] = []
        lasts = [(interval.version, interval.last) for interval in removed.intervals]
        for entry in current.entries:
            # The first removed interval that does not end before the entry begins is the only one
            # that can tell.
            at = bisect.bisect_left(lasts, (entry.version, entry.first))
            meets = (
                at < len(lasts)
                and lasts[at][0] == entry.version
                and removed.intervals[at].first <= entry.last
            )
            (touched if meets else untouched).append(entry)
        kept = RangeSet(touched) - removed
        return RangeSet([*untouched, *kept.intervals, *added.entries])

    def show(self, canonical: t.Any) -> t.Any:
        return [str(entry) for entry in canonical.entries]

    def write(self, canonical: t.Any) -> t.Any:
        return self.show(canonical)


class Bindings(ListKind):
    """Local addresses and ports; canonical is a frozenset of Endpoint."""

    def parse(self, value: t.Any) -> frozenset[Endpoint]:
        try:
            return frozenset(parse_endpoint(str(item)) for item in self.items(value))
        except RangeError as error:
            raise KindError(str(error)) from None

    def show(self, canonical: t.Any) -> t.Any:
        return [str(endpoint) for endpoint in sorted(canonical)]

    def write(self, canonical: t.Any) -> t.Any:
        return self.show(canonical)


class Hosts(ListKind):
    """Names or addresses of hosts; canonical is a frozenset in lower case, without brackets."""

    def parse(self, value: t.Any) -> frozenset[str]:
        return frozenset(self._host(str(item)) for item in self.items(value))

    def _host(self, text: str) -> str:
        text = text.strip().lower()
        bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
        try:
            return str(parse_address(bare))
        except RangeError:
            return text

    def show(self, canonical: t.Any) -> t.Any:
        return sorted(canonical)

    def write(self, canonical: t.Any) -> t.Any:
        return sorted(canonical) or None


class ServerNames(Hosts):
    """Names of servers in the directory; canonical is a frozenset of short, lower-case names.

    Forms: the short name, the full name in the DNS, a distinguished name, a canonical path that
    ends with the name.
    """

    def items(self, value: t.Any) -> list[t.Any]:
        if isinstance(value, str) and value.lower().startswith("cn="):
            return [value]
        return super().items(value)

    def _host(self, text: str) -> str:
        text = text.strip().lower()
        if text.startswith("cn="):
            text = text[3:].split(",", 1)[0]
        return text.rsplit("/", 1)[-1].split(".", 1)[0]
