# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe against servers that are broken or malicious: it ends in time, in bounds, and never
takes noise for an answer.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import socket
import ssl
import threading
import time
import typing as t
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe import session
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.certificate import (
    Certificate,
    read_certificate,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import (
    Egress,
    find_doors,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.session import (
    Reply,
    Session,
    Trouble,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.smtp import (
    Look,
    Question,
    look_at,
)
from ansible_collections.mailedge.lockdown.tests.support.smtp_server import (
    Answer,
    Street,
    certificate,
    drip,
    flood,
    hang_up,
    stay_silent,
)

QUESTION = Question("probe@watchtower.example", "postmaster@hafen.example", connect_seconds=0.5)


@pytest.fixture
def street() -> t.Iterator[Street]:
    made = Street()
    yield made
    made.close()


def look(street: Street, answers: t.Mapping[str, Answer], seconds: float = 5.0) -> Look:
    doors, _lost = find_doors(["127.0.0.1"], street.server(answers).port, "ipv4", 1.0)
    question = dataclasses.replace(QUESTION, reply_seconds=seconds)
    return look_at(doors[0], question, Egress(None, 25, None, 0.5, 0.5))


NOISE: dict[str, tuple[Answer, str]] = {
    "closes at once": (hang_up, "trouble_closed"),
    "never answers": (stay_silent, "trouble_timeout"),
    "a byte now and then": (drip, "trouble_timeout"),
    "lines without end": (flood, "trouble_too_long"),
    "a line without end": (b"250 " + b"x" * (session.LONGEST_REPLY + 1), "trouble_too_long"),
    "binary": (b"\x16\x03\x01\x00\xff\x00\n\x00", "trouble_malformed"),
    "a web server": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "trouble_malformed"),
    "an empty line": (b"\r\n", "trouble_malformed"),
    "a code that is none": (b"999 hello\r\n", "trouble_malformed"),
    "digits of another script": ("２５０ fine".encode() + b"\r\n", "trouble_malformed"),
    "half a reply": (b"250-first\r\n250", "trouble_timeout"),
}


@pytest.mark.parametrize("stage", ["banner", "EHLO", "MAIL", "RCPT"])
@pytest.mark.parametrize("name", NOISE)
def test_noise_is_inconclusive_at_every_stage_and_ends_in_time(
    street: Street, name: str, stage: str
) -> None:
    answer, reason = NOISE[name]
    begin = time.monotonic()
    # Only silence is waited for to the end; whatever else must be told from it however busy this
    # machine is.
    seconds = 0.4 if reason == "trouble_timeout" else 10.0
    outcome = look(street, {stage: answer}, seconds)
    assert (outcome.verdict, outcome.decisions["delivery"].judgement.reason) == (
        "inconclusive",
        reason,
    )
    assert outcome.decisions["delivery"].stage == stage.lower()
    assert time.monotonic() - begin < 9
    assert sum(map(len, outcome.transcript)) < 100_000


def test_noise_after_the_answer_does_not_change_it(street: Street) -> None:
    for answer, _reason in NOISE.values():
        assert look(street, {"RSET": answer, "QUIT": answer}, 0.4).verdict == "open"


@pytest.mark.parametrize("stage", ["banner", "EHLO", "MAIL"])
def test_a_reply_too_many_is_not_taken_for_the_next_answer(street: Street, stage: str) -> None:
    twice = (
        b"220 EX1\r\n250 2.1.5 Recipient OK\r\n"
        if stage == "banner"
        else b"250 2.1.0 OK\r\n250 2.1.5 OK\r\n"
    )
    outcome = look(street, {stage: twice, "RCPT": "550 5.7.51 TenantInboundAttribution; Rejecting"})
    assert (outcome.verdict, outcome.decisions["delivery"].judgement.reason) == (
        "inconclusive",
        "trouble_unasked",
    )


def test_a_reply_of_ten_thousand_lines_is_read_and_not_kept(street: Street) -> None:
    outcome = look(street, {"EHLO": b"250-one more\r\n" * 9999 + b"250 the last\r\n"})
    assert outcome.verdict == "open"
    assert len(outcome.extensions) == session.KEPT_LINES
    assert outcome.extensions[-1] == "the last"
    assert f"* {10_000 - session.KEPT_LINES - 1} lines left out" in outcome.transcript


def test_a_very_long_line_is_read_and_not_kept(street: Street) -> None:
    outcome = look(street, {"RCPT": b"250 2.1.5 " + b"x" * 500_000 + b"\r\n"})
    assert outcome.verdict == "open"
    assert max(map(len, outcome.transcript)) < 1000
    assert any("(500010 bytes)" in line for line in outcome.transcript)


def test_words_among_lines_that_are_not_kept_decide_nothing(street: Street) -> None:
    blank, words = (
        b"530-\r\n",
        b"530 5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM\r\n",
    )
    assert look(street, {"MAIL": blank * 3 + words}).verdict == "closed"
    hidden = b"530-the next server said to us:\r\n"
    assert look(street, {"MAIL": blank * 60 + hidden + words}).verdict == "inconclusive"


@pytest.mark.parametrize("end", [b"", b"\r", b" [EX1", b"\r\n"])
@pytest.mark.parametrize("multi", [b"530 ", b"530-"])
def test_words_that_are_cut_off_decide_nothing(street: Street, multi: bytes, end: bytes) -> None:
    words = (
        multi + b"5.7.57 Client was not authenticated to send anonymous mail during MAIL FROM" + end
    )

    def cut(sock: socket.socket) -> None:
        sock.sendall(words)
        hang_up(sock)

    outcome = look(street, {"MAIL": cut})
    assert outcome.verdict == (
        "closed" if multi.endswith(b" ") and end == b"\r\n" else "inconclusive"
    )


def test_two_codes_in_one_reply_are_two_answers(street: Street) -> None:
    for text in (b"530-5.7.57 no\r\n250 2.1.0 yes\r\n", b"250-2.1.0 yes\r\n530 5.7.57 no\r\n"):
        for command in ("MAIL", "RCPT"):
            outcome = look(street, {command: text})
            assert (outcome.verdict, outcome.decisions["delivery"].judgement.reason) == (
                "inconclusive",
                "trouble_malformed",
            )


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        # One answer too many before: what is heard at RCPT belongs to MAIL, and the refusal comes
        # at RSET.
        (
            {
                "MAIL": b"250 2.1.0 a\r\n",
                "RCPT": b"250 2.1.0 b\r\n550 5.7.51 TenantInboundAttribution; Rejecting\r\n",
            },
            "inconclusive",
        ),
        ({"RSET": "550 5.7.51 TenantInboundAttribution; Rejecting"}, "inconclusive"),
        (
            {"RCPT": b"550 5.7.51 TenantInboundAttribution; Rejecting\r\n250 2.1.5 OK\r\n"},
            "inconclusive",
        ),
        # A good-bye after the answer changes nothing.
        (
            {
                "RCPT": (
                    b"550 5.7.51 TenantInboundAttribution; Rejecting\r\n421 4.7.0 Too many "
                    b"errors\r\n"
                )
            },
            "closed",
        ),
        ({"RCPT": b"250 2.1.5 OK\r\n421 4.4.2 Too slow\r\n"}, "open"),
    ],
)
def test_answers_that_are_out_of_step_decide_nothing(
    street: Street, answers: dict[str, Answer], verdict: str
) -> None:
    outcome = look(street, answers)
    assert outcome.verdict == verdict
    if verdict == "inconclusive":
        assert outcome.decisions["delivery"].judgement.reason == "trouble_unasked"


def test_letters_are_shown_and_controls_escaped(street: Street) -> None:
    outcome = look(
        street, {"RCPT": "550 5.7.1 Empfänger \x1b[31mrot\x07 \u202e ".encode() + b"\xff\xe4\r\n"}
    )
    reply = outcome.decisions["delivery"].reply
    assert reply is not None
    assert reply.text == "5.7.1 Empfänger \\x1b[31mrot\\x07 \\u202e \\xff\\xe4"
    assert (reply.code, reply.enhanced) == (550, "5.7.1")


def test_a_status_on_any_line_is_found(street: Street) -> None:
    for text in (
        b"550-5.7.51 TenantInboundAttribution;\r\n550 Rejecting\r\n",
        b"550-TenantInboundAttribution;\r\n550 5.7.51 Rejecting\r\n",
        b"550-5.7.51 TenantInboundAttribution;\r\n550 5.7.51 Rejecting\r\n",
    ):
        assert look(street, {"RCPT": text}).verdict == "closed"
    for status in (b"15.7.51", b"5.7.510", b"5.7.51.2"):
        text = b"550 " + status + b" TenantInboundAttribution; Rejecting\r\n"
        assert look(street, {"RCPT": text}).verdict == "inconclusive"


def test_bare_line_feeds_are_understood(street: Street) -> None:
    assert look(street, {"banner": b"220 hello\n", "EHLO": b"250-a\n250 b\n"}).verdict == "open"


def test_a_server_that_only_knows_helo_is_asked(street: Street) -> None:
    assert look(street, {"EHLO": "502 5.5.1 not implemented"}).verdict == "open"


@pytest.mark.parametrize(
    "command", ["DATA", "BDAT", "VRFY", "EXPN", "AUTH", "data", "MAIL\r\nDATA", ""]
)
def test_no_other_command_can_be_sent(command: str) -> None:
    here, there = socket.socketpair()
    with here, there:
        with pytest.raises(ValueError, match="does not send"):
            Session(here, 0.1, []).command(command)
        there.setblocking(False)
        with pytest.raises(BlockingIOError):
            there.recv(1)


@pytest.mark.parametrize(
    "argument", ["FROM:<a@b.example>\r\nDATA", "FROM:<a\nb>", "FROM:<\x00>", "FROM:<ä@b.example>"]
)
def test_two_commands_in_one_cannot_be_sent(argument: str) -> None:
    here, there = socket.socketpair()
    with here, there:
        with pytest.raises(ValueError, match="one line"):
            Session(here, 0.1, []).command("MAIL", argument)
        there.setblocking(False)
        with pytest.raises(BlockingIOError):
            there.recv(1)


def test_what_comes_between_two_commands_ends_the_conversation() -> None:
    for late, kind in (
        (b"250 2.1.5 Recipient OK\r\n", "unasked"),
        (b"421 4.4.1 Timed out\r\n", "closed"),
        (b"", "closed"),
    ):
        here, there = socket.socketpair()
        with here, there:
            there.sendall(b"220 EX1\r\n")
            talk = Session(here, 1.0, [])
            assert talk.banner().code == 220
            there.sendall(late)
            if not late:
                there.shutdown(socket.SHUT_WR)
            with pytest.raises(Trouble) as trouble:
                talk.command("EHLO", "watchtower.example")
            assert (trouble.value.kind, talk.open) == (kind, False)


@given(
    st.lists(
        st.sampled_from([b"220", b"250", b"-", b" ", b"\r", b"\n", b"\r\n", b"x"])
        | st.binary(max_size=8)
    )
)
def test_any_bytes_give_a_reply_or_trouble(parts: list[bytes]) -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"".join(parts))
        there.shutdown(socket.SHUT_WR)
        transcript: list[str] = []
        answers: list[Reply] = []
        trouble = ""
        try:
            answers.append(Session(here, 1.0, transcript).banner())
        except Trouble as caught:
            trouble = caught.kind
        assert trouble in ("closed", "malformed") or 200 <= answers[0].code <= 599
        assert all(line.isprintable() for line in transcript)


@given(st.binary(max_size=200))
def test_any_bytes_are_taken_for_a_certificate_without_failing(der: bytes) -> None:
    assert (
        read_certificate(der) is None if not der else isinstance(read_certificate(der), Certificate)
    )


def test_a_damaged_certificate_is_read_as_far_as_it_goes(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    pem = certificate(tmp_path_factory.mktemp("tls")).read_text()
    der = ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----END CERTIFICATE-----") + 25])
    whole = read_certificate(der)
    assert whole is not None
    assert whole.subject is not None
    for at in range(len(der)):
        for changed in (der[:at], der[:at] + bytes([der[at] ^ 0xFF]) + der[at + 1 :]):
            read_certificate(changed)
    # cryptography is the independent judge of what stands in it.
    judge = x509.load_der_x509_certificate(der)
    assert judge.public_bytes(Encoding.DER) == der
    assert whole.not_after == judge.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (
        whole.sha256
        == judge.fingerprint(judge.signature_hash_algorithm or pytest.fail("unsigned")).hex()
    )


@pytest.mark.parametrize("value", [b"", b"\x30", b"\x30\x00", b"\x30\x03\x82\x05a", b"\x82\x01a"])
def test_a_certificate_with_a_list_of_names_that_is_none(value: bytes) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.hafen.example")])
    begin = datetime.datetime(2026, 1, 31, tzinfo=datetime.timezone.utc)
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), 7, begin, begin + datetime.timedelta(days=9)
        )
        .add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.17"), value), False)
        .sign(key, hashes.SHA256())
    )
    certificate = read_certificate(made.public_bytes(Encoding.DER))
    assert certificate is not None
    assert certificate.names == ()
    assert certificate.sha256 == made.fingerprint(hashes.SHA256()).hex()


def test_a_server_that_speaks_only_the_oldest_tls_is_understood(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = certificate(tmp_path_factory.mktemp("tls"))
    here, there = socket.socketpair()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = ssl.TLSVersion.TLSv1
    context.load_cert_chain(path)
    context.set_ciphers("ALL:@SECLEVEL=0")

    def serve() -> None:
        there.recv(100)
        there.sendall(b"220 go ahead\r\n")
        with contextlib.suppress(OSError), context.wrap_socket(there, server_side=True) as secured:
            secured.recv(1)

    with here:
        threading.Thread(target=serve, daemon=True).start()
        _reply, tls = Session(here, 2.0, []).starttls("mail.hafen.example")
        assert tls is not None
        assert tls.version == "TLSv1"
