# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS 1.2 of a Windows server as a layer: values of the registry, read and written by the agent."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.diff import text_diff
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import Finding
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.layer import HostLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.port import Reading
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows import registry, tls
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.guards import (
    ABOUT_STATE,
    GUARDS,
    findings,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.systems import (
    SYSTEMS,
    default_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.tls_table import (
    MISSING_KEYS,
    TABLES,
    VALUE,
    VALUES,
    Change,
    State,
)

Step = dict[str, t.Any]

SYSTEM_KEY = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_TLS, _SYSTEM = "tls-registry", "tls-windows"


@dataclass(frozen=True)
class Wish:
    """What a task asks for. `schannel`: TLS 1.2 of Windows itself; `explicit`: also where it is on
    with nothing set.

    `frameworks` are the versions of .NET that follow Windows, of tls.FRAMEWORKS.
    """

    schannel: bool = True
    explicit: bool = True
    frameworks: t.Sequence[str] = tls.FRAMEWORKS


def desired(wish: Wish, state: State) -> tuple[Desired[str], ...]:
    """The values that have to be set. What means the same already is left as it is."""
    settings: list[tls.Setting] = []
    if wish.schannel:
        for key in tls.SIDES.values():
            if (
                wish.explicit
                or tls.protocol(state.key(key), default_of(state.build))[0] != tls.Protocol.ON
            ):
                settings += [setting for setting in tls.SCHANNEL_SETTINGS if setting.key == key]
    settings += [
        setting for framework in wish.frameworks for setting in tls.DOTNET_SETTINGS[framework]
    ]
    return tuple(
        Desired(VALUES, setting.path, {VALUE: {"kind": registry.DWORD, "data": setting.wish}})
        for setting in settings
        if not tls.is_as_wished(state.key(setting.key).value(setting.name), setting)
    )


class TlsLayer(HostLayer[State]):
    """TLS 1.2 of one server, for one task."""

    name = "windows_tls"
    tables = TABLES
    guards = GUARDS
    about_state = ABOUT_STATE
    digests: t.ClassVar[t.Mapping[str, t.Sequence[str]]] = {name: (_TLS,)}

    def __init__(self, wish: Wish) -> None:
        self._wish = wish

    def desired(self, reading: Reading[State]) -> t.Sequence[Desired[str]]:
        return desired(self._wish, reading.state)

    def judge(
        self, reading: Reading[State], after: State, changes: t.Sequence[Change]
    ) -> t.Iterable[Finding]:
        return findings(reading.state, changes)

    def sentence(self, change: Change) -> str:
        path = tls.SETTINGS[change.key.casefold()].path
        made, held = int(change.before.get(MISSING_KEYS) or 0), change.before.get(VALUE)
        if change.after.get(VALUE) is not None:
            keys = ", and the keys that are missing around it are made" if made else ""
            return f"{path} is set to {_words(change.after[VALUE])}; it was {_words(held)}{keys}."
        keys = "Keys that this leaves empty are removed." if MISSING_KEYS in change.after else ""
        if VALUE not in change.after:
            return f"{path} is missing already. {keys}"
        return " ".join(filter(None, [f"{path} is removed; it was {_words(held)}.", keys]))

    def told(self, before: State, after: State, changes: t.Sequence[Change]) -> dict[str, t.Any]:
        return {"before": _shown(before), "after": _shown(after), "restart_needed": bool(changes)}

    def diff(self, told: t.Mapping[str, t.Any], changes: t.Sequence[Change]) -> dict[str, str]:
        sides = (
            [f"{path}: {text}" for path, text in told[side].items()] for side in ("before", "after")
        )
        return text_diff(*sides)

    # ------------------------------------------------------------ how it is read and written

    def read_steps(
        self,
        host_name: t.Any,
        state: State | None = None,
        *,
        prefix: str = "",
        always: bool = False,
    ) -> list[Step]:
        return [
            registry.read_step(tls.keys_to_read(), id=f"{prefix}{_TLS}", always=always),
            registry.read_step(
                {SYSTEM_KEY: ["CurrentBuild"]}, id=f"{prefix}{_SYSTEM}", always=always
            ),
        ]

    def parse(
        self, answer: t.Mapping[str, t.Any], prefix: str, earlier: State | None = None
    ) -> State:
        keys = registry.understand(answer["steps"][f"{prefix}{_TLS}"]["objects"])
        unread = sorted(path for path, key in keys.items() if key is None)
        if unread:
            raise PlanError(
                f"The registry of the server could not be read: {', '.join(unread)}. "
                "Nothing was changed. Log in as an administrator."
            )
        system = registry.understand(answer["steps"][f"{prefix}{_SYSTEM}"]["objects"]).get(
            SYSTEM_KEY
        )
        text = system.text("CurrentBuild") if system else ""
        build = int(text) if text.isdecimal() else None
        known = SYSTEMS.get(build or 0)
        return State(
            server=str(answer["host"]["name"]),
            keys={path.casefold(): key for path, key in keys.items() if key is not None},
            build=build,
            windows=known.name if known else f"Windows build {text or 'that could not be read'}",
        )

    def calls(
        self, change: Change, state: State, *, step: str, credential: t.Callable[[str, str], t.Any]
    ) -> list[Step]:
        setting = tls.SETTINGS[change.key.casefold()]
        entry: dict[str, t.Any] = {"key": setting.key, "name": setting.name, "remove": True}
        value = change.after.get(VALUE)
        if value is not None:
            entry.update(remove=False, kind=value.kind, data=value.data)
        entry["prune"] = 0 if value is not None else int(change.after.get(MISSING_KEYS) or 0)
        return [{"op": "registry_write", "id": step, "changes": [entry]}]

    def concerned(self, steps: t.Sequence[Change]) -> set[str]:
        return {self.name}

    def origin(self, state: State) -> dict[str, str]:
        return {"server": state.server}

    def facts(self, state: State, way: str) -> dict[str, t.Any]:
        return {"server": {"name": state.server, "windows": state.windows, "build": state.build}}


def _words(value: registry.Value | None) -> str:
    if value is None:
        return "missing"
    return str(value.number) if value.number is not None else f"{value.data!r} ({value.kind})"


def _shown(state: State) -> dict[str, str]:
    """Every managed value in words."""
    return {
        setting.path: _words(state.key(setting.key).value(setting.name))
        for setting in tls.SETTINGS.values()
    }
