# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Windows of a lab's server from what a real one answered: its registry where somebody looks,
services, programs, updates and certificates.
"""

from __future__ import annotations

import datetime
from xml.sax.saxutils import quoteattr

from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.file import HostReading, Row
from ansible_collections.mailedge.lockdown.tests.lab.windows.certificates import Certificate
from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComError
from ansible_collections.mailedge.lockdown.tests.lab.windows.files import File
from ansible_collections.mailedge.lockdown.tests.lab.windows.host import WindowsHost
from ansible_collections.mailedge.lockdown.tests.lab.windows.registry import Registry
from ansible_collections.mailedge.lockdown.tests.lab.windows.updates import Update
from ansible_collections.mailedge.lockdown.tests.lab.windows.wmi import UInt64

_OTHER = "Something else"
# As COM gives a number that WMI has without a sign.
_UNSIGNED = ("TotalPhysicalMemory",)
_FIRST = datetime.datetime(2000, 1, 1)


def carry(windows: WindowsHost, reading: HostReading) -> list[str]:
    """Put there what was read; what of it cannot be carried."""
    told: list[str] = []
    _registry(windows, reading, told)
    _services(windows, reading)
    _files(windows, reading)
    _wmi(windows, reading)
    _history(windows, reading, told)
    _protection(windows, reading)
    _certificates(windows, reading, told)
    return told


def _step(reading: HostReading, name: str) -> Row:
    return next((step for step in reading.steps if step.get("id") == name), {})


def _registry(windows: WindowsHost, reading: HostReading, told: list[str]) -> None:
    rows = reading.of("posture-registry")
    if not rows:
        return
    # What set-up leaves in the lab is nothing that this server has.
    registry = windows.registry = _fresh(windows)
    for row in sorted(rows, key=lambda row: str(row.get("key")).count("\\")):
        path = str(row.get("key"))
        if row.get("error"):
            registry.denied.add(path.casefold())
        elif row.get("exists"):
            registry.make(path)
    for row in rows:
        key = registry.find(str(row.get("key")))
        if key is None or not row.get("exists"):
            continue
        path = str(row["key"])
        for value in row.get("values") or ():
            try:
                registry.set(path, str(value["name"]), value["data"], str(value["kind"]))
            except (ComError, KeyError, TypeError, ValueError):
                told.append(f"The registry value {value.get('name')} of {path} is not in the lab.")
        # What else there is keeps a key from being taken away as an empty one.
        for number in range(int(row.get("others") or 0)):
            registry.set(path, f"{_OTHER} {number + 1}", 1)
        for number in range(int(row.get("subkeys") or 0) - len(key.subkeys)):
            registry.make(f"{path}\\{_OTHER} {number + 1}")


def _fresh(windows: WindowsHost) -> Registry:
    windows.services.registry = windows.registry = Registry()
    return windows.registry


def _services(windows: WindowsHost, reading: HostReading) -> None:
    for row in reading.of("posture-services"):
        name = str(row.get("name"))
        windows.services.held.pop(name.casefold(), None)
        if row.get("exists"):
            # How it starts stands in the registry, which was read.
            windows.services.held[name.casefold()] = (name, str(row.get("status")))
        elif row.get("error"):
            windows.services.unreadable.add(name.casefold())


def _files(windows: WindowsHost, reading: HostReading) -> None:
    rows = {str(row.get("name")): row for row in reading.of("posture-files")}
    for asked in _step(reading, "posture-files").get("files") or ():
        row = rows.get(str(asked.get("name"))) or {}
        path = str(asked.get("path") or "")
        if asked.get("key"):
            start = rf"C:\Read\{asked['name']}"
            path = rf"{start}\{path}" if not asked.get("command") else f"{start}.exe"
            value = start if not asked.get("command") else path
            if row.get("exists"):
                # Where it lies nobody asked; that the key has it was not counted among the others.
                _point(windows, str(asked["key"]), str(asked["value"]), value)
        windows.files.held.pop(path.casefold(), None)
        numbers = str(row.get("version") or "").split(".")
        if row.get("exists") and len(numbers) == 4 and all(map(str.isdecimal, numbers)):
            first, second, third, fourth = map(int, numbers)
            file = File((first, second, third, fourth), str(row.get("product") or ""))
            windows.files.put(path, file)


def _point(windows: WindowsHost, path: str, name: str, value: str) -> None:
    key = windows.registry.find(path)
    spare = f"{_OTHER} 1".casefold()
    if key is not None and spare in key.values and name.casefold() not in key.values:
        del key.values[spare]
    windows.registry.set(path, name, value)


def _wmi(windows: WindowsHost, reading: HostReading) -> None:
    for name in ("posture-computer", "posture-fixes"):
        asked = str(_step(reading, name).get("class") or "").casefold()
        if name in reading.rows and asked:
            windows.wmi.classes[asked] = [
                {
                    field: UInt64(int(value))
                    if field in _UNSIGNED and str(value).isdecimal()
                    else value
                    for field, value in row.items()
                }
                for row in reading.rows[name]
            ]


def _history(windows: WindowsHost, reading: HostReading, told: list[str]) -> None:
    rows = reading.of("posture-history")
    if not rows:
        return
    windows.history.updates = []
    entries = [entry for entry in rows[0].get("entries") or () if isinstance(entry, dict)]
    for entry in entries:
        try:
            date = datetime.datetime.strptime(str(entry["date"])[:19], "%Y-%m-%dT%H:%M:%S")
        except (KeyError, ValueError):
            told.append(f"An update without its date is not in the lab: {entry.get('title')}.")
            continue
        categories = entry.get("categories")
        windows.history.updates.append(
            Update(
                str(entry.get("title") or ""),
                date,
                tuple(categories) if isinstance(categories, list) else None,
                int(entry.get("result") or 0),
                int(entry.get("operation") or 0),
            )
        )
    total = rows[0].get("total")
    if isinstance(total, int):
        # Those that were not told are older.
        windows.history.updates += [Update("", _FIRST)] * max(0, total - len(entries))


def _protection(windows: WindowsHost, reading: HostReading) -> None:
    if "posture-protection" not in reading.rows:
        return
    locations: dict[str, list[str]] = {}
    for row in reading.rows["posture-protection"]:
        held = locations.setdefault(str(row.get("within") or ""), [])
        if row.get("element") == "extendedProtection":
            attributes = "".join(
                f" {name}={quoteattr(str(value))}"
                for name, value in (row.get("attributes") or {}).items()
            )
            held.append(f"<windowsAuthentication><extendedProtection{attributes}/>")
    inner = "".join(
        f"<location path={quoteattr(path)}>"
        + "".join(f"{text}</windowsAuthentication>" for text in held)
        + "</location>"
        for path, held in locations.items()
        if path
    )
    path = r"C:\Windows\System32\inetsrv\config\applicationHost.config"
    windows.files.put(path, File(text=f"<configuration>{inner}</configuration>"))


def _certificates(windows: WindowsHost, reading: HostReading, told: list[str]) -> None:
    if "posture-certificates" not in reading.rows:
        return
    windows.certificates["my"] = []
    for row in reading.rows["posture-certificates"]:
        try:
            end = datetime.datetime.strptime(str(row["not_after"]), "%Y-%m-%dT%H:%M:%SZ")
        except (KeyError, ValueError):
            told.append(f"The certificate {row.get('subject')} is not in the lab.")
            continue
        subject = str(row.get("subject") or "")
        windows.certificates["my"].append(
            Certificate(
                subject,
                end.replace(tzinfo=datetime.timezone.utc),
                str(row.get("thumbprint") or ""),
                str(row.get("issuer") or ""),
                private_key=bool(row.get("private_key")),
            )
        )
