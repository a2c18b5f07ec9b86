# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ahadmin's managers, and what one configuration file holds: its locations and their sections."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComObject, Value
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis import errors
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.edit import Writer
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.layers import (
    Layer,
    Source,
    declarations,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.markup import Document, Element
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.objects import (
    ElementObject,
    position,
    read_only,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.schema import ANYTHING
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.store import (
    APPHOST,
    Session,
    Store,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.view import Item, SectionView, View

READER = "Microsoft.ApplicationHost.AdminManager"
WRITER = "Microsoft.ApplicationHost.WritableAdminManager"


class ManagerObject(ComObject):
    """IAppHostAdminManager: reads what is in effect."""

    properties: t.ClassVar[t.Sequence[str]] = ("ConfigManager",)
    methods: t.ClassVar[t.Sequence[str]] = ("GetAdminSection", "GetMetadata")

    def __init__(self, store: Store) -> None:
        self.session = Session(store, lasting=False)
        self.writer: Writer | None = None

    def get_configmanager(self) -> Value:
        return ConfigManagerObject(self.session, self.writer)

    def call_getadminsection(self, section: Value, path: Value) -> Value:
        if not isinstance(section, str) or not isinstance(path, str) or not section or not path:
            raise errors.ConfigError(errors.E_INVALID_PARAMETER, "The parameter is incorrect\r\n")
        deepest = self.writer.level() if self.writer else None
        return ElementObject(SectionView(self.session, section, path, deepest), self.writer)

    def call_getmetadata(self, name: Value) -> Value:
        raise errors.ConfigError(errors.E_NOT_SUPPORTED, f"Unknown metadata '{name}'\r\n")


class WritableObject(ManagerObject):
    """IAppHostWritableAdminManager: reads once, and writes one file."""

    properties = ("ConfigManager", "CommitPath")
    methods = ("GetAdminSection", "GetMetadata", "CommitChanges")

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.writer = Writer(store)
        self.session = self.writer.session

    def get_commitpath(self) -> Value:
        assert self.writer is not None
        return self.writer.commit_path or ""

    def set_commitpath(self, value: Value) -> None:
        assert self.writer is not None
        self.writer.aim(str(value))

    def call_commitchanges(self) -> None:
        assert self.writer is not None
        self.writer.commit()


class ConfigManagerObject(ComObject):
    """IAppHostConfigManager."""

    methods = ("GetConfigFile",)

    def __init__(self, session: Session, writer: Writer | None) -> None:
        self.session = session
        self.writer = writer

    def call_getconfigfile(self, path: Value) -> Value:
        return FileObject(self.session, self.writer, str(path))


class FileObject(ComObject):
    """IAppHostConfigFile."""

    properties = ("ConfigPath", "FilePath", "Locations")

    def __init__(self, session: Session, writer: Writer | None, path: str) -> None:
        self.session = session
        self.writer = writer
        self.place = session.place(path)
        if self.place is None:
            raise errors.unknown_path(path)
        self.path = self.place.path
        self.file = str(session.store.file(self.place, self.place.depth))

    def document(self) -> Document | None:
        """The file, where there is one."""
        assert self.place is not None
        return self.session.document(self.place, self.place.depth)

    def editor(self) -> Writer:
        """What changes this file. Raises ConfigError where that may not be."""
        if self.writer is None:
            raise read_only()
        place, _document, _element = self.writer.target()
        if place.path != self.path:
            text = "The file is not the one of the commit path\r\n"
            raise errors.ConfigError(errors.E_INVALID_PARAMETER, text, self.path, self.file)
        return self.writer

    def get_configpath(self) -> Value:
        return self.path

    def get_filepath(self) -> Value:
        return f"\\\\?\\{self.file}"

    def get_locations(self) -> Value:
        return LocationsObject(self)


class LocationsObject(ComObject):
    """IAppHostConfigLocationCollection."""

    properties = ("Count",)
    methods = ("Item", "AddLocation", "DeleteLocation", "RenameLocation")

    def __init__(self, file: FileObject) -> None:
        self.file = file

    def _held(self) -> list[Element]:
        document = self.file.document()
        return document.root.elements("location") if document else []

    def _at(self, key: Value) -> Element:
        held = self._held()
        if isinstance(key, str):
            named = [
                location
                for location in held
                if location.attributes.get("path", "").casefold() == key.casefold()
            ]
            if not named:
                raise errors.no_such_index(path=self.file.path)
            return named[0]
        return held[position(key, len(held))]

    def get_count(self) -> Value:
        return len(self._held())

    def call_item(self, key: Value) -> Value:
        return LocationObject(self.file, self._at(key))

    def call_addlocation(self, path: Value) -> Value:
        writer = self.file.editor()
        if any(
            location.attributes.get("path", "").casefold() == str(path).casefold()
            for location in self._held()
        ):
            text = f"There is a location '{path}' already\r\n"
            raise errors.ConfigError(errors.E_ALREADY_EXISTS, text, self.file.path, self.file.file)
        _place, document, _element = writer.target()
        element = Element("location", {"path": str(path)})
        document.root.insert(element, style=document.style)
        writer.changed()
        return LocationObject(self.file, element)

    def call_deletelocation(self, key: Value) -> None:
        writer = self.file.editor()
        writer.drop(self._at(key))

    def call_renamelocation(self, key: Value, path: Value) -> None:
        writer = self.file.editor()
        self._at(key).set("path", str(path))
        writer.changed()


class LocationObject(ComObject):
    """IAppHostConfigLocation. Its items are its sections, whose names are whole."""

    properties = ("Path", "Count")
    methods = ("Item", "AddConfigSection", "DeleteConfigSection")

    def __init__(self, file: FileObject, element: Element) -> None:
        self.file = file
        self.element = element

    def _sections(self) -> list[tuple[str, Element]]:
        """What is declared as a section, and what is not declared at all, as it would be refused
        when it is read.
        """
        assert self.file.place is not None
        document = self.file.session.document(self.file.place, 0)
        declared = declarations(document) if document else {}
        groups = {
            "/".join(name.split("/")[:depth])
            for name in declared
            for depth in range(1, name.count("/") + 1)
        }

        def walk(element: Element, prefix: str) -> list[tuple[str, Element]]:
            held = []
            for child in element.elements():
                name = prefix + child.name
                held += walk(child, f"{name}/") if name in groups else [(name, child)]
            return held

        return walk(self.element, "")

    def get_path(self) -> Value:
        return self.element.attributes.get("path", "")

    def get_count(self) -> Value:
        return len(self._sections())

    def _at(self, key: Value) -> tuple[str, Element]:
        held = self._sections()
        if isinstance(key, str):
            named = [section for section in held if section[0].casefold() == key.casefold()]
            if not named:
                raise errors.no_such_index(path=self.file.path)
            return named[0]
        return held[position(key, len(held))]

    def call_item(self, key: Value) -> Value:
        name, element = self._at(key)
        schema = self.file.session.store.schema(name) or ANYTHING
        layer = Layer(0, 0, self.element, self.file.path, self.file.file, True)
        item = Item(schema, View(ANYTHING, name, None, None), Source(layer, element))
        item.name = name
        return ElementObject(item, None)

    def call_addconfigsection(self, name: Value) -> Value:
        writer = self.file.editor()
        about = str(self.element.attributes.get("path", ""))
        view = SectionView(
            self.file.session, str(name), f"{self.file.path}/{about}" if about else self.file.path
        )
        writer._section(view)
        return ElementObject(view, writer)

    def call_deleteconfigsection(self, key: Value) -> None:
        writer = self.file.editor()
        writer.drop(self._at(key)[1])


__all__ = ["APPHOST", "READER", "WRITER", "ManagerObject", "WritableObject"]
