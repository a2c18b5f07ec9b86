# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ahadmin's COM objects: sections, elements, properties and collections, as late-bound scripts meet
them.

Names are those of Microsoft's reference of ahadmin.h (IAppHostElement and the like). There is no
enumerator: every loop goes by index. That late binding works beyond CreateObject is told by
Microsoft's VBScript samples.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComObject, Value
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis import errors
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.edit import Detached, Writer
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.view import (
    Item,
    SectionView,
    View,
    locked,
    truth,
)


def position(index: Value, count: int) -> int:
    """An index that a script gives. Raises ConfigError."""
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < count:
        raise errors.no_such_index()
    return index


def read_only() -> errors.ConfigError:
    return errors.ConfigError(
        errors.E_LOCK_VIOLATION,
        "The configuration object is read only, because it is not editable\r\n",
    )


class ElementObject(ComObject):
    """IAppHostElement."""

    properties = ("Name", "Collection", "Properties", "ChildElements")
    methods = ("GetMetadata", "SetMetadata", "GetElementByName", "GetPropertyByName", "Clear")

    def __init__(self, view: View, writer: Writer | None) -> None:
        self.view = view
        self.writer = writer

    def get_name(self) -> Value:
        return self.view.declared.name if isinstance(self.view, SectionView) else self.view.name

    def get_collection(self) -> Value:
        if self.view.schema.collection is None and not self.view.schema.open:
            return None
        return CollectionObject(self.view, self.writer)

    def get_properties(self) -> Value:
        return PropertiesObject(self.view, self.writer)

    def get_childelements(self) -> Value:
        return ChildrenObject(self.view, self.writer)

    def call_getelementbyname(self, name: Value) -> Value:
        return ElementObject(self.view.child(str(name)), self.writer)

    def call_getpropertybyname(self, name: Value) -> Value:
        return PropertyObject(self.view, str(name), self.writer)

    def call_clear(self) -> None:
        if self.writer is None:
            raise read_only()
        for layer, element in self.view.sources():
            if self.writer._own(self.view, layer):
                self.writer.drop(element, self.view.owner)

    def call_getmetadata(self, name: Value) -> Value:
        return metadata(self.view, str(name))

    def call_setmetadata(self, name: Value, value: Value) -> None:
        # Locks and delegation are the server's own affair: nothing of ours sets them.
        raise errors.ConfigError(
            errors.E_NOT_SUPPORTED, "The lab does not set metadata\r\n", **self.view.place()
        )


def metadata(view: View, name: str) -> Value:
    """What an element tells about itself (MC-IISA 3.1.4: GetMetadata). Raises ConfigError for what
    nobody knows.
    """
    held = view.sources()
    deepest = held[-1] if held else None
    section = view.owner
    if section is not None and name in section.session.store.unknown_metadata:
        raise errors.ConfigError(
            errors.E_NOT_SUPPORTED, f"Unknown metadata '{name}'\r\n", **view.place()
        )
    if name == "deepestPathSet":
        if deepest is None or section is None or section.at is None:
            return ""
        return section.at.levels[deepest.layer.target]
    if name == "deepestFileNameSet":
        return f"\\\\?\\{deepest.layer.file}" if deepest else ""
    if name == "deepestFileLineNumberSet":
        return deepest.element.line if deepest else 0
    if name == "isLocked":
        return truth(deepest.element.attributes.get("lockItem")) if deepest else False
    if name == "configSource":
        return next(
            (
                source.element.attributes["configSource"]
                for source in held
                if "configSource" in source.element.attributes
            ),
            "",
        )
    if section is view and section is not None:
        if name == "effectiveOverrideMode":
            return section.mode()
        if name == "overrideMode":
            return (deepest.layer.mode() if deepest else None) or "Inherit"
        if name == "allowCommit":
            return True
    raise errors.ConfigError(
        errors.E_NOT_SUPPORTED, f"Unknown metadata '{name}'\r\n", **view.place()
    )


class PropertiesObject(ComObject):
    """IAppHostPropertyCollection."""

    properties = ("Count",)
    methods = ("Item",)

    def __init__(self, view: View, writer: Writer | None) -> None:
        self.view = view
        self.writer = writer

    def _names(self) -> list[str]:
        return [
            *self.view.schema.attributes,
            *(name for name in self.view.present() if self.view.schema.open),
        ]

    def get_count(self) -> Value:
        return len(self._names())

    def call_item(self, key: Value) -> Value:
        if isinstance(key, str):
            if key not in self._names():
                raise errors.no_such_index(**self.view.place())
            return PropertyObject(self.view, key, self.writer)
        return PropertyObject(
            self.view, self._names()[position(key, len(self._names()))], self.writer
        )


class PropertyObject(ComObject):
    """IAppHostProperty."""

    properties = ("Name", "Value", "StringValue")
    methods = ("Clear", "GetMetadata")

    def __init__(self, view: View, name: str, writer: Writer | None) -> None:
        self.view = view
        self.name = name
        self.writer = writer

    def get_name(self) -> Value:
        return self.name

    def get_value(self) -> Value:
        value = self.view.value(self.name)
        known = self.view.schema.attribute(self.name)
        section = self.view.owner
        if known is not None and section is not None and section.session.store.numbers:
            number = known.number(value)
            return value if number is None else number
        return value

    def set_value(self, value: Value) -> None:
        if self.writer is None:
            raise read_only()
        self.writer.set(self.view, self.name, value)

    def get_stringvalue(self) -> Value:
        value = self.view.value(self.name)
        return str(value).lower() if isinstance(value, bool) else str(value)

    def call_clear(self) -> None:
        if self.writer is None:
            raise read_only()
        self.writer.clear(self.view, self.name)

    def call_getmetadata(self, name: Value) -> Value:
        """Whether it is in a file, and where."""
        source = self.view.present().get(self.name)
        if name == "isInheritedFromDefaultValue":
            return source is None
        if name == "deepestFileNameSet":
            return f"\\\\?\\{source.layer.file}" if source else ""
        if name == "isLocked":
            return any(
                locked(element.attributes, "lockAttributes", "lockAllAttributesExcept", self.name)
                for _layer, element in self.view.sources()
            )
        raise errors.ConfigError(
            errors.E_NOT_SUPPORTED, f"Unknown metadata '{name}'\r\n", **self.view.place()
        )


class ChildrenObject(ComObject):
    """IAppHostChildElementCollection."""

    properties = ("Count",)
    methods = ("Item",)

    def __init__(self, view: View, writer: Writer | None) -> None:
        self.view = view
        self.writer = writer

    def get_count(self) -> Value:
        return len(self.view.schema.elements)

    def call_item(self, key: Value) -> Value:
        names = list(self.view.schema.elements)
        name = key if isinstance(key, str) else names[position(key, len(names))]
        return ElementObject(self.view.child(name), self.writer)


class CollectionObject(ComObject):
    """IAppHostElementCollection. It is not enumerable."""

    properties = ("Count",)
    methods = ("Item", "CreateNewElement", "AddElement", "DeleteElement", "Clear")

    def __init__(self, view: View, writer: Writer | None) -> None:
        self.view = view
        self.writer = writer

    def get_count(self) -> Value:
        return len(self.view.items())

    def call_item(self, index: Value) -> Value:
        items: list[Item] = self.view.items()
        return ElementObject(items[position(index, len(items))], self.writer)

    def call_createnewelement(self, name: Value = "") -> Value:
        if self.writer is None:
            raise read_only()
        collection = self.view.schema.collection
        names = collection.items if collection else {}
        wanted = str(name) or next(iter(names), "")
        if wanted not in names:
            raise errors.no_such_index(**self.view.place())
        return ElementObject(
            Detached(names[wanted], wanted, self.view.owner, self.view), self.writer
        )

    def call_addelement(self, element: Value, index: Value = -1) -> None:
        if self.writer is None:
            raise read_only()
        new = element.view if isinstance(element, ElementObject) else None
        if (
            not isinstance(new, Detached)
            or new.element.parent is not None
            or not isinstance(index, int)
        ):
            raise errors.ConfigError(
                errors.E_INVALID_PARAMETER, "The parameter is incorrect\r\n", **self.view.place()
            )
        self.writer.add(self.view, new, index)

    def call_deleteelement(self, index: Value) -> None:
        if self.writer is None:
            raise read_only()
        self.writer.delete(self.view, position(index, len(self.view.items())))

    def call_clear(self) -> None:
        if self.writer is None:
            raise read_only()
        self.writer.empty(self.view)


Maker = t.Callable[[], ComObject]
