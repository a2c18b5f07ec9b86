# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots: the state before a change in the module's own input form, so that the way back is a run like any other.

A snapshot is JSON: `meta`, and the wish that undoes the plan as `receive_connectors` and `send_connectors`. Of a changed connector it
holds the changed options only, so that a rollback leaves alone what others changed since. It never holds a password.
"""

from __future__ import annotations

import datetime
import json
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    CREDENTIAL,
    Change,
    Wish,
    table,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.words import plan_words
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Action
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

FORMAT = 1
REASONS = ("apply", "rollback")
_SECTIONS = {RECEIVE.name: "receive_connectors", SEND.name: "send_connectors"}
_NAME = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{3}Z-[0-9a-f]+-(?:apply|rollback)\.json")


@dataclass(frozen=True)
class Snapshot:
    """A snapshot as read back. `lost` says in sentences what it cannot give back."""

    wish: Wish
    reason: str
    time: str
    server: str
    run_id: str
    words: tuple[str, ...] = ()
    lost: tuple[str, ...] = field(default=())


def file_name(time: datetime.datetime, run_id: str, reason: str) -> str:
    """`20260114T101500.250Z-4f1c2a-apply.json`: sorts by time, in UTC. Two runs on a server are seconds apart."""
    utc = time.astimezone(datetime.timezone.utc)
    return f"{utc:%Y%m%dT%H%M%S}.{utc.microsecond // 1000:03}Z-{run_id}-{reason}.json"


def document(
    changes: t.Iterable[Change], state: State, *, reason: str, time: datetime.datetime, run_id: str
) -> dict[str, t.Any]:
    """The snapshot as plain data. `state` is the one before the first change; the steps of a split change are taken together."""
    changes = list(changes)
    if reason not in REASONS:
        raise ValueError(f"A snapshot is made for {' or '.join(REASONS)}, not for '{reason}'.")
    lost: list[str] = []
    sections: dict[str, list[dict[str, t.Any]]] = {section: [] for section in _SECTIONS.values()}
    touched: dict[tuple[str, str], set[str]] = {}
    for change in changes:
        options = touched.setdefault((change.table, change.key.casefold()), set())
        options.update(change.before, change.after)
    for (resource, key), options in touched.items():
        found = next(change.key for change in changes if change.table == resource and change.key.casefold() == key)
        current = (state.receive if resource == RECEIVE.name else state.send).get(key)
        if current is None:
            sections[_SECTIONS[resource]].append({"name": found, "state": "absent"})
            continue
        removed = any(
            change.action == Action.REMOVE
            for change in changes
            if change.table == resource and change.key.casefold() == key
        )
        sections[_SECTIONS[resource]].append(
            _entry(resource, current, set(current) if removed else options, removed, lost)
        )
    meta = {
        "format": FORMAT,
        "reason": reason,
        "time": f"{time.astimezone(datetime.timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
        "server": state.server.name,
        "run_id": run_id,
        "words": plan_words(changes),
        "lost": lost,
    }
    return {"meta": meta, **sections}


def _entry(
    resource: str, current: t.Mapping[str, t.Any], options: set[str], removed: bool, lost: list[str]
) -> dict[str, t.Any]:
    """The options of `current` that a rollback is to give back, as input."""
    properties = table(resource).properties
    entry: dict[str, t.Any] = {"name": current["name"], "state": "present"}
    for option in sorted(options & set(properties)):
        prop = properties[option]
        if option == CREDENTIAL or (prop.create_only and not prop.readable):
            continue
        # An option that was not read was unset, and unset it becomes again.
        value = prop.kind.show(current[option] if option in current else prop.parse(""))
        if value is not None:
            entry[option] = value
    if CREDENTIAL in options and CREDENTIAL in properties:
        _login(current, removed, entry, lost)
    return entry


def _login(current: t.Mapping[str, t.Any], removed: bool, entry: dict[str, t.Any], lost: list[str]) -> None:
    """What becomes of the login, whose password is known to nobody any more."""
    if current.get(CREDENTIAL) is None:
        if not removed:
            entry[CREDENTIAL] = ""
        return
    lost.append(
        f"The login of the send connector '{current['name']}' as '{current[CREDENTIAL].username}' is not in this snapshot, because "
        "Exchange gives no password back. Set it again after a rollback."
    )
    if removed:
        # Without a login Exchange would refuse the connector as it was; in service it would only collect mail.
        entry["smart_host_auth_mechanism"] = "None"
        entry["enabled"] = False


def make(changes: t.Iterable[Change], state: State, *, reason: str, time: datetime.datetime, run_id: str) -> str:
    """The snapshot as text, see document(). Plain ASCII, so that no code page on its way can harm it."""
    return (
        json.dumps(document(changes, state, reason=reason, time=time, run_id=run_id), indent=2, ensure_ascii=True)
        + "\n"
    )


def is_name(name: str) -> bool:
    """Whether a file name is one that file_name() gives."""
    return _NAME.fullmatch(name) is not None


def parse(text: str) -> Snapshot:
    """The snapshot in `text`. Raises PlanError for what is none, or is of a newer collection."""
    try:
        data = json.loads(text)
        meta = data["meta"]
        if meta["format"] != FORMAT:
            raise PlanError(
                f"The snapshot has the format {meta['format']}, and this collection reads {FORMAT}. Nothing was changed. "
                "Use the version of the collection that wrote it."
            )
        return Snapshot(
            wish=Wish(receive=_entries(data, RECEIVE.name), send=_entries(data, SEND.name)),
            reason=str(meta["reason"]),
            time=str(meta["time"]),
            server=str(meta["server"]),
            run_id=str(meta["run_id"]),
            words=tuple(map(str, meta.get("words") or ())),
            lost=tuple(map(str, meta.get("lost") or ())),
        )
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, PlanError):
            raise
        raise PlanError(
            f"The snapshot cannot be read: {type(error).__name__} in a text of {len(text)} characters. Nothing was changed. "
            "Name another snapshot."
        ) from None


def _entries(data: t.Mapping[str, t.Any], resource: str) -> tuple[dict[str, t.Any], ...]:
    entries = data.get(_SECTIONS[resource]) or []
    if not isinstance(entries, list) or not all(
        isinstance(one, dict) and isinstance(one.get("name"), str) for one in entries
    ):
        raise PlanError(
            f"The snapshot cannot be read: its {_SECTIONS[resource]} are no list of connectors. Nothing was changed."
        )
    return tuple(entries)
