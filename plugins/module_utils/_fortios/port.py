# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port of the FortiGate layer: its REST API, and a folder of snapshots on the host that runs
the module.

A FortiGate has no place for a file that the API could write.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import feed
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import FortiOS, Key
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.errors import (
    DeviceError,
    FortiOSError,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.layer import FortiOSLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.lease import LeasedFolder
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.plan import Change
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    FEED,
    FEED_ENTRIES,
    POLICY,
    DeviceState,
    read,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.writer import Writer
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import lease as leases
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    snapshot as snapshots,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import (
    SnapshotError,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.folder import (
    CONTENT,
    Folder,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import (
    Kept,
    Port,
    Reading,
    Stopped,
    Written,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.snapshot import (
    Held,
    Snapshot,
)


class FortiOSPort(Port[DeviceState, Key, Reading[DeviceState]]):
    """One vdom of one device, for one task.

    `wanted` is what a rollback asks for; None: no rollback. `content` is the text of CONTENT.
    """

    def __init__(
        self,
        client: FortiOS,
        layer: FortiOSLayer,
        folder: Folder,
        *,
        wanted: str | None = None,
        content: str | None = None,
        run_id: str | None = None,
        hold: leases.Hold | None = None,
    ) -> None:
        self._client, self._layer = client, layer
        self._folder = LeasedFolder(folder, client, run_id, hold)
        self._wanted, self._content = wanted, content

    def cost(self) -> dict[str, int]:
        return {"requests": self._client.requests}

    def lease(self) -> dict[str, t.Any] | None:
        return None if self._folder.lease is None else self._folder.lease.told()

    def read(self) -> Reading[DeviceState]:
        before = self._folder.look()
        return self._folder.leased(self._read(), before)

    def _read(self) -> Reading[DeviceState]:
        if self._wanted is None:
            return self._reading(self._state(self._layer.paths(), self._layer.feeds()), ())
        # The serial number, by which snapshots are told apart, is in every answer.
        self._client.table(POLICY, fields=["policyid"])
        held = [Held(CONTENT, self._content)] if self._content else list(self._folder.folder.held())
        identity = self._reading(DeviceState(self._client.version or (0, 0, 0), {}), ())
        choice = snapshots.choose(
            held,
            self._wanted,
            layer=self._layer.name,
            tables=self._layer.tables,
            foreign=lambda snapshot: self.foreign(snapshot.origin, identity),
            where=identity.kept,
        )
        paths = dict.fromkeys(
            FEED if row.table == FEED_ENTRIES else row.table for row in choice.desired
        )
        feeds = [str(row.key) for row in choice.desired if row.table == FEED_ENTRIES]
        reading = self._reading(self._state(tuple(paths), feeds), tuple(held))
        serials = {origin.get("serial", "") for origin in choice.origins} - {self._client.serial}
        notes = tuple(
            f"What is restored was saved by the device {serial}, and {self._client.serial} answers "
            "at its address now: another member of a cluster, or a device in its place."
            for serial in sorted(serials)
        )
        return dataclasses.replace(reading, notes=notes)

    def _state(self, paths: t.Sequence[str], feeds: t.Sequence[str]) -> DeviceState:
        """The state of the device: one request for each table and feed."""
        state = read(self._client, paths)
        entries = feed.read_entries(self._client, state, feeds)
        whole = (
            dataclasses.replace(state, rows={**state.rows, feed.ENTRIES: entries})
            if entries
            else state
        )
        return self._layer.learned(whole)

    def _reading(self, state: DeviceState, held: tuple[Held, ...]) -> Reading[DeviceState]:
        client = self._client
        version = ".".join(map(str, client.version or ()))
        return Reading(
            state=state,
            time=client.clock or datetime.datetime.now(datetime.timezone.utc),
            origin={"serial": client.serial, "vdom": client.vdom, "address": client.where},
            lasting=("vdom", "address"),
            where=f"on the FortiGate {client.where}",
            kept=(
                f"of the device {client.serial}, vdom {client.vdom}, in {self._folder.folder.path}"
            ),
            facts={
                **({"as_of": client.as_of} if client.as_of else {}),
                "device": {
                    "serial": client.serial,
                    "version": version,
                    **self._layer.modes_of_device().facts(),
                },
            },
            snapshots=held,
        )

    def foreign(self, origin: t.Mapping[str, str], reading: Reading[DeviceState]) -> str:
        return another_device(origin, self._client)

    def keep(self, snapshot: Snapshot[Key], reading: Reading[DeviceState]) -> Kept:
        """It is kept under the lease of the device."""
        self._folder.take(reading)
        return self._folder.folder.keep(self._layer, snapshot, reading.time)

    def keep_less(self, kept: Kept, snapshot: Snapshot[Key]) -> Kept:
        return self._folder.folder.keep_over(self._layer, kept.name, snapshot, kept.earlier)

    def take_over(self, reading: Reading[DeviceState]) -> None:
        try:
            self._folder.take(reading)
        except SnapshotError as error:
            raise Stopped(str(error), done=0, untouched=True) from None

    def write(
        self, steps: t.Sequence[Change], reading: Reading[DeviceState], kept: Kept
    ) -> Written[DeviceState, Key]:
        before = reading.state
        feeds = [*self._layer.feeds(), *before.table(FEED_ENTRIES), *_keys(steps, FEED_ENTRIES)]
        writer = Writer(self._client, before, lambda: self._layer.fault_of(steps, before))
        try:
            writer.write(steps)
            paths = [path for path in before.rows if path != FEED_ENTRIES]
            state = self._state(paths, list(dict.fromkeys(map(str, feeds))))
        except FortiOSError as error:
            # What a device answers it has not done; a lost answer says nothing.
            raise Stopped(
                str(error), done=len(writer.done), refused=isinstance(error, DeviceError)
            ) from None
        return Written(state, tuple(writer.in_use))


def another_device(origin: t.Mapping[str, str], client: FortiOS) -> str:
    """Why a snapshot of that origin is not of this device, in one sentence; empty where it is.

    After a failover another member of a cluster, with a serial number of its own, answers at the
    same address.
    """
    same = origin.get("serial") == client.serial or origin.get("address") == client.where
    if same and origin.get("vdom") == client.vdom:
        return ""
    return f"It is of the device {origin.get('serial')}, vdom {origin.get('vdom')}."


def _keys(steps: t.Iterable[Change], table: str) -> list[Key]:
    return [step.key for step in steps if step.table == table]
