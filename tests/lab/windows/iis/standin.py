# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent's operations of IIS as the stand-in answers them, by the COM objects that the agent
itself would drive.
"""

from __future__ import annotations

import pathlib
import re
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComError, ComObject, Value
from ansible_collections.mailedge.lockdown.tests.lab.windows.host import WindowsHost
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.errors import (
    E_ACCESS_DENIED,
    E_ALREADY_EXISTS,
    E_INVALID_INDEX,
    E_LOCK_VIOLATION,
    E_NOT_SUPPORTED,
    E_SHARING_VIOLATION,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.managers import READER, WRITER
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.store import APPHOST

Row = dict[str, t.Any]
Spec = t.Mapping[str, t.Any]
Texts = t.Sequence[str]

_CLASSES = {
    E_ACCESS_DENIED: "IisDenied",
    E_SHARING_VIOLATION: "IisBusy",
    E_LOCK_VIOLATION: "IisLocked",
    E_ALREADY_EXISTS: "IisDuplicate",
}


class AgentError(ComError):
    """An error of the agent, with its class."""

    def __init__(self, name: str, message: str, error_id: str = "") -> None:
        super().__init__(0, message, f"Mailedge.{name}")
        self.error_id = error_id or self.class_name


def told(error: ComError) -> Row:
    """An error as a row has it."""
    return {
        "class": error.class_name,
        "hresult": f"0x{error.hresult:08x}",
        "message": error.message,
    }


def of(value: Value) -> ComObject:
    assert isinstance(value, ComObject)
    return value


def item(element: ComObject, kind: str, key: Value) -> ComObject:
    """``element.kind.Item(key)``."""
    return of(of(element.get(kind)).call("Item", key))


def count(holder: ComObject) -> int:
    """The length of a list. A property that cannot be read is nothing to the engine, which is 0."""
    try:
        return t.cast(int, holder.get("Count"))
    except ComError:
        return 0


# --- reading --------------------------------------------------------------------------------------


def read(host: WindowsHost, step: Spec) -> list[Row]:
    """iis_read."""
    process: Row = {"kind": "process", "bits": 64, "error": None}
    rows = [process]
    manager = None
    try:
        manager = host.create(READER)
    except ComError as error:
        process["error"] = told(error)
    for key, name in step["registry"]:
        rows.append(
            {"kind": "registry", "key": key, "name": name, "value": host.registry_value(key, name)}
        )
    if manager is None:
        return rows
    sites, locations = read_sites(manager), read_locations(manager)
    rows += [sites, locations]
    paths: list[str] = []
    files: list[Row] = []
    for site in sites["sites"]:
        if site["name"].casefold() != step["site"].casefold():
            continue
        paths.append(site["name"])
        for application in site["applications"]:
            for directory in application["directories"]:
                path = (site["name"] + application["path"]).rstrip("/") + directory["path"]
                paths.append(path.rstrip("/"))
                files += web_configs(
                    path.rstrip("/"), directory["physical"], step.get("mentions") or ()
                )
        within = f"{site['name']}/".casefold()
        paths += [
            location["path"]
            for location in locations["locations"]
            if location["path"].casefold().startswith(within)
        ]
        for file in files:
            paths += [file["path"], *_within(file)]
        paths += [site["name"] + path for path in step.get("also") or ()]
    # Each once, by its first spelling.
    once: dict[str, str] = {}
    for path in paths:
        once.setdefault(path.upper(), f"{APPHOST}/{path}")
    each = list(once.values())
    rows += [{"kind": "path", "path": path} for path in each]
    for file in files:
        file["path"] = f"{APPHOST}/{file['path']}"
        rows.append(file)
    for section in step["sections"]:
        at = list(section.get("at") or ())
        if section.get("each") == "set":
            at += _set(each, section["name"], locations, files)
        elif section.get("each"):
            at += each
        rows += [read_section(manager, section["name"], path, section["spec"]) for path in at]
    return rows


def _within(file: Row) -> list[str]:
    """The paths that locations in a web.config are about."""
    texts = re.findall(
        r"""<location\b[^>]*?\spath\s*=\s*(?:"([^"]*)"|'([^']*)')""", file["text"] or ""
    )
    named = [(group or other).replace("&amp;", "&").strip("/") for group, other in texts]
    return [f"{file['path']}/{path}" for path in named if path and path != "."]


def _set(each: Texts, section: str, locations: Row, files: t.Sequence[Row]) -> list[str]:
    """The site, and the paths of which a location or a web.config says something."""
    known = {path.upper() for file in files for path in (file["path"], *_within(file))}
    names = section.casefold()
    for location in locations["locations"]:
        if names in [name.casefold() for name in location["sections"]]:
            known.add(f"{APPHOST}/{location['path']}".upper())
    return [path for number, path in enumerate(each) if number == 0 or path.upper() in known]


def read_section(manager: ComObject, name: str, path: str, spec: Spec) -> Row:
    row: Row = {"kind": "section", "section": name, "path": path, "error": None, "node": None}
    try:
        row["node"] = read_element(of(manager.call("GetAdminSection", name, path)), spec, path)
    except ComError as error:
        row["error"] = told(error)
    return row


def read_element(element: ComObject, spec: Spec, path: str) -> Row:
    """What a SPEC asks for. Raises ComError."""
    node: Row = {"values": {}}
    for name in spec.get("values") or ():
        try:
            node["values"][name] = item(element, "Properties", name).get("Value")
        except ComError as error:
            _known(error)
    if spec.get("metadata"):
        node["metadata"] = {name: _metadata(element, name) for name in spec["metadata"]}
    if spec.get("children"):
        node["children"] = {}
        for name, inner in spec["children"].items():
            try:
                child = item(element, "ChildElements", name)
            except ComError as error:
                _known(error)
                continue
            node["children"][name] = read_element(child, inner, path)
    if spec.get("items"):
        node["items"] = read_items(of(element.get("Collection")), spec, path)
    return node


def read_items(collection: ComObject, spec: Spec, path: str) -> list[Row]:
    rows = []
    for index in range(count(collection)):
        element = of(collection.call("Item", index))
        row: Row | None = None
        if spec.get("inherited"):
            row = read_element(element, spec["inherited"], path)
            level = row["metadata"]["deepestPathSet"]
            if not level or level.casefold() == path.casefold():
                row = None
        if row is None:
            row = read_element(element, spec["items"], path)
        only = [text.casefold() for text in spec.get("only") or ()]
        if only and str(row["values"].get(spec["items"]["values"][0])).casefold() not in only:
            continue
        rows.append({**row, "index": index})
    return rows


def _known(error: ComError) -> None:
    """Raises what is not an answer about the schema."""
    if error.hresult not in (E_INVALID_INDEX, E_NOT_SUPPORTED):
        raise error


def _metadata(element: ComObject, name: str) -> Value:
    try:
        return element.call("GetMetadata", name)
    except ComError:
        return None


def read_sites(manager: ComObject) -> Row:
    row: Row = {"kind": "sites", "error": None, "sites": []}
    directory = {"values": ["path", "physicalPath"]}
    bound = {"items": {"values": ["protocol", "bindingInformation", "sslFlags"]}}
    site_spec = {
        "values": ["name", "id"],
        "items": {"values": ["path"], "items": directory},
        "children": {"bindings": bound},
    }
    section = read_section(manager, "system.applicationHost/sites", APPHOST, {"items": site_spec})
    if section["error"]:
        return {**row, "error": section["error"]}
    row["sites"] = [
        {
            "name": site["values"]["name"],
            "id": site["values"]["id"],
            "applications": [
                {
                    "path": application["values"]["path"],
                    "directories": [
                        {
                            "path": directory["values"]["path"],
                            "physical": directory["values"]["physicalPath"],
                        }
                        for directory in application["items"]
                    ],
                }
                for application in site["items"]
            ],
            "bindings": [binding["values"] for binding in site["children"]["bindings"]["items"]],
        }
        for site in section["node"]["items"]
    ]
    return row


def read_locations(manager: ComObject) -> Row:
    row: Row = {"kind": "locations", "error": None, "locations": []}
    try:
        held = locations_of(manager, APPHOST)
        for index in range(count(held)):
            location = of(held.call("Item", index))
            names = [
                of(location.call("Item", number)).get("Name") for number in range(count(location))
            ]
            row["locations"].append(
                {"index": index, "path": location.get("Path"), "sections": names}
            )
    except ComError as error:
        row["error"] = told(error)
    return row


def locations_of(manager: ComObject, path: str) -> ComObject:
    return of(of(of(manager.get("ConfigManager")).call("GetConfigFile", path)).get("Locations"))


def web_configs(base: str, physical: str, words: Texts) -> list[Row]:
    """The web.configs below a folder of this machine that mention a word."""
    root = pathlib.Path(physical)
    rows = []
    for file in (
        sorted(root.rglob("web.config")) if physical.startswith("/") and root.is_dir() else ()
    ):
        text = file.read_bytes().decode("utf-8-sig", "replace")
        if any(word.casefold() in text.casefold() for word in words):
            path = "/".join([base, *file.parent.relative_to(root).parts])
            rows.append({"kind": "web_config", "path": path, "text": text, "error": None})
    return rows


# --- writing --------------------------------------------------------------------------------------


def write(host: WindowsHost, step: Spec) -> list[Row]:
    """iis_write. Raises AgentError."""
    try:
        problem = _change(host, step)
        if problem is not None and problem.hresult in (E_SHARING_VIOLATION, E_LOCK_VIOLATION):
            problem = _change(host, step)
    except AgentError:
        raise
    except ComError as error:
        problem = error
    if problem is not None:
        number = told(problem)["hresult"]
        text = (
            f"IIS did not take the change of {step['section']} at {step['path']}; "
            f"nothing of this step was written. It said: {problem.message} ({number})"
        )
        raise AgentError(_CLASSES.get(problem.hresult, "IisFailed"), text, number)
    return [{"committed": True}]


def _change(host: WindowsHost, step: Spec) -> ComError | None:
    """Make the changes and commit them; what the commit is refused with. Raises ComError."""
    manager = host.create(WRITER)
    manager.set("CommitPath", step["commit"])
    section = of(manager.call("GetAdminSection", step["section"], step["path"]))
    for change in step["changes"]:
        if change["do"] == "insert":
            collection = of(section.get("Collection"))
            before = change.get("before")
            at = _find(collection, before) if before else count(collection)
            _add(collection, change, at, step["order"])
        elif change["do"] == "remove":
            collection = of(section.get("Collection"))
            collection.call("DeleteElement", _find(collection, change["match"]))
        elif change["do"] == "set":
            _fill(section, change, step["order"])
        elif change["do"] == "drop":
            _drop(manager, step, bool(change.get("whole")))
        else:
            raise AgentError("BadRequest", "A step asks for a change that the agent does not know.")
    try:
        manager.call("CommitChanges")
    except ComError as error:
        return error
    return None


def _find(collection: ComObject, match: Spec) -> int:
    for index in range(count(collection)):
        element = of(collection.call("Item", index))
        if all(
            str(item(element, "Properties", name).get("Value")) == str(wanted)
            for name, wanted in match.items()
        ):
            return index
    raise AgentError(
        "IisChanged",
        f"An entry that was read is not there any more ({', '.join(map(str, match.values()))}). "
        "Nothing of this step was written.",
    )


def _fill(element: ComObject, wish: Spec, order: t.Sequence[str]) -> None:
    """What the step's order does not name is refused, as the agent refuses it."""
    values, children = wish.get("values") or {}, wish.get("children") or {}
    for name in [*values, *children]:
        if name.casefold() not in [module.casefold() for module in order]:
            raise AgentError(
                "BadRequest",
                f"A step writes '{name}', for which it names no place. Nothing of this step was "
                "written.",
            )
    for name in order:
        if name in values:
            held = item(element, "Properties", name)
            if values[name] is None:
                held.call("Clear")
            else:
                held.set("Value", values[name])
        if name in children:
            _fill(item(element, "ChildElements", name), children[name], order)
    for inner in wish.get("items") or ():
        collection = of(element.get("Collection"))
        _add(collection, inner, count(collection), order)


def _add(collection: ComObject, wish: Spec, at: int, order: t.Sequence[str]) -> None:
    element = of(collection.call("CreateNewElement", wish["element"]))
    _fill(element, wish, order)
    collection.call("AddElement", element, at)


def _drop(manager: ComObject, step: Spec, whole: bool) -> None:
    held = locations_of(manager, step["commit"])
    for index in reversed(range(count(held))):
        location = of(held.call("Item", index))
        if str(location.get("Path")).casefold() != step["location"].casefold():
            continue
        for number in reversed(range(count(location))):
            if (
                str(of(location.call("Item", number)).get("Name")).casefold()
                == step["section"].casefold()
            ):
                location.call("DeleteConfigSection", number)
        if whole and count(location) == 0:
            held.call("DeleteLocation", index)


OPERATIONS = {"iis_read": read, "iis_write": write}
