# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shells of WinRS: what a client starts, feeds and reads. The shells of PSRP build on them
(psrp.py).
"""

from __future__ import annotations

import threading
import time
import typing as t
import uuid

from ansible_collections.mailedge.lockdown.tests.lab.wsman import soap

# So that a reply stays below the 153,600 bytes that clients name as MaxEnvelopeSize, in base64 and
# with its envelope.
_CHUNK = 50_000
_MOST = 100_000


class Engine(t.Protocol):
    """Runs what clients ask for.

    `text` is a command line where `is_script` is false, else a PowerShell script; `stdin` is all of
    its standard input. Gives exit code, standard output, standard error. Ends early where
    `cancelled` is set.
    """

    def run(
        self, text: str, stdin: bytes, is_script: bool, cancelled: threading.Event
    ) -> tuple[int, bytes, bytes]:
        """Run it to its end."""


class Output:
    """What a client may receive: chunks of named streams, and in the end an exit code."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._chunks: list[tuple[str, bytes]] = []
        self._exit_code: int | None = None

    def emit(self, stream: str, data: bytes) -> None:
        """Add `data` to `stream` ("stdout" or "stderr"), in pieces of any size."""
        for at in range(0, len(data), _CHUNK):
            self.emit_whole(stream, data[at : at + _CHUNK])

    def emit_whole(self, stream: str, data: bytes) -> None:
        """Add `data`, which the client must get in one piece."""
        with self._condition:
            self._chunks.append((stream, data))
            self._condition.notify_all()

    def finish(self, exit_code: int) -> None:
        """There will be no more."""
        with self._condition:
            if self._exit_code is None:
                self._exit_code = exit_code
            self._condition.notify_all()

    def take(self, seconds: float) -> tuple[list[tuple[str, bytes]], int | None]:
        """The next chunks, and the exit code where they are the last ones. Raises Fault after
        `seconds` of silence.
        """
        deadline = time.monotonic() + seconds
        with self._condition:
            while not self._chunks and self._exit_code is None:
                if (
                    not self._condition.wait(max(0.0, deadline - time.monotonic()))
                    and time.monotonic() >= deadline
                ):
                    raise soap.timed_out()
            taken: list[tuple[str, bytes]] = []
            size = 0
            while self._chunks and (not taken or size + len(self._chunks[0][1]) <= _MOST):
                size += len(self._chunks[0][1])
                taken.append(self._chunks.pop(0))
            return taken, None if self._chunks else self._exit_code


class Command:
    """One command of a shell: a process of WinRS, or a pipeline of PSRP."""

    def __init__(self, command_id: str) -> None:
        self.id = command_id
        self.output = Output()
        self.cancelled = threading.Event()


class Process(Command):
    """One process of WinRS. Its standard input is gathered until its end, then it runs."""

    def __init__(self, command_id: str, command_line: str) -> None:
        super().__init__(command_id)
        self.command_line = command_line
        self.stdin = bytearray()
        self._started = False

    def start(self, engine: Engine) -> None:
        """Run it in a thread of its own. A second start does nothing."""
        if self._started:
            return
        self._started = True
        threading.Thread(target=self._run, args=(engine,), name="lab-winrs", daemon=True).start()

    def _run(self, engine: Engine) -> None:
        code = 1
        try:
            code, stdout, stderr = engine.run(
                self.command_line, bytes(self.stdin), False, self.cancelled
            )
            self.output.emit("stdout", stdout)
            self.output.emit("stderr", stderr)
        except Exception as error:
            # The client must hear of a broken lab, or it waits for ever.
            self.output.emit("stderr", f"The lab failed: {error!r}\r\n".encode())
        finally:
            self.output.finish(code)


class Shell:
    """A shell of WinRS, which is cmd.exe to its client."""

    def __init__(self, shell_id: str, resource: str, engine: Engine) -> None:
        self.id = shell_id
        self.resource = resource
        self.engine = engine
        self.commands: dict[str, Command] = {}
        # A client of PSRP also receives without naming a command: what the runspace pool itself has
        # to say.
        self.output = Output()

    def open_command(
        self, command_id: str | None, command_line: str, options: t.Mapping[str, str]
    ) -> Command:
        """Start `command_line`, at once unless the client said that it will send standard input."""
        process = Process(new_id(command_id), command_line)
        self.commands[process.id] = process
        if options.get("WINRS_CONSOLEMODE_STDIN", "TRUE").upper() == "TRUE":
            process.start(self.engine)
        return process

    def send(self, command_id: str | None, data: bytes, end: bool) -> None:
        """Standard input for a command; with `end` there is no more of it."""
        process = self.command(command_id)
        if isinstance(process, Process):
            process.stdin += data
            if end:
                process.start(self.engine)

    def signal(self, command_id: str | None) -> None:
        """End a command."""
        command = self.command(command_id)
        command.cancelled.set()
        command.output.finish(1)

    def command(self, command_id: str | None) -> Command:
        """The command with this id. Raises Fault where there is none."""
        command = self.commands.get((command_id or "").upper())
        if command is None:
            raise soap.Fault(
                2150858843,
                "w:InvalidSelectors",
                "The shell has no command with the CommandId of the request.",
            )
        return command

    def close(self) -> None:
        """End whatever still runs; WinRM ends the processes of a shell with it."""
        for command in list(self.commands.values()):
            command.cancelled.set()
            command.output.finish(1)
        self.output.finish(0)


def new_id(wished: str | None) -> str:
    """The id that the client chose, else a new one, in the form in which WinRM writes it."""
    return (wished or str(uuid.uuid4())).upper()
