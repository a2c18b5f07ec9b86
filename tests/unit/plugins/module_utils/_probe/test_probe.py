# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe against servers on loopback that answer as Exchange and Exchange Online do: what it says, and what it makes of it."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import pathlib
import socket
import time
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe import verdict
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import Door, Egress, find_doors
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import (
    address_result,
    cautions,
    unexpected,
    whole_result,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.session import Reply
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.smtp import Look, Question, look_at
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.tests.support.smtp_server import (
    Answer,
    Street,
    certificate,
    hang_up,
    stay_silent,
)

SENDER, RECIPIENT = "probe@watchtower.example", "postmaster@hafen.example"
RELAY, OWN = "probe@elsewhere.example", "office@hafen.example"
# Replies come at once here; only who waits for silence is in a hurry.
QUESTION = Question(SENDER, RECIPIENT, RELAY, OWN, connect_seconds=0.5, reply_seconds=10.0)
NO_CONTROL = Egress(None, 25, None, 0.5, 0.5)

NOT_ANONYMOUS = "530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM"
TO_RELAY, FROM_OWN = f"RCPT TO:<{RELAY}>", f"MAIL FROM:<{OWN}>"


@pytest.fixture
def street() -> t.Iterator[Street]:
    made = Street()
    yield made
    made.close()


def door(port: int, address: str = "127.0.0.1") -> Door:
    doors, lost = find_doors([address], port, "any", 1.0)
    assert not lost
    return doors[0]


def look(street: Street, answers: t.Mapping[str, Answer], question: Question = QUESTION, **others: t.Any) -> Look:
    return look_at(door(street.server(answers, **others).port), question, NO_CONTROL)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


# Every answer of the table: what the server says, then the verdicts of delivery, relay and spoofing, and the reason of the first.
LOCKED: dict[str, Answer] = {
    "RCPT": "550 5.7.51 TenantInboundAttribution; There is a partner connector configured that matched the message's recipient "
    "domain. The connector had either the RestrictDomainsToIPAddresses or RestrictDomainsToCertificate set"
}
UNKNOWN, SHUT, AJAR = (("inconclusive",) * 3, ("closed",) * 3, ("open",) * 3)
ANSWERS: dict[str, tuple[dict[str, Answer], tuple[str, str, str], str]] = {
    "everything is taken": ({}, AJAR, "accepted"),
    "a recipient is forwarded": ({"RCPT": "251 2.1.5 will forward"}, AJAR, "accepted"),
    "no connector, or none for the moment": ({"banner": "421 4.3.2 Service not available"}, UNKNOWN, "no_connector"),
    "transport not active": ({"banner": "421 4.3.2 Service not active"}, UNKNOWN, "inactive"),
    "too many connections": (
        {"banner": "421 4.3.2 The maximum number of concurrent connections has exceeded a limit"},
        UNKNOWN,
        "try_later",
    ),
    "no SMTP service here": ({"banner": "554 5.3.2 No SMTP service here"}, UNKNOWN, "refused"),
    "anonymous is off": ({"MAIL": NOT_ANONYMOUS}, SHUT, "anonymous_refused"),
    "anonymous is off, in the documented code": (
        {"MAIL": "550 5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM"},
        SHUT,
        "anonymous_refused",
    ),
    "anonymous is off, 2010": (
        {"MAIL": "530 5.7.1 Client was not authenticated"},
        SHUT,
        "anonymous_refused",
    ),
    "only with TLS, Exchange": ({"MAIL": "451 5.7.3 Must issue a STARTTLS command first"}, UNKNOWN, "tls_required"),
    "only with TLS": ({"MAIL": "530 5.7.0 Must issue a STARTTLS command first"}, UNKNOWN, "tls_required"),
    "partner connector": (LOCKED, SHUT, "partner_connector"),
    "partner connector, other text": (
        {"RCPT": "550 5.7.51 TenantInboundAttribution; Rejecting"},
        SHUT,
        "partner_connector",
    ),
    "direct send is rejected": (
        {
            FROM_OWN: "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources"
        },
        ("open", "open", "closed"),
        "accepted",
    ),
    "direct send is rejected for everybody": (
        {
            "MAIL": "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this organization from unauthorized sources"
        },
        ("inconclusive", "inconclusive", "closed"),
        "sender_is_own",
    ),
    "relay refused online": (
        {TO_RELAY: "550 5.7.64 TenantAttribution; Relay Access Denied SMTP"},
        ("open", "closed", "open"),
        "accepted",
    ),
    "relay refused, 2013": ({TO_RELAY: "550 5.7.54 SMTP; Unable to relay"}, ("open", "closed", "open"), "accepted"),
    "relay refused, 2010": ({TO_RELAY: "550 5.7.1 Unable to relay"}, ("open", "closed", "open"), "accepted"),
    "the recipient is foreign": (
        {"RCPT": "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain"},
        ("inconclusive", "closed", "inconclusive"),
        "domain_not_accepted",
    ),
    "the recipient is unknown online": (
        {"RCPT": "550 5.4.1 Recipient address rejected: Access denied"},
        UNKNOWN,
        "recipient_unknown",
    ),
    "the recipient is unknown": ({"RCPT": "550 5.1.1 User unknown"}, UNKNOWN, "recipient_unknown"),
    "own senders are protected": (
        {FROM_OWN: "550 5.7.60 SMTP; Client does not have permissions to send as this sender"},
        ("open", "open", "closed"),
        "accepted",
    ),
    "throttled": ({"RCPT": "451 4.7.500 Server busy. AS761"}, UNKNOWN, "try_later"),
    "greylisted": ({"RCPT": "450 4.2.0 Greylisted"}, UNKNOWN, "try_later"),
    "TLS comes later": ({"MAIL": "454 4.7.0 not now"}, UNKNOWN, "try_later"),
    "banned": ({"RCPT": "550 5.7.511 Access denied, banned sender[127.0.0.1]"}, UNKNOWN, "listed"),
    "customer block list": ({"RCPT": "550 5.7.513 Service unavailable"}, UNKNOWN, "listed"),
    "listed by number": ({"RCPT": "550 5.7.606 Access denied"}, UNKNOWN, "listed"),
    "listed by text": ({"banner": "554 5.7.1 Blocked using a DNSBL"}, UNKNOWN, "listed"),
    "no IPv6": ({"RCPT": "550 5.7.510 Access denied over IPv6"}, UNKNOWN, "no_ipv6"),
    "reserved top-level domain": ({"RCPT": "550 5.1.4 Recipient refused"}, UNKNOWN, "reserved_domain"),
    "reserved domain": ({"RCPT": "550 5.1.5 Recipient refused"}, UNKNOWN, "reserved_domain"),
    "refused for no known reason": ({"RCPT": "550 5.7.1 Access denied"}, UNKNOWN, "refused"),
    "asked for the message": ({"RCPT": "354 go on"}, UNKNOWN, "unexpected"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_of_the_table_has_its_verdict(street: Street, name: str) -> None:
    answers, verdicts, reason = ANSWERS[name]
    found = look(street, answers)
    assert tuple(found.verdict_of(case) for case in verdict.CASES) == verdicts
    assert found.decisions["delivery"].judgement.reason == reason
    said = next(iter(answers.values()), "250 2.1.5 Recipient OK")
    assert isinstance(said, str)
    assert any(said in sentence for sentence in address_result(found)["sentences"])
    assert f"S: {said}" in found.transcript


def test_the_whole_sequence_is_this_and_nothing_else(street: Street) -> None:
    server = street.server()
    look_at(door(server.port), QUESTION, NO_CONTROL)
    assert server.connections == 1
    assert server.commands == [
        "EHLO [127.0.0.1]",
        f"MAIL FROM:<{SENDER}>",
        f"RCPT TO:<{RECIPIENT}>",
        "RSET",
        f"MAIL FROM:<{SENDER}>",
        f"RCPT TO:<{RELAY}>",
        "RSET",
        f"MAIL FROM:<{OWN}>",
        f"RCPT TO:<{RECIPIENT}>",
        "RSET",
        "QUIT",
    ]


def test_relay_and_spoofing_are_asked_only_on_request(street: Street) -> None:
    server = street.server({"MAIL": NOT_ANONYMOUS})
    found = look_at(
        door(server.port), dataclasses.replace(QUESTION, relay_recipient=None, own_domain_sender=None), NO_CONTROL
    )
    assert server.verbs == ["EHLO", "MAIL", "RSET", "QUIT"]
    assert (found.verdict, found.verdict_of("relay"), found.verdict_of("spoof")) == ("closed", None, None)
    result = whole_result([found], NO_CONTROL)
    assert (result["verdict"], result["relay"], result["addresses"][0]["cases"]["spoof"]) == ("closed", None, None)


def test_an_open_relay_is_open_even_where_delivery_is_not(street: Street) -> None:
    found = look(street, {f"RCPT TO:<{RECIPIENT}>": LOCKED["RCPT"]})
    assert (found.verdict_of("delivery"), found.verdict_of("relay"), found.verdict) == ("closed", "open", "open")
    assert any("open relay" in caution for caution in cautions([found]))


def test_ipv6_is_asked_like_ipv4(street: Street) -> None:
    server = street.server(address="::1")
    found = look_at(door(server.port, "::1"), QUESTION, NO_CONTROL)
    assert server.commands[0] == "EHLO [IPv6:::1]"
    result = address_result(found)
    assert (result["family"], result["peer"], result["verdict"]) == ("ipv6", f"[::1]:{server.port}", "open")
    assert (result["source"], result["seen_as"]) == ("::1", "::1")


def test_each_address_of_a_name_has_its_own_verdict(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    four = street.server({"MAIL": NOT_ANONYMOUS})
    street.server(address="::1", port=four.port)
    real = socket.getaddrinfo

    def both(host: str, *others: t.Any) -> t.Any:
        return real("127.0.0.1", *others) + real("::1", *others) if host.endswith(".example") else real(host, *others)

    monkeypatch.setattr(socket, "getaddrinfo", both)
    doors, lost = find_doors(["mail.hafen.example", "owa.hafen.example", "127.0.0.1"], four.port, "any", 1.0)
    assert lost == []
    looks = [look_at(one, QUESTION, NO_CONTROL) for one in doors]
    result = whole_result(looks, NO_CONTROL)
    assert [(one["address"], one["delivery"]) for one in result["addresses"]] == [
        ("127.0.0.1", "closed"),
        ("::1", "open"),
    ]
    assert result["addresses"][0]["targets"] == ["mail.hafen.example", "owa.hafen.example", "127.0.0.1"]
    assert (result["verdict"], result["reachable_addresses"]) == ("open", ["127.0.0.1", "::1"])
    sentence = unexpected(result, "closed")
    assert sentence is not None
    assert f"[::1]:{four.port}" in sentence


class TestConnection:
    """What comes to nothing is closed only where this host is known to get out."""

    @staticmethod
    def control(
        street: Street,
        answers: t.Mapping[str, Answer] | None = None,
        address: str = "127.0.0.1",
        seconds: float = 10.0,
    ) -> Egress:
        return Egress(address, street.server(answers, address=address).port, None, 0.5, seconds)

    def test_a_refused_connection_is_closed_if_another_server_greets(self, street: Street) -> None:
        egress = self.control(street)
        found = look_at(door(free_port()), QUESTION, egress)
        assert (found.verdict, found.decisions["relay"].judgement.reason) == ("closed", "no_connection")
        assert whole_result([found], egress)["needs_positive_control"] is True
        assert whole_result([found], egress)["control"] == {"ipv4": True, "ipv6": None}
        assert street.servers[0].verbs == ["EHLO", "QUIT"]

    def test_without_another_server_it_is_inconclusive(self) -> None:
        found = look_at(door(free_port()), QUESTION, NO_CONTROL)
        assert (found.verdict, found.decisions["delivery"].judgement.reason) == ("inconclusive", "egress_unproven")
        assert "control_host" in address_result(found)["sentences"][0]
        assert address_result(found)["reachable"] is False

    @pytest.mark.parametrize("silence", [hang_up, stay_silent, b"HTTP/1.1 400 Bad Request\r\n"])
    def test_another_server_that_does_not_greet_proves_nothing(self, street: Street, silence: Answer) -> None:
        egress = self.control(street, {"banner": silence}, seconds=0.5)
        found = look_at(door(free_port()), QUESTION, egress)
        assert found.verdict == "inconclusive"
        assert "either" in address_result(found)["sentences"][0]

    def test_ipv4_proves_nothing_for_ipv6(self, street: Street) -> None:
        egress = self.control(street)
        assert look_at(door(free_port(), "::1"), QUESTION, egress).verdict == "inconclusive"
        assert look_at(door(free_port(), "::1"), QUESTION, self.control(street, address="::1")).verdict == "closed"

    def test_silence_is_closed_if_another_server_greets(self, street: Street) -> None:
        with socket.socket() as listener, contextlib.ExitStack() as stack:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            # Linux drops what comes when the queue is full, as a firewall does.
            for _number in range(3):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            port = listener.getsockname()[1]
            found = look_at(door(port), QUESTION, self.control(street))
            assert (found.verdict, found.decisions["delivery"].stage) == ("closed", "connect")
            assert found.decisions["delivery"].seconds >= 0.4
            assert look_at(door(port), QUESTION, NO_CONTROL).verdict == "inconclusive"

    @pytest.mark.parametrize(
        ("number", "expected"),
        [
            (errno.EHOSTUNREACH, "closed"),
            (errno.ETIMEDOUT, "closed"),
            (errno.ENETUNREACH, "inconclusive"),
            (errno.EPERM, "inconclusive"),
        ],
    )
    def test_what_this_host_could_not_try_is_never_closed(
        self, street: Street, monkeypatch: pytest.MonkeyPatch, number: int, expected: str
    ) -> None:
        egress = self.control(street)
        assert egress.proven("ipv4") is True

        class Unreachable(socket.socket):
            def connect(self, address: t.Any) -> None:
                raise OSError(number, "said so")

        target = door(free_port())
        monkeypatch.setattr(socket, "socket", Unreachable)
        assert look_at(target, QUESTION, egress).verdict == expected

    @pytest.mark.parametrize("listening", [True, False])
    def test_a_second_connection_that_is_not_taken_is_no_lock(self, street: Street, listening: bool) -> None:
        server = street.server()

        def vanish(sock: socket.socket) -> None:
            server.answers["banner"] = "421 4.3.2 Service not available"
            if not listening:
                server.leave()
            sock.sendall(b"550 5.7.51 TenantInboundAttribution; Rejecting\r\n")
            hang_up(sock)

        server.answers["RCPT"] = vanish
        found = look_at(door(server.port), QUESTION, NO_CONTROL)
        assert (found.verdict_of("delivery"), found.verdict_of("relay")) == ("closed", "inconclusive")
        assert found.decisions["relay"].judgement.reason == "second_connection"
        assert found.verdict == "inconclusive"

    def test_a_server_that_hangs_up_after_each_refusal_is_asked_everything(self, street: Street) -> None:
        def refuse(sock: socket.socket) -> None:
            sock.sendall(NOT_ANONYMOUS.encode() + b"\r\n")
            hang_up(sock)

        server = street.server({"MAIL": refuse})
        found = look_at(door(server.port), QUESTION, NO_CONTROL)
        assert [found.verdict_of(case) for case in verdict.CASES] == ["closed"] * 3
        assert server.connections == 3


class TestSource:
    """A look from an allowed address says nothing about strangers."""

    def test_the_own_address_is_checked_before_anything_is_sent(self, street: Street) -> None:
        server = street.server()
        found = look_at(
            door(server.port), dataclasses.replace(QUESTION, allowed=RangeSet.parse(["127.0.0.0/8"])), NO_CONTROL
        )
        assert (found.verdict, server.connections, found.source_allowed) == ("inconclusive", 0, True)
        assert "127.0.0.1, which is in allowed_ranges" in cautions([found])[0]

    def test_the_address_that_the_server_sees_is_checked_too(self, street: Street) -> None:
        answers = {"EHLO": "250-EX1.hafen.example Hello [198.51.100.9]\r\n250 SIZE"}
        question = dataclasses.replace(QUESTION, allowed=RangeSet.parse(["198.51.100.0/24"]))
        found = look(street, answers, question)
        assert (found.verdict, found.seen_as, found.source_allowed) == ("inconclusive", "198.51.100.9", True)
        assert look(street, answers).verdict == "open"

    def test_it_looks_from_the_address_that_is_named(self, street: Street) -> None:
        found = look(street, {}, dataclasses.replace(QUESTION, source="127.0.2.1"))
        assert (found.source, found.seen_as, found.verdict) == ("127.0.2.1", "127.0.2.1", "open")

    def test_an_address_of_the_other_family_cannot_look(self, street: Street) -> None:
        server = street.server(address="::1")
        found = look_at(door(server.port, "::1"), dataclasses.replace(QUESTION, source="127.0.2.1"), NO_CONTROL)
        assert (found.verdict, server.connections) == ("inconclusive", 0)
        assert found.decisions["delivery"].judgement.reason == "no_source_address"

    @pytest.mark.parametrize(
        ("address", "seen_as", "hidden"),
        [("203.0.113.25", "10.0.0.1", True), ("203.0.113.25", "192.0.2.7", False), ("10.0.0.25", "10.0.0.1", False)],
    )
    def test_a_hidden_sender_is_named(self, address: str, seen_as: str, hidden: bool) -> None:
        found = Look(Door(address, 25, "ipv4", (address,), (address, 25)), seen_as=seen_as)
        found.decisions["delivery"] = look_at(door(free_port()), QUESTION, NO_CONTROL).decisions["delivery"]
        assert found.address_hidden is hidden
        assert any("load balancer" in caution for caution in cautions([found])) is hidden


class TestTls:
    """STARTTLS if it is there, and what the server shows."""

    OFFERED: t.ClassVar[dict[str, Answer]] = {
        "EHLO": "250-EX1.hafen.example Hello [{peer}]\r\n250-STARTTLS\r\n250 SIZE"
    }

    def test_the_conversation_goes_on_encrypted_and_the_certificate_is_shown(
        self, street: Street, tmp_path: pathlib.Path
    ) -> None:
        server = street.server({**self.OFFERED, "MAIL": NOT_ANONYMOUS}, tls=certificate(tmp_path))
        found = look_at(door(server.port), QUESTION, NO_CONTROL)
        assert server.verbs[:4] == ["EHLO", "STARTTLS", "EHLO", "MAIL"]
        assert found.verdict == "closed"
        tls = address_result(found)["tls"]
        assert tls["version"].startswith("TLSv1.")
        assert tls["subject"] == tls["issuer"] == "O=Hafen Größe, CN=mail.hafen.example"
        assert tls["names"] == ["mail.hafen.example", "owa.hafen.example"]
        assert (tls["not_before"], tls["not_after"]) == ("2026-01-31T12:00:00Z", "2051-01-31T12:00:00Z")
        assert len(tls["sha256"]) == 64

    def test_never_is_never(self, street: Street, tmp_path: pathlib.Path) -> None:
        server = street.server(self.OFFERED, tls=certificate(tmp_path))
        found = look_at(door(server.port), dataclasses.replace(QUESTION, starttls="never"), NO_CONTROL)
        assert "STARTTLS" not in server.verbs
        assert (found.verdict, found.tls) == ("open", None)

    @pytest.mark.parametrize("broken", [b"this is no handshake\r\n", b""])
    def test_a_handshake_that_fails_is_tried_again_in_clear(self, street: Street, broken: bytes) -> None:
        def no_handshake(sock: socket.socket) -> None:
            sock.sendall(b"220 ready\r\n")
            sock.recv(1000)
            sock.sendall(broken)
            hang_up(sock)

        server = street.server({**self.OFFERED, "STARTTLS": no_handshake})
        found = look_at(door(server.port), QUESTION, NO_CONTROL)
        assert (found.verdict, server.connections, found.tls) == ("open", 2, None)
        assert "handshake failed" in str(found.tls_error)
        required = look_at(door(server.port), dataclasses.replace(QUESTION, starttls="require"), NO_CONTROL)
        assert (required.verdict, required.decisions["delivery"].stage) == ("inconclusive", "starttls")

    def test_what_is_slipped_in_before_the_handshake_ends_the_look(self, street: Street) -> None:
        found = look(street, {**self.OFFERED, "STARTTLS": b"220 ready\r\n250 slipped in\r\n"})
        assert (found.verdict, found.decisions["delivery"].judgement.reason) == ("inconclusive", "trouble_unasked")

    def test_a_handshake_without_end_has_a_limit(self, street: Street) -> None:
        def never(sock: socket.socket) -> None:
            sock.sendall(b"220 ready\r\n")
            stay_silent(sock)
            stay_silent(sock)
            time.sleep(1)

        begin = time.monotonic()
        found = look(
            street,
            {**self.OFFERED, "STARTTLS": never},
            dataclasses.replace(QUESTION, starttls="require", reply_seconds=0.5),
        )
        assert found.verdict == "inconclusive"
        assert time.monotonic() - begin < 5

    def test_required_and_not_there_is_inconclusive(self, street: Street) -> None:
        question = dataclasses.replace(QUESTION, starttls="require")
        found = look(street, {"STARTTLS": "502 5.3.3 Command not implemented"}, question)
        assert (found.verdict, found.decisions["delivery"].judgement.reason) == ("inconclusive", "tls_unavailable")

    def test_not_now_goes_on_in_clear(self, street: Street) -> None:
        found = look(street, {**self.OFFERED, "STARTTLS": "454 4.7.0 TLS not available"})
        assert (found.verdict, found.tls_error) == ("open", "454 4.7.0 TLS not available")


@given(
    case=st.sampled_from(verdict.CASES),
    stage=st.sampled_from(["banner", "ehlo", "starttls", "mail", "rcpt"]),
    code=st.integers(200, 599),
    enhanced=st.sampled_from([None, "4.3.2", "5.7.1", "5.7.51", "5.7.54", "5.7.57", "5.7.60", "5.7.64", "5.7.68"]),
    text=st.sampled_from(["", "Service not available", "not authenticated", "Unable to relay", "send as this sender"]),
)
def test_only_a_reasoned_refusal_is_closed_and_only_an_accepted_recipient_open(
    case: str, stage: str, code: int, enhanced: str | None, text: str
) -> None:
    found = verdict.judge_reply(case, stage, Reply(code, enhanced, text, (text,), 0.0), SENDER, RECIPIENT)
    if found.verdict == "open":
        assert (stage, code // 100) == ("rcpt", 2)
    if found.verdict == "closed":
        assert stage in ("mail", "rcpt")
        assert code // 100 == 5
    if stage == "rcpt" and code // 100 == 2:
        assert found.verdict == "open"


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["closed", "closed", None], "closed"),
        (["closed", "inconclusive"], "inconclusive"),
        (["inconclusive", "open"], "open"),
        ([None, None], "inconclusive"),
        ([], "inconclusive"),
    ],
)
def test_several_verdicts_become_one(verdicts: list[str | None], expected: str) -> None:
    assert verdict.together(verdicts) == expected
