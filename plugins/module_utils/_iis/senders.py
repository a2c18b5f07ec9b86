# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses a regular expression of a rule matches, whoever wrote it.

IIS tests the text of the client's address (`{REMOTE_ADDR}`). An expression is read as a small
automaton and walked octet by octet: 256 numbers, four times. What is not understood, a look-ahead
or a back reference, is said to be so, and nothing is guessed.
"""

from __future__ import annotations

import functools
import re
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    Interval,
    RangeError,
    RangeSet,
    parse_address,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges_spans import Spans

_ASCII = frozenset(map(chr, range(32, 127)))
_CLASSES = {
    "d": frozenset("0123456789"),
    "w": frozenset(char for char in _ASCII if char.isalnum() or char == "_"),
    "s": frozenset(" "),
}
_MOST_REPEATS = 64
# "203" anywhere in an address is sixteen million pieces, and nobody's network.
_MOST_SPANS = 20_000
_SPECIAL = frozenset("\\.[](){}|*+?^$")
_ZONE = "(?:%[0-9A-Za-z]+)?"

Node = tuple[t.Any, ...]


class Unreadable(ValueError):
    """An expression with something in it that is not understood here."""


class _Parser:
    """A regular expression as a tree: ("set", characters), ("seq", nodes), ("alt", nodes),
    ("repeat", node, least, most or None), ("start",), ("end",).
    """

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def tree(self) -> Node:
        node = self._alternatives()
        if self._at < len(self._text):
            raise Unreadable(self._text)
        return node

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        if self._at >= len(self._text):
            raise Unreadable(self._text)
        self._at += 1
        return self._text[self._at - 1]

    def _alternatives(self) -> Node:
        branches = [self._sequence()]
        while self._peek() == "|":
            self._take()
            branches.append(self._sequence())
        return branches[0] if len(branches) == 1 else ("alt", tuple(branches))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            parts.append(self._repeated(self._atom()))
        return ("seq", tuple(parts))

    def _repeated(self, node: Node) -> Node:
        while self._peek() and self._peek() in "?*+{":
            least, most = self._bounds(self._take())
            if node[0] in ("start", "end") or max(least, most or 0) > _MOST_REPEATS:
                raise Unreadable(self._text)
            if self._peek() == "?":
                self._take()
            node = ("repeat", node, least, most)
        return node

    def _bounds(self, sign: str) -> tuple[int, int | None]:
        if sign != "{":
            return {"?": (0, 1), "*": (0, None), "+": (1, None)}[sign]
        held = re.match(r"(\d{1,4})(?:(,)(\d{0,4}))?\}", self._text[self._at :], re.ASCII)
        if held is None:
            raise Unreadable(self._text)
        self._at += held.end()
        least = int(held.group(1))
        if not held.group(2):
            return least, least
        return least, int(held.group(3)) if held.group(3) else None

    def _atom(self) -> Node:
        sign = self._take()
        if sign == "(":
            if self._peek() == "?":
                self._take()
                if self._take() != ":":
                    raise Unreadable(self._text)
            node = self._alternatives()
            if self._take() != ")":
                raise Unreadable(self._text)
            return node
        if sign == "[":
            return ("set", self._class())
        if sign == ".":
            return ("set", _ASCII)
        if sign in "^$":
            return ("start",) if sign == "^" else ("end",)
        if sign == "\\":
            return ("set", self._escaped())
        if sign in "*+?{":
            raise Unreadable(self._text)
        return ("set", frozenset((sign,)))

    def _escaped(self) -> frozenset[str]:
        sign = self._take()
        if sign in _CLASSES:
            return _CLASSES[sign]
        if sign.lower() in _CLASSES:
            return _ASCII - _CLASSES[sign.lower()]
        if sign.isalnum():
            raise Unreadable(self._text)
        return frozenset((sign,))

    def _class(self) -> frozenset[str]:
        negated = self._peek() == "^"
        if negated:
            self._take()
        held: set[str] = set()
        while True:
            sign = self._take()
            if sign == "]":
                return _ASCII - held if negated else frozenset(held)
            chars = self._escaped() if sign == "\\" else frozenset((sign,))
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._take()
                last = self._take()
                if len(chars) != 1 or last == "\\":
                    raise Unreadable(self._text)
                chars = frozenset(map(chr, range(ord(next(iter(chars))), ord(last) + 1)))
            held |= chars


class _Automaton:
    """States are numbers; each has edges without a character, guarded or not, and edges with a set
    of them.
    """

    def __init__(self, tree: Node) -> None:
        self.free: list[list[tuple[int, str]]] = []
        self.edges: list[list[tuple[frozenset[str], int]]] = []
        self.start = self._state()
        # Found anywhere: what stands before and behind does not matter.
        self.edges[self.start].append((_ASCII, self.start))
        self.end = self._build(tree, self._next(self.start))
        self.edges[self.end].append((_ASCII, self.end))

    def _state(self) -> int:
        self.free.append([])
        self.edges.append([])
        if len(self.free) > 20_000:
            raise Unreadable("")
        return len(self.free) - 1

    def _next(self, state: int, guard: str = "") -> int:
        new = self._state()
        self.free[state].append((new, guard))
        return new

    def _build(self, node: Node, state: int) -> int:
        kind = node[0]
        if kind == "set":
            new = self._state()
            self.edges[state].append((node[1], new))
            return new
        if kind in ("start", "end"):
            return self._next(state, kind)
        if kind == "seq":
            for part in node[1]:
                state = self._build(part, state)
            return state
        out = self._state()
        if kind == "alt":
            for branch in node[1]:
                self.free[self._build(branch, self._next(state))].append((out, ""))
            return out
        _kind, inner, least, most = node
        for _count in range(least):
            state = self._build(inner, state)
        if most is None:
            state = self._next(state)
            self.free[self._build(inner, self._next(state))].append((state, ""))
        for _count in range((most or 0) - least):
            self.free[state].append((out, ""))
            state = self._build(inner, self._next(state))
        self.free[state].append((out, ""))
        return out

    def closed(
        self, states: t.Iterable[int], *, first: bool = False, last: bool = False
    ) -> frozenset[int]:
        """The states that are reached without another character."""
        held = set(states)
        waiting = list(held)
        while waiting:
            for state, guard in self.free[waiting.pop()]:
                if state not in held and (
                    not guard or (guard == "start" and first) or (guard == "end" and last)
                ):
                    held.add(state)
                    waiting.append(state)
        return frozenset(held)

    def after(self, states: frozenset[int], sign: str) -> frozenset[int]:
        """The states after one more character."""
        return self.closed(
            state for held in states for signs, state in self.edges[held] if sign in signs
        )

    def matches(self, states: frozenset[int]) -> bool:
        """Whether the text may end here."""
        return self.end in self.closed(states, last=True)


def _walked(automaton: _Automaton) -> Spans:
    """The IPv4 addresses, as pairs of first and last number, whose dotted text is matched."""

    # Few sets of states are ever met, and eleven characters.
    moved = functools.cache(automaton.after)

    def step(states: frozenset[int], text: str) -> frozenset[int]:
        for sign in text:
            states = moved(states, sign)
        return states

    @functools.cache
    def spans(states: frozenset[int], octets: int) -> Spans:
        unit = 1 << 8 * (octets - 1)
        held: list[tuple[int, int]] = []
        for octet in range(256):
            reached = step(states, str(octet))
            inner: Spans = ()
            if octets > 1 and reached:
                inner = spans(step(reached, "."), octets - 1)
            elif automaton.matches(reached):
                inner = ((0, 0),)
            for first, last in inner:
                pair = (octet * unit + first, octet * unit + last)
                if held and held[-1][1] + 1 == pair[0]:
                    held[-1] = (held[-1][0], pair[1])
                else:
                    held.append(pair)
            if len(held) > _MOST_SPANS:
                raise Unreadable("")
        return tuple(held)

    return spans(automaton.closed((automaton.start,), first=True), 4)


class Matched(t.NamedTuple):
    """The addresses that an expression matches: these for certain, and at most those."""

    certain: RangeSet
    at_most: RangeSet


NOBODY = RangeSet()
EVERYBODY = RangeSet.parse(
    ["0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]
)
UNKNOWN = Matched(NOBODY, EVERYBODY)


@functools.lru_cache(maxsize=512)
def matched(pattern: str) -> Matched:
    """Whom a pattern for the text of an address matches; one that cannot be read, anybody."""
    try:
        tree = _Parser(pattern).tree()
        four = RangeSet.of_spans(4, _walked(_Automaton(tree)))
        six = _six(pattern)
    except (Unreadable, RecursionError):
        return UNKNOWN
    return Matched(four | six.certain, four | six.at_most)


def _six(pattern: str) -> Matched:
    """The IPv6 addresses. Known only of texts of whole addresses, and of what no colon can stand
    in.
    """
    certain: list[Interval] = []
    for text in _branches(pattern):
        literal = _literal(text)
        if literal is None:
            if _takes_colon(_Parser(text).tree()):
                return Matched(RangeSet(certain), EVERYBODY.v6)
            continue
        try:
            address = parse_address(literal)
        except RangeError:
            continue
        certain.append(Interval(address.version, address.value, address.value))
    held = RangeSet(certain).v6
    return Matched(held, held) if _anchored(pattern) else Matched(held, EVERYBODY.v6)


def _anchored(pattern: str) -> bool:
    return (
        pattern.startswith("^") and pattern.endswith("$") and len(list(_split(pattern[1:-1]))) == 1
    )


def _branches(pattern: str) -> t.Iterator[str]:
    """The alternatives at the top: of `^(?:a|b)$` a and b."""
    inner = pattern
    if inner.startswith("^") and inner.endswith("$") and not inner.endswith("\\$"):
        inner = inner[1:-1]
    if inner.startswith("(?:") and inner.endswith(")") and _closes(inner) == len(inner) - 1:
        inner = inner[3:-1]
    yield from _split(inner)


def _split(inner: str) -> t.Iterator[str]:
    """What stands between the bars that are in no group."""
    depth, begin, at = 0, 0, 0
    while at < len(inner):
        sign = inner[at]
        if sign == "\\":
            at += 1
        elif sign in "([":
            depth += 1
        elif sign in ")]":
            depth -= 1
        elif sign == "|" and depth == 0:
            yield inner[begin:at]
            begin = at + 1
        at += 1
    yield inner[begin:]


def _closes(text: str) -> int:
    depth, at = 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] in "([":
            depth += 1
        elif text[at] in ")]":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    return -1


def _literal(text: str) -> str | None:
    """What a pattern without choices says, a zone left out; None for one with choices."""
    if text.endswith(_ZONE):
        text = text[: -len(_ZONE)]
    said = re.sub(r"\\([^A-Za-z0-9])", r"\1", text)
    return said if not set(re.sub(r"\\[^A-Za-z0-9]", "", text)) & _SPECIAL else None


def _takes_colon(node: Node) -> bool:
    """Whether a text that the tree matches may have a colon in it."""
    if node[0] == "set":
        return ":" in node[1]
    if node[0] in ("seq", "alt"):
        return any(map(_takes_colon, node[1]))
    return node[0] == "repeat" and _takes_colon(node[1])


def six_pattern(addresses: t.Iterable[str]) -> str:
    """An anchored pattern for the texts of single IPv6 addresses, with a zone or without one.

    IIS gives the text without brackets, a link-local one with its zone (unverified).
    """
    return f"^(?:{'|'.join(re.sub(r'([.])', r'[.]', address) + _ZONE for address in addresses)})$"
