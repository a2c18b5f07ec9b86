# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The snapshots that a layer keeps, as results and as lines for a screen."""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    snapshot as snapshots,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import (
    OtherLayer,
    SnapshotError,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.tables import Tables

USABLE, UNREADABLE, FOREIGN = "usable", "unreadable", "foreign"
# More sentences than this are counted, not printed; the result has them all.
_MOST = 4


@dataclass(frozen=True)
class Kept:
    """One file where snapshots are kept.

    `state` is USABLE, UNREADABLE or FOREIGN, `why` says what is wrong with the last two. `time` is
    by the clock of the server or device, `reason` what the run did. `restores` are sentences on
    what it would restore.
    """

    name: str
    state: str = USABLE
    time: str = ""
    reason: str = ""
    run_id: str = ""
    restores: tuple[str, ...] = ()
    why: str = ""


def kept(
    held: snapshots.Held,
    layer: str,
    tables: Tables[t.Any, t.Any],
    foreign: t.Callable[[t.Mapping[str, str]], str],
) -> Kept | None:
    """What a file is to a layer; None for a snapshot of another layer, which is none to speak of.

    `foreign` says why a snapshot of an origin is not of this server or device; empty where it is.
    """
    name = held.name
    if not snapshots.is_name(name):
        return Kept(name, FOREIGN, why="No run of this collection gives a file such a name.")
    if held.distrust:
        return Kept(name, FOREIGN, why=held.distrust)
    if held.unread:
        return Kept(name, UNREADABLE, why=f"It could not be read: {held.unread}.")
    try:
        snapshot: snapshots.Snapshot[t.Any] = snapshots.parse(held.text, layer, tables)
    except OtherLayer:
        return None
    except SnapshotError as error:
        return Kept(name, UNREADABLE, why=str(error))
    why = foreign(snapshot.origin)
    if why:
        return Kept(name, FOREIGN, why=why)
    restores = [_sentence(tables[row.table].noun, row) for row in snapshot.desired]
    return Kept(
        name,
        time=snapshot.time,
        reason=snapshot.reason,
        run_id=snapshot.run_id,
        restores=(*restores, *snapshot.not_restorable),
    )


def _sentence(noun: str, row: Desired[t.Any]) -> str:
    if row.options is None:
        return f"the {noun} '{row.key}': gone, as it was"
    return f"the {noun} '{row.key}': {', '.join(row.options) or 'its place'}"


def as_result(kept: t.Sequence[Kept], what: str, where: str) -> dict[str, t.Any]:
    """{snapshots, lines} of a module, newest first. `what` is kept `where`, in words."""
    ordered = sorted(kept, key=lambda entry: entry.name, reverse=True)
    usable = sum(entry.state == USABLE for entry in ordered)
    count = f"{usable} snapshots, newest first" if usable > 1 else f"{usable or 'no'} snapshot"
    lines = [f"{what}, in {where}: {count}"]
    for entry in ordered:
        lines += _lines(entry)
    return {
        "snapshots": [{**asdict(entry), "restores": list(entry.restores)} for entry in ordered],
        "lines": [_printable(line) for line in lines],
    }


def _printable(line: str) -> str:
    """A file may have any name, and say anything, but no line that it has made up itself."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)


def _lines(entry: Kept) -> list[str]:
    if entry.state != USABLE:
        return [f"  {entry.name}  {entry.state}: {entry.why}"]
    run = f", run {entry.run_id}" if entry.run_id else ""
    lines = [
        f"  {entry.name}  {entry.time}, before {_ARTICLES.get(entry.reason, entry.reason)}{run}"
    ]
    lines += [f"    restores {text}" for text in entry.restores[:_MOST]]
    more = len(entry.restores) - _MOST
    return [*lines, f"    ... and {more} more."] if more > 0 else lines


_ARTICLES = {"apply": "an apply", "rollback": "a rollback"}
