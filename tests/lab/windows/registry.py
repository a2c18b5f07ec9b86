# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HKEY_LOCAL_MACHINE of a lab host, and its keys as scripts get them: Microsoft.Win32.RegistryKey.

Sources: learn.microsoft.com, RegistryKey: OpenSubKey gives null for a key that is missing and
SecurityException without the right to it; SetValue through a key that was opened for reading is an
UnauthorizedAccessException, data that does not fit its kind an ArgumentException; DeleteSubKey of a
key with subkeys an InvalidOperationException; GetValueKind of a missing value an IOException. A
DWORD comes as a signed number, 0xFFFFFFFF as -1.
"""

from __future__ import annotations

import threading
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComError, ComObject, Value

DWORD, QWORD, TEXT, EXPANDED, TEXTS, BYTES = (
    "DWord",
    "QWord",
    "String",
    "ExpandString",
    "MultiString",
    "Binary",
)
_SIZES = {DWORD: 32, QWORD: 64}


@dataclass
class Key:
    """A key: its name as it was made, its values by casefolded name as (name, kind, data), its
    subkeys likewise.
    """

    name: str
    values: dict[str, tuple[str, str, t.Any]] = field(default_factory=dict)
    subkeys: dict[str, Key] = field(default_factory=dict)


class Registry:
    """The keys below HKEY_LOCAL_MACHINE. `denied` are casefolded paths that the user may not open,
    `read_only` those that he may not open for writing, nor make. Thread-safe.
    """

    def __init__(self) -> None:
        self.root = Key("HKEY_LOCAL_MACHINE")
        self.denied: set[str] = set()
        self.read_only: set[str] = set()
        self.lock = threading.RLock()

    def find(self, path: str) -> Key | None:
        """A key; None where it is missing."""
        key: Key | None = self.root
        for part in _parts(path):
            key = key.subkeys.get(part.casefold()) if key else None
        return key

    def make(self, path: str) -> Key:
        """A key, made with those above it where they are missing."""
        with self.lock:
            key = self.root
            for part in _parts(path):
                key = key.subkeys.setdefault(part.casefold(), Key(part))
            return key

    def set(self, path: str, name: str, data: t.Any, kind: str = "") -> None:
        """What somebody at the server does with regedit: an int is a DWORD, a str a text, a list
        texts.
        """
        kind = kind or (
            DWORD if isinstance(data, int) else TEXTS if isinstance(data, list) else TEXT
        )
        with self.lock:
            self.make(path).values[name.casefold()] = (name, kind, _checked(kind, data))

    def remove(self, path: str, name: str) -> None:
        """The same, of a value that is to go."""
        with self.lock:
            key = self.find(path)
            if key:
                key.values.pop(name.casefold(), None)

    def get(self, path: str, name: str) -> t.Any:
        """The data of a value; None where it is missing."""
        key = self.find(path)
        held = key.values.get(name.casefold()) if key else None
        return held[2] if held else None

    def shown(self) -> dict[str, t.Any]:
        """Everything, for comparison: path → values."""
        keys: dict[str, t.Any] = {}

        def walk(path: str, key: Key) -> None:
            keys[path] = {name: (kind, data) for name, kind, data in key.values.values()}
            for inner in key.subkeys.values():
                walk(f"{path}\\{inner.name}", inner)

        with self.lock:
            walk("", self.root)
        return keys

    def check(self, path: str, *, writes: bool = False) -> None:
        """Raises ComError where the user may not open a key."""
        if path.casefold() in self.denied or (writes and path.casefold() in self.read_only):
            raise ComError(
                0x8013150A, "Requested registry access is not allowed.", "SecurityException"
            )


class RegistryKey(ComObject):
    """An open key. The real one is an object of .NET; a script sees the same members."""

    properties = ("Name", "ValueCount", "SubKeyCount")
    methods = (
        "OpenSubKey",
        "CreateSubKey",
        "DeleteSubKey",
        "GetValueNames",
        "GetValue",
        "GetValueKind",
        "SetValue",
        "DeleteValue",
        "Close",
    )

    def __init__(self, registry: Registry, path: str, writable: bool) -> None:
        self.registry, self.path, self.writable = registry, path, writable

    def _key(self) -> Key:
        key = self.registry.find(self.path)
        if key is None:
            raise ComError(
                0x80131620,
                "Illegal operation attempted on a registry key that has been marked for deletion.",
                "IOException",
            )
        return key

    def _below(self, name: Value) -> str:
        return "\\".join(filter(None, [self.path, str(name).strip("\\")]))

    def _write(self) -> None:
        if not self.writable:
            raise ComError(
                0x80070005, "Cannot write to the registry key.", "UnauthorizedAccessException"
            )

    def get_name(self) -> Value:
        return "\\".join(filter(None, ["HKEY_LOCAL_MACHINE", self.path]))

    def get_valuecount(self) -> Value:
        return len(self._key().values)

    def get_subkeycount(self) -> Value:
        return len(self._key().subkeys)

    def call_opensubkey(self, name: Value, writable: Value = False) -> Value:
        path = self._below(name)
        self.registry.check(path, writes=bool(writable))
        return (
            RegistryKey(self.registry, path, bool(writable)) if self.registry.find(path) else None
        )

    def call_createsubkey(self, name: Value) -> Value:
        self._write()
        path = self._below(name)
        self.registry.check(path, writes=True)
        self.registry.make(path)
        return RegistryKey(self.registry, path, True)

    def call_deletesubkey(self, name: Value, throw: Value = True) -> None:
        self._write()
        path = self._below(name)
        self.registry.check(path, writes=True)
        with self.registry.lock:
            key = self.registry.find(path)
            if key is None:
                if throw:
                    raise ComError(
                        0x80070057,
                        "Cannot delete a subkey tree because the subkey does not exist.",
                        "ArgumentException",
                    )
                return
            if key.subkeys:
                raise ComError(
                    0x80131509,
                    "Registry key has subkeys and recursive removes are not supported by this "
                    "method.",
                    "InvalidOperationException",
                )
            above, _mark, last = path.rpartition("\\")
            outer = self.registry.find(above)
            assert outer is not None
            del outer.subkeys[last.casefold()]

    def call_getvaluenames(self) -> Value:
        return [name for name, _kind, _data in self._key().values.values()]

    def call_getvalue(self, name: Value, default: Value = None, options: Value = "None") -> Value:
        held = self._key().values.get(str(name).casefold())
        if held is None:
            return default
        _name, kind, data = held
        if kind in _SIZES:
            size = _SIZES[kind]
            number = int(data)
            return number - (1 << size) if number >> (size - 1) else number
        return [*data] if isinstance(data, list) else data

    def call_getvaluekind(self, name: Value) -> Value:
        held = self._key().values.get(str(name).casefold())
        if held is None:
            raise ComError(0x80131620, "The specified registry key does not exist.", "IOException")
        return held[1]

    def call_setvalue(self, name: Value, data: Value, kind: Value) -> None:
        self._write()
        with self.registry.lock:
            self._key().values[str(name).casefold()] = (
                str(name),
                str(kind),
                _checked(str(kind), data),
            )

    def call_deletevalue(self, name: Value, throw: Value = True) -> None:
        self._write()
        with self.registry.lock:
            if self._key().values.pop(str(name).casefold(), None) is None and throw:
                raise ComError(0x80070057, "No value exists with that name.", "ArgumentException")

    def call_close(self) -> None:
        return None


def _parts(path: str) -> list[str]:
    return [part for part in path.split("\\") if part]


def _checked(kind: str, data: t.Any) -> t.Any:
    """Data as it is held: numbers unsigned."""
    fits: t.Mapping[str, bool] = {
        DWORD: isinstance(data, int) and not isinstance(data, bool),
        QWORD: isinstance(data, int) and not isinstance(data, bool),
        TEXT: isinstance(data, str),
        EXPANDED: isinstance(data, str),
        TEXTS: isinstance(data, list) and all(isinstance(text, str) for text in data),
        BYTES: isinstance(data, list)
        and all(str(number).isdecimal() and int(number) <= 255 for number in data),
    }
    if not fits.get(kind, False):
        raise ComError(
            0x80070057,
            "The type of the value object did not match the specified RegistryValueKind.",
            "ArgumentException",
        )
    if kind in _SIZES:
        return data & ((1 << _SIZES[kind]) - 1)
    return [str(text) for text in data] if isinstance(data, list) else data
