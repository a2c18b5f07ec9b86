# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pieces of which files make up a section at a path, in their order, and whether they may.

The order is the one that Microsoft's HealthChecker found "by testing" (Get-URLRewriteRule), read
from the bottom up: the root of applicationHost.config, then for each level its location in
applicationHost.config before its web.config.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.iis import errors
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.markup import Document, Element
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.store import (
    APPHOST,
    REDIRECTION_PATH,
    Place,
    Session,
)


@dataclasses.dataclass(frozen=True)
class Declaration:
    """What configSections say about a section."""

    name: str
    allow: bool = True
    definition: str = "Everywhere"


@dataclasses.dataclass(frozen=True, eq=False)
class Layer:
    """A container of sections: a file's root, or one of its locations, and what it is about.

    `level` is the level of its file, `target` the level that it configures.
    """

    level: int
    target: int
    container: Element
    path: str
    file: str
    location: bool

    def place(self, element: Element | None = None) -> dict[str, t.Any]:
        """Where that is, for an error."""
        return {"path": self.path, "file": self.file, "line": (element or self.container).line}

    def mode(self) -> str | None:
        """Allow or Deny for those below, where the location says so. Raises ConfigError."""
        known = self.container.attributes
        if "allowOverride" in known and "overrideMode" in known:
            text = "The 'allowOverride' and 'overrideMode' attributes cannot be used together\r\n"
            raise errors.ConfigError(errors.E_INVALID_DATA, text, **self.place())
        if "allowOverride" in known:
            return "Allow" if known["allowOverride"].casefold() == "true" else "Deny"
        mode = known.get("overrideMode", "Inherit")
        return None if mode == "Inherit" else mode

    def section(self, name: str) -> Element | None:
        """The section's element in here. Raises ConfigError where there are two."""
        held = [self.container]
        for part in name.split("/"):
            held = [child for element in held for child in element.elements(part)]
        if len(held) > 1:
            text = f"There is a duplicate '{name}' section defined\r\n"
            raise errors.ConfigError(errors.E_ALREADY_EXISTS, text, **self.place(held[1]))
        return held[0] if held else None


class Source(t.NamedTuple):
    """An element of a layer."""

    layer: Layer
    element: Element


def declarations(document: Document) -> dict[str, Declaration]:
    """The sections that a file declares, by their full names."""
    declared: dict[str, Declaration] = {}

    def walk(element: Element, prefix: str) -> None:
        for child in element.elements():
            name = prefix + child.attributes.get("name", "")
            if child.name == "sectionGroup":
                walk(child, f"{name}/")
            elif child.name == "section":
                mode = child.attributes.get("overrideModeDefault", "Allow")
                where = child.attributes.get("allowDefinition", "Everywhere")
                declared[name] = Declaration(name, mode == "Allow", where)

    for sections in document.root.elements("configSections"):
        walk(sections, "")
    return declared


def declaration(session: Session, place: Place | None, name: str) -> Declaration:
    """The declaration of a section at a path. Raises ConfigError where there is none."""
    if place is None:
        # redirection.config declares its one section itself; the lab does not ask it to.
        return Declaration(name)
    for level in range(place.depth, -1, -1):
        document = session.document(place, level)
        known = declarations(document) if document is not None else {}
        if name in known:
            return known[name]
    raise errors.undeclared(name, path=place.path, file=session.store.file(place, 0))


def layers(session: Session, place: Place | None, deepest: int | None = None) -> list[Layer]:
    """Everything that is about a path, outermost first; of files down to a level. Raises
    ConfigError.
    """
    if place is None:
        document = session.document(None, 0)
        file = str(session.store.file(None, 0))
        return (
            [] if document is None else [Layer(0, 0, document.root, REDIRECTION_PATH, file, False)]
        )
    held: list[Layer] = []
    levels = [level.casefold() for level in place.levels]
    for level, path in enumerate(place.levels):
        if deepest is not None and level > deepest:
            break
        document = session.document(place, level)
        if document is None:
            continue
        file = str(session.store.file(place, level))
        held.append(Layer(level, level, document.root, path, file, False))
        for location in document.root.elements("location"):
            named = location.attributes.get("path", "").strip("/")
            about = path if named in ("", ".") else f"{path}/{named}"
            if about.casefold() in levels:
                held.append(
                    Layer(level, levels.index(about.casefold()), location, path, file, True)
                )
    held.sort(key=lambda layer: (layer.target, layer.level))
    return [layer for layer in held if _inherited(layer, place)]


def _inherited(layer: Layer, place: Place) -> bool:
    """False where inheritInChildApplications="false" ends above the path."""
    if layer.container.attributes.get("inheritInChildApplications", "true").casefold() != "false":
        return True
    applications = place.site.applications() if place.site else set()
    below = (
        "".join(f"/{part}" for part in level.split("/")[4:])
        for level in place.levels[layer.target + 1 :]
    )
    return not any(url and url.casefold() in applications for url in below)


def sources(
    session: Session,
    place: Place | None,
    declared: Declaration,
    deepest: int | None = None,
) -> list[Source]:
    """The elements of a section, outermost first. Raises ConfigError where one may not be."""
    held = [
        Source(layer, element)
        for layer in layers(session, place, deepest)
        for element in [layer.section(declared.name)]
        if element is not None
    ]
    for number, (layer, element) in enumerate(held):
        twins = [
            other.layer
            for other in held[:number]
            if (other.layer.level, other.layer.target) == (layer.level, layer.target)
            and other.layer.location
        ]
        if twins and layer.location:
            text = f"There is a duplicate '{declared.name}' section defined\r\n"
            raise errors.ConfigError(errors.E_ALREADY_EXISTS, text, **layer.place(element))
        if not allowed(held, declared, place, layer.level, layer.target):
            raise errors.section_locked(**layer.place(element))
    return held


def allowed(
    held: t.Sequence[Source], declared: Declaration, place: Place | None, level: int, target: int
) -> bool:
    """Whether the section may stand in the file of a level, about a target."""
    if place is None or (level == 0 and target == 0):
        return True
    if declared.definition in ("AppHostOnly", "MachineOnly"):
        return False
    if declared.definition == "MachineToApplication" and place.site is not None:
        url = "".join(f"/{part}" for part in place.levels[target].split("/")[4:])
        if url.casefold() not in place.site.applications():
            return False
    return level == 0 or mode(held, declared, level) == "Allow"


def mode(held: t.Sequence[Source], declared: Declaration, level: int) -> str:
    """The override mode that files above a level leave to it."""
    effective = "Allow" if declared.allow else "Deny"
    for layer, _rest in held:
        if layer.level < level and layer.location:
            effective = layer.mode() or effective
    return effective


__all__ = [
    "APPHOST",
    "Declaration",
    "Layer",
    "Source",
    "allowed",
    "declaration",
    "layers",
    "mode",
    "sources",
]
