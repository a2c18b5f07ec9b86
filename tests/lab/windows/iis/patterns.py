# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The patterns of URL Rewrite: ECMAScript, Wildcard, ExactMatch (iis.net, "URL Rewrite Module
Configuration Reference").

An ECMAScript pattern is turned into one of Python's, character by character, where the two differ:
what `$`, `.`, `\\d` and `\\s` mean, and what the one has that the other lacks. What ECMAScript does
not know is a broken pattern, never a pattern with another meaning.
"""

from __future__ import annotations

import re
import typing as t

# ECMA-262 3rd edition, 7.2, 7.3, 15.10.2.12.
_BLANKS = (
    "\\t\\n\\x0b\\x0c\\r \\xa0\\u1680\\u180e"
    "\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff"
)
_LINES = "\\n\\r\\u2028\\u2029"
_NUMBERED = re.compile(r"\\(\d+)")
_SAFE = frozenset("dDwWbBfnrtv0123456789")


class BrokenPattern(Exception):
    """IIS answers 500 to every request that a rule with such a pattern is asked about."""


class Match(t.NamedTuple):
    """A match with its captures; the first is what matched."""

    groups: tuple[str, ...]


Matcher = t.Callable[[str], t.Optional[Match]]


def matcher(syntax: str, pattern: str, ignore_case: bool) -> Matcher:
    """What tests a text. Raises BrokenPattern."""
    flags = re.ASCII | (re.IGNORECASE if ignore_case else 0)
    if syntax == "ExactMatch":

        def exact(text: str) -> Match | None:
            same = text.casefold() == pattern.casefold() if ignore_case else text == pattern
            return Match((text,)) if same else None

        return exact
    if syntax == "Wildcard":
        # The whole text, each star a capture; without case (there is no other way to ask for it).
        parts = "(.*)".join(re.escape(part) for part in pattern.split("*"))
        whole = re.compile(f"(?:{parts})\\Z", re.DOTALL | flags)
        return lambda text: _groups(whole.match(text))
    try:
        compiled = re.compile(translated(pattern), flags)
    except (re.error, OverflowError, RecursionError):
        raise BrokenPattern(pattern) from None
    return lambda text: _groups(compiled.search(text))


def _groups(match: re.Match[str] | None) -> Match | None:
    if match is None:
        return None
    # A group that took no part is empty text.
    return Match((match[0], *(group or "" for group in match.groups())))


def translated(pattern: str) -> str:
    """An ECMAScript pattern as Python's. Raises BrokenPattern."""
    out: list[str] = []
    at, in_class = 0, False
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            escape, length = _escape(pattern[at:], in_class)
            out.append(escape)
            at += length
            continue
        at += 1
        if in_class:
            in_class = character != "]"
            # Python warns of what may become set operations.
            out.append(f"\\{character}" if character in "[&~|" else character)
        elif character == "[":
            if pattern[at : at + 1] == "]" or pattern[at : at + 2] == "^]":
                raise BrokenPattern(pattern)
            in_class = True
            out.append(character)
            if pattern[at : at + 1] == "^":
                out.append("^")
                at += 1
        elif character == "(" and pattern[at : at + 1] == "?":
            if pattern[at + 1 : at + 2] not in (":", "=", "!"):
                # No lookbehind, names or flags in ECMA-262 3rd edition.
                raise BrokenPattern(pattern)
            out.append("(?" + pattern[at + 1])
            at += 2
        elif character == "$":
            out.append("\\Z")
        elif character == ".":
            out.append(f"[^{_LINES}]")
        elif character in "*+?}" and pattern[at : at + 1] == "+":
            # Possessive in Python, nothing to repeat in ECMAScript.
            raise BrokenPattern(pattern)
        else:
            out.append(character)
    if in_class:
        raise BrokenPattern(pattern)
    return "".join(out)


def _escape(rest: str, in_class: bool) -> tuple[str, int]:
    """An escape as Python's, and how long it is."""
    if len(rest) < 2:
        raise BrokenPattern(rest)
    letter = rest[1]
    if letter == "s":
        return (_BLANKS if in_class else f"[{_BLANKS}]"), 2
    if letter == "S":
        if in_class:
            # A complement inside a class has no short form: the lab does not play it.
            raise BrokenPattern(rest)
        return f"[^{_BLANKS}]", 2
    if letter == "b" and in_class:
        return "\\x08", 2
    if letter in "xu":
        length = 2 if letter == "x" else 4
        digits = rest[2 : 2 + length]
        if len(digits) == length and all(digit in "0123456789abcdefABCDEF" for digit in digits):
            return re.escape(chr(int(digits, 16))), 2 + length
        return letter, 2
    if letter == "c" and rest[2:3].isalpha() and rest[2].isascii():
        return re.escape(chr(ord(rest[2]) % 32)), 3
    if letter in _SAFE:
        return f"\\{letter}", 2
    # Any other escaped character is itself: \A is A, and \/ a slash.
    return re.escape(letter), 2
