# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe against servers on loopback that answer as Exchange and Exchange Online do: what it
says, and what it makes of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import socket
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe import verdict
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import (
    Egress,
    find_doors,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import (
    address_result,
    cautions,
    unexpected,
    whole_result,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.smtp import look_at
from ansible_collections.mailedge.lockdown.tests.support.probe_looks import (
    NO_CONTROL,
    NOT_ANONYMOUS,
    OWN,
    QUESTION,
    RECIPIENT,
    RELAY,
    SENDER,
    door,
    free_port,
    look,
)
from ansible_collections.mailedge.lockdown.tests.support.smtp_server import (
    Answer,
    Street,
    hang_up,
    stay_silent,
)

TO_RELAY, FROM_OWN = f"RCPT TO:<{RELAY}>", f"MAIL FROM:<{OWN}>"

# Every answer of the table: what the server says, then the verdicts of delivery, relay and
# spoofing, and the reason of the first.
LOCKED: dict[str, Answer] = {
    "RCPT": (
        "550 5.7.51 TenantInboundAttribution; There is a partner connector configured that "
        "matched the message's recipient domain. The connector had either the "
        "RestrictDomainsToIPAddresses or RestrictDomainsToCertificate set"
    )
}
UNKNOWN, SHUT, AJAR = (("inconclusive",) * 3, ("closed",) * 3, ("open",) * 3)
ANSWERS: dict[str, tuple[dict[str, Answer], tuple[str, str, str], str]] = {
    "everything is taken": ({}, AJAR, "accepted"),
    "a recipient is forwarded": ({"RCPT": "251 2.1.5 will forward"}, AJAR, "accepted"),
    "no connector, or none for the moment": (
        {"banner": "421 4.3.2 Service not available"},
        UNKNOWN,
        "no_connector",
    ),
    "transport not active": ({"banner": "421 4.3.2 Service not active"}, UNKNOWN, "inactive"),
    "too many connections": (
        {"banner": "421 4.3.2 The maximum number of concurrent connections has exceeded a limit"},
        UNKNOWN,
        "try_later",
    ),
    "no SMTP service here": ({"banner": "554 5.3.2 No SMTP service here"}, UNKNOWN, "refused"),
    "anonymous is off": ({"MAIL": NOT_ANONYMOUS}, SHUT, "anonymous_refused"),
    "anonymous is off, in the documented code": (
        {
            "MAIL": (
                "550 5.7.57 SMTP; Client was not authenticated to send anonymous mail during "
                "MAIL FROM"
            )
        },
        SHUT,
        "anonymous_refused",
    ),
    "anonymous is off, 2010": (
        {"MAIL": "530 5.7.1 Client was not authenticated"},
        SHUT,
        "anonymous_refused",
    ),
    "only with TLS, Exchange": (
        {"MAIL": "451 5.7.3 Must issue a STARTTLS command first"},
        UNKNOWN,
        "tls_required",
    ),
    "only with TLS": (
        {"MAIL": "530 5.7.0 Must issue a STARTTLS command first"},
        UNKNOWN,
        "tls_required",
    ),
    "partner connector": (LOCKED, SHUT, "partner_connector"),
    "partner connector, other text": (
        {"RCPT": "550 5.7.51 TenantInboundAttribution; Rejecting"},
        SHUT,
        "partner_connector",
    ),
    "direct send is rejected": (
        {
            FROM_OWN: (
                "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this "
                "organization from unauthorized sources"
            )
        },
        ("open", "open", "closed"),
        "accepted",
    ),
    "direct send is rejected for everybody": (
        {
            "MAIL": (
                "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this "
                "organization from unauthorized sources"
            )
        },
        ("inconclusive", "inconclusive", "closed"),
        "sender_is_own",
    ),
    "relay refused online": (
        {TO_RELAY: "550 5.7.64 TenantAttribution; Relay Access Denied SMTP"},
        ("open", "closed", "open"),
        "accepted",
    ),
    "relay refused, 2013": (
        {TO_RELAY: "550 5.7.54 SMTP; Unable to relay"},
        ("open", "closed", "open"),
        "accepted",
    ),
    "relay refused, 2010": (
        {TO_RELAY: "550 5.7.1 Unable to relay"},
        ("open", "closed", "open"),
        "accepted",
    ),
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
    "reserved top-level domain": (
        {"RCPT": "550 5.1.4 Recipient refused"},
        UNKNOWN,
        "reserved_domain",
    ),
    "reserved domain": ({"RCPT": "550 5.1.5 Recipient refused"}, UNKNOWN, "reserved_domain"),
    "refused for no known reason": ({"RCPT": "550 5.7.1 Access denied"}, UNKNOWN, "refused"),
    "asked for the message": ({"RCPT": "354 go on"}, UNKNOWN, "unexpected"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_of_the_table_has_its_verdict(street: Street, name: str) -> None:
    answers, verdicts, reason = ANSWERS[name]
    outcome = look(street, answers)
    assert tuple(outcome.verdict_of(case) for case in verdict.CASES) == verdicts
    assert outcome.decisions["delivery"].judgement.reason == reason
    said = next(iter(answers.values()), "250 2.1.5 Recipient OK")
    assert isinstance(said, str)
    assert any(said in sentence for sentence in address_result(outcome)["sentences"])
    assert f"S: {said}" in outcome.transcript


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
    outcome = look_at(
        door(server.port),
        dataclasses.replace(QUESTION, relay_recipient=None, own_domain_sender=None),
        NO_CONTROL,
    )
    assert server.verbs == ["EHLO", "MAIL", "RSET", "QUIT"]
    assert (outcome.verdict, outcome.verdict_of("relay"), outcome.verdict_of("spoof")) == (
        "closed",
        None,
        None,
    )
    result = whole_result([outcome], NO_CONTROL)
    assert (result["verdict"], result["relay"], result["addresses"][0]["cases"]["spoof"]) == (
        "closed",
        None,
        None,
    )


def test_an_open_relay_is_open_even_where_delivery_is_not(street: Street) -> None:
    outcome = look(street, {f"RCPT TO:<{RECIPIENT}>": LOCKED["RCPT"]})
    assert (outcome.verdict_of("delivery"), outcome.verdict_of("relay"), outcome.verdict) == (
        "closed",
        "open",
        "open",
    )
    assert any("open relay" in caution for caution in cautions([outcome]))


def test_ipv6_is_asked_like_ipv4(street: Street) -> None:
    server = street.server(address="::1")
    outcome = look_at(door(server.port, "::1"), QUESTION, NO_CONTROL)
    assert server.commands[0] == "EHLO [IPv6:::1]"
    result = address_result(outcome)
    assert (result["family"], result["peer"], result["verdict"]) == (
        "ipv6",
        f"[::1]:{server.port}",
        "open",
    )
    assert (result["source"], result["seen_as"]) == ("::1", "::1")


def test_each_address_of_a_name_has_its_own_verdict(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    four = street.server({"MAIL": NOT_ANONYMOUS})
    street.server(address="::1", port=four.port)
    real = socket.getaddrinfo

    def both(host: str, *others: t.Any) -> t.Any:
        return (
            real("127.0.0.1", *others) + real("::1", *others)
            if host.endswith(".example")
            else real(host, *others)
        )

    monkeypatch.setattr(socket, "getaddrinfo", both)
    doors, unresolved = find_doors(
        ["mail.hafen.example", "owa.hafen.example", "127.0.0.1"], four.port, "any", 1.0
    )
    assert unresolved == []
    looks = [look_at(door_found, QUESTION, NO_CONTROL) for door_found in doors]
    result = whole_result(looks, NO_CONTROL)
    assert [(address["address"], address["delivery"]) for address in result["addresses"]] == [
        ("127.0.0.1", "closed"),
        ("::1", "open"),
    ]
    assert result["addresses"][0]["targets"] == [
        "mail.hafen.example",
        "owa.hafen.example",
        "127.0.0.1",
    ]
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
        outcome = look_at(door(free_port()), QUESTION, egress)
        assert (outcome.verdict, outcome.decisions["relay"].judgement.reason) == (
            "closed",
            "no_connection",
        )
        assert whole_result([outcome], egress)["needs_positive_control"] is True
        assert whole_result([outcome], egress)["control"] == {"ipv4": True, "ipv6": None}
        assert street.servers[0].verbs == ["EHLO", "QUIT"]

    def test_without_another_server_it_is_inconclusive(self) -> None:
        outcome = look_at(door(free_port()), QUESTION, NO_CONTROL)
        assert (outcome.verdict, outcome.decisions["delivery"].judgement.reason) == (
            "inconclusive",
            "egress_unproven",
        )
        assert "control_host" in address_result(outcome)["sentences"][0]
        assert address_result(outcome)["reachable"] is False

    @pytest.mark.parametrize("silence", [hang_up, stay_silent, b"HTTP/1.1 400 Bad Request\r\n"])
    def test_another_server_that_does_not_greet_proves_nothing(
        self, street: Street, silence: Answer
    ) -> None:
        egress = self.control(street, {"banner": silence}, seconds=0.5)
        outcome = look_at(door(free_port()), QUESTION, egress)
        assert outcome.verdict == "inconclusive"
        assert "either" in address_result(outcome)["sentences"][0]

    def test_ipv4_proves_nothing_for_ipv6(self, street: Street) -> None:
        egress = self.control(street)
        assert look_at(door(free_port(), "::1"), QUESTION, egress).verdict == "inconclusive"
        assert (
            look_at(door(free_port(), "::1"), QUESTION, self.control(street, address="::1")).verdict
            == "closed"
        )

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
            outcome = look_at(door(port), QUESTION, self.control(street))
            assert (outcome.verdict, outcome.decisions["delivery"].stage) == ("closed", "connect")
            assert outcome.decisions["delivery"].seconds >= 0.4
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
    def test_a_second_connection_that_is_not_taken_is_no_lock(
        self, street: Street, listening: bool
    ) -> None:
        server = street.server()

        def vanish(sock: socket.socket) -> None:
            server.answers["banner"] = "421 4.3.2 Service not available"
            if not listening:
                server.leave()
            sock.sendall(b"550 5.7.51 TenantInboundAttribution; Rejecting\r\n")
            hang_up(sock)

        server.answers["RCPT"] = vanish
        outcome = look_at(door(server.port), QUESTION, NO_CONTROL)
        assert (outcome.verdict_of("delivery"), outcome.verdict_of("relay")) == (
            "closed",
            "inconclusive",
        )
        assert outcome.decisions["relay"].judgement.reason == "second_connection"
        assert outcome.verdict == "inconclusive"

    def test_a_server_that_hangs_up_after_each_refusal_is_asked_everything(
        self, street: Street
    ) -> None:
        def refuse(sock: socket.socket) -> None:
            sock.sendall(NOT_ANONYMOUS.encode() + b"\r\n")
            hang_up(sock)

        server = street.server({"MAIL": refuse})
        outcome = look_at(door(server.port), QUESTION, NO_CONTROL)
        assert [outcome.verdict_of(case) for case in verdict.CASES] == ["closed"] * 3
        assert server.connections == 3


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
