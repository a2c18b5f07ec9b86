# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What agent_windows.ps1 does, as the stand-in does it: over the same objects of the lab, with the
same rows.
"""

from __future__ import annotations

import datetime
import re
import typing as t
from xml.etree import ElementTree

from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError
from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComError, ComObject
from ansible_collections.mailedge.lockdown.tests.lab.windows.host import WindowsHost
from ansible_collections.mailedge.lockdown.tests.lab.windows.registry import RegistryKey
from ansible_collections.mailedge.lockdown.tests.lab.windows.wmi import UInt64

Row = dict[str, t.Any]
Step = t.Mapping[str, t.Any]

_KINDS = ("DWord", "QWord", "String", "ExpandString", "MultiString", "Binary")


def _opened(key: ComObject, path: str, writable: bool = False) -> RegistryKey | None:
    return t.cast("RegistryKey | None", key.call("OpenSubKey", path, writable))


def read_registry(windows: WindowsHost, step: Step) -> list[Row]:
    rows = []
    for asked in step["keys"]:
        row: Row = {
            "key": asked["key"],
            "exists": False,
            "error": None,
            "values": [],
            "others": 0,
            "subkeys": 0,
        }
        rows.append(row)
        try:
            key = _opened(windows.machine_key, asked["key"])
        except ComError as error:
            row["error"] = error.class_name
            continue
        if key is None:
            continue
        wanted = {name.casefold() for name in asked["values"]}
        row.update(exists=True, subkeys=key.get("SubKeyCount"))
        for name in t.cast("list[str]", key.call("GetValueNames")):
            if name.casefold() not in wanted:
                row["others"] += 1
                continue
            data = key.call("GetValue", name, None, "DoNotExpandEnvironmentNames")
            row["values"].append(
                {"name": name, "kind": key.call("GetValueKind", name), "data": data}
            )
    return rows


def write_registry(windows: WindowsHost, step: Step) -> list[Row]:
    machine, rows = windows.machine_key, []
    for change in step["changes"]:
        path = change["key"]
        if change["remove"]:
            key = _opened(machine, path, True)
            if key:
                key.call("DeleteValue", change["name"], False)
            for _level in range(change["prune"]):
                key = _opened(machine, path)
                if key:
                    if key.get("ValueCount") or key.get("SubKeyCount"):
                        break
                    machine.call("DeleteSubKey", path, False)
                path = path.rpartition("\\")[0]
        else:
            if change["kind"] not in _KINDS:
                raise ComError(
                    0,
                    f"The agent writes no value of the kind '{change['kind']}'.",
                    "Mailedge.BadRequest",
                )
            made = t.cast(RegistryKey, machine.call("CreateSubKey", path))
            made.call("SetValue", change["name"], change["data"], change["kind"])
        rows.append({"key": change["key"], "name": change["name"]})
    return rows


def read_services(windows: WindowsHost, step: Step) -> list[Row]:
    rows = []
    for name in step["names"]:
        row: Row = {"name": name, "exists": True, "status": None, "error": None}
        rows.append(row)
        try:
            row["status"] = windows.services.status(name)
        except ExchangeError as error:
            missing = error.fully_qualified_error_id.startswith("NoServiceFoundForGivenName,")
            row.update(
                exists=False if missing else None, error=None if missing else error.class_name
            )
    return rows


def read_wmi(windows: WindowsHost, step: Step) -> list[Row]:
    return [
        {name: _plain(instance.get(name)) for name in step["properties"]}
        for instance in windows.wmi.query(step["class"])
    ]


def _plain(value: t.Any) -> t.Any:
    # The agent hands a number without a sign on as a text.
    return str(int(value)) if isinstance(value, UInt64) else value


def _path(windows: WindowsHost, asked: Step) -> str:
    path = str(asked.get("path") or "")
    if asked.get("key"):
        key = _opened(windows.machine_key, asked["key"])
        start = str(key.call("GetValue", asked["value"], "")) if key else ""
        if not start:
            return ""
        if not asked.get("command"):
            return start.rstrip("\\") + "\\" + path
        path = (
            start.split('"')[1]
            if start.startswith('"')
            else re.sub(r"(?i)(\.exe)\s.*$", r"\1", start)
        )
    return path


def read_versions(windows: WindowsHost, step: Step) -> list[Row]:
    rows = []
    for asked in step["files"]:
        row: Row = {
            "name": asked["name"],
            "exists": False,
            "version": None,
            "product": None,
            "error": None,
        }
        rows.append(row)
        try:
            path = _path(windows, asked)
            if path:
                file = windows.files.get(path)
                row.update(
                    exists=True, version=".".join(map(str, file.numbers)), product=file.product
                )
        except (ExchangeError, ComError) as error:
            if error.class_name != "ItemNotFoundException":
                row.update(exists=None, error=error.class_name)
    return rows


def read_xml(windows: WindowsHost, step: Step) -> list[Row]:
    try:
        root = ElementTree.fromstring(windows.files.get(step["path"]).text)
    except ElementTree.ParseError as error:
        raise ComError(0x80131940, str(error), "XmlException") from None
    around = {inner: outer for outer in root.iter() for inner in outer}
    # Of XPath the lab knows what the product asks: elements by name, with or without an attribute.
    wanted = {
        part.strip().rpartition("/")[2].partition("[")[0] for part in step["select"].split("|")
    }
    rows = []
    for node in root.iter():
        if node.tag not in wanted:
            continue
        outer: ElementTree.Element | None = node
        while outer is not None and outer.tag != step["within"][0]:
            outer = around.get(outer)
        attributes = {name: node.attrib[name] for name in step["attributes"] if name in node.attrib}
        within = None if outer is None else outer.attrib.get(step["within"][1], "")
        rows.append({"element": node.tag, "within": within, "attributes": attributes})
    return rows


def read_history(windows: WindowsHost, step: Step) -> list[Row]:
    searcher = t.cast(
        ComObject, windows.create("Microsoft.Update.Session").call("CreateUpdateSearcher")
    )
    total = t.cast(int, searcher.call("GetTotalHistoryCount"))
    entries = []
    if total > 0:
        history = t.cast(ComObject, searcher.call("QueryHistory", 0, min(total, step["most"])))
        for index in range(t.cast(int, history.get("Count"))):
            entry = t.cast(ComObject, history.call("Item", index))
            date = t.cast(datetime.datetime, entry.get("Date"))
            entries.append(
                {
                    "title": entry.get("Title"),
                    "date": f"{date:%Y-%m-%dT%H:%M:%S}.0000000",
                    "operation": entry.get("Operation"),
                    "result": entry.get("ResultCode"),
                    "categories": _categories(entry),
                }
            )
    return [{"total": total, "entries": entries}]


def _categories(entry: ComObject) -> list[t.Any]:
    try:
        held = t.cast(ComObject, entry.get("Categories"))
    except ComError:
        return []
    count = t.cast(int, held.get("Count"))
    return [t.cast(ComObject, held.call("Item", index)).get("CategoryID") for index in range(count)]


def read_certificates(windows: WindowsHost, step: Step) -> list[Row]:
    return [
        {
            "thumbprint": certificate.thumbprint,
            "subject": certificate.subject,
            "issuer": certificate.issuer or certificate.subject,
            "private_key": certificate.private_key,
            "not_after": certificate.not_after.astimezone(datetime.timezone.utc).strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            ),
        }
        for certificate in windows.store("Cert:\\LocalMachine\\" + step["store"])
    ]


OPERATIONS: dict[str, t.Callable[[WindowsHost, Step], list[Row]]] = {
    "registry_read": read_registry,
    "registry_write": write_registry,
    "service_read": read_services,
    "wmi_read": read_wmi,
    "file_versions": read_versions,
    "xml_read": read_xml,
    "update_history": read_history,
    "certificate_read": read_certificates,
}
