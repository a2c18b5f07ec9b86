# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts against the lab's IIS, as somebody writes them who changes it by ahadmin."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComObject, Value
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.managers import READER, WRITER
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.server import Iis

APPHOST = "MACHINE/WEBROOT/APPHOST"
SITE = f"{APPHOST}/Default Web Site"
RULES = "system.webServer/rewrite/rules"
IP_SECURITY = "system.webServer/security/ipSecurity"
MODULES = "system.webServer/modules"


def reader(iis: Iis) -> ComObject:
    return iis.classes[READER.casefold()]()


def writer(iis: Iis, commit: str = APPHOST) -> ComObject:
    manager = iis.classes[WRITER.casefold()]()
    manager.set("CommitPath", commit)
    return manager


def section(manager: ComObject, name: str, path: str) -> ComObject:
    return got(manager.call("GetAdminSection", name, path))


def got(value: Value) -> ComObject:
    assert isinstance(value, ComObject)
    return value


def value(element: ComObject, name: str) -> Value:
    return got(got(element.get("Properties")).call("Item", name)).get("Value")


def put(element: ComObject, **values: Value) -> None:
    for name, text in values.items():
        got(got(element.get("Properties")).call("Item", name)).set("Value", text)


def child(element: ComObject, name: str) -> ComObject:
    return got(got(element.get("ChildElements")).call("Item", name))


def collection(element: ComObject) -> ComObject:
    return got(element.get("Collection"))


def items(element: ComObject) -> list[ComObject]:
    held = collection(element)
    return [got(held.call("Item", index)) for index in range(t.cast(int, held.get("Count")))]


def names(element: ComObject, attribute: str = "name") -> list[Value]:
    return [value(item, attribute) for item in items(element)]


def add(element: ComObject, kind: str, index: int | None = None, **values: Value) -> ComObject:
    """Make an item with its values and put it in: last, where no index is given."""
    held = collection(element)
    new = got(held.call("CreateNewElement", kind))
    put(new, **values)
    held.call("AddElement", new, held.get("Count") if index is None else index)
    return new


def rule(
    element: ComObject,
    name: str,
    url: str,
    conditions: t.Sequence[t.Mapping[str, Value]] = (),
    action: t.Mapping[str, Value] | None = None,
    index: int | None = None,
    **values: Value,
) -> None:
    """Add a rewrite rule."""
    held = collection(element)
    new = got(held.call("CreateNewElement", "rule"))
    put(new, name=name, **values)
    put(child(new, "match"), url=url)
    for condition in conditions:
        add(child(new, "conditions"), "add", None, **condition)
    put(child(new, "action"), **(action or {"type": "CustomResponse", "statusCode": 403}))
    held.call("AddElement", new, held.get("Count") if index is None else index)
