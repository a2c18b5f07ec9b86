# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look's source address and its TLS: what is offered and asked, and what a failure proves."""

from __future__ import annotations

import dataclasses
import pathlib
import socket
import time
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe import verdict
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import Door
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import (
    address_result,
    cautions,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.session import Reply
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.smtp import Look, look_at
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.tests.support.probe_looks import (
    NO_CONTROL,
    NOT_ANONYMOUS,
    QUESTION,
    RECIPIENT,
    SENDER,
    door,
    free_port,
    look,
)
from ansible_collections.mailedge.lockdown.tests.support.smtp_server import (
    Answer,
    Street,
    certificate,
    hang_up,
    stay_silent,
)


class TestSource:
    """A look from an allowed address says nothing about strangers."""

    def test_the_own_address_is_checked_before_anything_is_sent(self, street: Street) -> None:
        server = street.server()
        outcome = look_at(
            door(server.port),
            dataclasses.replace(QUESTION, allowed=RangeSet.parse(["127.0.0.0/8"])),
            NO_CONTROL,
        )
        assert (outcome.verdict, server.connections, outcome.source_allowed) == (
            "inconclusive",
            0,
            True,
        )
        assert "127.0.0.1, which is in allowed_ranges" in cautions([outcome])[0]

    def test_the_address_that_the_server_sees_is_checked_too(self, street: Street) -> None:
        answers = {"EHLO": "250-EX1.hafen.example Hello [198.51.100.9]\r\n250 SIZE"}
        question = dataclasses.replace(QUESTION, allowed=RangeSet.parse(["198.51.100.0/24"]))
        outcome = look(street, answers, question)
        assert (outcome.verdict, outcome.seen_as, outcome.source_allowed) == (
            "inconclusive",
            "198.51.100.9",
            True,
        )
        assert look(street, answers).verdict == "open"

    def test_it_looks_from_the_address_that_is_named(self, street: Street) -> None:
        outcome = look(street, {}, dataclasses.replace(QUESTION, source="127.0.2.1"))
        assert (outcome.source, outcome.seen_as, outcome.verdict) == (
            "127.0.2.1",
            "127.0.2.1",
            "open",
        )

    def test_an_address_of_the_other_family_cannot_look(self, street: Street) -> None:
        server = street.server(address="::1")
        outcome = look_at(
            door(server.port, "::1"), dataclasses.replace(QUESTION, source="127.0.2.1"), NO_CONTROL
        )
        assert (outcome.verdict, server.connections) == ("inconclusive", 0)
        assert outcome.decisions["delivery"].judgement.reason == "no_source_address"

    @pytest.mark.parametrize(
        ("address", "seen_as", "hidden"),
        [
            ("203.0.113.25", "10.0.0.1", True),
            ("203.0.113.25", "192.0.2.7", False),
            ("10.0.0.25", "10.0.0.1", False),
        ],
    )
    def test_a_hidden_sender_is_named(self, address: str, seen_as: str, hidden: bool) -> None:
        outcome = Look(Door(address, 25, "ipv4", (address,), (address, 25)), seen_as=seen_as)
        outcome.decisions["delivery"] = look_at(door(free_port()), QUESTION, NO_CONTROL).decisions[
            "delivery"
        ]
        assert outcome.address_hidden is hidden
        assert any("load balancer" in caution for caution in cautions([outcome])) is hidden


class TestTls:
    """STARTTLS if it is there, and what the server shows."""

    OFFERED: t.ClassVar[dict[str, Answer]] = {
        "EHLO": "250-EX1.hafen.example Hello [{peer}]\r\n250-STARTTLS\r\n250 SIZE"
    }

    def test_the_conversation_goes_on_encrypted_and_the_certificate_is_shown(
        self, street: Street, tmp_path: pathlib.Path
    ) -> None:
        server = street.server({**self.OFFERED, "MAIL": NOT_ANONYMOUS}, tls=certificate(tmp_path))
        outcome = look_at(door(server.port), QUESTION, NO_CONTROL)
        assert server.verbs[:4] == ["EHLO", "STARTTLS", "EHLO", "MAIL"]
        assert outcome.verdict == "closed"
        tls = address_result(outcome)["tls"]
        assert tls["version"].startswith("TLSv1.")
        assert tls["subject"] == tls["issuer"] == "O=Hafen Größe, CN=mail.hafen.example"
        assert tls["names"] == ["mail.hafen.example", "owa.hafen.example"]
        assert (tls["not_before"], tls["not_after"]) == (
            "2026-01-31T12:00:00Z",
            "2051-01-31T12:00:00Z",
        )
        assert len(tls["sha256"]) == 64

    def test_never_is_never(self, street: Street, tmp_path: pathlib.Path) -> None:
        server = street.server(self.OFFERED, tls=certificate(tmp_path))
        outcome = look_at(
            door(server.port), dataclasses.replace(QUESTION, starttls="never"), NO_CONTROL
        )
        assert "STARTTLS" not in server.verbs
        assert (outcome.verdict, outcome.tls) == ("open", None)

    @pytest.mark.parametrize("broken", [b"this is no handshake\r\n", b""])
    def test_a_handshake_that_fails_is_tried_again_in_clear(
        self, street: Street, broken: bytes
    ) -> None:
        def no_handshake(sock: socket.socket) -> None:
            sock.sendall(b"220 ready\r\n")
            sock.recv(1000)
            sock.sendall(broken)
            hang_up(sock)

        server = street.server({**self.OFFERED, "STARTTLS": no_handshake})
        outcome = look_at(door(server.port), QUESTION, NO_CONTROL)
        assert (outcome.verdict, server.connections, outcome.tls) == ("open", 2, None)
        assert "handshake failed" in str(outcome.tls_error)
        required = look_at(
            door(server.port), dataclasses.replace(QUESTION, starttls="require"), NO_CONTROL
        )
        assert (required.verdict, required.decisions["delivery"].stage) == (
            "inconclusive",
            "starttls",
        )

    def test_what_is_slipped_in_before_the_handshake_ends_the_look(self, street: Street) -> None:
        outcome = look(street, {**self.OFFERED, "STARTTLS": b"220 ready\r\n250 slipped in\r\n"})
        assert (outcome.verdict, outcome.decisions["delivery"].judgement.reason) == (
            "inconclusive",
            "trouble_unasked",
        )

    def test_a_handshake_without_end_has_a_limit(self, street: Street) -> None:
        def never(sock: socket.socket) -> None:
            sock.sendall(b"220 ready\r\n")
            stay_silent(sock)
            stay_silent(sock)
            time.sleep(1)

        begin = time.monotonic()
        outcome = look(
            street,
            {**self.OFFERED, "STARTTLS": never},
            dataclasses.replace(QUESTION, starttls="require", reply_seconds=0.5),
        )
        assert outcome.verdict == "inconclusive"
        assert time.monotonic() - begin < 5

    def test_required_and_not_there_is_inconclusive(self, street: Street) -> None:
        question = dataclasses.replace(QUESTION, starttls="require")
        outcome = look(street, {"STARTTLS": "502 5.3.3 Command not implemented"}, question)
        assert (outcome.verdict, outcome.decisions["delivery"].judgement.reason) == (
            "inconclusive",
            "tls_unavailable",
        )

    def test_not_now_goes_on_in_clear(self, street: Street) -> None:
        outcome = look(street, {**self.OFFERED, "STARTTLS": "454 4.7.0 TLS not available"})
        assert (outcome.verdict, outcome.tls_error) == ("open", "454 4.7.0 TLS not available")


@given(
    case=st.sampled_from(verdict.CASES),
    stage=st.sampled_from(["banner", "ehlo", "starttls", "mail", "rcpt"]),
    code=st.integers(200, 599),
    enhanced=st.sampled_from(
        [None, "4.3.2", "5.7.1", "5.7.51", "5.7.54", "5.7.57", "5.7.60", "5.7.64", "5.7.68"]
    ),
    text=st.sampled_from(
        ["", "Service not available", "not authenticated", "Unable to relay", "send as this sender"]
    ),
)
def test_only_a_reasoned_refusal_is_closed_and_only_an_accepted_recipient_open(
    case: str, stage: str, code: int, enhanced: str | None, text: str
) -> None:
    judgement = verdict.judge_reply(
        case, stage, Reply(code, enhanced, text, (text,), 0.0), SENDER, RECIPIENT
    )
    if judgement.verdict == "open":
        assert (stage, code // 100) == ("rcpt", 2)
    if judgement.verdict == "closed":
        assert stage in ("mail", "rcpt")
        assert code // 100 == 5
    if stage == "rcpt" and code // 100 == 2:
        assert judgement.verdict == "open"
