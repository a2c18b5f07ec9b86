# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Exchange server of the lab with its faults, and the actions against it without a network."""

from __future__ import annotations

import importlib
import pathlib
import threading
import types
import typing as t

from ansible.errors import AnsibleConnectionFailure

from ansible_collections.mailedge.lockdown.tests.lab.clock import Clock
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.exchange.mutex import Mutexes
from ansible_collections.mailedge.lockdown.tests.lab.faults import Faults
from ansible_collections.mailedge.lockdown.tests.lab.runner import Machine, Settings

Result = dict[str, t.Any]

_ACTIONS = "ansible_collections.mailedge.lockdown.plugins.action"
_OPTIONS = {
    "scheme": "https",
    "port": 5986,
    "transport": ["ntlm"],
    "remote_user": "LAB\\admin",
    "remote_password": "canary-login",
}


class Impatient(Mutexes):
    """Who waits for the other run waits for nothing here: that one waits for its turn."""

    def wait(self, name: str, holder: t.Hashable, seconds: float) -> bool:
        """Take the mutex, or tell at once that it is held."""
        return super().wait(name, holder, min(seconds, 0.05))


class Connection:
    """A winrm connection, as far as an action looks at it; `execute` is what is behind it."""

    ansible_name = "ansible.builtin.winrm"
    become = None
    _shell = types.SimpleNamespace(tmpdir=None)

    def __init__(self, execute: t.Callable[[str, bytes], tuple[int, bytes, bytes]]) -> None:
        self._execute = execute

    def get_option(self, name: str) -> t.Any:
        """An option of the connection."""
        return _OPTIONS[name]

    def exec_command(
        self, command: str, in_data: bytes, sudoable: bool
    ) -> tuple[int, bytes, bytes]:
        """Run a command on the host."""
        return self._execute(command, in_data)


class ExchangeServer:
    """A server, and what goes wrong on it."""

    def __init__(self, edition: str, folder: pathlib.Path | None = None, **options: t.Any) -> None:
        self.host: ExchangeHost = defaults.site(edition, folder=folder, **options)
        self.faults = Faults(Clock())
        self.machine = Machine(self.host, self.faults, Settings(pwsh=""))
        self.machine.network = lambda _seconds: self._cut.set()
        self._cut = threading.Event()

    def _execute(self, command: str, stdin: bytes) -> tuple[int, bytes, bytes]:
        self._cut.clear()
        answer = self.machine.run(command, stdin, True, threading.Event())
        if self._cut.is_set():
            raise AnsibleConnectionFailure("The lab has cut the connection.")
        return answer

    def run(
        self,
        module: str = "exchange_mail_flow",
        *,
        check: bool = False,
        before_call: t.Callable[[], None] = lambda: None,
        **arguments: t.Any,
    ) -> Result:
        """The result of a task; `unreachable` where the connection was lost.

        `before_call` is called before each call of the agent, and may hold it up.
        """

        def execute(command: str, stdin: bytes) -> tuple[int, bytes, bytes]:
            before_call()
            return self._execute(command, stdin)

        action = importlib.import_module(f"{_ACTIONS}.{module}").ActionModule(
            task=types.SimpleNamespace(
                args=arguments,
                check_mode=check,
                diff=True,
                async_val=0,
                environment=[],
                action=f"mailedge.lockdown.{module}",
            ),
            connection=Connection(execute),
            play_context=None,
            loader=None,
            templar=None,
            shared_loader_obj=None,
        )
        try:
            result: Result = action.run(task_vars={})
        except AnsibleConnectionFailure as error:
            return {"failed": True, "unreachable": True, "changed": True, "msg": str(error)}
        return {"failed": False, "changed": False, "warnings": [], **result}

    def done(self, module: str = "exchange_mail_flow", **arguments: t.Any) -> Result:
        """The same, and it must not fail."""
        result = self.run(module, **arguments)
        assert not result["failed"], result["msg"]
        return result

    @property
    def snapshot_folder(self) -> pathlib.Path | None:
        """The folder of the snapshots, where a run has made it."""
        path = pathlib.Path(f"{self.host.environment['ProgramData']}\\mailedge")
        return path if path.is_dir() else None

    def snapshots(self) -> list[str]:
        """The names of the files in it, sorted."""
        folder = self.snapshot_folder
        return sorted(path.name for path in folder.iterdir()) if folder else []
