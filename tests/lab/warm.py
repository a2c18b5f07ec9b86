# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook without its start: one process has it loaded, and forks a run for each request.

A run is what the command would do, by the same function and in a process of its own. Loading
ansible-core, and packing a module that another run has packed, would be half of what a test waits
for. What Ansible reads from its environment while it is loaded is the same for all runs, so that a
test that sets a variable of Ansible's starts the command itself.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
import warnings

# What a run imports before its first task ends.
_LOADED = (
    "ansible.cli.playbook",
    "ansible.executor.module_common",
    "ansible.executor.playbook_executor",
    "ansible.executor.process.worker",
    "ansible.executor.task_queue_manager",
    "ansible.plugins.strategy.linear",
    "winrm",
    "xml.dom.minidom",
)
_OURS = "mailedge.lockdown."
_PACKAGE = "ansible_collections.mailedge.lockdown"
# Actions that wait by a `sleep` of their own.
_WAITING = ("exchange_delivery_proof",)
_PLUGINS = {
    "callback": ("default", "junit", "minimal", "oneline", "tree"),
    "connection": ("winrm", "psrp", "local", "ssh"),
    "inventory": ("auto", "host_list", "ini", "script", "toml", "yaml"),
    "shell": ("powershell", "sh", "cmd"),
    "strategy": ("ansible.builtin.linear",),
    "action": ("set_fact", "set_stats", "fail", "assert", "debug", "normal"),
}


class Warm:
    """The process, as the tests see it: started with the first run, gone with the tests."""

    def __init__(self, environment: t.Mapping[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mailedge-warm-")
        self._path = pathlib.Path(self._folder.name, "socket")
        configuration = pathlib.Path(self._folder.name, "ansible.cfg")
        configuration.touch()
        self._process = subprocess.Popen(
            [sys.executable, str(pathlib.Path(__file__).absolute()), str(self._path)],
            env={**environment, "ANSIBLE_CONFIG": str(configuration)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout
        if not self._process.stdout.readline():
            raise RuntimeError("ansible-playbook could not be loaded.")
        atexit.register(self.stop)

    def stop(self) -> None:
        """End the process. Runs that are still going on are left to end."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process.wait(20)
        self._folder.cleanup()

    def run(
        self,
        arguments: t.Sequence[str],
        environment: t.Mapping[str, str],
        folder: str,
        timeout: float,
        *,
        faster: float = 1,
    ) -> tuple[int, str]:
        """The exit code and the output of ansible-playbook with these arguments. Where an action of
        the collection waits between two looks, a run that is `faster` waits so many times less.
        Raises subprocess.TimeoutExpired.
        """
        output = pathlib.Path(folder, "output")
        request = {
            "arguments": list(arguments),
            "environment": dict(environment),
            "folder": folder,
            "faster": faster,
        }
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(str(self._path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("r") as answers:
                process = int(answers.readline())
                try:
                    code = int(answers.readline())
                except TimeoutError:
                    os.killpg(process, signal.SIGKILL)
                    raise subprocess.TimeoutExpired(
                        list(arguments), timeout, output.read_bytes()
                    ) from None
        return code, output.read_text(encoding="utf-8", errors="replace")


_here: dict[int, Warm] = {}
_starting = threading.Lock()


def warm(environment: t.Mapping[str, str]) -> Warm:
    """The one of this test process."""
    with _starting:
        if os.getpid() not in _here:
            _here[os.getpid()] = Warm(environment)
        return _here[os.getpid()]


def _load() -> None:
    """Load what every run would load by itself, and nothing that a run decides."""
    from ansible.plugins import loader

    loader.init_plugin_loader([os.environ["ANSIBLE_COLLECTIONS_PATH"]])
    # A run does it again, and is told that it was done.
    warnings.filterwarnings("ignore", message="AnsibleCollectionFinder has already been configured")
    for name in _LOADED:
        importlib.import_module(name)
    for kind, names in _PLUGINS.items():
        for name in names:
            getattr(loader, f"{kind}_loader").get(name, class_only=True)
    # Ansible compiles what belongs to a collection again in each process that loads it.
    plugins = pathlib.Path(__file__).absolute().parents[2] / "plugins"
    for kind in ("action", "lookup"):
        for path in sorted((plugins / kind).glob("[!_]*.py")):
            getattr(loader, f"{kind}_loader").get(f"{_OURS}{path.stem}", class_only=True)
    list(loader.filter_loader.all())
    list(loader.test_loader.all())
    # What is loaded stays: a run, and each worker that it forks, need not look through it for what
    # could be given back, nor copy the pages that it lies on.
    gc.collect()
    gc.freeze()


def _serve(path: str) -> None:
    """Answer requests until standard input ends."""
    _load()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        print("ready", flush=True)
        while True:
            ready = select.select([listener, sys.stdin], [], [])[0]
            # Waited for, not ignored: else nothing counts the seconds that the runs have taken.
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            if sys.stdin in ready:
                return
            connection = listener.accept()[0]
            if not os.fork():
                listener.close()
                with contextlib.suppress(BrokenPipeError):
                    _answer(connection)
                os._exit(0)
            connection.close()


def _answer(connection: socket.socket) -> None:
    with connection, connection.makefile("rw") as stream:
        request = json.loads(stream.readline())
        process = os.fork()
        if not process:
            os.setsid()
            _play(request)
        stream.write(f"{process}\n")
        stream.flush()
        status = os.waitpid(process, 0)[1]
        stream.write(f"{os.waitstatus_to_exitcode(status)}\n")


def _hurry(times: float) -> None:
    """Wait less between looks, in this process and in the workers that it forks."""
    for name in _WAITING:
        action = importlib.import_module(f"{_PACKAGE}.plugins.action.{name}").ActionModule
        action.sleep = staticmethod(lambda seconds: time.sleep(seconds / times))


def _play(request: dict[str, t.Any]) -> t.NoReturn:
    """What the command does, in this process, which it ends."""
    output = os.open(os.path.join(request["folder"], "output"), os.O_WRONLY | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for given, stream in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(given, stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    code = 250
    _hurry(float(request["faster"]))
    try:
        from ansible.cli.playbook import PlaybookCLI

        PlaybookCLI.cli_executor(["ansible-playbook", *request["arguments"]])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Not by sys.exit(): what this process has registered for its end is to be done once, by the
        # one that loaded it.
        os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])
