# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the directory holds, and how a parameter is described."""

from __future__ import annotations

import datetime
import typing as t
import uuid
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import Edition, Generation
from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import (
    invalid,
    not_convertible,
    not_here,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.shapes import (
    Flag,
    Kind,
    Mismatch,
    Refused,
)


@dataclass(frozen=True)
class Setting:
    """A parameter of New- and Set- that is a property of the object as well.

    It exists `since` a generation, up to `until`, and is refused on Edge servers (`edge` False) or
    on all others (`edge` True). `new` and `set_` say which of the two cmdlets has it.
    """

    name: str
    kind: Kind = field(default_factory=Flag)
    default: t.Any = False
    since: Generation = Generation.RTM2007
    until: Generation = Generation.SE
    edge: bool | None = None
    new: bool = True
    set_: bool = True

    def exists(self, edition: Edition) -> bool:
        """Whether this version has the parameter and the property."""
        return self.since <= edition.generation <= self.until

    def take(self, value: t.Any, current: t.Any, edition: Edition) -> t.Any:
        """What is stored when a cmdlet is given `value`. Raises ExchangeError."""
        if self.edge is not None and self.edge is not edition.edge:
            raise not_here(self.name, edition.edge)
        if isinstance(value, dict) and edition.generation < Generation.E2010:
            # @{Add=...; Remove=...} is documented for 2010 and later; for 2007 unverified.
            raise not_convertible(
                self.name, "System.Collections.Hashtable", self.kind.type_name, "Invalid cast."
            )
        try:
            return self.kind.take(value, current)
        except Mismatch as error:
            shown = (
                "System.Management.Automation.PSCredential" if isinstance(value, tuple) else value
            )
            raise not_convertible(self.name, shown, self.kind.type_name, str(error)) from None
        except Refused as error:
            raise invalid(f"{error} Property Name: {self.name}") from None


class Ace(t.NamedTuple):
    """An access control entry: one extended right of one account, or all rights at once under the
    name of the access (ALL, FULL).
    """

    user: str
    right: str
    deny: bool = False


# The access of an entry that names no extended right: all of those, and everything.
ALL = "ExtendedRight"
FULL = "GenericAll"


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


@dataclass
class Stored:
    """A connector in the directory. `server` is empty for a send connector; `rights` are explicit
    entries of a receive connector, and `inherited` those that it has from the containers above it.
    `above` are those of them that give no right to send; None: what set-up leaves. One that is not
    `valid` says so when it is read.
    """

    name: str
    distinguished_name: str
    values: dict[str, t.Any]
    server: str = ""
    rights: tuple[Ace, ...] = ()
    inherited: tuple[Ace, ...] = ()
    above: tuple[Ace, ...] | None = None
    valid: bool = True
    guid: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: datetime.datetime = field(default_factory=_now)
    changed: datetime.datetime = field(default_factory=_now)

    @property
    def identity(self) -> str:
        """``SERVER\\Name``, or the name of a send connector."""
        return f"{self.server}\\{self.name}" if self.server else self.name

    def answers_to(self, identity: str) -> bool:
        """Whether `identity` is its GUID, distinguished name, ``Server\\Name`` or name."""
        wanted = identity.casefold()
        sure = {self.guid.casefold(), self.distinguished_name.casefold()}
        # Whether a name with a control character in it, such as a replication conflict has, is
        # taken as text is unverified.
        names = (
            {self.identity.casefold(), self.name.casefold()} if self.name.isprintable() else set()
        )
        return wanted in sure | names

    def touch(self) -> None:
        """Note that it was changed now."""
        self.changed = _now()


def escape_rdn(name: str) -> str:
    """A name as a part of a distinguished name (RFC 4514)."""
    text = "".join(
        f"\\{character}" if character in ',+"\\<>;=' else character for character in name
    )
    text = "".join(
        f"\\{ord(character):02X}" if character < " " else character for character in text
    )
    if text[:1] in ("#", " "):
        text = f"\\{text}"
    return f"{text[:-1]}\\ " if name.endswith(" ") and len(name) > 1 else text
