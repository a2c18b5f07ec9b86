# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked about a Windows server's posture, and the answer as facts. What could not be read
is None, and never the same as what is not there.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._windows import registry, tls
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.exchange_level import (
    Build,
    parse_build,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.registry import Key

Step = dict[str, t.Any]
Rows = list[t.Mapping[str, t.Any]]

SYSTEM_KEY = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
UPDATE_KEY = r"SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate"
AUTOMATIC_KEY = rf"{UPDATE_KEY}\AU"
# Keys that are there as long as updates wait for a restart (CSS-Exchange, HealthChecker;
# unverified).
RESTART_KEYS = (
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired",
)
_SERVICES_KEY = r"SYSTEM\CurrentControlSet\Services"
_SETUP_KEYS = (
    r"SOFTWARE\Microsoft\ExchangeServer\v15\Setup",
    r"SOFTWARE\Microsoft\ExchangeServer\v14\Setup",
    r"SOFTWARE\Microsoft\Exchange\v8.0\Setup",
)
# As many as a year has, with the definitions of virus scanners among them.
_MOST_UPDATES = 1500

HYBRID_AGENT, APP_PROXY, APP_PROXY_UPDATER = "mshybridsvc", "WAPCSvc", "WAPCUpdaterSvc"
ENTRA_CONNECT, MITIGATION = "ADSync", "MSExchangeMitigation"
ARC = ("himds", "GCArcService", "ExtensionService")
CONFIGURATION_MANAGER = "CcmExec"
_SERVICES = (
    HYBRID_AGENT,
    APP_PROXY,
    APP_PROXY_UPDATER,
    ENTRA_CONNECT,
    MITIGATION,
    *ARC,
    CONFIGURATION_MANAGER,
)
_EXCHANGE_FILE = "exchange"


@dataclass(frozen=True)
class Service:
    """A service that is there. `start` is the number in the registry: 2 automatic, 3 by hand, 4
    disabled; None: not known.
    """

    status: str
    start: int | None = None

    @property
    def runs(self) -> bool:
        """Whether it is running."""
        return self.status == "Running"


@dataclass(frozen=True)
class Certificate:
    """A certificate of the computer's own store."""

    subject: str
    thumbprint: str
    end: datetime.datetime
    self_signed: bool


@dataclass(frozen=True)
class Facts:
    """A server as it was read; None: could not be read. `services` has an entry for each that was
    asked: the service, None where it is not installed; one that could not be asked is missing.

    `protection` maps paths of IIS in lower case to tokenChecking, in lower case. `keys` are those
    of TLS and of updates.
    """

    name: str
    exchange_installed: bool
    edge: bool
    exchange_build: Build | None = None
    keys: t.Mapping[str, Key | None] = field(default_factory=dict)
    services: t.Mapping[str, Service | None] = field(default_factory=dict)
    versions: t.Mapping[str, str] = field(default_factory=dict)
    computer: t.Mapping[str, t.Any] | None = None
    fixes: Rows | None = None
    history: t.Mapping[str, t.Any] | None = None
    protection: t.Mapping[str, str] | None = None
    certificates: tuple[Certificate, ...] | None = None

    @property
    def windows_build(self) -> int | None:
        """The build of Windows."""
        key = self.keys.get(SYSTEM_KEY)
        text = key.text("CurrentBuild") if key else ""
        return int(text) if text.isdecimal() else None

    @property
    def update_revision(self) -> int | None:
        """The revision that updates raise; before Windows Server 2016 there is none."""
        key = self.keys.get(SYSTEM_KEY)
        return key.number("UBR") if key else None


def read_steps() -> list[Step]:
    """The steps that read a server. Each is optional: what one meets does not hide the others."""
    keys = {
        **tls.keys_to_read(),
        SYSTEM_KEY: ["CurrentBuild", "UBR", "InstallationType", "ProductName"],
        UPDATE_KEY: ["WUServer"],
        AUTOMATIC_KEY: ["UseWUServer", "NoAutoUpdate", "AUOptions"],
        **{key: [] for key in RESTART_KEYS},
        **{rf"{_SERVICES_KEY}\{name}": ["Start"] for name in _SERVICES},
    }
    files: list[dict[str, t.Any]] = [
        {
            "name": f"{_EXCHANGE_FILE}-{at}",
            "key": key,
            "value": "MsiInstallPath",
            "path": r"Bin\ExSetup.exe",
        }
        for at, key in enumerate(_SETUP_KEYS)
    ]
    files += [
        {"name": name, "key": rf"{_SERVICES_KEY}\{name}", "value": "ImagePath", "command": True}
        for name in (HYBRID_AGENT, APP_PROXY)
    ]
    files.append(
        {
            "name": ENTRA_CONNECT,
            "path": r"%ProgramFiles%\Microsoft Azure Active Directory Connect\AzureADConnect.exe",
        }
    )
    steps: list[Step] = [
        registry.read_step(keys, id="registry"),
        {"op": "service_read", "id": "services", "names": list(_SERVICES)},
        {"op": "file_versions", "id": "files", "files": files},
        {
            "op": "wmi_read",
            "id": "computer",
            "class": "Win32_ComputerSystem",
            "properties": ["NumberOfLogicalProcessors", "TotalPhysicalMemory"],
        },
        {
            "op": "wmi_read",
            "id": "fixes",
            "class": "Win32_QuickFixEngineering",
            "properties": ["HotFixID", "InstalledOn"],
        },
        {"op": "update_history", "id": "history", "most": _MOST_UPDATES},
        {
            "op": "xml_read",
            "id": "protection",
            "path": r"%windir%\System32\inetsrv\config\applicationHost.config",
            "select": "//location[@path] | //windowsAuthentication/extendedProtection",
            "attributes": ["tokenChecking"],
            "within": ["location", "path"],
        },
        {"op": "certificate_read", "id": "certificates", "store": "My"},
    ]
    return [{**step, "id": f"posture-{step['id']}", "optional": True} for step in steps]


def understand(answer: t.Mapping[str, t.Any]) -> Facts:
    """The facts in the agent's answer to read_steps()."""
    host = answer["host"]
    keys = registry.understand(_rows(answer, "registry") or [])
    computers = _rows(answer, "computer")
    histories = _rows(answer, "history")
    versions, build = _versions(_rows(answer, "files"))
    return Facts(
        name=str(host["name"]),
        exchange_installed=bool(host.get("exchange")),
        edge=bool(host.get("edge")),
        exchange_build=build,
        keys=keys,
        services=_services(_rows(answer, "services"), keys),
        versions=versions,
        computer=computers[0] if computers else None,
        fixes=_rows(answer, "fixes"),
        history=histories[0] if histories else None,
        protection=_protection(_rows(answer, "protection")),
        certificates=_certificates(_rows(answer, "certificates")),
    )


def _rows(answer: t.Mapping[str, t.Any], step: str) -> Rows | None:
    """The rows of a step; None where it failed."""
    step_answer = answer["steps"].get(f"posture-{step}") or {}
    objects = step_answer.get("objects")
    return list(objects) if step_answer.get("ok") and isinstance(objects, list) else None


def _services(rows: Rows | None, keys: t.Mapping[str, Key | None]) -> dict[str, Service | None]:
    services: dict[str, Service | None] = {}
    for row in rows or ():
        name = str(row["name"])
        if row.get("error") or row.get("exists") is None:
            continue
        key = keys.get(rf"{_SERVICES_KEY}\{name}")
        start = key.number("Start") if key else None
        services[name] = Service(str(row.get("status")), start) if row["exists"] else None
    return services


def _versions(rows: Rows | None) -> tuple[dict[str, str], Build | None]:
    """The versions of files that are there, by their names here; and the build of Exchange."""
    versions: dict[str, str] = {}
    build: Build | None = None
    for row in rows or ():
        if not row.get("exists"):
            continue
        version = str(row.get("version") or "")
        if str(row["name"]).startswith(_EXCHANGE_FILE):
            build = build or parse_build(version)
        else:
            # Where both are there, the product's counts.
            versions[str(row["name"])] = str(row.get("product") or version)
    return versions, build


def _protection(rows: Rows | None) -> dict[str, str] | None:
    if rows is None:
        return None
    locations = {str(row["within"]).casefold(): "" for row in rows if row["element"] == "location"}
    for row in rows:
        if row["element"] != "location" and row.get("within"):
            locations[str(row["within"]).casefold()] = str(
                row["attributes"].get("tokenChecking") or ""
            ).casefold()
    return locations


def _certificates(rows: Rows | None) -> tuple[Certificate, ...] | None:
    if rows is None:
        return None
    return tuple(
        Certificate(
            subject=str(row["subject"]),
            thumbprint=str(row["thumbprint"]),
            end=datetime.datetime.strptime(str(row["not_after"]), "%Y-%m-%dT%H:%M:%SZ").replace(
                tzinfo=datetime.timezone.utc
            ),
            self_signed=row["subject"] == row["issuer"],
        )
        for row in rows
        if row.get("private_key")
    )
