# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A resource as a table of properties; one engine reads, compares and writes all of them."""

from __future__ import annotations

import types
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.kinds import (
    Kind,
    KindError,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

Canonical = t.Mapping[str, t.Any]
"""Option → canonical value. Always has ``name``. None: unset. A missing key: not known, or not
there on that version.
"""


class OptionError(PlanError):
    """An option that cannot be used.

    The message is one sentence or more for the operator, and names the option.
    """


class Availability(t.Protocol):
    """Where a property exists, as a question and in words."""

    @property
    def words(self) -> str:
        """For a sentence: ``Exchange 2013 and later``."""

    def __call__(self, version: t.Any, edge: bool = False) -> bool:
        """Whether it exists on a server of this version."""


@dataclass(frozen=True)
class Property:
    """One property of a resource.

    `parameter` is the name on the other side, in the object as read and on the command line; empty
    where the property is neither (it is then read and written by means of its own). `create_only`:
    taken by New- only and never compared. `set_only`: not taken by New-, so a new object gets it in
    a second call. `readable`: whether it can be read back.
    """

    option: str
    parameter: str
    kind: Kind
    versions: Availability
    create_only: bool = False
    set_only: bool = False
    readable: bool = True

    def exists(self, version: t.Any, edge: bool = False) -> bool:
        """Whether a server of this version has it."""
        return self.versions(version, edge)

    def parse(self, value: t.Any) -> t.Any:
        """The canonical value of what a user gave. Raises OptionError."""
        try:
            return self.kind.parse(value)
        except KindError as error:
            raise self._refusal(error) from None

    def resolve(self, current: t.Any, wish: t.Any) -> t.Any:
        """See resolve()."""
        if wish is None:
            return current
        try:
            return self.kind.merge(current, wish)
        except KindError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: KindError) -> OptionError:
        return OptionError(
            f"The option {self.option} cannot be used as given: {error} Nothing was changed."
        )


@dataclass(frozen=True)
class Resource:
    """A kind of object: its properties, and the cmdlets around them.

    `verbs` maps ``get``, ``new``, ``set`` and ``remove`` to cmdlet names. `noun` is for sentences.
    """

    name: str
    noun: str
    properties: t.Mapping[str, Property]
    verbs: t.Mapping[str, str]
    # Asked once for each object of a server.
    _here: dict[tuple[t.Any, bool], tuple[Property, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def here(self, version: t.Any, edge: bool = False) -> tuple[Property, ...]:
        """The properties that a server of this version has."""
        known = self._here.get((version, edge))
        if known is None:
            known = self._here[version, edge] = tuple(
                [prop for prop in self.properties.values() if prop.exists(version, edge)]
            )
        return known

    def read(
        self, row: t.Mapping[str, t.Any], version: t.Any, edge: bool = False
    ) -> dict[str, t.Any]:
        """The canonical object of one `row` as the server printed it.

        Raises OptionError where a value cannot be understood.
        """
        canonical: dict[str, t.Any] = {"name": str(row["Name"])}
        for prop in self.here(version, edge):
            if not prop.readable or not prop.parameter or prop.parameter not in row:
                continue
            try:
                canonical[prop.option] = prop.kind.read(row[prop.parameter])
            except KindError as error:
                raise OptionError(
                    f"The {self.noun} '{canonical['name']}' has a {prop.parameter} that this "
                    f"collection does not understand: {error} Nothing was changed."
                ) from None
        return canonical

    def show(self, canonical: Canonical) -> dict[str, t.Any]:
        """The input form of a canonical object or of some of its options, as plain data."""
        shown = {
            option: self.properties[option].kind.show(value)
            for option, value in canonical.items()
            if option in self.properties
        }
        shown = {option: value for option, value in shown.items() if value is not None}
        return {"name": canonical["name"], **shown} if "name" in canonical else shown


def resource(name: str, noun: str, cmdlet_noun: str, properties: t.Iterable[Property]) -> Resource:
    """A Resource whose cmdlets are called Get-, New-, Set- and Remove-`cmdlet_noun`."""
    verbs = {verb.lower(): f"{verb}-{cmdlet_noun}" for verb in ("Get", "New", "Set", "Remove")}
    table = {prop.option: prop for prop in properties}
    return Resource(name, noun, types.MappingProxyType(table), types.MappingProxyType(verbs))


def resolve(prop: Property, current: t.Any, wish: t.Any) -> t.Any:
    """The canonical value that `wish` makes of the canonical `current`.

    `wish` is a plain value, for list-like kinds also a table of add, remove and set; None, that is
    not named, leaves what is there. What is removed goes first, so that an item that is both
    removed and added is there in the end. Raises OptionError.
    """
    return prop.resolve(current, wish)
