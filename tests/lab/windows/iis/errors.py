# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What IIS's configuration system refuses: class, HRESULT and text.

Classes and texts are what the tests of JexusManager and IIS.Administration assert against the real
library; the HRESULTs are those of MC-IISA 3.1.4 where it names one, and from memory elsewhere.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComError

COM = "COMException"
FILE_LOAD = "FileLoadException"
NOT_FOUND = "FileNotFoundException"
ACCESS = "UnauthorizedAccessException"

E_FILE_NOT_FOUND = 0x80070002
E_ACCESS_DENIED = 0x80070005
E_INVALID_DATA = 0x8007000D
E_SHARING_VIOLATION = 0x80070020
E_LOCK_VIOLATION = 0x80070021
E_NOT_SUPPORTED = 0x80070032
E_INVALID_PARAMETER = 0x80070057
E_ALREADY_EXISTS = 0x800700B7
E_PENDING_CHANGES = 0x800700DD
E_INVALID_INDEX = 0x80070585
E_UNEXPECTED = 0x8000FFFF

_CLASSES = {
    E_FILE_NOT_FOUND: NOT_FOUND,
    E_ACCESS_DENIED: ACCESS,
    E_SHARING_VIOLATION: FILE_LOAD,
    E_LOCK_VIOLATION: FILE_LOAD,
    E_INVALID_PARAMETER: "ArgumentException",
}


class ConfigError(ComError):
    """A refusal of the configuration system, with the place that real errors carry (MC-IISA:
    IAppHostConfigException).
    """

    def __init__(
        self,
        hresult: int,
        message: str,
        path: str = "",
        file: str | None = "",
        line: int = 0,
    ) -> None:
        self.config_path, self.file_name, self.line = path, file, line
        self.text = message
        where = f"Filename: \\\\?\\{file}\r\n" if file else ""
        where += f"Line number: {line}\r\n" if line else ""
        super().__init__(hresult, f"{where}Error: {message}", _CLASSES.get(hresult, COM))


def section_locked(**place: t.Any) -> ConfigError:
    return ConfigError(
        E_LOCK_VIOLATION,
        "This configuration section cannot be used at this path. This happens when the section is "
        "locked at a parent level. Locking is either by default "
        '(overrideModeDefault="Deny"), or set explicitly by a location tag with '
        'overrideMode="Deny" or the legacy allowOverride="false".\r\n',
        **place,
    )


def lock_violation(**place: t.Any) -> ConfigError:
    return ConfigError(E_LOCK_VIOLATION, "Lock violation\r\n", **place)


def not_well_formed(**place: t.Any) -> ConfigError:
    return ConfigError(E_INVALID_DATA, "Configuration file is not well-formed XML\r\n", **place)


def undeclared(section: str, **place: t.Any) -> ConfigError:
    why = "it is missing a section declaration"
    text = f"The configuration section '{section}' cannot be read because {why}\r\n"
    return ConfigError(E_INVALID_DATA, text, **place)


def without_schema(section: str, **place: t.Any) -> ConfigError:
    text = f"The configuration section '{section}' cannot be read because it is missing schema\r\n"
    return ConfigError(E_FILE_NOT_FOUND, text, **place)


def unrecognised(kind: str, name: str, **place: t.Any) -> ConfigError:
    """An attribute or element that the schema does not know."""
    return ConfigError(E_INVALID_DATA, f"Unrecognized {kind} '{name}'\r\n", **place)


def missing_attributes(names: t.Sequence[str], **place: t.Any) -> ConfigError:
    text = f"Element is missing required attributes {','.join(names)}\r\n"
    return ConfigError(E_FILE_NOT_FOUND, text, **place)


def duplicate(kind: str, keys: t.Mapping[str, str], **place: t.Any) -> ConfigError:
    if len(keys) == 1:
        ((name, value),) = keys.items()
        which = f"unique key attribute '{name}' set to '{value}'"
    else:
        values = ", ".join(f"'{value}'" for value in keys.values())
        names = ", ".join(f"'{name}'" for name in keys)
        which = f"combined key attributes {names} respectively set to {values}"
    text = f"Cannot add duplicate collection entry of type '{kind}' with {which}\r\n"
    return ConfigError(E_ALREADY_EXISTS, text, **place)


def unknown_path(path: str) -> ConfigError:
    return ConfigError(E_FILE_NOT_FOUND, f"Unrecognized configuration path '{path}'\r\n", path=path)


def changed_on_disk(hresult: int, **place: t.Any) -> ConfigError:
    text = "Cannot commit configuration changes because the file has changed on disk\r\n"
    return ConfigError(hresult, text, **place)


def held_open(**place: t.Any) -> ConfigError:
    text = (
        "Failed to commit configuration changes. "
        "The process cannot access the file because it is being used by "
        "another process.\r\n"
    )
    return ConfigError(E_SHARING_VIOLATION, text, **place)


def no_such_index(**place: t.Any) -> ConfigError:
    return ConfigError(
        E_INVALID_INDEX, "Invalid index. (Exception from HRESULT: 0x80070585)\r\n", **place
    )
