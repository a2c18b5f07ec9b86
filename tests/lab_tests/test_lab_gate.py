# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's firewall in front of a socket: a real timeout, a real connection."""

from __future__ import annotations

import socket
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.gate import SUPPORTED, guard

pytestmark = pytest.mark.skipif(
    not SUPPORTED, reason="only Linux drops packets in front of a socket"
)

PROVIDER, STRANGER, OFFICE = "127.0.3.1", "127.0.2.1", "127.0.4.1"


@pytest.fixture
def listener() -> t.Iterator[socket.socket]:
    with socket.socket() as opened:
        opened.bind(("127.0.1.1", 0))
        opened.listen(8)
        yield opened


def connects(listener: socket.socket, source: str) -> bool:
    with socket.socket(listener.family) as client:
        client.settimeout(0.15)
        client.bind((source, 0))
        try:
            client.connect(listener.getsockname())
        except TimeoutError:
            return False
        listener.accept()[0].close()
        return True


@pytest.mark.parametrize(
    ("admitted", "otherwise", "passing"),
    [
        ({}, True, {PROVIDER, STRANGER, OFFICE}),
        ({}, False, set()),
        ({PROVIDER: True}, False, {PROVIDER}),
        ({PROVIDER: True, OFFICE: True, STRANGER: False}, False, {PROVIDER, OFFICE}),
        ({PROVIDER: False}, True, {STRANGER, OFFICE}),
        ({PROVIDER: False, OFFICE: False}, True, {STRANGER}),
    ],
)
def test_who_is_dropped_runs_into_a_timeout(
    listener: socket.socket, admitted: dict[str, bool], otherwise: bool, passing: set[str]
) -> None:
    guard(listener, admitted, otherwise)
    assert {
        source for source in (PROVIDER, STRANGER, OFFICE) if connects(listener, source)
    } == passing


def test_it_changes_while_it_listens(listener: socket.socket) -> None:
    assert connects(listener, STRANGER)
    guard(listener, {PROVIDER: True}, False)
    assert not connects(listener, STRANGER)
    guard(listener, {}, True)
    assert connects(listener, STRANGER)


def test_what_is_connected_goes_on(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname(), timeout=2) as client:
        server, _peer = listener.accept()
        with server:
            guard(listener, {}, False)
            client.sendall(b"one")
            assert server.recv(3) == b"one"
            server.sendall(b"two")
            assert client.recv(3) == b"two"


def test_ipv6() -> None:
    with socket.socket(socket.AF_INET6) as listener:
        try:
            listener.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        listener.listen(8)
        assert connects(listener, "::1")
        guard(listener, {}, False)
        assert not connects(listener, "::1")
