# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS 1.2 of SCHANNEL and of .NET: the values of the registry, what they mean, what they are to be.

Sources: learn.microsoft.com, "Exchange Server TLS configuration best practices", "Transport Layer
Security (TLS) registry settings", and "TLS 1.2 enforcement for Microsoft Entra Connect".
"""

from __future__ import annotations

import enum
import itertools
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.registry import (
    DWORD,
    Key,
    Keys,
    Value,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.systems import Default

_PROTOCOLS = r"SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols"
SIDES: t.Mapping[str, str] = {
    "incoming": rf"{_PROTOCOLS}\TLS 1.2\Server",
    "outgoing": rf"{_PROTOCOLS}\TLS 1.2\Client",
}
"""Direction of connections → key. Windows is the server of those that come in."""

_FRAMEWORKS: t.Mapping[str, str] = {"4": "v4.0.30319", "3.5": "v2.0.50727"}
FRAMEWORKS = tuple(_FRAMEWORKS)
_HALVES = (r"SOFTWARE\Microsoft\.NETFramework", r"SOFTWARE\WOW6432Node\Microsoft\.NETFramework")

ENABLED, DISABLED_BY_DEFAULT = "Enabled", "DisabledByDefault"
DOTNET_VALUES = ("SystemDefaultTlsVersions", "SchUseStrongCrypto")


@dataclass(frozen=True)
class Setting:
    """One value that is managed: its key, its name, and the number that it is to be."""

    key: str
    name: str
    wish: int

    @property
    def path(self) -> str:
        """Key and name, as rows of the table are called."""
        return f"{self.key}\\{self.name}"


def dotnet_keys(framework: str) -> tuple[str, ...]:
    """The keys of a .NET Framework, ``4`` or ``3.5``, of 64-bit and of 32-bit programs."""
    return tuple(f"{half}\\{_FRAMEWORKS[framework]}" for half in _HALVES)


SCHANNEL_SETTINGS = tuple(
    Setting(key, name, wish)
    for key in SIDES.values()
    for name, wish in ((ENABLED, 1), (DISABLED_BY_DEFAULT, 0))
)
DOTNET_SETTINGS: t.Mapping[str, tuple[Setting, ...]] = {
    framework: tuple(
        Setting(key, name, 1) for key in dotnet_keys(framework) for name in DOTNET_VALUES
    )
    for framework in FRAMEWORKS
}
SETTINGS: t.Mapping[str, Setting] = {
    setting.path.casefold(): setting
    for setting in itertools.chain(SCHANNEL_SETTINGS, *DOTNET_SETTINGS.values())
}
"""Casefolded path → setting: everything that the layer may ever write."""


def chain(key: str) -> tuple[str, ...]:
    """A key and those above it that a write may have to make as well, the innermost first."""
    above = key.rpartition("\\")[0]
    return (key, above, above.rpartition("\\")[0]) if key in SIDES.values() else (key, above)


def keys_to_read() -> dict[str, list[str]]:
    """The keys with the values that are managed, for registry.read_step(), and those above them."""
    keys: dict[str, list[str]] = {}
    for setting in SETTINGS.values():
        for key in chain(setting.key):
            keys.setdefault(key, [])
        keys[setting.key].append(setting.name)
    return keys


class Protocol(str, enum.Enum):
    """What becomes of TLS 1.2 on one side."""

    ON = "on"
    OFF = "off"
    ON_REQUEST = "only for programs that ask for it"
    UNSUPPORTED = "not supported by this Windows"
    UNKNOWN = "unknown"


def protocol(key: Key | None, default: Default) -> tuple[Protocol, str]:
    """What one side of SCHANNEL does with TLS 1.2, and why, as a phrase for a sentence.

    HealthChecker of CSS-Exchange takes a missing key for "enabled" on every Windows, which is wrong
    before Windows Server 2012.
    """
    if key is None:
        return Protocol.UNKNOWN, "the registry could not be read"
    if default == Default.UNSUPPORTED:
        return Protocol.UNSUPPORTED, "this Windows does not have it"
    enabled, disabled = key.value(ENABLED), key.value(DISABLED_BY_DEFAULT)
    for name, value in ((ENABLED, enabled), (DISABLED_BY_DEFAULT, disabled)):
        if value is not None and value.number is None:
            return (
                Protocol.UNKNOWN,
                f"{name} is there as {value.kind}, where Windows expects a DWORD",
            )
    if enabled is not None and enabled.number == 0:
        return Protocol.OFF, f"{ENABLED} is 0"
    if disabled is not None and disabled.number != 0:
        return Protocol.ON_REQUEST, f"{DISABLED_BY_DEFAULT} is {disabled.number}"
    if default == Default.ON or (enabled is not None and disabled is not None):
        missing = " and ".join(
            name
            for name, value in ((ENABLED, enabled), (DISABLED_BY_DEFAULT, disabled))
            if not value
        )
        return (
            Protocol.ON,
            f"{missing} missing, which is on in this Windows"
            if missing
            else "the registry says so",
        )
    if default == Default.UNKNOWN:
        return Protocol.UNKNOWN, "what a missing value means on this Windows is not known"
    if enabled is None:
        return Protocol.OFF, f"{ENABLED} is missing, which is off in this Windows"
    # Whether Enabled alone is enough there is not documented.
    return Protocol.ON_REQUEST, f"{DISABLED_BY_DEFAULT} is missing, which is on in this Windows"


class DotNet(str, enum.Enum):
    """What one value of .NET says."""

    SET = "1"
    MISSING = "missing"
    OFF = "not 1"
    UNKNOWN = "unknown"


def dotnet(keys: Keys, setting: Setting) -> DotNet:
    """What one value of .NET says: exactly 1 counts (docs.microsoft.com, .NET Framework, TLS)."""
    key = keys.get(setting.key)
    if key is None:
        return DotNet.UNKNOWN
    value = key.value(setting.name)
    if value is None:
        return DotNet.MISSING
    if value.number is None:
        return DotNet.UNKNOWN
    return DotNet.SET if value.number == 1 else DotNet.OFF


def is_as_wished(value: Value | None, setting: Setting) -> bool:
    """Whether a value means what it is to be. Any number but 0 is `Enabled`."""
    if value is None or value.kind != DWORD or value.number is None:
        return False
    if setting.name == ENABLED:
        return value.number != 0
    return value.number == setting.wish
