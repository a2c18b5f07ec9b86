# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to look at, from where, and whether this host can reach any mail server at all."""

from __future__ import annotations

import contextlib
import functools
import socket
import threading
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.machine import Machine
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.session import (
    Session,
    Trouble,
    connect,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.together import at_once
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    RangeError,
    parse_address,
)

FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
FAMILY_WORDS = {"ipv4": "IPv4", "ipv6": "IPv6", "any": "IP"}


@dataclass(frozen=True)
class Door:
    """One address and port to look at; `names`: what led to it; `sockaddr`: for connect().

    `address` and `family` are empty for a target that has no address.
    """

    address: str
    port: int
    family: str
    names: tuple[str, ...]
    sockaddr: tuple[t.Any, ...]

    @property
    def peer(self) -> str:
        """Address and port, `192.0.2.25:25` or `[2001:db8::25]:25`; '' without an address."""
        if not self.address:
            return ""
        return (
            f"[{self.address}]:{self.port}"
            if self.family == "ipv6"
            else f"{self.address}:{self.port}"
        )

    @property
    def words(self) -> str:
        """The same for a sentence, with its names."""
        return place(self.address, self.peer, self.names)


def place(address: str | None, peer: str | None, names: t.Iterable[str]) -> str:
    """What was looked at, for a sentence: the peer and the names that led there.

    The names alone where there is no address.
    """
    named = [name for name in names if name != address]
    if not named:
        return peer or ""
    return f"{peer} ({', '.join(named)})" if address else ", ".join(named)


def family_of(address: str) -> str:
    """`ipv4` or `ipv6`. Raises RangeError for what is no address."""
    return f"ipv{parse_address(address).version}"


def _is_address(target: str) -> bool:
    try:
        parse_address(target)
    except RangeError:
        return False
    return True


def _is_other(target: str, family: str) -> bool:
    """Whether a target is an address of another family than is asked for."""
    return family != "any" and _is_address(target) and family_of(target) != family


def _resolve(name: str, port: int, family: int, seconds: float) -> list[tuple[t.Any, ...]]:
    """getaddrinfo() with a limit of its own: a resolver that hangs would hold the task.

    Raises OSError.
    """
    answer: list[list[tuple[t.Any, ...]]] = []
    failure: list[Exception] = []

    def ask() -> None:
        try:
            answer.append(socket.getaddrinfo(name, port, family, socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failure.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise OSError(getattr(failure[0], "strerror", None) or str(failure[0]))
    if not answer:
        raise OSError(f"no answer from the resolver within {seconds:.0f} seconds")
    return answer[0]


def find_doors(
    targets: t.Iterable[str], port: int, family: str, seconds: float
) -> tuple[list[Door], list[tuple[str, str]]]:
    """The addresses behind the targets, each once, in their order; and what led nowhere.

    What led nowhere is pairs of the target and the second half of a sentence about it. `family` is
    any, ipv4 or ipv6.
    """
    names = tuple(dict.fromkeys(targets))
    resolved: dict[str, list[tuple[t.Any, ...]] | OSError] = {}

    def resolve(target: str) -> None:
        try:
            resolved[target] = _resolve(
                target, port, FAMILIES.get(family, socket.AF_UNSPEC), seconds
            )
        except OSError as error:
            resolved[target] = error

    at_once(
        [functools.partial(resolve, target) for target in names if not _is_other(target, family)]
    )
    doors: dict[str, Door] = {}
    without_address: list[tuple[str, str]] = []
    left_out: list[tuple[str, str]] = []
    for target in names:
        if _is_other(target, family):
            left_out.append(
                (target, f"is no {FAMILY_WORDS[family]} address, and only those are asked for")
            )
            continue
        answers = resolved[target]
        if isinstance(answers, OSError):
            without_address.append(
                (
                    target,
                    f"has no {FAMILY_WORDS[family]} address that this host can find ({answers})",
                )
            )
            continue
        for number, _kind, _protocol, _canonical, sockaddr in answers:
            known = [name for name, value in FAMILIES.items() if value == number]
            if not known:
                continue
            address = sockaddr[0]
            names = doors[address].names if address in doors else ()
            doors[address] = Door(
                address, port, known[0], tuple(dict.fromkeys((*names, target))), sockaddr
            )
    # Whoever leaves out a family means it; but a look at nothing must not pass for a look.
    return list(doors.values()), without_address if doors or without_address else left_out


def local_address(door: Door, source: str | None) -> str | None:
    """The address that this host would look from; None where it has no way there. Sends nothing."""
    if source is not None:
        return source if family_of(source) == door.family else None
    try:
        with socket.socket(FAMILIES[door.family], socket.SOCK_DGRAM) as sock:
            # Connecting a UDP socket only asks the routing table.
            sock.connect(door.sockaddr)
            return str(sock.getsockname()[0]).partition("%")[0]
    except OSError:
        return None


def is_local(address: str) -> bool:
    """Whether this host can look from an address."""
    family = FAMILIES[family_of(address)]
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.bind((address, 0))
    except OSError:
        return False
    return True


class Egress:
    """A server elsewhere that is known to answer, asked once a family.

    It shows whether this host reaches any server at all, and whether the one that answers in a
    target's place is the target.
    """

    def __init__(
        self,
        host: str | None,
        port: int,
        source: str | None,
        connect_seconds: float,
        reply_seconds: float,
        helo_name: str | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._source = source
        self._connect_seconds = connect_seconds
        self._reply_seconds = reply_seconds
        self._helo_name = helo_name
        self._shown: dict[tuple[str, str], tuple[Machine, tuple[t.Any, ...]] | None] = {}
        # Several hosts are looked at at once, and this one is asked by one of them after the other.
        self.lock = threading.RLock()
        self.answers: dict[str, bool] = {}
        self.transcript: list[str] = []

    def proven(self, family: str) -> bool | None:
        """Whether it greets over ipv4 or ipv6; None where there is nobody to ask."""
        if self._host is None:
            return None
        with self.lock:
            if family not in self.answers:
                self._shown[family, ""] = self._look(family)
            return self.answers[family]

    def elsewhere(self, door: Door, sender: str = "") -> Machine | None:
        """How it shows itself; None where it does not, or is asked at that very door.

        With a `sender`, what it says to MAIL FROM as well.
        """
        if self.proven(door.family) is None:
            return None
        with self.lock:
            if (door.family, sender) not in self._shown:
                self._shown[door.family, sender] = self._look(door.family, sender)
            machine, sockaddr = self._shown[door.family, sender] or (None, ())
        return None if sockaddr[:2] == door.sockaddr[:2] else machine

    def _look(self, family: str, sender: str = "") -> tuple[Machine, tuple[t.Any, ...]] | None:
        """What answers at the first of its addresses that greets, else at the first that speaks."""
        # A greeting and not only a connection: firewalls exist that take connections for whomever
        # they like.
        self.answers[family] = False
        doors, without_address = find_doors(
            [self._host or ""], self._port, family, self._reply_seconds
        )
        self.transcript += [f"* {target} {what}" for target, what in without_address]
        refusal = None
        for door in doors:
            self.transcript.append(f"* connecting to {door.peer}")
            source = local_address(door, self._source)
            try:
                sock, _seconds = connect(
                    FAMILIES[family], door.sockaddr, source, self._connect_seconds
                )
            except Trouble as trouble:
                self.transcript.append(f"* {trouble}")
                continue
            session = Session(sock, self._reply_seconds, self.transcript)
            try:
                greeting = session.banner()
            except Trouble:
                session.close()
                continue
            self.answers[family] = greeting.code == 220
            if greeting.code != 220:
                session.quit()
                refusal = refusal or (Machine.shown(greeting), door.sockaddr)
                continue
            hello = mail = None
            with contextlib.suppress(Trouble):
                hello = session.command(
                    "EHLO", self._helo_name or literal(str(sock.getsockname()[0]))
                )
                mail = session.command("MAIL", f"FROM:<{sender}>") if sender else None
            session.quit()
            return Machine.shown(greeting, hello, mail), door.sockaddr
        return refusal


def literal(address: str) -> str:
    """The name of a host that has none: its address (RFC 5321, 4.1.3)."""
    bare = address.partition("%")[0]
    return f"[IPv6:{bare}]" if ":" in bare else f"[{bare}]"
