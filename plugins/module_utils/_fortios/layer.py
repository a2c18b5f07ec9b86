# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The FortiGate as a layer: what every FortiGate module does around its own options."""

from __future__ import annotations

import abc
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import modes
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import (
    steps as order_of_steps,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import FortiOS, Key
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.guards import (
    ABOUT_STATE,
    GUARDS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.plan import (
    SECRETS,
    TABLES,
    Change,
    change_sentence,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    NOUNS,
    SHARED_NAMES,
    DeviceState,
    read,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.diff import (
    field_lines,
    text_diff,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Desired,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import (
    NoSafeOrder,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import Finding
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.layer import Layer
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import Reading


class FortiOSLayer(Layer[DeviceState, Key]):
    """One module's own part. A subclass names what has to be read and what is desired."""

    name = "fortigate"
    tables = TABLES
    guards = GUARDS
    about_state = ABOUT_STATE
    unread = frozenset({"unread_way"})
    mode_tables: t.ClassVar[t.Sequence[str]] = modes.OF_CHANGES
    """What of the device's modes has to be read."""

    def __init__(self, params: t.Mapping[str, t.Any], client: FortiOS, *, check_mode: bool) -> None:
        self.params, self.client, self.check_mode = params, client, check_mode
        self._modes: modes.Modes | None = None

    @abc.abstractmethod
    def paths(self) -> t.Sequence[str]:
        """The tables to read, each with one request. Raises PlanError for options that cannot be
        meant; nothing was sent yet.
        """

    def feeds(self) -> t.Sequence[str]:
        """The names of the range feeds whose entries have to be read."""
        return ()

    def learned(self, state: DeviceState) -> DeviceState:
        """A state that was read, with what has to be known beside the tables. Raises
        FortiOSError.
        """
        return state

    @abc.abstractmethod
    def described(self, state: DeviceState) -> t.Sequence[Desired[Key]]:
        """What the options ask for, on a state. Raises PlanError."""

    def desired(self, reading: Reading[DeviceState]) -> t.Sequence[Desired[Key]]:
        return self.described(reading.state)

    def modes_of_device(self) -> modes.Modes:
        """How the device decides and saves; read once. Raises FortiOSError."""
        if self._modes is None:
            self._modes = modes.read(self.client, self.mode_tables)
        return self._modes

    def judge(
        self, reading: Reading[DeviceState], after: DeviceState, changes: t.Sequence[Change]
    ) -> t.Iterable[Finding]:
        return self.modes_of_device().findings(reading.time, changes=bool(changes))

    def order(self, changes: t.Sequence[Change], state: DeviceState) -> tuple[Change, ...]:
        """The changes in an order in which nobody is shut out or let in at any step.

        Where there is none, those that the device makes together need none.
        """
        try:
            return order_of_steps.order(changes, self.judged_on(changes, state))
        except NoSafeOrder:
            if self.client.takes_transactions:
                return tuple(changes)
            raise

    def fault_of(self, steps: t.Sequence[Change], state: DeviceState) -> str | None:
        """Why these steps may not be taken one by one; None where they may."""
        return order_of_steps.first_fault(steps, self.judged_on(steps, state))

    def judged_on(self, changes: t.Sequence[Change], state: DeviceState) -> DeviceState:
        """The state with all that decides who gets through, as far as this module reads it."""
        return state

    def refuse(self, reading: Reading[DeviceState], steps: t.Sequence[Change]) -> str:
        """Addresses, groups and virtual IPs share their names: a clash is told before anything is
        written.
        """
        before = reading.state
        new = {
            str(step.key)
            for step in steps
            if step.action == Action.CREATE and step.table in SHARED_NAMES
        }
        unread = [path for path in SHARED_NAMES if path not in before.rows]
        if not new or not unread:
            return ""
        taken = [
            (name, NOUNS[path])
            for path, rows in read(self.client, unread).rows.items()
            for name in sorted(new & {str(key) for key in rows})
        ]
        if not taken:
            return ""
        clashes = " ".join(
            f"The name '{name}' is taken by the {noun} of that name." for name, noun in taken
        )
        return (
            f"{clashes} Addresses, address groups and virtual IPs share their names. Nothing was "
            "changed. Take another name."
        )

    def is_visible(self, change: Change) -> bool:
        """The device does not show secrets."""
        return change.action != Action.MODIFY or bool(set(change.after) - SECRETS)

    def sentence(self, change: Change) -> str:
        return change_sentence(change)

    def diff(self, told: t.Mapping[str, t.Any], changes: t.Sequence[Change]) -> dict[str, str]:
        """Who can reach what, where the module knows, and the entries that differ."""
        exposure = told.get("exposure", {})
        before, after = list(exposure.get("before", [])), list(exposure.get("after", []))
        for change in changes:
            subject = f"{NOUNS.get(change.table, change.table)} {change.key}"
            if change.action != Action.CREATE:
                before += field_lines(subject, _shown(change.before, change))
            if change.action != Action.REMOVE:
                place = {} if change.place is None else {"stands before": str(change.place)}
                after += field_lines(subject, {**place, **_shown(change.after, change)})
        return text_diff(before, after)


def _shown(row: t.Mapping[str, t.Any], change: Change) -> dict[str, t.Any]:
    """The fields of a row for the operator: never a secret, and the name only where it is new."""
    return {
        name: "(secret)" if name in SECRETS else value
        for name, value in row.items()
        if name != "name" or change.action == Action.CREATE
    }
