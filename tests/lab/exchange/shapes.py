# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a parameter takes and how the property prints, by kind of value; lists are in lists.py.

Source: the projected objects of a real Exchange 2019 server (microsoft/CSS-Exchange, test data),
Set-ReceiveConnector.md. A kind has three sides: `take` what a cmdlet is given, `load` what a server
printed, `show` how it prints.
"""

from __future__ import annotations

import abc
import re
import typing as t

UNLIMITED = "Unlimited"

_ENUM = "Microsoft.Exchange.Data.Directory.SystemConfiguration"


class Mismatch(ValueError):
    """A value that is not of the parameter's type: refused while parameters are bound. The text
    says why.
    """


class Refused(ValueError):
    """A value of the right type which the property refuses."""


class Shown(str):
    """A property that prints as this text but is no string: an enumeration, a size, a credential.

    `number` is that of an enumeration, which a remote session hands over as a number that remembers
    its text. `fields` are the properties of the value itself.
    """

    type_name: str
    number: int | None
    fields: t.Mapping[str, t.Any]

    def __new__(
        cls,
        text: str,
        type_name: str,
        number: int | None = None,
        fields: t.Mapping[str, t.Any] | None = None,
    ) -> Shown:
        shown = super().__new__(cls, text)
        shown.type_name, shown.number, shown.fields = type_name, number, fields or {}
        return shown


class Style(t.NamedTuple):
    """How a server prints: `old` like Exchange 2007, and the thousands `separator` of its culture
    (its effect is unverified).
    """

    old: bool = False
    separator: str = ","


class Kind(abc.ABC):
    """The base of all kinds; by itself it is a text."""

    type_name = "System.String"

    @abc.abstractmethod
    def take(self, value: t.Any, current: t.Any) -> t.Any:
        """What is stored when a cmdlet is given `value` while `current` is stored. Raises Mismatch
        and Refused.
        """

    def load(self, value: t.Any) -> t.Any:
        """What is stored where a server printed `value`."""
        return self.take(value, None)

    def show(self, stored: t.Any, style: Style) -> t.Any:
        """How it prints: None, bool, int, str, Shown or a list of these."""
        return stored


class Text(Kind):
    """A text; unset is `empty`. It may have to match a pattern."""

    def __init__(
        self, empty: str | None = "", pattern: str = "", what: str = "", longest: int = 0
    ) -> None:
        self.empty, self.what, self.longest = empty, what, longest
        self.pattern = re.compile(pattern, re.DOTALL) if pattern else None

    def take(self, value: t.Any, current: t.Any) -> t.Any:
        if value is None or value == "":
            return self.empty
        if not isinstance(value, (str, int)):
            raise Mismatch("Cannot convert value to type System.String.")
        text = str(value)
        if self.longest and len(text) > self.longest:
            raise Refused(
                f"The length of the property is too long. The maximum length is {self.longest} and "
                f"the length of the value provided is {len(text)}."
            )
        if self.pattern and not self.pattern.fullmatch(text):
            raise Refused(f'"{text}" isn\'t {self.what}.')
        return text


class Fqdn(Kind):
    """A name in the DNS; null when unset. The empty text is no name."""

    type_name = "Microsoft.Exchange.Data.Fqdn"
    _NAME = re.compile(
        r"(?=.{1,255}$)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
    )

    def take(self, value: t.Any, current: t.Any) -> t.Any:
        if value is None:
            return None
        if not isinstance(value, str) or not self._NAME.fullmatch(value):
            raise Mismatch(f'"{value}" isn\'t a valid SMTP domain name.')
        return value

    def load(self, value: t.Any) -> t.Any:
        return value or None

    def show(self, stored: t.Any, style: Style) -> t.Any:
        return None if stored is None else Shown(stored, self.type_name)


class Flag(Kind):
    """True or false. PowerShell refuses a text for it, even "false"."""

    type_name = "System.Boolean"

    def take(self, value: t.Any, current: t.Any) -> t.Any:
        if isinstance(value, (bool, int)):
            return bool(value)
        raise Mismatch(
            "Boolean parameters accept only Boolean values and numbers, such as $True, $False, 1 "
            "or 0 instead."
        )


class Number(Kind):
    """A whole number within bounds."""

    type_name = "System.Int32"

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last = first, last

    def take(self, value: t.Any, current: t.Any) -> t.Any:
        if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]+", str(value).strip()):
            raise Mismatch("Input string was not in a correct format.")
        return self.bounded(int(value))

    def bounded(self, number: int) -> int:
        """`number`, which has to lie within the bounds."""
        if not self.first <= number <= self.last:
            raise Refused(
                f"The value {number} isn't in the range from {self.first} to {self.last}."
            )
        return number


class Limit(Number):
    """A whole number within bounds, or unlimited. Both print as text."""

    type_name = "Microsoft.Exchange.Data.Unlimited`1[System.Int32]"

    def take(self, value: t.Any, current: t.Any) -> t.Any:
        if str(value).strip().lower() == UNLIMITED.lower():
            return UNLIMITED
        return super().take(value, current)

    def show(self, stored: t.Any, style: Style) -> t.Any:
        return Shown(str(stored), self.type_name)


class Size(Kind):
    """A number of bytes. A text may have a unit; `unit` is what the server rounds up to, and
    unlimited may be allowed.
    """

    type_name = "Microsoft.Exchange.Data.ByteQuantifiedSize"
    _UNITS: t.ClassVar[t.Mapping[str, int]] = {
        "": 1,
        "B": 1,
        "KB": 1 << 10,
        "MB": 1 << 20,
        "GB": 1 << 30,
    }
    _TYPED = re.compile(r"([0-9]+)\s*([KMG]?B)?(?:\s*\(([0-9][0-9,]*) bytes\))?", re.IGNORECASE)

    def __init__(self, first: int, last: int, *, unlimited: bool = False, unit: int = 1) -> None:
        self.first, self.last, self.unlimited, self.unit = first, last, unlimited, unit

    def take(self, value: t.Any, current: t.Any) -> t.Any:
        text = str(value).strip()
        if self.unlimited and text.lower() == UNLIMITED.lower():
            return UNLIMITED
        form = self._TYPED.fullmatch(text)
        if not form or isinstance(value, bool) or value is None:
            raise Mismatch(f'The given string "{text}" isn\'t a valid size.')
        exact = form.group(3)
        size = (
            int(exact.replace(",", ""))
            if exact
            else int(form.group(1)) * self._UNITS[(form.group(2) or "").upper()]
        )
        if not self.first <= size <= self.last:
            raise Refused(
                f"The value {text} isn't in the range from {self.first} to {self.last} bytes."
            )
        return -(-size // self.unit) * self.unit

    def show(self, stored: t.Any, style: Style) -> t.Any:
        if stored == UNLIMITED:
            return Shown(UNLIMITED, self.type_name)
        if style.old:
            # Exchange 2007 prints 6672B and, where it comes out even, a greater unit (unverified).
            unit = max(
                (name for name, size in self._UNITS.items() if name and stored % size == 0),
                key=self._UNITS.__getitem__,
            )
            return Shown(f"{stored // self._UNITS[unit]}{unit}", self.type_name)
        unit = max(
            (name for name, size in self._UNITS.items() if name and stored >= size),
            key=self._UNITS.__getitem__,
            default="B",
        )
        exact = f"{stored:,}".replace(",", style.separator)
        return Shown(f"{stored / self._UNITS[unit]:.4g} {unit} ({exact} bytes)", self.type_name)


class Span(Kind):
    """A time span in seconds, as ``[days.]hours:minutes:seconds``."""

    type_name = "Microsoft.Exchange.Data.EnhancedTimeSpan"
    _TYPED = re.compile(
        r"(?:([0-9]+)\.)?([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,7}))?)?"
    )

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last = first, last

    def take(self, value: t.Any, current: t.Any) -> t.Any:
        text = str(value).strip()
        form = self._TYPED.fullmatch(text)
        if form:
            days, hours, minutes, seconds = (int(part or 0) for part in form.groups()[:4])
            if hours > 23 or minutes > 59 or seconds > 59:
                raise Mismatch(f'"{text}" isn\'t a valid time span.')
            total = float(((days * 24 + hours) * 60 + minutes) * 60 + seconds) + float(
                f"0.{form.group(5) or 0}"
            )
        elif isinstance(value, str) and text.isdecimal():
            # As .NET reads it: a bare number is days.
            total = int(text) * 86400.0
        else:
            raise Mismatch(f'"{text}" isn\'t a valid time span.')
        if not self.first <= total <= self.last:
            raise Refused(
                f"The time span {text} isn't in the range from {self.first} to {self.last} seconds."
            )
        return total

    def show(self, stored: t.Any, style: Style) -> t.Any:
        seconds, ticks = divmod(round(stored * 10_000_000), 10_000_000)
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        days, hours = divmod(hours, 24)
        text = f"{hours:02}:{minutes:02}:{seconds:02}"
        return Shown(
            (f"{days}." if days else "") + text + (f".{ticks:07}" if ticks else ""), self.type_name
        )


class Choice(Kind):
    """One word of an enumeration; null is possible only where `optional`."""

    def __init__(self, name: str, words: t.Mapping[str, int], *, optional: bool = False) -> None:
        self.type_name, self.words, self.optional = f"{_ENUM}.{name}", words, optional
        self._spelling = {word.lower(): word for word in words}

    def take(self, value: t.Any, current: t.Any) -> t.Any:
        if value is None and self.optional:
            return None
        word = self._spelling.get(str(value).strip().lower())
        if word is None or isinstance(value, bool):
            raise Mismatch(
                f"Unable to match the identifier name {value} to a valid enumerator name. Specify "
                "one of the following: "
                f"{', '.join(self.words)}"
            )
        return word

    def show(self, stored: t.Any, style: Style) -> t.Any:
        return None if stored is None else Shown(stored, self.type_name, self.words.get(stored))


class Words(Kind):
    """Several words of an enumeration of flags: one text with commas, or a list. `zero` is none of
    them and stands alone.
    """

    def __init__(self, name: str, words: t.Mapping[str, int], zero: str = "None") -> None:
        self.type_name, self.words, self.zero = f"{_ENUM}.{name}", words, zero
        self._spelling = {word.lower(): word for word in (*words, zero)}

    def take(self, value: t.Any, current: t.Any) -> t.Any:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, (list, tuple)) or not items:
            raise Mismatch(f"Cannot convert value to type {self.type_name}.")
        chosen = set()
        for item in items:
            word = self._spelling.get(str(item).strip().lower())
            if word is None:
                raise Mismatch(
                    f"Unable to match the identifier name {item} to a valid enumerator name. "
                    "Specify one of the following: "
                    f"{', '.join((self.zero, *self.words))}"
                )
            chosen.add(word)
        # None beside other words adds nothing to the number; AuthMechanism None has to stand alone
        # (Set-ReceiveConnector.md).
        if self.zero in chosen and len(chosen) > 1:
            raise Refused(f"{self.zero} can't be combined with other values.")
        return frozenset(chosen - {self.zero})

    def show(self, stored: t.Any, style: Style) -> t.Any:
        ordered = sorted(stored, key=self.words.__getitem__)
        return Shown(
            ", ".join(ordered) or self.zero,
            self.type_name,
            sum(self.words[word] for word in stored),
        )


class Login(Kind):
    """A credential: a pair of user name and password in, a user name out. Null on read when unset
    (New-SendConnector.md).
    """

    type_name = "System.Management.Automation.PSCredential"

    def take(self, value: t.Any, current: t.Any) -> t.Any:
        if value is None:
            return None
        if not isinstance(value, tuple) or len(value) != 2:
            raise Mismatch(
                "Cannot convert value to type System.Management.Automation.PSCredential."
            )
        return value

    def load(self, value: t.Any) -> t.Any:
        return None

    def show(self, stored: t.Any, style: Style) -> t.Any:
        if stored is None:
            return None
        # Whether a real one shows the name is unverified; the password it cannot.
        return Shown(self.type_name, self.type_name, None, {"UserName": stored[0]})
