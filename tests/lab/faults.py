# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Things that go wrong on purpose on one host: what, at which event, at which moment of it.

Events are ``call:NAME`` (a cmdlet, with wildcards, as ``call:Set-*``), ``call:write`` and
``call:read`` for all cmdlets that do and do not change something, ``shell`` (the Exchange shell is
opened), ``start`` and ``end`` (a PowerShell is started; has said all it has to say, which nobody
has heard yet), and ``http:NAME`` (an operation of WS-Management: Create, Command, Send, Receive,
Signal, Delete).
"""

from __future__ import annotations

import dataclasses
import fnmatch
import itertools
import threading
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.tests.lab.clock import Clock
from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import (
    ExchangeError,
    task_error,
)
from ansible_collections.mailedge.lockdown.tests.lab.wsman import soap
from ansible_collections.mailedge.lockdown.tests.lab.wsman.server import Cut, Hooks

KINDS: t.Mapping[str, str] = {
    "cut": "the network to the host is gone for some seconds; what runs on it goes on",
    "die": "the PowerShell that runs on the host is killed",
    "crash": "both at once, as in a power failure",
    "hang": "nothing happens for some seconds",
    "winrm": "WinRM answers with a fault (http events only)",
    "error": "the cmdlet fails with an error of the given class (call events only)",
    "change": "a colleague runs a cmdlet",
    "refuse_login": "right credentials are refused until the fault is cleared",
}
"""What can go wrong."""

MOMENTS = ("before", "during", "after")


@dataclass
class Fault:
    """One thing that goes wrong.

    `moment`: before the event takes effect; during it, when it took effect and nobody was told; or
    after it, when whoever asked was told, before the next event. `nth`: at which of the matching
    events for the first time, `times`: how often (0: for ever). `seconds`: how long a hang or an
    outage lasts. `cmdlet` and `parameters`: what a colleague runs. `error`: the class of an error.
    """

    kind: str
    at: str = "call:*"
    moment: str = "before"
    nth: int = 1
    times: int = 1
    seconds: float = 3.0
    cmdlet: str = ""
    parameters: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    error: str = "ADTransientException"
    message: str = "This error was made by the lab."
    id: int = 0
    seen: int = 0
    fired: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(
                f"There is no fault '{self.kind}'. Those that there are: {', '.join(KINDS)}."
            )
        if self.moment not in MOMENTS:
            raise ValueError(
                f"There is no moment '{self.moment}'. Those that there are: {', '.join(MOMENTS)}."
            )
        realm = self.at.partition(":")[0]
        if realm not in ("call", "http", "shell", "start", "end"):
            raise ValueError(f"There is no event '{self.at}'.")
        if self.nth < 1 or self.times < 0:
            raise ValueError(
                "A fault happens at the first event or a later one, and not less than never."
            )
        if (self.kind == "winrm" and realm != "http") or (self.kind == "error" and realm != "call"):
            raise ValueError(f"The fault '{self.kind}' cannot happen at the event '{self.at}'.")
        if self.kind == "change" and not self.cmdlet:
            raise ValueError("The fault 'change' needs to know the cmdlet that the colleague runs.")

    def matches(self, event: str) -> bool:
        """Whether this event is one that the fault waits for."""
        if self.kind == "refuse_login":
            return False
        if self.at in ("call:write", "call:read"):
            is_read = event.startswith("call:Get-")
            return event.startswith("call:") and is_read == (self.at == "call:read")
        return fnmatch.fnmatchcase(event.casefold(), self.at.casefold())

    @property
    def exhausted(self) -> bool:
        """Whether it has happened as often as it was to."""
        return bool(self.times) and self.fired >= self.times


class Victim(t.Protocol):
    """What a fault can do to a host."""

    def kill(self) -> None:
        """End the PowerShell that the event belongs to, or all of them where it belongs to none."""

    def go_down(self, seconds: float) -> None:
        """Reset all connections and take no new ones for so long."""

    def change(self, cmdlet: str, parameters: t.Mapping[str, t.Any]) -> None:
        """Do what a colleague does, without events of its own."""


def _is_http(event: str) -> bool:
    return event.startswith("http:")


def dead() -> ExchangeError:
    """Raised into what goes on in a PowerShell that was killed; nobody hears of it."""
    return task_error("PipelineStoppedException", "This PowerShell was killed.", "OperationStopped")


class Faults:
    """The faults of one host. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._faults: list[Fault] = []
        # Those whose moment is after an event that is over; they happen before the next one of
        # WinRM, or of PowerShell.
        self._late: dict[bool, list[Fault]] = {True: [], False: []}
        self._released = threading.Condition()
        self._generation = 0

    def add(self, **about: t.Any) -> int:
        """Set a fault; give its number. Keywords are those of Fault. Raises ValueError,
        TypeError.
        """
        fault = Fault(**{**about, "id": next(self._numbers), "seen": 0, "fired": 0})
        with self._lock:
            self._faults.append(fault)
        return fault.id

    def clear(self) -> None:
        """Forget all faults; what hangs goes on."""
        with self._lock:
            self._faults.clear()
            self._late = {True: [], False: []}
        with self._released:
            self._generation += 1
            self._released.notify_all()

    def plain(self) -> list[dict[str, t.Any]]:
        """The faults that were set, as data, with how often each happened."""
        with self._lock:
            return [dataclasses.asdict(fault) for fault in self._faults]

    def login_allowed(self) -> bool:
        """Whether right credentials count."""
        with self._lock:
            for fault in self._faults:
                if fault.kind == "refuse_login" and not (
                    fault.times and fault.fired >= fault.times
                ):
                    fault.fired += 1
                    return False
        return True

    def before(self, event: str, victim: Victim) -> list[Fault]:
        """What goes wrong before `event`; gives the faults to hand to `after`. Raises what the
        fault is.
        """
        with self._lock:
            late, self._late[_is_http(event)] = self._late[_is_http(event)], []
            matching = []
            for fault in self._faults:
                if fault.matches(event):
                    fault.seen += 1
                    if fault.seen >= fault.nth and not fault.exhausted:
                        fault.fired += 1
                        matching.append(fault)
        for fault in [*late, *(early for early in matching if early.moment == "before")]:
            self._happen(fault, event, victim)
        return [fault for fault in matching if fault.moment != "before"]

    def after(self, event: str, victim: Victim, faults: t.Sequence[Fault]) -> None:
        """What goes wrong when `event` has taken effect. Raises what the fault is."""
        with self._lock:
            self._late[_is_http(event)] += [fault for fault in faults if fault.moment == "after"]
        for fault in faults:
            if fault.moment == "during":
                self._happen(fault, event, victim)

    def _happen(self, fault: Fault, event: str, victim: Victim) -> None:
        if fault.kind in ("cut", "crash"):
            victim.go_down(fault.seconds)
        if fault.kind in ("die", "crash"):
            victim.kill()
        if fault.kind in ("cut", "crash") and _is_http(event):
            raise Cut(half=fault.moment == "during")
        if fault.kind in ("die", "crash") and not _is_http(event):
            raise dead()
        if fault.kind == "hang":
            self._wait(fault.seconds)
        elif fault.kind == "change":
            victim.change(fault.cmdlet, fault.parameters)
        elif fault.kind == "winrm" and _is_http(event):
            # 0x80338126: cannot complete the operation.
            raise soap.Fault(2150858790, "w:InternalError", fault.message)
        elif fault.kind == "error" and event.startswith("call:"):
            error = task_error(fault.error, fault.message, "InvalidOperation")
            # As the host prints it: the cmdlet's name stands behind the id.
            error.fully_qualified_error_id += f",{event.partition(':')[2]}"
            raise error

    def _wait(self, seconds: float) -> None:
        end = self.clock.monotonic() + seconds
        with self._released:
            generation = self._generation
            while (
                self._generation == generation and (remaining := end - self.clock.monotonic()) > 0
            ):
                # In short steps, so that a clock that is moved on is noticed.
                self._released.wait(min(remaining, 0.2))


class HttpEvents(Hooks):
    """A listener's operations as events."""

    def __init__(self, faults: Faults, victim: Victim, count: t.Callable[[], None]) -> None:
        self._faults = faults
        self._victim = victim
        self._count = count
        # A request is served by one thread from its beginning to its end.
        self._pending = threading.local()

    def login_allowed(self) -> bool:
        """Whether right credentials count as right."""
        return self._faults.login_allowed()

    def before(self, operation: str) -> None:
        """A request came."""
        self._count()
        self._pending.faults = []
        self._pending.faults = self._faults.before(f"http:{operation}", self._victim)

    def after(self, operation: str) -> None:
        """It was done, and its reply is not sent yet."""
        self._faults.after(f"http:{operation}", self._victim, self._pending.faults)
