# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lease of a FortiGate, among its snapshots on the host that runs the module.

A device has no place for it that is not configuration: an object would be written to its flash, its
cluster and its revisions twice a run, and its own transactions lock tables for as long as what they
hold is not in force yet, so that nothing of it can be proven. Runs see each other's leases where
they share the folder of snapshots, and only there.
"""

from __future__ import annotations

import dataclasses
import datetime
import re

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import FortiOS
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import DeviceState
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import lease as leases
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import (
    SnapshotError,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.folder import Folder
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.lease import (
    Hold,
    Lease,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import Reading
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.snapshot import Held

_LATE = datetime.datetime(9000, 1, 1, tzinfo=datetime.timezone.utc)


def name_of(where: str, vdom: str) -> str:
    """What a lease says that it is of. The serial number is another one after a failover."""
    return f"{where} {vdom}"


def file_of(where: str, vdom: str) -> str:
    """The name of its file."""
    return f"0-lease-{re.sub('[^A-Za-z0-9._-]', '-', name_of(where, vdom))}.json"


class LeasedFolder:
    """The folder of snapshots, with the lease of one vdom of one device.

    `hold` is what a write takes; None: nothing beyond the task. `run_id` is the run that the task
    is one of, if any. `lease` is what this run has.
    """

    def __init__(
        self, folder: Folder, client: FortiOS, run_id: str | None, hold: Hold | None
    ) -> None:
        self.folder, self._client, self._run_id, self._hold = folder, client, run_id, hold
        self._name, self._file = (
            name_of(client.where, client.vdom),
            file_of(client.where, client.vdom),
        )
        self._text: str | None = None
        self.lease: Lease | None = None

    def look(self) -> Held | None:
        """The file as it is now."""
        return self.folder.lease(self._file)

    def leased(self, reading: Reading[DeviceState], before: Held | None) -> Reading[DeviceState]:
        """A reading with the lease; `before` is the file as it was when it began."""
        after = self.look()
        self._text = None if after is None else after.text
        lease, note, unknown = leases.understand(after, self._name, reading.time, of_others=True)
        if self._hold and lease and lease.run_id == self._hold.run_id and not lease.ended:
            self.lease = lease
        return dataclasses.replace(
            reading,
            lease=lease,
            leased_meanwhile=before != after,
            lease_unknown=f"{unknown} It is in {self.folder.path}." if unknown else "",
            notes=(*reading.notes, note) if note else reading.notes,
        )

    def take(self, reading: Reading[DeviceState]) -> None:
        """Lease the device for a write, unless somebody has since. Raises SnapshotError."""
        now = self._client.clock or reading.time
        lease: Lease | None = None
        if self._hold:
            lease = leases.take(self._name, self._hold, now)
        elif reading.lease_unknown or (
            reading.lease and not reading.lease.ended and reading.lease.run_id != self._run_id
        ):
            # That run must see that its device was written to after its time.
            lease = leases.mark(self._name, leases.local_name(), now)
        if lease is None and self._text is None and not self.folder.path.is_dir():
            return
        try:
            taken = self.folder.put(self._file, lease.text() if lease else None, self._text)
        except OSError as error:
            raise SnapshotError(
                f"The lease of the device cannot be kept as {self.folder.path / self._file} "
                f"({error.strerror}), so nothing was changed. Remove what is there where no run "
                "needs it, or name a folder that can be written."
            ) from None
        if not taken:
            raise SnapshotError(
                f"Another run has taken the FortiGate {self._client.where} since it was read. "
                "Nothing was changed. Run the task again when that run has ended."
            )
        if self._hold:
            self.lease = lease


def end(folder: Folder, where: str, vdom: str, run_id: str) -> str:
    """End the lease of a run, and no other one; give why that could not be, empty where it was."""
    held = folder.lease(file_of(where, vdom))
    # By the device's clock, which nobody asks here. It may be over, which does not matter either.
    lease, note, unknown = leases.understand(held, name_of(where, vdom), _LATE, of_others=True)
    if held is None or lease is None or lease.run_id != run_id or lease.ended:
        return note or unknown or (f"It was taken by {lease.words()}." if lease else "It is gone.")
    try:
        text = dataclasses.replace(lease, ended=True).text()
        return "" if folder.put(held.name, text, held.text) else "It was taken by another run."
    except OSError as error:
        return f"The folder {folder.path} cannot be written ({error.strerror})."
