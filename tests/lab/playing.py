# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs playbooks against the lab as a user would, with the ansible-playbook of this Python, and
reads what they gave.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.tests.lab.warm import warm

# .../ansible_collections/mailedge/lockdown/tests/lab/playing.py: the folder that Ansible looks for
# collections in. Not resolved, because in a work tree the path goes through a symbolic link.
COLLECTIONS = pathlib.Path(__file__).absolute().parents[5]


_WARNING = re.compile(
    r"^\[(?:DEPRECATION )?WARNING\]: .*(?:\n(?!\s*$|\[|<|[a-z]+: \[|[A-Z]+ ).*)*", re.MULTILINE
)
# What a test does on purpose, in Ansible's words.
_ABOUT_THE_TEST = (
    "Could not match supplied host pattern",
    "Unable to parse",
    "No inventory was parsed",
    "provided hosts list is empty",
    "does not support Ansible version",
    "Found variable using reserved name",
    "ERROR DURING WINRM SEND INPUT",
    "Failed to cleanup running WinRM command",
)


@dataclass(frozen=True)
class TaskResult:
    """What one task gave on one host."""

    host: str
    task: str
    status: str
    result: dict[str, t.Any]


@dataclass
class Run:
    """One run of ansible-playbook: its exit code, its output, and every task's result in order."""

    code: int
    output: str
    tasks: list[TaskResult] = field(default_factory=list)

    def of(self, name: str, host: str | None = None) -> list[TaskResult]:
        """The results of the tasks whose name contains `name`."""
        return [task for task in self.tasks if name in task.task and host in (None, task.host)]

    def mail_flow(self, host: str | None = None) -> dict[str, t.Any]:
        """The last result about connectors: of a mail-flow module, or of the layer among those of a
        server.
        """
        results = []
        for task in self.tasks:
            if host in (None, task.host):
                options = task.result.get("invocation", {}).get("module_args", {})
                results += [task.result] if "provider_ranges" in options else []
                results += [
                    result for layer, result in self.layers_of(task).items() if layer == "exchange"
                ]
        assert results, self.output
        return results[-1]

    def layer(self, name: str) -> dict[str, t.Any]:
        """The last result of a layer of a server."""
        results = [
            self.layers_of(task)[name] for task in self.tasks if name in self.layers_of(task)
        ]
        assert results, self.output
        return results[-1]

    @staticmethod
    def layers_of(task: TaskResult) -> dict[str, dict[str, t.Any]]:
        """The results of the layers of a server, where the task is the one that locks or restores
        them.
        """
        layers = task.result.get("layers")
        return layers if isinstance(layers, dict) else {}

    def looks(self) -> dict[str, dict[str, t.Any]]:
        """Who looked from outside → what mail_edge_probe returned for the last look of each."""
        items = [
            task.result.get("looks") or [] for task in self.tasks if task.status.startswith("item_")
        ]
        return {look["name"]: look for looks in items for look in looks}

    def warned(self) -> list[str]:
        """What Ansible warned of by itself, a line each: what no task's result has as its
        warning.
        """
        told = [
            "".join(text.split())
            for task in self.tasks
            for text in map(str, task.result.get("warnings") or [])
        ]
        return [
            " ".join(warning.split())
            for warning in _WARNING.findall(self.output)
            # The oldest cores wrap the lines of a warning, also within a word.
            # Behind it may stand what is printed next, such as a diff.
            if not any(
                text and "".join(warning.split()).partition("]:")[2].startswith(text)
                for text in told
            )
        ]

    @property
    def changed(self) -> list[TaskResult]:
        """The tasks that reported a change."""
        return [task for task in self.tasks if task.status == "ok" and task.result.get("changed")]


def environment(**more: str) -> dict[str, str]:
    """What ansible-playbook gets: the collection of this work tree, nothing of the user's own
    configuration.
    """
    kept = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "LANG", "PWSH", "MAILEDGE_FIXTURES")
        if name in os.environ
    }
    kept.setdefault("LANG", "C.UTF-8")
    # Bytecode goes where that of the tests does, and never into the work tree.
    bytecode = (
        {"PYTHONPYCACHEPREFIX": sys.pycache_prefix}
        if sys.pycache_prefix and not sys.dont_write_bytecode
        else {"PYTHONDONTWRITEBYTECODE": "1"}
    )
    return {
        **kept,
        **bytecode,
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CALLBACK_PLUGINS": str(pathlib.Path(__file__).with_name("callback")),
        "ANSIBLE_CALLBACKS_ENABLED": "mailedge_record",
        "ANSIBLE_RETRY_FILES_ENABLED": "false",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        **more,
    }


def play(
    playbook: str | list[dict[str, t.Any]],
    inventory: str | os.PathLike[str],
    *arguments: str,
    variables: t.Mapping[str, t.Any] | None = None,
    env: t.Mapping[str, str] | None = None,
    timeout: float = 300,
    python: str | None = None,
    faster: float = 1,
) -> Run:
    """Run a playbook of the collection by its name, or one given as data, against the lab's
    inventory.

    By the Python that runs the tests, so that the ansible-core of this virtual environment is the
    one tested, or by another one. With a Python or an environment of its own it is a command, else
    a run of the process that has ansible-playbook loaded, which may wait `faster` between looks.
    """
    with tempfile.TemporaryDirectory(prefix="mailedge-play-") as folder:
        record = pathlib.Path(folder, "record.jsonl")
        record.touch()
        # An empty one, so that the user's own does not count.
        configuration = pathlib.Path(folder, "ansible.cfg")
        configuration.touch()
        if isinstance(playbook, str):
            target = f"mailedge.lockdown.{playbook}"
        else:
            path = pathlib.Path(folder, "play.yml")
            path.write_text(json.dumps(playbook), encoding="utf-8")
            target = str(path)
        extra = pathlib.Path(folder, "extra.json")
        extra.write_text(json.dumps(dict(variables or {})), encoding="utf-8")
        extra.chmod(0o600)
        command = ["-i", str(inventory), target, "-e", f"@{extra}", *arguments]
        told = environment(
            MAILEDGE_RECORD=str(record), ANSIBLE_CONFIG=str(configuration), **(env or {})
        )
        if env is None and python is None:
            code, output = warm(environment()).run(command, told, folder, timeout, faster=faster)
        else:
            done = subprocess.run(
                [python or sys.executable, "-m", "ansible", "playbook", *command],
                env=told,
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
            )
            code, output = done.returncode, done.stdout
        tasks = [
            TaskResult(**json.loads(line))
            for line in record.read_text(encoding="utf-8").splitlines()
        ]
        run = Run(code, output, tasks)
        unexpected = [
            text for text in run.warned() if not any(known in text for known in _ABOUT_THE_TEST)
        ]
        assert not unexpected, unexpected
        return run


def module(
    name: str, hosts: str, arguments: t.Mapping[str, t.Any], **keywords: t.Any
) -> list[dict[str, t.Any]]:
    """A playbook of one task, which calls the collection's module `name`."""
    task = {"name": f"Call {name}", f"mailedge.lockdown.{name}": dict(arguments), **keywords}
    return [{"name": "One task", "hosts": hosts, "gather_facts": False, "tasks": [task]}]
