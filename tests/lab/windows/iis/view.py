# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A section as it is in effect at a path: layers merged, collections with `<clear/>` and
`<remove>`, locks, defaults.

A view computes what it is asked for from the documents, so that it tells of every change; what it
found is kept for as long as no document changes.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.iis import errors
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.layers import (
    Declaration,
    Layer,
    Source,
    declaration,
    mode,
    sources,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.markup import Element
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.schema import (
    EVERYWHERE,
    Collection,
    Plain,
    Schema,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.sections import REDIRECTION
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.store import Place, Session


def truth(text: str | None) -> bool:
    return (text or "").casefold() == "true"


def names(text: str | None) -> set[str]:
    return {part.strip() for part in (text or "").split(",") if part.strip()}


def locked(attributes: t.Mapping[str, str], only: str, but: str, name: str) -> bool:
    """Whether an element's own locks take a name."""
    if name in EVERYWHERE:
        return False
    listed = names(attributes.get(only))
    if name in listed or "*" in listed:
        return True
    return but in attributes and name not in names(attributes[but])


class View:
    """An element: of a section, of an element in it, or an item of a collection."""

    def __init__(
        self, schema: Schema, name: str, owner: SectionView | None, parent: View | None
    ) -> None:
        self.schema = schema
        self.name = name
        self.owner = owner
        self.parent = parent

    def sources(self) -> list[Source]:
        """The elements that it is made of, outermost first."""
        assert self.parent is not None
        return [
            Source(layer, child)
            for layer, element in self.parent.sources()
            for child in element.elements(self.name)
        ]

    def value(self, name: str) -> Plain:
        """The value of an attribute, or its default. Raises ConfigError for one that the schema
        does not know.
        """
        known = self.schema.attribute(name)
        if known is None or (self.schema.open and name not in self.present()):
            raise errors.no_such_index(**self.place())
        for layer, element in reversed(self.sources()):
            if name in element.attributes:
                try:
                    return known.read(element.attributes[name])
                except errors.ConfigError as error:
                    raise errors.ConfigError(
                        error.hresult, error.text, **layer.place(element)
                    ) from None
        return known.default

    def present(self) -> dict[str, Source]:
        """The attributes that are set, with the place where each is set last."""
        return {name: source for source in self.sources() for name in source.element.attributes}

    def child(self, name: str) -> View:
        """An element of this one. Raises ConfigError for one that the schema does not know."""
        schema = self.schema.elements.get(name)
        if schema is None:
            there = [child for source in self.sources() for child in source.element.elements(name)]
            if not (self.schema.open and there):
                raise errors.no_such_index(**self.place())
            schema = self.schema
        return View(schema, name, self.owner, self)

    def items(self) -> list[Item]:
        """The collection as it is in effect. Raises ConfigError."""
        return merged(self)

    def place(self) -> dict[str, t.Any]:
        """Where it is set last, for an error."""
        held = self.sources()
        return held[-1].layer.place(held[-1].element) if held else {}

    def check(self) -> None:
        """Raises ConfigError for what must not stand there, here and in everything in it."""
        held = self.sources()
        for number, (layer, element) in enumerate(held):
            above = [source.element.attributes for source in held[:number]]
            for name, text in element.attributes.items():
                known = self.schema.attribute(name)
                if known is None:
                    raise errors.unrecognised("attribute", name, **layer.place(element))
                if any(
                    locked(attributes, "lockAttributes", "lockAllAttributesExcept", name)
                    for attributes in above
                ):
                    raise errors.lock_violation(**layer.place(element))
                try:
                    known.read(text)
                except errors.ConfigError as error:
                    raise errors.ConfigError(
                        error.hresult, error.text, **layer.place(element)
                    ) from None
            if any(truth(attributes.get("lockItem")) for attributes in above):
                raise errors.lock_violation(**layer.place(element))
            self._check_elements(layer, element, above)
        if held:
            missing = self.schema.missing(self.present())
            if missing:
                raise errors.missing_attributes(missing, **self.place())
        for name in self.schema.elements:
            self.child(name).check()
        for item in self.items():
            item.check()

    def _check_elements(
        self, layer: Layer, element: Element, above: t.Sequence[t.Mapping[str, str]]
    ) -> None:
        collection = self.schema.collection
        listed = (*collection.items, collection.clear, collection.remove) if collection else ()
        for child in element.elements():
            if any(
                locked(attributes, "lockElements", "lockAllElementsExcept", child.name)
                for attributes in above
            ):
                raise errors.lock_violation(**layer.place(child))
            if not (self.schema.open or child.name in self.schema.elements or child.name in listed):
                raise errors.unrecognised("element", child.name, **layer.place(child))


class Item(View):
    """An item of a collection: it stands in one place."""

    def __init__(self, schema: Schema, parent: View, source: Source) -> None:
        super().__init__(schema, source.element.name, parent.owner, parent)
        self.source = source

    def sources(self) -> list[Source]:
        return [self.source]

    def key(self, collection: Collection) -> tuple[str, ...]:
        """What tells it from other items, without case."""
        return tuple(str(self.value(name)).casefold() for name in collection.key)


def merged(view: View) -> list[Item]:
    """A collection: what each layer adds, and what it takes away from those above it. Raises
    ConfigError.
    """
    collection = view.schema.collection
    if collection is None:
        return _of_open(view) if view.schema.open else []
    held: list[Item] = []
    for source in view.sources():
        local: list[Item] = []
        for child in source.element.elements():
            if child.name == collection.clear:
                _unlocked(held, source, child)
                held, local = [], []
            elif child.name == collection.remove:
                gone = [item for item in [*held, *local] if _named(item, child, collection)]
                _unlocked(gone, source, child)
                held = [item for item in held if item not in gone]
                local = [item for item in local if item not in gone]
            elif child.name in collection.items:
                item = Item(collection.items[child.name], view, Source(source.layer, child))
                missing = item.schema.missing(child.attributes)
                if missing:
                    raise errors.missing_attributes(missing, **source.layer.place(child))
                refuse_twin([*held, *local], item, collection)
                local.append(item)
        held = [*held, *local] if collection.append else [*local, *held]
    return held


def refuse_twin(held: t.Iterable[Item], item: Item, collection: Collection) -> None:
    """Raises ConfigError where an item's key is taken."""
    if collection.duplicates or not collection.key:
        return
    if any(other.key(collection) == item.key(collection) for other in held):
        keys = {name: str(item.value(name)) for name in collection.key}
        raise errors.duplicate(item.name, keys, **item.source.layer.place(item.source.element))


def _unlocked(items: t.Iterable[Item], source: Source, element: Element) -> None:
    """Raises ConfigError where an item is locked against being taken away."""
    if any(truth(item.source.element.attributes.get("lockItem")) for item in items):
        raise errors.lock_violation(**source.layer.place(element))


def _named(item: Item, remove: Element, collection: Collection) -> bool:
    defaults = {name: str(item.schema.attributes[name].default) for name in collection.key}
    wanted = tuple(
        remove.attributes.get(name, defaults[name]).casefold() for name in collection.key
    )
    return item.key(collection) == wanted


def _of_open(view: View) -> list[Item]:
    """What an element that the lab does not know holds, as it stands: its elements that are not
    alone of their name.
    """
    return [
        Item(view.schema, view, Source(source.layer, child))
        for source in view.sources()
        for child in source.element.elements()
    ]


class SectionView(View):
    """A section at a path. Raises ConfigError at once for what must not stand there.

    `deepest`: files below that level do not count. A writer sees a section as the file of its
    commit path leaves it (as Microsoft.Web.Administration's GetApplicationHostConfiguration does;
    of ahadmin itself that is not verified), so that nothing tells it of a name that is taken below.
    """

    def __init__(self, session: Session, name: str, path: str, deepest: int | None = None) -> None:
        self.deepest = deepest
        self.session = session
        self.at: Place | None = session.place(path)
        self.path = path if self.at is None else self.at.path
        if self.at is None and name != REDIRECTION:
            raise errors.undeclared(name, path=path)
        self.declared: Declaration = declaration(session, self.at, name)
        schema = session.store.schema(name)
        if schema is None:
            raise errors.without_schema(name, path=self.path, file=session.store.file(self.at, 0))
        super().__init__(schema, name, self, None)
        self._held: tuple[int, list[Source]] | None = None
        self.check()

    def sources(self) -> list[Source]:
        # A reader's documents change under it; a count tells.
        if self._held is None or self._held[0] != self.session.version:
            held = sources(self.session, self.at, self.declared, self.deepest)
            self._held = (self.session.version, [self._elsewhere(source) for source in held])
        return self._held[1]

    def _elsewhere(self, source: Source) -> Source:
        """The section in the file that configSource names, in its place."""
        named = source.element.attributes.get("configSource")
        if named is None:
            return source
        file = f"{source.layer.file.rpartition(chr(92))[0]}\\{named}"
        document = self.session.read(file, source.layer.path, source.element.name)
        if document is None:
            text = f"Unable to open configSource file '{named}'\r\n"
            raise errors.ConfigError(
                errors.E_FILE_NOT_FOUND, text, **source.layer.place(source.element)
            )
        return Source(source.layer, document.root)

    def mode(self) -> str:
        """The override mode that is in effect for files at this path and below."""
        level = self.at.depth + 1 if self.at else 0
        return mode(self.sources(), self.declared, level)
