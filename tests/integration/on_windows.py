# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real actions of the Windows layers over a lab host, answered by the stand-in or by agent.ps1
in a real engine.
"""

from __future__ import annotations

import types
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.support.lab_answers import lab_answer
from ansible_collections.mailedge.lockdown.tests.support.scripted_server import Connection


class Wire:
    """What stands between action and server: counts PowerShell starts, and lets somebody work on
    the server before each.
    """

    def __init__(self, host: ExchangeHost, *, engine: bool = False) -> None:
        self.host, self.engine = host, engine
        self.starts = 0
        self.before: dict[int, t.Callable[[], None]] = {}

    def __call__(self, stdin: bytes) -> tuple[int, bytes, bytes]:
        self.starts += 1
        self.before.pop(self.starts, lambda: None)()
        return lab_answer(self.host, stdin, self.engine)


def do(
    action: type[ActionBase],
    wire: Wire,
    arguments: dict[str, t.Any] | None = None,
    *,
    check: bool = False,
) -> dict[str, t.Any]:
    """Run an action with --diff, and give its result."""
    name = action.__module__.rpartition(".")[2]
    task = types.SimpleNamespace(
        args=dict(arguments or {}),
        check_mode=check,
        diff=True,
        async_val=0,
        environment=[],
        action=f"mailedge.lockdown.{name}",
    )
    made = action(
        task=task,
        connection=Connection(t.cast("t.Any", wire)),
        play_context=None,
        loader=None,
        templar=None,
        shared_loader_obj=None,
    )
    return t.cast("dict[str, t.Any]", made.run(task_vars={}))
