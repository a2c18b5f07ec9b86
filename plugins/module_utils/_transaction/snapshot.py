# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots: what takes a run back, as what the same plan takes, so that the way back is a run like
any other.

A snapshot is JSON, and holds what is desired of the rows that a run changed, in the modules' own
input form. Of a modified row it holds the changed options only, so that a rollback leaves alone
what others have changed since. It never holds a password.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import (
    NoSnapshot,
    NoSuchSnapshot,
    OtherLayer,
    SnapshotError,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.tables import Tables

FORMAT = 2
APPLY, ROLLBACK = "apply", "rollback"
LATEST, ORIGINAL = "latest", "original"
_RUN_ID = re.compile(r"[0-9A-Za-z]{1,40}")
_NAME = re.compile(
    rf"[0-9]{{8}}T[0-9]{{6}}\.[0-9]{{3}}Z-{_RUN_ID.pattern}-(?:apply|rollback)\.json"
)
EXAMPLE = "20260114T101500.250Z-4f1c2a-apply.json"

Key = t.TypeVar("Key", bound=t.Hashable)
State = t.TypeVar("State")


@dataclass(frozen=True)
class Snapshot(t.Generic[Key]):
    """A snapshot. `origin` says what it is of, `time` is by the clock of that server or device.

    `desired` takes the run back, `made` is what the run led to. `plan` says in sentences what the
    run was about to do, `not_restorable` what of it cannot be taken back.
    """

    layer: str
    origin: t.Mapping[str, str]
    reason: str
    time: str
    run_id: str
    desired: tuple[Desired[Key], ...]
    made: tuple[Desired[Key], ...] = ()
    plan: tuple[str, ...] = ()
    not_restorable: tuple[str, ...] = ()

    @property
    def gives_back(self) -> bool:
        """Whether a rollback that names none takes it: it is none of a rollback, and not of a run
        that was refused at its first step and made nothing.
        """
        return self.reason == APPLY and bool(self.desired or self.not_restorable)

    def text(self) -> str:
        """The snapshot as JSON; plain ASCII, so that no code page on its way can harm it."""
        document = dataclasses.asdict(self)
        document["lost"] = document.pop("not_restorable")  # its name in FORMAT
        return json.dumps({"format": FORMAT, **document}, indent=2, ensure_ascii=True) + "\n"


def stamp(time: datetime.datetime) -> str:
    """A time as snapshots tell it: `2026-01-14T10:15:00.250Z`."""
    utc = time.astimezone(datetime.timezone.utc)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03}Z"


def file_name(time: datetime.datetime, run_id: str, reason: str) -> str:
    """`20260114T101500.250Z-4f1c2a-apply.json`: sorts by time, in UTC."""
    return f"{stamp(time).replace('-', '').replace(':', '')}-{run_id}-{reason}.json"


def newest_after(names: t.Iterable[str], time: datetime.datetime) -> datetime.datetime:
    """`time`, or one after all that the names tell: a new snapshot is the newest, wherever the
    clock is.
    """
    stamps = [name[:19] for name in names if is_name(name)]
    with contextlib.suppress(ValueError, OverflowError):
        newest = datetime.datetime.strptime(f"{max(stamps)}+0000", "%Y%m%dT%H%M%S.%f%z")
        return max(time, newest + datetime.timedelta(milliseconds=1))
    return time


def is_name(name: str) -> bool:
    """Whether a file name is one that file_name() gives."""
    return _NAME.fullmatch(name) is not None


def check_run_id(run_id: str) -> str:
    """What is wrong with the option `run_id`, in one sentence; empty where nothing is."""
    if _RUN_ID.fullmatch(run_id):
        return ""
    return f"'{run_id}' cannot be a run_id: it is made of letters and digits, 40 at most."


def check_wanted(wanted: str) -> str:
    """What is wrong with the option `snapshot`, in one sentence; empty where nothing is."""
    if wanted in (LATEST, ORIGINAL) or is_name(wanted):
        return ""
    return (
        f"'{wanted}' is not the name of a snapshot. A name is like {EXAMPLE}, {LATEST}, or "
        f"{ORIGINAL}."
    )


def parse(text: str, layer: str, tables: Tables[State, Key]) -> Snapshot[Key]:
    """The snapshot in `text`. Raises SnapshotError for what is none, is of another layer or of
    another format.
    """
    try:
        document = json.loads(text)
        version = document["format"] if "format" in document else document["meta"]["format"]
        if version != FORMAT:
            raise SnapshotError(
                f"It has the format {version}, and this collection reads {FORMAT}: use the version "
                "of the collection that wrote it."
            )
        if document["layer"] != layer:
            raise OtherLayer(f"It is of the layer {document['layer']}, and not of {layer}.")
        return Snapshot(
            layer=layer,
            origin={str(key): str(value) for key, value in document["origin"].items()},
            reason=str(document["reason"]),
            time=str(document["time"]),
            run_id=str(document["run_id"]),
            desired=tuple(_desired(row, tables) for row in document["desired"]),
            made=tuple(_desired(row, tables) for row in document["made"]),
            plan=tuple(map(str, document["plan"])),
            not_restorable=tuple(map(str, document["lost"])),
        )
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, SnapshotError):
            raise
        raise SnapshotError("It is not a snapshot of this collection, or a damaged one.") from None


def _desired(row: t.Mapping[str, t.Any], tables: Tables[State, Key]) -> Desired[Key]:
    table, key, options, place = row["table"], row["key"], row["options"], row["place"]
    # A truth value is a number to Python.
    if table not in tables or isinstance(key, bool) or not isinstance(key, (str, int)):
        raise ValueError
    if options is not None and not (
        isinstance(options, dict) and all(isinstance(name, str) for name in options)
    ):
        raise ValueError
    return Desired(table, t.cast("Key", key), options, place)


class Held(t.NamedTuple):
    """A file among the snapshots. `distrust` says in one sentence why it must not be used; empty:
    it may. `unread` says as a phrase why it could not be read, and then there is no text.
    """

    name: str
    text: str
    distrust: str = ""
    unread: str = ""


@dataclass(frozen=True)
class Choice(t.Generic[Key]):
    """What is to be restored, and of what it was. `further` are the snapshots that go further
    back, newest first.

    `passed_over` says in sentences which files were no snapshots of this one, and why.
    """

    restored: str
    origins: tuple[t.Mapping[str, str], ...]
    desired: tuple[Desired[Key], ...]
    made: tuple[Desired[Key], ...]
    further: tuple[str, ...] = ()
    not_restorable: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()


def choose(
    held: t.Sequence[Held],
    wanted: str,
    *,
    layer: str,
    tables: Tables[State, Key],
    foreign: t.Callable[[Snapshot[Key]], str],
    where: str,
) -> Choice[Key]:
    """What `wanted`, which is LATEST, ORIGINAL or a name, gives back of the snapshots held, newest
    first.

    `foreign` says in one sentence why a snapshot is not of this server or device; empty where it
    is. Raises SnapshotError.
    """
    usable: list[tuple[str, Snapshot[Key]]] = []
    passed_over: list[str] = []
    for file in held:
        name = file.name
        try:
            if file.distrust or file.unread:
                raise SnapshotError(file.distrust or f"It could not be read: {file.unread}.")
            snapshot = parse(file.text, layer, tables)
            reason = foreign(snapshot)
            if reason:
                raise SnapshotError(reason)
        except SnapshotError as error:
            if name == wanted:
                raise SnapshotError(
                    f"{name} cannot be restored. {error} Nothing was changed."
                ) from None
            if not isinstance(error, OtherLayer):
                passed_over.append(f"The snapshot {name} was passed over. {error}")
            continue
        if name == wanted or snapshot.gives_back:
            usable.append((name, snapshot))
    named = [(name, snapshot) for name, snapshot in usable if wanted in (LATEST, name)][:1]
    chosen = usable if wanted == ORIGINAL else named
    if not chosen:
        named_one = is_name(wanted)
        what = f"no snapshot named '{wanted}'" if named_one else "no snapshot of a change"
        kind: type[SnapshotError] = NoSnapshot
        if named_one or passed_over:
            is_held = wanted in {file.name for file in held}
            kind = NoSuchSnapshot if named_one and not is_held else SnapshotError
        raise kind(" ".join([f"There is {what} {where}. Nothing was changed.", *passed_over]))
    names = [name for name, _snapshot in usable]
    further = names[names.index(chosen[0][0]) + 1 :] if wanted != ORIGINAL else []
    return Choice(
        restored=ORIGINAL if wanted == ORIGINAL else chosen[0][0],
        origins=tuple(snapshot.origin for _name, snapshot in chosen),
        # The oldest is folded last, so that what it says of an option counts.
        desired=tables.fold(*(snapshot.desired for _name, snapshot in chosen)),
        made=tables.fold(*(snapshot.made for _name, snapshot in reversed(chosen))),
        further=tuple(further),
        not_restorable=tuple(
            dict.fromkeys(
                sentence for _name, snapshot in chosen for sentence in snapshot.not_restorable
            )
        ),
        passed_over=tuple(passed_over),
    )
