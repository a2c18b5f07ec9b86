# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PowerShell on a lab host: the real agent.ps1 in a real engine with the lab's proxies in front, or
the stand-in in Python.

Either way each run has a seat at the host: it sees the host through it, so that faults meet the run
that they are meant for.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import shutil
import subprocess
import threading
import time
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._codec import (
    BOOTSTRAP_SCRIPT,
    constrained_answer,
    encode_answer,
)
from ansible_collections.mailedge.lockdown.tests.lab import standin
from ansible_collections.mailedge.lockdown.tests.lab.clock import Clock
from ansible_collections.mailedge.lockdown.tests.lab.exchange.bridge import PROXIES, Bridge
from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import (
    ExchangeError,
    unknown_command,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.exchange.parameters import bind
from ansible_collections.mailedge.lockdown.tests.lab.faults import Faults, dead

# cmd.exe, which WinRS starts, takes no longer line (learn.microsoft.com, "Command prompt line
# string limitation").
_LONGEST_LINE = 8191
_ENCODED = re.compile(
    r"\s*\"?(?:[^\s\"]*\\)?(?:powershell|pwsh)(?:\.exe)?\"?(?=\s).*?\s[-/]e(?:nc(?:odedcommand)?|c)?\s+\"?([A-Za-z0-9+/=]+)\"?\s*",
    re.IGNORECASE | re.DOTALL,
)
_KILLED = (1, b"", b"")
_POLL = 0.02


def find_pwsh() -> str | None:
    """The PowerShell of this machine: the variable PWSH, where it is empty none, else what is on
    PATH.
    """
    named = os.environ.get("PWSH")
    return (named or None) if named is not None else shutil.which("pwsh")


@dataclass
class Settings:
    """How a host's PowerShell behaves. `start` is how many seconds one takes to start where the
    stand-in plays it.

    `language_mode` ConstrainedLanguage is a host under application control; `code_page` and
    `locale` (as ``de_DE.UTF-8``) reach the real engine only, and only the one of this project's
    tests knows code pages.
    """

    pwsh: str | None = None
    start: float = 0.0
    language_mode: str = "FullLanguage"
    code_page: str = ""
    locale: str = "C.UTF-8"


class _Sessions:
    """The ways into the Exchange shell, as events."""

    def __init__(self, seat: Seat, sessions: t.Any) -> None:
        self._seat = seat
        self._sessions = sessions

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._sessions, name)

    def open(self, *arguments: t.Any) -> t.Any:
        """Open a remote session."""
        return self._seat.event("shell", lambda: self._sessions.open(*arguments))

    def add_snapin(self, *arguments: t.Any) -> t.Any:
        """Load the snap-in."""
        return self._seat.event("shell", lambda: self._sessions.add_snapin(*arguments))


class Seat:
    """A host as one PowerShell on it sees it: the same, but whatever it does is an event, and
    nothing once it was killed.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._host = machine.host
        self.killed = threading.Event()
        self.sessions = _Sessions(self, machine.host.sessions)

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._host, name)

    def kill(self) -> None:
        """End this PowerShell."""
        self.killed.set()

    def go_down(self, seconds: float) -> None:
        """The network to the host is gone."""
        self._machine.go_down(seconds)

    def change(self, cmdlet: str, parameters: t.Mapping[str, t.Any]) -> None:
        """A colleague does something."""
        self._machine.change(cmdlet, parameters)

    def event(self, name: str, do: t.Callable[[], t.Any]) -> t.Any:
        """Do something, with whatever goes wrong about it."""
        faults = [] if self.killed.is_set() else self._machine.faults.before(name, self)
        # Also what was killed while it hung does nothing more.
        if self.killed.is_set():
            raise dead()
        result = do()
        self._machine.faults.after(name, self, faults)
        return result

    def invoke(
        self, cmdlet: str, parameters: t.Mapping[str, t.Any], *, remote: bool | None = None
    ) -> t.Any:
        """Run a cmdlet of Exchange."""
        return self.event(f"call:{cmdlet}", lambda: self._done(cmdlet, parameters, remote))

    def _done(self, cmdlet: str, parameters: t.Mapping[str, t.Any], remote: bool | None) -> t.Any:
        objects = self._host.invoke(cmdlet, parameters, remote=remote)
        if not cmdlet.casefold().startswith("get-"):
            self._machine.changed()
        return objects


class Machine:
    """What runs on one host. It is the engine behind the host's WinRM, and what host-wide faults
    happen to.

    `network` is called with the seconds that the network is gone for, `changed` when the host's
    connectors may have changed.
    """

    def __init__(self, host: ExchangeHost, faults: Faults, settings: Settings) -> None:
        self.host = host
        self.faults = faults
        self.settings = settings
        self.network: t.Callable[[float], None] = lambda _seconds: None
        self.changed: t.Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._seats: set[Seat] = set()

    def kill(self) -> None:
        """End every PowerShell."""
        with self._lock:
            seats = list(self._seats)
        for seat in seats:
            seat.kill()

    def go_down(self, seconds: float) -> None:
        """The network is gone."""
        self.network(seconds)

    def change(self, cmdlet: str, parameters: t.Mapping[str, t.Any]) -> None:
        """Run a cmdlet as a colleague at the server would: no event, not counted, and nobody asks
        whether he is sure.

        Raises ExchangeError.
        """
        known = self.host.commands().get(cmdlet)
        if known is None:
            raise unknown_command(cmdlet)
        with self.host.directory.lock:
            self.host.cmdlets.run(cmdlet, bind(known, parameters))
        self.changed()

    def run(
        self, text: str, stdin: bytes, is_script: bool, cancelled: threading.Event
    ) -> tuple[int, bytes, bytes]:
        """Run a command line of cmd.exe, or a script in a runspace; give exit code, output, error
        output.
        """
        script = text if is_script else _script_of(text)
        if script is None:
            words = text.split()
            named = words[0] if words else ""
            return (
                1,
                b"",
                f"'{named}' is not recognized as an internal or external command.\r\n".encode(),
            )
        if not is_script and len(text) > _LONGEST_LINE:
            return 1, b"", b"The command line is too long.\r\n"
        self.host.counters["powershell_starts"] += 1
        seat = Seat(self)
        with self._lock:
            self._seats.add(seat)
        try:
            return self._sit(seat, script, stdin, cancelled)
        except ExchangeError:
            # It was killed, and has nothing to say.
            return _KILLED
        finally:
            seat.kill()
            with self._lock:
                self._seats.discard(seat)

    def _sit(
        self, seat: Seat, script: str, stdin: bytes, cancelled: threading.Event
    ) -> tuple[int, bytes, bytes]:
        seat.event("start", lambda: None)

        def ended() -> bool:
            return cancelled.is_set() or seat.killed.is_set()

        run = self._real if self.settings.pwsh else self._played
        answer = run(seat, script, stdin, ended)
        return t.cast("tuple[int, bytes, bytes]", seat.event("end", lambda: answer))

    def _real(
        self, seat: Seat, script: str, stdin: bytes, ended: t.Callable[[], bool]
    ) -> tuple[int, bytes, bytes]:
        """A real engine. The proxies are loaded from their file: both together would not fit on a
        command line.
        """
        prelude = f". '{str(PROXIES).replace(chr(39), chr(39) * 2)}'\n"
        encoded = base64.b64encode((prelude + script).encode("utf-16-le")).decode("ascii")
        command = [
            str(self.settings.pwsh),
            "-NoProfile",
            "-NonInteractive",
            "-EncodedCommand",
            encoded,
        ]
        with Bridge(t.cast("ExchangeHost", seat)) as bridge:
            environment = {
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": str(self.host.folder),
                "LANG": self.settings.locale,
                "PWSH_LANGUAGE": self.settings.language_mode,
                "PWSH_CODEPAGE": self.settings.code_page,
                **self.host.environment,
                **bridge.environment,
            }
            with subprocess.Popen(
                command,
                env={name: value for name, value in environment.items() if value},
                cwd=self.host.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            ) as process:
                said: list[tuple[bytes, bytes]] = []
                # Not communicate() with a timeout, again and again: a second call writes nothing of
                # the input that the first had not written yet, and a request that is larger than
                # the pipe would wait for its rest for ever.
                talk = threading.Thread(
                    target=lambda: said.append(process.communicate(stdin)),
                    name="lab-engine",
                    daemon=True,
                )
                talk.start()
                while talk.is_alive() and not ended():
                    talk.join(_POLL)
                if not ended():
                    return process.returncode, *said[0]
                process.kill()
                talk.join()
                raise dead()

    def _played(
        self, seat: Seat, script: str, stdin: bytes, ended: t.Callable[[], bool]
    ) -> tuple[int, bytes, bytes]:
        """The stand-in, in a thread of its own, because whatever hangs in it cannot be ended from
        outside.
        """
        if BOOTSTRAP_SCRIPT not in script:
            return (
                1,
                b"",
                (
                    b"There is no PowerShell on this machine, so the lab can run nothing but the "
                    b"agent. Set PWSH.\r\n"
                ),
            )
        if self.settings.language_mode != "FullLanguage":
            return 0, encode_answer(constrained_answer()), b""
        answers: list[bytes] = []
        broken: list[Exception] = []

        def play() -> None:
            try:
                time.sleep(self.settings.start)
                answers.append(standin.answer(t.cast("ExchangeHost", seat), stdin))
            except Exception as error:
                broken.append(error)

        thread = threading.Thread(target=play, name="lab-standin", daemon=True)
        thread.start()
        while thread.is_alive() and not ended():
            thread.join(_POLL)
        if ended():
            seat.kill()
            raise dead()
        if broken:
            raise broken[0]
        return 0, answers[0], b""


def _script_of(command_line: str) -> str | None:
    """The script that a command line hands to PowerShell; None for any other."""
    match = _ENCODED.fullmatch(command_line)
    if not match:
        return None
    try:
        return base64.b64decode(match[1], validate=True).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError):
        return None


def run_powershell(
    host: ExchangeHost, text: str, stdin: bytes, pwsh: str | None = None
) -> tuple[int, bytes, bytes]:
    """Run a command line, or a script, on a host without WinRM; give exit code, output and error
    output.
    """
    machine = Machine(host, Faults(Clock()), Settings(pwsh=pwsh))
    return machine.run(text, stdin, _script_of(text) is None, threading.Event())
