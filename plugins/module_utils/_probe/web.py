# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at the web of one address under one name: which paths answer somebody who has not logged
in. HEAD, and GET where HEAD does not tell; nothing else is sent.
"""

from __future__ import annotations

import threading
import time
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import (
    FAMILIES,
    Door,
    find_doors,
    local_address,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.session import (
    Reply,
    Tls,
    Trouble,
    connect,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.smtp import (
    Decision,
    Look,
    no_stranger,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.verdict import (
    INCONCLUSIVE,
    OPEN,
    STAGE_WORDS,
    Judgement,
    judge_trouble,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.web_session import (
    Answer,
    WebSession,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.web_table import (
    REFUSED,
    beside,
    build_of,
    judge_answer,
    judge_dropped,
    shows_exchange,
    target_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    RangeSet,
    parse_address,
)

HTTPS = "https"
_SERVER = "web server"
# Where the page tells whose answer it is, or HEAD itself is what is refused.
_ASK_AGAIN = frozenset({200, 403, 405, 501, 503})
# A rule of IIS that drops requests (AbortRequest) drops each; a fault, hardly two new connections.
_DROPS_OF_A_RULE = 2
# After so many connections that failed, the rest of the paths would fail alike.
_MOST_FAILURES = 3


@dataclass(frozen=True)
class WebQuestion:
    """The paths that are asked for, each with what it must be (None: what the look expects).

    Seconds are for one connection, and for one answer.
    """

    paths: t.Mapping[str, str | None]
    source: str | None = None
    connect_seconds: float = 20.0
    reply_seconds: float = 40.0
    allowed: RangeSet = field(default_factory=RangeSet)
    own_networks: RangeSet = field(default_factory=RangeSet)
    reached_before: RangeSet = field(default_factory=RangeSet)

    def names(self) -> tuple[str, ...]:
        """What is asked: the paths."""
        return tuple(self.paths)


def opened(
    door: Door, source: str | None, connect_seconds: float, seconds: float, transcript: list[str]
) -> tuple[WebSession, float, str]:
    """A connection: the session, how long it took, from which address. Raises Trouble."""
    transcript.append(f"* connecting to {door.peer}" + (f" from {source}" if source else ""))
    try:
        sock, took = connect(FAMILIES[door.family], door.sockaddr, source, connect_seconds)
    except Trouble as trouble:
        transcript.append(f"* {trouble}")
        raise
    transcript.append(f"* connected after {took:.3f} seconds")
    mine = str(sock.getsockname()[0]).partition("%")[0]
    return WebSession(sock, host_of(door), seconds, transcript), took, mine


def host_of(door: Door) -> str:
    """The name that is asked for at a door: that which led there, else its address."""
    named = [name for name in door.names if name != door.address]
    if named:
        return named[0].rstrip(".")
    return f"[{door.address}]" if door.family == "ipv6" else door.address


class _Visit:
    """The look while it is going on."""

    def __init__(self, door: Door, question: WebQuestion, egress: WebEgress) -> None:
        self.look = Look(door, protocol=HTTPS, expects=question.paths)
        self._question = question
        self._egress = egress
        self._session: WebSession | None = None
        self._failures = 0

    def all_paths(self) -> Look:
        """Ask for everything."""
        look, question = self.look, self._question
        look.source = local_address(look.door, question.source)
        refusal = no_stranger(look, question)
        if refusal is not None:
            look.decisions = dict.fromkeys(question.paths, refusal)
            return look
        last: Decision | None = None
        for path in question.paths:
            if last is not None and self._failures >= _MOST_FAILURES:
                look.decisions[path] = last
                continue
            decision = self._decision(path)
            look.decisions[path] = decision
            if decision.stage == "connect" and not look.reachable:
                look.decisions = dict.fromkeys(question.paths, decision)
                break
            if decision.stage in ("connect", "tls"):
                self._failures, last = self._failures + 1, decision
        if self._session is not None:
            self._session.close()
        self._settle()
        self._compare()
        return look

    def _decision(self, path: str) -> Decision:
        dropped = 0
        while True:
            # A server may let an idle connection go at any time (RFC 9112, 9.3.1).
            used = self._session is not None and self._session.open
            try:
                answer = self._ask(target_of(path))
            except Trouble as trouble:
                stage = self._session.stage if self._session is not None else "connect"
                if trouble.kind == "closed" and stage in ("request", "headers"):
                    dropped += 0 if used else 1
                    if dropped < _DROPS_OF_A_RULE:
                        continue
                return self._of_trouble(stage, trouble)
            reply = Reply(answer.status, None, answer.reason, (answer.reason,), answer.seconds)
            judgement = judge_answer(answer, host_of(self.look.door).strip("[]"))
            self._seen(answer)
            return Decision(
                "answer", judgement, f"The answer was: {answer.words()}", reply, answer.seconds
            )

    def _ask(self, target: str) -> Answer:
        answer = self._session_now().ask("HEAD", target)
        if answer.status in _ASK_AGAIN and not shows_exchange(answer):
            return self._session_now().ask("GET", target)
        return answer

    def _session_now(self) -> WebSession:
        """The connection there is, or a new one. Raises Trouble."""
        if self._session is not None and self._session.open:
            return self._session
        self._session = None
        look, question = self.look, self._question
        session, took, look.source = opened(
            look.door,
            question.source,
            question.connect_seconds,
            question.reply_seconds,
            look.transcript,
        )
        look.reachable = True
        look.connect_seconds = round(took, 3)
        self._session = session
        tls = session.secure(host_of(look.door).strip("[]"))
        look.tls = look.tls or tls
        return session

    def _of_trouble(self, stage: str, trouble: Trouble) -> Decision:
        look = self.look
        if stage == "tls":
            look.tls_error = str(trouble)
        if trouble.kind == "closed" and stage in ("request", "headers"):
            judgement = judge_dropped()
        elif stage == "connect" and look.reachable:
            judgement = Judgement(
                INCONCLUSIVE,
                "second_connection",
                "A connection just before was taken, so this is a limit on connections rather than "
                "a lock.",
            )
        else:
            egress = None
            if stage == "connect":
                egress = self._egress.proven(look.door.family)
            before = bool(look.door.address) and (
                parse_address(look.door.address) in self._question.reached_before
            )
            judgement = judge_trouble(stage, trouble, egress, before, _SERVER)
        where = "" if stage in ("connect", "tls") else f"At {STAGE_WORDS[stage]} "
        said = f"{where}it {trouble}."
        return Decision(stage, judgement, said[0].upper() + said[1:], None, trouble.seconds)

    def _seen(self, answer: Answer) -> None:
        """What it gives away."""
        look = self.look
        look.web["build"] = look.web.get("build") or build_of(answer)
        for name, header in (("server", "server"), ("front_end", "x-feserver")):
            look.web[name] = look.web.get(name) or answer.header(header) or None

    def _settle(self) -> None:
        """A refusal is the path's where another path of the same server answers this host."""
        decisions = self.look.decisions
        shown = [path for path, decided in decisions.items() if decided.judgement.verdict == OPEN]
        for path, decision in decisions.items():
            if shown and decision.judgement.reason == REFUSED:
                judgement = beside(decision.judgement, shown[0])
                decisions[path] = replace(decision, judgement=judgement)

    def _compare(self) -> None:
        """Hold what answered against the control host, wherever something was made of an answer."""
        look = self.look
        if look.tls is None or look.tls.certificate is None:
            return
        judgements = [decision.judgement for decision in look.decisions.values()]
        if all(
            decided.verdict == INCONCLUSIVE and not decided.needs_control for decided in judgements
        ):
            return
        elsewhere = self._egress.elsewhere(look.door)
        if elsewhere is None or elsewhere.certificate is None:
            return
        look.compared = elsewhere.certificate.sha256 != look.tls.certificate.sha256
        if look.compared:
            return
        judgement = Judgement(
            INCONCLUSIVE,
            "interceptor",
            "It and control_host show the same certificate. Something on the way answers for both "
            "(a proxy that opens TLS, a network that asks for a login), or control_host is not a "
            "server elsewhere.",
        )
        for path, decision in look.decisions.items():
            look.decisions[path] = replace(decision, judgement=judgement)


def look_at_web(door: Door, question: WebQuestion, egress: WebEgress) -> Look:
    """Look at one address. Never fails for anything that the other side does."""
    begin = time.monotonic()
    look = _Visit(door, question, egress).all_paths()
    look.transcript.append(f"* finished after {time.monotonic() - begin:.3f} seconds")
    return look


class WebEgress:
    """A web server elsewhere that is known to answer, asked once a family."""

    def __init__(
        self,
        host: str | None,
        port: int,
        source: str | None,
        connect_seconds: float,
        reply_seconds: float,
    ) -> None:
        self._host, self._port, self._source = host, port, source
        self._connect_seconds, self._reply_seconds = connect_seconds, reply_seconds
        self._shown: dict[str, tuple[Tls | None, tuple[t.Any, ...]]] = {}
        self.lock = threading.RLock()
        self.answers: dict[str, bool] = {}
        self.transcript: list[str] = []

    def proven(self, family: str) -> bool | None:
        """Whether it answers over ipv4 or ipv6; None where there is nobody to ask."""
        if self._host is None:
            return None
        with self.lock:
            if family not in self.answers:
                self.answers[family] = False
                self._shown[family] = self._look(family)
            return self.answers[family]

    def elsewhere(self, door: Door) -> Tls | None:
        """What it shows; None where it does not, or is asked at that very door."""
        if not self.proven(door.family):
            return None
        tls, sockaddr = self._shown[door.family]
        return None if sockaddr[:2] == door.sockaddr[:2] else tls

    def _look(self, family: str) -> tuple[Tls | None, tuple[t.Any, ...]]:
        doors, unresolved = find_doors([self._host or ""], self._port, family, self._reply_seconds)
        self.transcript += [f"* {target} {what}" for target, what in unresolved]
        for door in doors:
            source = local_address(door, self._source)
            try:
                session, _took, _mine = opened(
                    door, source, self._connect_seconds, self._reply_seconds, self.transcript
                )
                tls = session.secure(host_of(door).strip("[]"))
                session.ask("HEAD", "/")
            except Trouble:
                continue
            session.close()
            self.answers[family] = True
            return tls, door.sockaddr
        return None, ()
