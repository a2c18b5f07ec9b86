# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards of the Windows layer, which sets TLS 1.2."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import lease
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    STOP,
    WARN,
    Finding,
    Registry,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.registry import DWORD
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.systems import (
    Default,
    default_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.tls import (
    DOTNET_SETTINGS,
    SETTINGS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.tls_table import (
    VALUE,
    Change,
    State,
)

GUARDS = Registry(
    {
        lease.GUARD: lease.SENTENCE,
        "restart_needed": (
            "What is changed takes effect when the server is restarted, which nothing here does."
        ),
        "tls_12_unsupported": "TLS 1.2 would be set on a Windows that does not have it.",
        "tls_12_needs_update": (
            "TLS 1.2 would be set on Windows Server 2008 SP2, "
            "which has it by the update KB4019276 only."
        ),
        "value_of_other_kind": "A value that is not a DWORD would be replaced.",
    }
)

ABOUT_STATE = frozenset({"tls_12_unsupported", "tls_12_needs_update", "value_of_other_kind"})
"""About the state that there would be: they only warn of what a snapshot gives back."""

_DOTNET_PATHS = frozenset(
    setting.path.casefold() for settings in DOTNET_SETTINGS.values() for setting in settings
)


def findings(before: State, changes: t.Sequence[Change]) -> t.Iterator[Finding]:
    """What the guards find about the changes on a server."""
    written = [change for change in changes if change.after.get(VALUE) is not None]
    schannel = [change for change in written if change.key.casefold() not in _DOTNET_PATHS]
    default = default_of(before.build)
    if schannel and default == Default.UNSUPPORTED:
        yield Finding(
            "tls_12_unsupported",
            STOP,
            f"TLS 1.2 would be set on {before.server}, whose {before.windows} does not have it: "
            "the values would have no effect.",
            final=True,
        )
    elif (
        schannel and default == Default.OFF and before.windows.startswith("Windows Server 2008 SP2")
    ):
        yield Finding(
            "tls_12_needs_update",
            WARN,
            f"{before.server} has {before.windows}, where TLS 1.2 comes with the update KB4019276 "
            "only. Whether that is installed was not looked at.",
        )
    for change in written:
        held = change.before.get(VALUE)
        if held is not None and held.kind != DWORD:
            yield Finding(
                "value_of_other_kind",
                WARN,
                f"{SETTINGS[change.key.casefold()].path} is there as {held.kind}, "
                "and would be replaced by a DWORD.",
            )
    if changes:
        yield Finding(
            "restart_needed",
            WARN,
            f"What is changed takes effect when {before.server} is restarted. "
            "It is not restarted by this task.",
        )
