# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a writer changes: in the file of its commit path, for the path of the section
(MC-IISA 3.1.4, and ahadmin.h at learn.microsoft.com).

What is not verified there is marked here: which of two locations of one path gets a write, that an
inherited item that is changed becomes a `<remove>` and a copy, and that an item put before
inherited ones becomes a `<clear/>` and copies.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.iis import errors
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.layers import (
    Layer,
    Source,
    allowed,
    layers,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.markup import Document, Element
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.schema import Collection, Schema
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.store import Place, Session, Store
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.view import (
    Item,
    SectionView,
    View,
    locked,
    merged,
    refuse_twin,
    truth,
)

NOWHERE = Layer(-1, -1, Element("nowhere"), "", "", False)


class Detached(View):
    """An element that CreateNewElement made. It stays the same element once it is added."""

    def __init__(self, schema: Schema, name: str, owner: SectionView | None, parent: View) -> None:
        super().__init__(schema, name, owner, parent)
        self.element = Element(name)

    def sources(self) -> list[Source]:
        return [Source(NOWHERE, self.element)]


def _in_a_file(element: Element) -> bool:
    """False for what is still being made."""
    while element.parent is not None:
        element = element.parent
    return element.name == "configuration"


class Writer:
    """The changes of one process, in one file, until it commits them."""

    def __init__(self, store: Store) -> None:
        self.session = Session(store, lasting=True)
        self.commit_path: str | None = None
        self.pending = False
        self._touched: dict[int, SectionView] = {}

    def aim(self, path: str) -> None:
        """Set the commit path. Raises ConfigError."""
        if self.pending:
            text = "Cannot change the commit path while there are uncommitted changes\r\n"
            raise errors.ConfigError(errors.E_PENDING_CHANGES, text, path)
        try:
            self.session.place(path)
        except errors.ConfigError as error:
            if error.hresult == errors.E_FILE_NOT_FOUND:
                raise errors.ConfigError(errors.E_INVALID_PARAMETER, error.text, path) from None
            raise
        self.commit_path = path

    def level(self) -> int | None:
        """The level of the file of the commit path, where one is set."""
        place = self.session.place(self.commit_path) if self.commit_path else None
        return place.depth if place else None

    def target(self) -> tuple[Place, Document, str]:
        """The place, the document and the file of the commit path, which is made where it is not
        there.
        """
        if self.commit_path is None:
            # Its default is not documented beyond doubt, and nothing of ours may rely on it.
            text = "The lab does not guess a commit path: set CommitPath first\r\n"
            raise errors.ConfigError(errors.E_UNEXPECTED, text)
        place = self.session.place(self.commit_path)
        if place is None:
            raise errors.ConfigError(
                errors.E_NOT_SUPPORTED, "The lab does not write redirection.config\r\n"
            )
        document = self.session.document(place, place.depth) or self.session.create(
            place, place.depth
        )
        return place, document, str(self.session.store.file(place, place.depth))

    def changed(self, section: SectionView | None = None) -> None:
        """Something was changed."""
        self.session.version += 1
        self.pending = True
        if section is not None:
            self._touched[id(section)] = section

    def commit(self) -> None:
        """Write the file. Raises ConfigError."""
        if not self.pending:
            return
        place, document, file = self.target()
        where: dict[str, t.Any] = {"path": place.path, "file": file}
        for section in self._touched.values():
            section.check()
        store = self.session.store
        if store.before_commit:
            store.before_commit.pop(0)()
        if (store.disk.read(file) or b"") != document.original:
            raise errors.changed_on_disk(store.changed_number, **where)
        if file.casefold() in store.held:
            raise errors.held_open(**where)
        content = document.content()
        store.disk.write(file, content)
        document.original = content
        self.pending = False
        self._touched.clear()

    # --- values -----------------------------------------------------------------------------------

    def set(self, view: View, name: str, value: object) -> None:
        """Set an attribute. Raises ConfigError."""
        known = view.schema.attribute(name)
        if known is None or (view.schema.open and name not in view.present()):
            raise errors.no_such_index(**view.place())
        text = known.write(value)
        for layer, element in view.sources():
            if not self._own(view, layer) and locked(
                element.attributes, "lockAttributes", "lockAllAttributesExcept", name
            ):
                raise errors.lock_violation(**layer.place(element))
        element = self._element(view)
        before = element.attributes.get(name)
        element.set(name, text)
        if _in_a_file(element):
            self.changed(view.owner)
        try:
            if isinstance(view, Item) and view.parent is not None:
                merged(view.parent)
        except errors.ConfigError:
            if before is None:
                element.unset(name)
            else:
                element.set(name, before)
            raise

    def clear(self, view: View, name: str) -> None:
        """Take an attribute out of the file that is written."""
        for layer, element in view.sources():
            if self._own(view, layer) and name in element.attributes:
                self._element(view).unset(name)
                self.changed(view.owner)

    # --- collections ------------------------------------------------------------------------------

    def add(self, view: View, new: Detached, index: int) -> None:
        """Put a new element into a collection. Raises ConfigError."""
        collection = self._collection(view)
        if index == -1:
            # IAppHostElementCollection and the samples disagree about it: end or beginning.
            text = "The lab does not know what AddElement(-1) means: give an index\r\n"
            raise errors.ConfigError(errors.E_UNEXPECTED, text, **view.place())
        held = merged(view)
        if not 0 <= index <= len(held):
            raise errors.no_such_index(**view.place())
        missing = new.schema.missing(new.element.attributes)
        if missing:
            raise errors.missing_attributes(missing, **view.place())
        refuse_twin(held, Item(new.schema, view, Source(NOWHERE, new.element)), collection)
        self._refuse_locked(view, new.name)
        parent = self._element(view)
        # Local items stand behind inherited ones, or before them (mergeAppend="false").
        beyond = held[index:] if collection.append else held[:index]
        behind = [item for item in held[index:] if self._own(view, item.source.layer)]
        if any(not self._own(view, item.source.layer) for item in beyond):
            # The order can only be given whole.
            if any(truth(item.source.element.attributes.get("lockItem")) for item in held):
                raise errors.lock_violation(**view.place())
            self._take_over(parent, held, collection)
            elements = [child for child in parent.elements() if child.name in collection.items]
            parent.insert(
                new.element, elements[index] if index < len(elements) else None, self._style()
            )
        else:
            parent.insert(new.element, behind[0].source.element if behind else None, self._style())
        new.element.lay_out(self._style())
        if _in_a_file(new.element):
            self.changed(view.owner)

    def delete(self, view: View, index: int) -> None:
        """Take an item out of a collection: of the file, or by a `<remove>`. Raises ConfigError."""
        collection = self._collection(view)
        held = merged(view)
        if not 0 <= index < len(held):
            raise errors.no_such_index(**view.place())
        layer, element = held[index].source
        if self._own(view, layer):
            assert element.parent is not None
            element.parent.remove(element)
        else:
            self._remove(self._element(view), held[index], collection)
        self.changed(view.owner)

    def empty(self, view: View) -> None:
        """Take every item out of a collection. Raises ConfigError."""
        for index in range(len(merged(view)) - 1, -1, -1):
            self.delete(view, index)

    def drop(self, element: Element, section: SectionView | None = None) -> None:
        """Take an element out of the file, and groups that are empty without it."""
        parent = element.parent
        while parent is not None:
            parent.remove(element)
            if parent.elements() or parent.name in ("configuration", "location"):
                break
            element, parent = parent, parent.parent
        self.changed(section)

    # --- where it goes ----------------------------------------------------------------------------

    def _style(self) -> t.Any:
        return self.target()[1].style

    def _collection(self, view: View) -> Collection:
        if view.schema.collection is None:
            raise errors.ConfigError(
                errors.E_NOT_SUPPORTED, "The element has no collection\r\n", **view.place()
            )
        return view.schema.collection

    def _own(self, view: View, layer: Layer) -> bool:
        """Whether a layer is the one that is written for a view."""
        if layer is NOWHERE:
            return True
        place, _document, _element = self.target()
        at = view.owner.at if view.owner else None
        return layer.level == place.depth and at is not None and layer.target == at.depth

    def _refuse_locked(self, view: View, name: str) -> None:
        for layer, element in view.sources():
            if self._own(view, layer):
                continue
            if locked(element.attributes, "lockElements", "lockAllElementsExcept", name):
                raise errors.lock_violation(**layer.place(element))
            if truth(element.attributes.get("lockItem")):
                raise errors.lock_violation(**layer.place(element))

    def _element(self, view: View) -> Element:
        """The element of a view in the file that is written, made where it is not there. Raises
        ConfigError.
        """
        if isinstance(view, Detached):
            return view.element
        if isinstance(view, Item):
            if not self._own(view, view.source.layer):
                self._copy_down(view)
            return view.source.element
        if isinstance(view, SectionView):
            return self._section(view)
        assert view.parent is not None
        self._refuse_locked(view, "")
        parent = self._element(view.parent)
        child = parent.first(view.name)
        if child is None:
            child = Element(view.name)
            parent.insert(child, style=self._style())
            if _in_a_file(child):
                self.changed(view.owner)
        return child

    def _section(self, view: SectionView) -> Element:
        place, document, file = self.target()
        at = view.at
        if at is None or at.levels[: place.depth + 1] != place.levels:
            text = "The section is not at or below the commit path\r\n"
            raise errors.ConfigError(errors.E_INVALID_PARAMETER, text, view.path, file)
        held = view.sources()
        if not allowed(held, view.declared, at, place.depth, at.depth):
            raise errors.section_locked(path=view.path, file=file)
        for layer, _rest in held:
            element = layer.section(view.declared.name)
            if (
                element is not None
                and "configSource" in element.attributes
                and self._own(view, layer)
            ):
                raise errors.ConfigError(
                    errors.E_NOT_SUPPORTED, "The lab does not write a configSource\r\n", view.path
                )
        own = [element for layer, element in held if self._own(view, layer)]
        if own:
            return own[-1]
        containers = [layer for layer in layers(self.session, at) if self._own(view, layer)]
        if containers:
            element = containers[0].container
        else:
            about = at.path[len(place.path) + 1 :]
            element = Element("location", {"path": about})
            document.root.insert(element, style=document.style)
        for part in view.declared.name.split("/"):
            child = element.first(part)
            if child is None:
                child = Element(part)
                element.insert(child, style=document.style)
            element = child
        self.changed(view)
        return element

    def _copy_down(self, item: Item) -> None:
        assert item.parent is not None
        collection = self._collection(item.parent)
        parent = self._element(item.parent)
        self._remove(parent, item, collection)
        twin = item.source.element.copy()
        parent.insert(twin, style=self._style())
        twin.lay_out(self._style())
        self.changed(item.owner)
        for other in merged(item.parent):
            if other.source.element is twin:
                item.source = other.source

    def _remove(self, parent: Element, item: Item, collection: Collection) -> None:
        if truth(item.source.element.attributes.get("lockItem")):
            raise errors.lock_violation(**item.place())
        if not collection.remove:
            raise errors.ConfigError(
                errors.E_NOT_SUPPORTED, "The collection has no remove element\r\n", **item.place()
            )
        keys = {
            name: str(item.value(name))
            for name in collection.key
            if name in item.source.element.attributes
        }
        parent.insert(Element(collection.remove, keys), style=self._style())

    def _take_over(self, parent: Element, held: t.Sequence[Item], collection: Collection) -> None:
        """Write a `<clear/>` and the whole collection into the file."""
        for child in parent.elements():
            if child.name in (*collection.items, collection.clear, collection.remove):
                parent.remove(child)
        parent.insert(Element(collection.clear), style=self._style())
        for item in held:
            twin = item.source.element.copy()
            parent.insert(twin, style=self._style())
            twin.lay_out(self._style())
