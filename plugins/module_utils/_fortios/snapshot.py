# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back: what the entries were like before a run touched them, as wishes that the same plan takes.

A FortiGate has no place for a file that the API could write, so snapshots lie on the host that runs the module, readable by its user
only. The content is in the result as well, because the disk of a container does not outlive its job.
"""

from __future__ import annotations

import datetime
import json
import pathlib
import re
import secrets
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.plan import SECRETS, Change, Wish
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import POLICY
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.files import write_whole

FORMAT = 1
LATEST, ORIGINAL = "latest", "original"
APPLY, ROLLBACK = "apply", "rollback"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}\.json")
# A policy that has to be made anew gets a new number and universally unique id.
_NOT_KEPT = frozenset({"policyid", "uuid", "global-label"}) | SECRETS


class SnapshotError(PlanError):
    """A snapshot cannot be written or read; a sentence for the operator. Nothing was changed on the device."""


@dataclass(frozen=True)
class Entry:
    """One entry as it was; `fields` None: it was not there. `before`: the policy that it stood right before."""

    table: str
    key: str | int
    fields: t.Mapping[str, t.Any] | None
    before: str | int | None = None


@dataclass(frozen=True)
class Device:
    """Which device and vdom a snapshot is of."""

    serial: str
    vdom: str


def entries(changes: t.Iterable[Change]) -> list[Entry]:
    """What has to be given back to take the changes back. Secrets are not: the device answers them masked."""
    found: dict[tuple[str, str | int], Entry] = {}
    for change in changes:
        if change.action == Action.CREATE:
            entry = Entry(change.table, change.key, None)
        elif change.action == Action.REMOVE:
            name = change.before.get("name") if change.table == POLICY else None
            kept = {field: value for field, value in change.before.items() if field not in _NOT_KEPT}
            entry = Entry(change.table, name or change.key, kept, change.was)
        elif change.action == Action.MOVE:
            entry = Entry(change.table, change.key, {}, change.was)
        else:
            entry = Entry(
                change.table,
                change.key,
                {name: change.before.get(name) for name in change.after if name not in SECRETS},
            )
        at = (entry.table, entry.key)
        earlier = found.get(at)
        if earlier is not None and earlier.fields is not None and entry.fields is not None:
            entry = Entry(entry.table, entry.key, {**entry.fields, **earlier.fields}, earlier.before or entry.before)
        found[at] = entry
    return list(found.values())


def merge(old: t.Iterable[Entry], new: t.Iterable[Entry]) -> list[Entry]:
    """Several tasks of one run: what an earlier one has saved counts, and fields that only a later one touched are added."""
    found = {(entry.table, entry.key): entry for entry in old}
    for entry in new:
        at = (entry.table, entry.key)
        earlier = found.get(at)
        if earlier is None:
            found[at] = entry
        elif earlier.fields is not None and entry.fields is not None:
            found[at] = Entry(
                entry.table, entry.key, {**entry.fields, **earlier.fields}, earlier.before or entry.before
            )
    return list(found.values())


def wishes(saved: t.Iterable[Entry]) -> list[Wish]:
    """The wishes that give back what was saved."""
    return [Wish(entry.table, entry.key, entry.fields, entry.before) for entry in saved]


def file_name(reason: str) -> str:
    """A name that sorts by time."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return f"{now:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(3)}-{reason}.json"


def check_name(name: str) -> None:
    """Refuse a name that could lead out of the folder. Raises SnapshotError."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise SnapshotError(
            f"'{name}' cannot be the name of a snapshot: letters, digits, dots, underscores and dashes, ending in .json. Nothing was changed."
        )


def make(device: Device, reason: str, saved: t.Iterable[Entry]) -> str:
    """The text of a snapshot."""
    document = {
        "format": FORMAT,
        "device": {"serial": device.serial, "vdom": device.vdom},
        "reason": reason,
        "entries": [
            {"table": entry.table, "key": entry.key, "fields": entry.fields, "before": entry.before} for entry in saved
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def parse(text: str, device: Device, *, what: str) -> list[Entry]:
    """What a snapshot has saved. Raises SnapshotError where it is none, or one of another device."""
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise SnapshotError(
                f"{what} has format {document['format']!r}; this collection reads {FORMAT}. Nothing was changed."
            )
        of = Device(str(document["device"]["serial"]), str(document["device"]["vdom"]))
        saved = [Entry(str(one["table"]), one["key"], one["fields"], one["before"]) for one in document["entries"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, SnapshotError):
            raise
        raise SnapshotError(f"{what} is no snapshot of this collection. Nothing was changed.") from None
    if of != device:
        raise SnapshotError(
            f"{what} is of the device {of.serial}, vdom {of.vdom}, and not of {device.serial}, vdom {device.vdom}. Nothing was changed."
        )
    return saved


class Folder:
    """The folder of the snapshots on the host that runs the module."""

    def __init__(self, path: str) -> None:
        self.path = pathlib.Path(path).expanduser()

    def write(self, name: str, text: str) -> None:
        """Write a snapshot, whole or not at all, for this user only. Raises SnapshotError."""
        check_name(name)
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self.path / name, text)
        except OSError as error:
            raise SnapshotError(
                f"The snapshot cannot be written to {self.path} ({error.strerror}), so nothing was changed. Name a folder that can be written "
                "in snapshot_folder."
            ) from None

    def read(self, name: str) -> str:
        """The text of a snapshot. Raises SnapshotError."""
        check_name(name)
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise SnapshotError(
                f"There is no readable snapshot '{name}' in {self.path}. Nothing was changed."
            ) from None

    def held(self, name: str, device: Device) -> list[Entry]:
        """What an earlier task of the same run has saved under this name; nothing where there was none. Raises SnapshotError."""
        check_name(name)
        if not (self.path / name).exists():
            return []
        return parse(self.read(name), device, what=f"The snapshot '{name}'")

    def applied(self, device: Device) -> list[tuple[str, list[Entry]]]:
        """The snapshots of the device that runs other than rollbacks have made, newest first: name, and what it has saved."""
        found = []
        names = sorted((path.name for path in self.path.glob("*.json") if _NAME.fullmatch(path.name)), reverse=True)
        for name in names:
            if name.endswith(f"-{ROLLBACK}.json"):
                continue
            try:
                found.append((name, parse(self.read(name), device, what=name)))
            except SnapshotError:
                continue
        return found
