# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at a web: what each answer is taken for, and that no fault is ever taken for a lock."""

from __future__ import annotations

import contextlib
import pathlib
import socket
import time
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import find_doors
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.options import (
    OptionError,
    check_web_question,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.smtp import Look
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.web import (
    WebEgress,
    WebQuestion,
    look_at_web,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.web_session import WebSession
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.web_table import TARGETS
from ansible_collections.mailedge.lockdown.tests.support.probe_looks import free_port
from ansible_collections.mailedge.lockdown.tests.support.smtp_server import (
    Answer,
    certificate,
    hang_up,
)
from ansible_collections.mailedge.lockdown.tests.support.strangers import parameters
from ansible_collections.mailedge.lockdown.tests.support.web_server import FORBIDDEN, WebServer

NOBODY = WebEgress(None, 443, None, 0.3, 0.3)
Serve = t.Callable[..., WebServer]


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return certificate(tmp_path_factory.mktemp("web"))


@pytest.fixture
def serve(pem: pathlib.Path) -> t.Iterator[Serve]:
    servers: list[WebServer] = []

    def serving(answers: t.Mapping[str, Answer] | None = None, **more: t.Any) -> WebServer:
        servers.append(WebServer(pem, answers, **more))
        return servers[-1]

    yield serving
    for server in servers:
        server.stop()


def looked(
    port: int, *paths: str, egress: WebEgress = NOBODY, seconds: float = 5.0, **more: t.Any
) -> Look:
    (door,), _lost = find_doors(["127.0.0.1"], port, "ipv4", 1.0)
    question = WebQuestion(
        dict.fromkeys(paths or TARGETS), connect_seconds=0.5, reply_seconds=seconds, **more
    )
    return look_at_web(door, question, egress)


def judgement_at(look: Look, path: str = "/ecp") -> tuple[str, str]:
    judgement = look.decisions[path].judgement
    return judgement.verdict, judgement.reason


def page(status: str, *headers: str, body: str = "") -> str:
    """An answer; HEAD gets its headers alone, as the length says."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join([*lines, "", body])


EXCHANGE = "X-FEServer: EX1"
ANSWERS: dict[str, tuple[str, tuple[str, str]]] = {
    "a login": (page("401 Unauthorized", "WWW-Authenticate: Negotiate"), ("open", "login_asked")),
    "a login without a way": (page("401 Unauthorized"), ("inconclusive", "unexpected")),
    "a login that has timed out": (page("440 Login Timeout"), ("open", "login_asked")),
    "the form of 2010": (
        page("302 Found", "Location: /owa/auth/logon.aspx"),
        ("open", "login_asked"),
    ),
    "Exchange refuses": (page("403 Forbidden", EXCHANGE), ("open", "answered")),
    "Exchange is ill": (page("503 Unavailable", EXCHANGE), ("inconclusive", "down")),
    "IIS refuses": (
        page("403 Forbidden", "Server: Microsoft-IIS/10.0"),
        ("closed", "path_refused"),
    ),
    "nothing there": (
        page("404 Not Found", "Server: Microsoft-IIS/10.0"),
        ("closed", "path_refused"),
    ),
    "no site of that name": (
        page("404 Not Found", "Server: Microsoft-HTTPAPI/2.0"),
        ("inconclusive", "no_site"),
    ),
    "a pool that is stopped": (
        page("503 Service Unavailable", "Server: Microsoft-HTTPAPI/2.0"),
        ("inconclusive", "down"),
    ),
    "a challenge": (
        page("403 Forbidden", "Server: cloudflare", "cf-mitigated: challenge"),
        ("inconclusive", "in_front"),
    ),
    "a page that blocks": (
        page("403 Forbidden", body="The requested URL was rejected. Your support ID is: 7"),
        ("inconclusive", "in_front"),
    ),
    "a page with a status of success": (
        page("200 OK", body="Web Page Blocked"),
        ("inconclusive", "in_front"),
    ),
    "some page": (page("200 OK", body="Hello"), ("inconclusive", "page")),
    "a login elsewhere": (
        page("302 Found", "Location: https://sts.hafen.example/adfs/ls/"),
        ("inconclusive", "redirected_elsewhere"),
    ),
    "another path": (page("301 Moved", "Location: /start/"), ("inconclusive", "redirected")),
    "a broken place": (
        page("302 Found", "Location: https://[::1/owa"),
        ("inconclusive", "redirected_elsewhere"),
    ),
    "a proxy of ours": (page("407 Proxy Authentication"), ("inconclusive", "proxy")),
    "too many": (page("429 Too Many Requests"), ("inconclusive", "try_later")),
    "a bad request": (page("400 Bad Request"), ("inconclusive", "not_understood")),
    "no such method": (page("405 Method Not Allowed"), ("inconclusive", "not_understood")),
    "a broken configuration": (page("500 Internal Server Error"), ("inconclusive", "down")),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_an_answer_is_taken_for(serve: Serve, name: str) -> None:
    answer, expected = ANSWERS[name]
    look = looked(serve({"/ecp": answer}).port, "/owa", "/ecp")
    assert judgement_at(look) == expected
    assert judgement_at(look, "/owa") == ("open", "login_asked")
    # With nothing besides that answers as Exchange, no refusal is a lock.
    alone = judgement_at(looked(serve({"/ecp": answer}).port, "/ecp"))
    assert alone == expected if expected[0] != "closed" else alone[0] == "inconclusive"


def test_the_build_is_told(serve: Serve) -> None:
    signed = page("401 Unauthorized", "X-OWA-Version: 15.2.1544.9")
    assert looked(serve({"/ecp": signed}).port, "/ecp").web["build"] == "15.2.1544.9"
    form = page("200 OK", body='<link href="/owa/auth/15.1.2507/themes/resources/x.css">')
    look = looked(serve({"/owa": form}).port, "/owa")
    assert (look.web["build"], judgement_at(look, "/owa")) == ("15.1.2507", ("open", "answered"))


def wait(sock: socket.socket) -> None:
    """Hear everything, and say nothing, until the other side gives up."""
    with contextlib.suppress(OSError):
        while sock.recv(4096):
            pass


def drip(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            sock.sendall(b"H")
            time.sleep(0.02)


def headers_without_end(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.sendall(b"HTTP/1.1 403 Forbidden\r\n")
        while True:
            sock.sendall(b"X-More: of the same\r\n" * 100)


def half_headers(sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 403 Forbidden\r\nServer: Microsoft-IIS/10.0\r\n")
    wait(sock)


def half_a_page(sock: socket.socket) -> None:
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 900\r\n\r\n"
    sock.sendall(head)
    if sock.recv(4096):
        sock.sendall(head + b"<html>")
    wait(sock)


def again_and_again(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 20)
        wait(sock)


FAULTS: dict[str, tuple[dict[str, t.Any], str, str]] = {
    "a hang at the handshake": ({"hello": wait}, "tls", "no end within"),
    "a handshake that breaks": ({"hello": hang_up}, "tls", "the TLS handshake"),
    "no TLS at all": (
        {"hello": lambda sock: sock.sendall(b"220 mail ESMTP\r\n")},
        "tls",
        "the TLS handshake",
    ),
    "a hang at the request": ({"": wait}, "headers", "did not finish its answer"),
    "a hang in the headers": ({"": half_headers}, "headers", "did not finish its answer"),
    "a byte now and then": ({"": drip}, "headers", "did not finish its answer"),
    "headers without end": ({"": headers_without_end}, "headers", "bytes of headers"),
    "no HTTP": ({"": "500 what?\r\n\r\n"}, "headers", "something that is not HTTP"),
    "announcements": ({"": again_and_again}, "headers", "again and again"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_at_any_stage_ends_in_time_and_is_no_lock(serve: Serve, name: str) -> None:
    how, stage, words = FAULTS[name]
    answers = {path: answer for path, answer in how.items() if path != "hello"}
    server = serve(answers, hello=how.get("hello"))
    begin = time.monotonic()
    look = looked(server.port, "/owa", "/ecp", seconds=0.3)
    assert time.monotonic() - begin < 5
    assert {serving.judgement.verdict for serving in look.decisions.values()} == {"inconclusive"}
    decision = look.decisions["/ecp"]
    assert decision.stage == stage
    assert words in decision.sentence
    assert not decision.judgement.needs_control


def test_a_page_that_hangs_is_no_lock(serve: Serve) -> None:
    look = looked(serve({"/ecp": half_a_page}).port, "/owa", "/ecp", seconds=0.3)
    assert judgement_at(look) == ("inconclusive", "trouble_timeout")
    assert look.decisions["/ecp"].stage == "body"
    assert judgement_at(look, "/owa")[0] == "open"


def test_a_path_that_drops_is_closed_only_beside_one_that_answers(serve: Serve) -> None:
    assert judgement_at(looked(serve({"/ecp": hang_up}).port, "/owa", "/ecp")) == (
        "closed",
        "path_refused",
    )
    assert judgement_at(looked(serve({"/": hang_up}).port, "/owa", "/ecp"))[0] == "inconclusive"


def test_silence_is_closed_only_where_the_way_out_is_proven(serve: Serve) -> None:
    port = free_port()
    assert judgement_at(looked(port)) == ("inconclusive", "egress_unproven")
    gone = WebEgress("127.0.0.1", free_port(), None, 0.3, 0.3)
    assert judgement_at(looked(port, egress=gone)) == ("inconclusive", "egress_unproven")
    there = WebEgress("127.0.0.1", serve().port, None, 0.3, 5.0)
    look = looked(port, egress=there)
    assert judgement_at(look) == ("closed", "no_connection")
    assert look.decisions["/ecp"].judgement.needs_control


def test_one_certificate_at_both_is_something_on_the_way(serve: Serve) -> None:
    elsewhere = WebEgress("127.0.0.1", serve().port, None, 0.3, 5.0)
    look = looked(serve({"/ecp": FORBIDDEN}).port, "/owa", "/ecp", egress=elsewhere)
    assert {judgement_at(look), judgement_at(look, "/owa")} == {("inconclusive", "interceptor")}


def test_one_connection_serves_all_paths(serve: Serve) -> None:
    server = serve({"": "HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n"})
    looked(server.port)
    assert (server.connections, len(server.requests)) == (1, len(TARGETS))


def test_nothing_else_can_be_sent() -> None:
    session = WebSession(socket.socket(), "mail.hafen.example", 1.0, [])
    for method, target in (
        ("POST", "/owa/"),
        ("OPTIONS", "/"),
        ("GET", "/a b"),
        ("GET", "/a\r\nAuthorization: x"),
    ):
        with pytest.raises(ValueError, match=r"does not send|no path"):
            session.ask(method, target)
    session.close()
    with pytest.raises(ValueError, match="name of a host"):
        WebSession(socket.socket(), "mail\r\nCookie: x", 1.0, [])


@pytest.mark.parametrize("path", ["owa", "//other/owa", "/a b", "/owa#x", "/owa/../ecp", "/é", ""])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(OptionError, match="not the path of a web site"):
        check_web_question(parameters(closed_paths=[path]))


def test_a_path_cannot_be_both() -> None:
    with pytest.raises(OptionError, match="can be one of them"):
        check_web_question(parameters(closed_paths=["/owa"], open_paths=["/owa"]))
