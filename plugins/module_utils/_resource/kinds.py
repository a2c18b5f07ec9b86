# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of values: what a server prints or a user types becomes one canonical value, and back.

Two values mean the same exactly if their canonical forms are equal. Errors are clauses that end
with a full stop; table.py puts the option's name in front.
"""

from __future__ import annotations

import abc
import re
import typing as t


class KindError(ValueError):
    """A value that is not of its kind.

    The message is a sentence, without the name of the option.
    """


class Kind(abc.ABC):
    """The base of all kinds; by itself it is a text, see Text."""

    listlike: t.ClassVar[bool] = False
    """Whether a wish may be a table of add, remove and set."""

    @abc.abstractmethod
    def parse(self, value: t.Any) -> t.Any:
        """The canonical value of what was typed or printed; '' and null give None.

        Raises KindError.
        """

    def read(self, value: t.Any) -> t.Any:
        """The same for what a server printed, which may be newer than this collection.

        Raises KindError.
        """
        return self.parse(value)

    def merge(self, current: t.Any, wish: t.Any) -> t.Any:
        """What `wish`, which is not None, makes of the canonical `current`. Raises KindError."""
        return self.parse(wish)

    def show(self, canonical: t.Any) -> t.Any:
        """Plain data for people and snapshots, which parse() takes back; None where unset."""
        return canonical

    def write(self, canonical: t.Any) -> t.Any:
        """What the server is given: str, int, bool, None or a list of str."""
        return canonical

    def argument(self) -> dict[str, t.Any]:
        """The kind as an entry of an Ansible argument spec."""
        return {"type": "str"}


def quoted(value: t.Any) -> str:
    """A value for a sentence, cut where it is long."""
    text = value if isinstance(value, str) else repr(value)
    return f"'{text}'" if len(text) <= 80 else f"'{text[:77]}...'"


class Text(Kind):
    """Any text; canonical is the text itself, None when empty."""

    def parse(self, value: t.Any) -> str | None:
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise KindError(f"{quoted(value)} is not a text.")
        return str(value)

    def show(self, canonical: t.Any) -> t.Any:
        return "" if canonical is None else canonical


class Host(Text):
    """A name in the DNS; canonical is lower case, as such names are compared."""

    def parse(self, value: t.Any) -> str | None:
        text = super().parse(value)
        return text.strip().lower() if text else None


class Bool(Kind):
    """Yes or no; canonical is a bool."""

    _WORDS: t.ClassVar[t.Mapping[str, bool]] = {
        **dict.fromkeys(("true", "yes", "on", "1"), True),
        **dict.fromkeys(("false", "no", "off", "0"), False),
    }

    def parse(self, value: t.Any) -> bool | None:
        if value is None or value == "":
            return None
        truth = self._WORDS.get(str(value).strip().lower())
        if truth is None:
            raise KindError(f"{quoted(value)} is neither true nor false.")
        return truth

    def argument(self) -> dict[str, t.Any]:
        return {"type": "bool"}


class Choice(Kind):
    """One of some words; canonical in the spelling given here, None when unset.

    ``None`` may be one of the words.
    """

    def __init__(self, *choices: str) -> None:
        self.choices = choices
        self._spelling = {choice.lower(): choice for choice in choices}

    def parse(self, value: t.Any) -> str | None:
        if value is None or value == "":
            return None
        spelling = self._spelling.get(str(value).strip().lower())
        if spelling is None:
            raise KindError(f"{quoted(value)} is not one of {', '.join(self.choices)}.")
        return spelling

    def read(self, value: t.Any) -> str | None:
        try:
            return self.parse(value)
        except KindError:
            return str(value)

    def show(self, canonical: t.Any) -> t.Any:
        return "" if canonical is None else canonical

    def argument(self) -> dict[str, t.Any]:
        return {"type": "str", "choices": list(self.choices)}


UNLIMITED = "unlimited"
"""The canonical value of a limit that is none."""


class Int(Kind):
    """A whole number from `first` to `last`, or ``unlimited``; canonical is an int."""

    _NUMBER = re.compile(r"-?[0-9]+")

    def __init__(self, first: int, last: int, *, unlimited: bool = False) -> None:
        self.first, self.last, self.unlimited = first, last, unlimited

    def parse(self, value: t.Any) -> int | str | None:
        number = self.read(value)
        if isinstance(number, int) and not self.first <= number <= self.last:
            raise KindError(f"{number} is not {self._allowed}.")
        return number

    def read(self, value: t.Any) -> int | str | None:
        if value is None or value == "":
            return None
        text = str(value).strip()
        if self.unlimited and text.lower() == UNLIMITED:
            return UNLIMITED
        if isinstance(value, bool) or not self._NUMBER.fullmatch(text):
            raise KindError(f"{quoted(value)} is not {self._allowed}.")
        return int(text)

    @property
    def _allowed(self) -> str:
        return (
            f"a whole number from {self.first} to "
            f"{self.last}{' or unlimited' if self.unlimited else ''}"
        )

    def write(self, canonical: t.Any) -> t.Any:
        # Unlimited<int> takes texts of both forms; an int for the one and a text for the other
        # would need two conversions.
        return canonical if canonical is None or not self.unlimited else str(canonical)

    def show(self, canonical: t.Any) -> t.Any:
        return self.write(canonical)

    def argument(self) -> dict[str, t.Any]:
        return {"type": "str" if self.unlimited else "int"}


class Size(Kind):
    """A size; canonical is bytes as an int, or ``unlimited`` where asked for.

    `unit` is what the server rounds up to. Read-back forms: ``36 MB (37,748,736 bytes)`` with the
    thousands separator of the server's culture (its effect is unverified), ``6672B`` from Exchange
    2007. A number without a unit is bytes.
    """

    _UNITS: t.ClassVar[t.Mapping[str, int]] = {
        "b": 1,
        "kb": 1 << 10,
        "mb": 1 << 20,
        "gb": 1 << 30,
        "tb": 1 << 40,
    }
    _EXACT = re.compile(r"\(\s*([0-9][0-9\s.,'\u2019\u00a0\u202f\u066c]*)\D*\)\s*$")
    _TYPED = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?b)?", re.IGNORECASE)

    def __init__(self, first: int, last: int, *, unlimited: bool = False, unit: int = 1) -> None:
        self.first, self.last, self.unlimited, self.unit = first, last, unlimited, unit

    def parse(self, value: t.Any) -> int | str | None:
        size = self.read(value)
        if not isinstance(size, int):
            return size
        if not self.first <= size <= self.last:
            raise KindError(
                f"{quoted(value)} is not a size from {self.first} to {self.last} bytes."
            )
        # What the server rounds up has to be rounded up here, or it would be a change in every run.
        return (size + self.unit - 1) // self.unit * self.unit

    def read(self, value: t.Any) -> int | str | None:
        if value is None or value == "":
            return None
        text = str(value).strip()
        if self.unlimited and text.lower() == UNLIMITED:
            return UNLIMITED
        exact = self._EXACT.search(text)
        if exact:
            return int("".join(character for character in exact.group(1) if character.isdecimal()))
        typed = self._TYPED.fullmatch(text)
        if not typed or isinstance(value, bool):
            also = ", or unlimited" if self.unlimited else ""
            raise KindError(f"{quoted(value)} is not a size such as 36MB, 256KB or 65536{also}.")
        return round(float(typed.group(1)) * self._UNITS[(typed.group(2) or "b").lower()])

    def write(self, canonical: t.Any) -> t.Any:
        # With a unit: small values without one may be rounded up to a kilobyte
        # (New-ReceiveConnector.md, MaxMessageSize).
        if not isinstance(canonical, int):
            return canonical
        for unit in ("GB", "MB", "KB"):
            count, rest = divmod(canonical, self._UNITS[unit.lower()])
            if count and not rest:
                return f"{count}{unit}"
        return f"{canonical}B"

    def show(self, canonical: t.Any) -> t.Any:
        return self.write(canonical)


class TimeSpan(Kind):
    """A time span; canonical is seconds, an int unless there are fractions.

    Forms: ``hh:mm:ss``, ``d.hh:mm:ss``, either with fractions of a second, and plain seconds.
    """

    _SPAN = re.compile(r"(?:([0-9]+)\.)?([0-9]{1,2}):([0-9]{2}):([0-9]{2})(\.[0-9]{1,7})?")
    _SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")

    def __init__(self, first: float = 0, last: float = 86400) -> None:
        self.first, self.last = first, last

    def parse(self, value: t.Any) -> float | None:
        seconds = self.read(value)
        if seconds is not None and not self.first <= seconds <= self.last:
            raise KindError(
                f"{quoted(value)} is not a time span from {self.write(self.first)} to "
                f"{self.write(self.last)}."
            )
        return seconds

    def read(self, value: t.Any) -> float | None:
        if value is None or value == "":
            return None
        text = str(value).strip()
        span = self._SPAN.fullmatch(text)
        if span:
            days, hours, minutes, whole = (int(part or 0) for part in span.groups()[:4])
            if hours < 24 and minutes < 60 and whole < 60:
                seconds = (
                    ((days * 24 + hours) * 60 + minutes) * 60 + whole + float(span.group(5) or 0)
                )
                return int(seconds) if seconds == int(seconds) else seconds
        elif self._SECONDS.fullmatch(text) and not isinstance(value, bool):
            seconds = float(text)
            return int(seconds) if seconds == int(seconds) else seconds
        raise KindError(f"{quoted(value)} is not a time span such as 00:10:00, 1.00:00:00 or 600.")

    def write(self, canonical: t.Any) -> t.Any:
        if canonical is None:
            return None
        # In ticks of .NET, so that a fraction comes out as it went in.
        seconds, ticks = divmod(round(canonical * 10_000_000), 10_000_000)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        text = f"{hours:02}:{minutes:02}:{seconds:02}"
        return (f"{days}." if days else "") + text + (f".{ticks:07}" if ticks else "")

    def show(self, canonical: t.Any) -> t.Any:
        return self.write(canonical)
