# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a plan as requests: those that somebody meets together, where the device can.

A transaction, from FortiOS 6.4 on, is given up as a whole where one of its writes is refused. Some
tables refuse transactions (by public clients; which is unverified on a device): then the steps are
made one by one, if their order is safe.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import feed
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import FortiOS, Key
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.errors import (
    DUPLICATE,
    IN_USE,
    NOT_FOUND,
    DeviceError,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.plan import Change
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    POLICY,
    DeviceState,
    outgoing,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import Stopped

# FortiManager numbers the policies that it puts around those of a device from 1071741824 on.
_MOST_NUMBER = 1_000_000_000


class Writer:
    """One write of one plan. `fault` says why its steps may not be taken one by one.

    `done` are the steps that were made; `in_use` the keys of entries that somebody else uses, which
    were not removed.
    """

    def __init__(
        self, client: FortiOS, state: DeviceState, fault: t.Callable[[], str | None]
    ) -> None:
        self._client, self._state, self._fault = client, state, fault
        self._numbers: dict[Key, Key] = {}
        self.done: list[Change] = []
        self.in_use: list[Key] = []

    def write(self, steps: t.Sequence[Change]) -> None:
        """Make the steps in their order. Raises FortiOSError and Stopped."""
        visible = [number for number, step in enumerate(steps) if _is_met(step)]
        if not any(step.table == POLICY for step in steps):
            visible = []
        # Thousands of new address objects, which nobody meets yet, are no part of a transaction,
        # because it has a time limit.
        begin, end = (visible[0], visible[-1] + 1) if visible else (len(steps), len(steps))
        self._one_by_one(steps[:begin])
        self._together(steps[begin:end])
        self._one_by_one(steps[end:])

    def _one_by_one(self, steps: t.Iterable[Change]) -> None:
        for step in steps:
            self._write(step)
            self.done.append(step)

    def _together(self, steps: t.Sequence[Change]) -> None:
        if not steps or not self._client.takes_transactions:
            self._one_by_one(steps)
            return
        tables: set[str] = set()
        table = ""
        try:
            with self._client.transaction():
                for step in steps:
                    table = step.table
                    self._write(step)
                    tables.add(table)
        except DeviceError as error:
            self._numbers.clear()
            # A table that has taken one write in the transaction takes transactions.
            if table in tables or not error.may_be_about_the_transaction:
                raise
            fault = self._fault()
            if fault:
                raise Stopped(
                    f"{error} It may be that it takes no transaction there, and one by one the "
                    f"changes are not safe: {fault}",
                    done=len(self.done),
                    refused=True,
                ) from None
            self._one_by_one(steps)
        else:
            self.done.extend(steps)

    # ------------------------------------------------------------ one step

    def _write(self, step: Change) -> None:
        client = self._client
        if step.table == feed.ENTRIES:
            feed.push(client, step)
            return
        key = self._key(step, step.key)
        if step.action == Action.CREATE and step.table == POLICY:
            key = self._numbers[step.key] = self._create_policy(step)
        elif step.action == Action.CREATE:
            client.create(step.table, outgoing(step.after))
        elif step.action == Action.MODIFY:
            client.update(step.table, key, outgoing(step.after))
        elif step.action == Action.REMOVE:
            try:
                client.delete(step.table, key)
            except DeviceError as error:
                if error.code == IN_USE:
                    self.in_use.append(step.key)
                elif error.code != NOT_FOUND:
                    raise
        if step.place is not None:
            client.move(step.table, key, before=self._key(step, step.place))

    def _key(self, step: Change, key: Key) -> Key:
        """The key of an entry on the device: a policy's number, also of one that was just made."""
        if step.table != POLICY:
            return key
        known = self._state.policy_key(key)
        return self._numbers.get(key, key) if known is None else known

    def _create_policy(self, step: Change) -> int:
        """Make a policy with a number of our choice: in a transaction the device answers with none
        that could be used (by public clients, 0).
        """
        taken = {int(key) for key in self._state.table(POLICY) if isinstance(key, int)}
        number = _free(taken | {int(known) for known in self._numbers.values()})
        try:
            made = self._client.create(step.table, {"policyid": number, **outgoing(step.after)})
        except DeviceError as error:
            if error.code != DUPLICATE:
                raise
            # Somebody else may have made one since it was read.
            now = {int(row["policyid"]) for row in self._client.table(POLICY, fields=["policyid"])}
            if number not in now:
                raise
            number = _free(now)
            made = self._client.create(step.table, {"policyid": number, **outgoing(step.after)})
        return int(made) if made.isdigit() and int(made) else number


def _is_met(step: Change) -> bool:
    """Whether somebody can meet the entry before and after the step."""
    return step.table == POLICY or step.action not in (Action.CREATE, Action.REMOVE)


def _free(taken: t.Collection[int]) -> int:
    """A number that no policy has: after the last one, as the device would choose it."""
    number = max((key for key in taken if key < _MOST_NUMBER), default=0) + 1
    return (
        number
        if number < _MOST_NUMBER
        else next(key for key in range(1, _MOST_NUMBER) if key not in taken)
    )
