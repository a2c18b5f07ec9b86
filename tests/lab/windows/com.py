# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""COM objects of a lab host, as scripts meet them: late-bound, names without case, errors with
their HRESULT.

The stand-in drives them in Python. The agent in a real engine drives them through proxies
(proxies.ps1, bridge.py).
"""

from __future__ import annotations

import datetime
import itertools
import typing as t

Value = t.Union[None, bool, int, str, datetime.datetime, "ComObject", list[t.Any]]

CLASS_NOT_REGISTERED = 0x80040154
INVALID_ARGUMENT = 0x80070057
UNKNOWN_NAME = 0x80020006
NO_MEMBER = 0x80020003


class ComError(Exception):
    """What a COM object answers with. `class_name` is the exception that .NET makes of the HRESULT
    (learn.microsoft.com, "How to: Map HRESULTs and Exceptions").
    """

    def __init__(self, hresult: int, message: str, class_name: str = "COMException") -> None:
        super().__init__(message)
        self.hresult, self.message, self.class_name = hresult, message, class_name
        # How the agent calls it; an operation of an area may have a better name.
        self.error_id = class_name

    def plain(self) -> dict[str, t.Any]:
        """As JSON for the proxies; the HRESULT as .NET has it, a signed number."""
        signed = self.hresult - (1 << 32) if self.hresult & 0x80000000 else self.hresult
        return {"class": self.class_name, "message": self.message, "hresult": signed}


class ComObject:
    """A COM object. A subclass names its members, and has a method for each: ``get_name``,
    ``set_name`` and ``call_name``, in lower case.

    `properties` can be read, or set, or both; `methods` can be called, parameterized properties
    among them. `enumerable` objects have items() as well.
    """

    properties: t.ClassVar[t.Sequence[str]] = ()
    methods: t.ClassVar[t.Sequence[str]] = ()
    enumerable: t.ClassVar[bool] = False

    def get(self, name: str) -> Value:
        """Read a property. Raises ComError."""
        return t.cast(Value, self._member("get", name)())

    def set(self, name: str, value: Value) -> None:
        """Set a property. Raises ComError."""
        self._member("set", name)(value)

    def call(self, name: str, *arguments: Value) -> Value:
        """Call a method. Raises ComError."""
        return t.cast(Value, self._member("call", name)(*arguments))

    def items(self) -> list[ComObject]:
        """What an enumerator gives. Raises ComError for an object that has none."""
        raise ComError(NO_MEMBER, "Member not found.")

    def _member(self, kind: str, name: str) -> t.Callable[..., t.Any]:
        member = getattr(self, f"{kind}_{name.lower()}", None)
        if member is None:
            raise ComError(UNKNOWN_NAME, "Unknown name.")
        return t.cast("t.Callable[..., t.Any]", member)


class Handles:
    """The COM objects that one process holds, by number, for the proxies."""

    def __init__(self) -> None:
        self._objects: dict[int, ComObject] = {}
        self._numbers = itertools.count(1)

    def of(self, number: int) -> ComObject:
        """The object of a number."""
        return self._objects[number]

    def shown(self, value: Value) -> t.Any:
        """A value as JSON: an object is a number with the names of its members, and its items."""
        if isinstance(value, list):
            return [self.shown(item) for item in value]
        if isinstance(value, datetime.datetime):
            # A DATE knows no time zone.
            return {"$date": int(value.replace(tzinfo=datetime.timezone.utc).timestamp())}
        if not isinstance(value, ComObject):
            return value
        number = next(self._numbers)
        self._objects[number] = value
        shown = {
            "$com": number,
            "properties": list(value.properties),
            "methods": list(value.methods),
        }
        return {**shown, "items": self.shown(list(value.items()))} if value.enumerable else shown

    def understood(self, value: t.Any) -> Value:
        """A value of the proxies."""
        if isinstance(value, list):
            return [self.understood(item) for item in value]
        if isinstance(value, dict):
            return self.of(int(value["$com"]))
        return t.cast(Value, value)
