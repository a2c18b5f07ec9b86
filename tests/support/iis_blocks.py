# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""iis_path_blocks over the lab's IIS, no network between, by the stand-in or in an engine."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.action.iis_path_blocks import ActionModule
from ansible_collections.mailedge.lockdown.tests.lab.exchange.directory import Directory
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.judge import Answer
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.server import Iis
from ansible_collections.mailedge.lockdown.tests.support.lab_answers import lab_answer
from ansible_collections.mailedge.lockdown.tests.support.scripted_server import Connection, Task

STRANGER, COLLEAGUE = "203.0.113.9", "10.20.3.4"
RULES = "<system.webServer><rewrite><rules>{}</rules></rewrite></system.webServer>"


class Server:
    """One Exchange server with its IIS. `engine`: whether a real one runs the agent."""

    def __init__(self, version: str = "2019", engine: bool = False, **options: t.Any) -> None:
        self.host = ExchangeHost("EX1", version, Directory("example.test"))
        # With the module that servers do not have by themselves, unless a test says otherwise.
        wanted = {"ip_restrictions": True, **options}
        self.host.windows.add_iis(lambda: Iis(version, **wanted))
        self.iis: Iis = self.host.windows.iis
        self._engine = engine

    def _answered(self, stdin: bytes) -> tuple[int, bytes, bytes]:
        return lab_answer(self.host, stdin, self._engine)

    def run(self, arguments: t.Mapping[str, t.Any], check: bool = False) -> dict[str, t.Any]:
        """The result of the module."""
        action = ActionModule(
            task=Task(dict(arguments), check),
            connection=Connection(t.cast("t.Any", self._answered)),
            play_context=None,
            loader=None,
            templar=None,
            shared_loader_obj=None,
        )
        result: dict[str, t.Any] = action.run(task_vars={})
        return result

    def passes(self, target: str, client: str = STRANGER) -> bool:
        """Whether a request gets through to what is behind."""
        return self.iis.request(target, client).passed

    def asks(self, target: str, client: str = STRANGER) -> Answer:
        """What a client gets."""
        return self.iis.request(target, client)
