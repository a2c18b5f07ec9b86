# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a row shall be, and one change of one row: what every plan is made of, in every layer."""

from __future__ import annotations

import dataclasses
import enum
import typing as t
from dataclasses import dataclass, field

Row = t.Mapping[str, t.Any]
"""Option → canonical value."""

Key = t.TypeVar("Key")
"""What tells the rows of a table apart: a name, a number."""


@dataclass(frozen=True)
class Desired(t.Generic[Key]):
    """One row as it shall be: only the named `options` count. None: it shall not be there.

    The options are in the input form of the layer's modules. In a table with an order, `place` is
    the row that it must stand right before, or before others that are desired there as well.
    """

    table: str
    key: Key
    options: Row | None = field(repr=False)
    place: Key | None = None


class Action(str, enum.Enum):
    """What is done to a row. Equal to its text, which results and snapshots hold."""

    CREATE = "create"
    MODIFY = "modify"
    REMOVE = "remove"
    MOVE = "move"


_INVERSE = {Action.CREATE: Action.REMOVE, Action.REMOVE: Action.CREATE}


@dataclass(frozen=True)
class Change(t.Generic[Key]):
    """One change to one row.

    MODIFY: `before` and `after` hold the options that differ. CREATE: `before` is empty, `after` is
    the whole row. REMOVE: the other way round. In a table with an order, `place` is the row that
    this one is put right before, and `was` the one that it stood before; None: the end, or no
    order.
    """

    table: str
    action: Action
    key: Key
    before: Row = field(repr=False)
    after: Row = field(repr=False)
    place: Key | None = None
    was: Key | None = None

    def invert(self) -> Change[Key]:
        """The change that takes this one back."""
        return dataclasses.replace(
            self,
            action=_INVERSE.get(self.action, self.action),
            before=self.after,
            after=self.before,
            place=self.was,
            was=self.place,
        )
