# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the model calls closed is closed at a server that judges by its own rights; what is open is told, wherever it is."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.integration.in_process import (
    COLLEAGUE,
    INBOUND,
    PROVIDER,
    SITE,
    STRANGER,
    Wire,
    do,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults, doors
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost

EVERYBODY = ["0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]


def with_wide(host: ExchangeHost, port: int, **more: t.Any) -> None:
    """Put a connector for everybody on a port, as an administrator does beside those of setup."""
    wide = {
        "Bindings": [f"0.0.0.0:{port}", f"[::]:{port}"],
        "RemoteIPRanges": EVERYBODY,
        "PermissionGroups": "AnonymousUsers",
        "AuthMechanism": "Tls",
        "TransportRole": "FrontendTransport",
        **more,
    }
    defaults.add_receive(host, f"Port {port}", wide)


def told(result: dict[str, t.Any]) -> str:
    return " ".join(guard["sentence"] for guard in result["guards"])


@pytest.mark.parametrize("port", [26, 588, 2526])
def test_a_wide_connector_on_any_port_is_told_with_its_port(port: int, tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    with_wide(host, port)
    wire = Wire(host)
    done = do(wire, INBOUND)
    assert not done.get("failed"), done["msg"]
    assert not doors.knock(host, STRANGER).accepts
    assert doors.knock(host, STRANGER, port).accepts

    seen = do(wire, INBOUND, check=True)
    for result in (done, seen):
        assert result["state"] == "open"
        assert result["strangers"]["after"] == [
            f"The internet may send without a login on port {port}, through 'Port {port}'."
        ]
        assert f"on port {port}, through 'Port {port}'" in told(result)
        words = result["exposure"]["words"]
        assert f"any internet address on port {port}: anonymous mail accepted" in words
        assert result["exposure"]["after"][f"any internet address on port {port}"] == "anonymous mail accepted"
    assert "name it in the bindings of inbound_lock" in told(seen)


def test_a_relay_on_another_port_is_told_with_its_port(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    with_wide(host, 2526, PermissionGroups="ExchangeServers", AuthMechanism="Tls, ExternalAuthoritative")
    assert doors.knock(host, STRANGER, 2526).relays
    result = do(Wire(host), INBOUND)
    assert not result.get("failed"), result["msg"]
    assert result["state"] == "open"
    assert "The internet may relay to any recipient on port 2526, through 'Port 2526'." in result["strangers"]["after"]
    assert any("on port 2526: trusted as an Exchange server" in line for line in result["exposure"]["words"])


def test_a_port_that_is_named_is_closed_as_well(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    with_wide(host, 26)
    wire = Wire(host)
    start = host.state()
    lock = {**SITE, "inbound_lock": {"bindings": ["0.0.0.0:25", "[::]:25", "0.0.0.0:26", "[::]:26"]}}
    done = do(wire, lock)
    assert not done.get("failed"), done["msg"]
    for port in (25, 26):
        assert not doors.knock(host, STRANGER, port).accepts
        assert doors.knock(host, PROVIDER, port).accepts
        assert doors.knock(host, COLLEAGUE, port).accepts
    assert "any internet address on port 26: anonymous mail accepted → refused" in done["exposure"]["words"]
    again = do(wire, lock, check=True)
    assert not again["changed"], again["plan"]
    assert again["state"] == "in order"
    do(wire, {"snapshot": "latest"})
    assert host.state().receive == start.receive


def test_to_close_the_port_that_the_provider_comes_by_is_stopped(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    wire = Wire(host)
    with_wide(host, 26)
    shut = {**INBOUND, "receive_connectors": [{"name": "Port 26", "enabled": False}]}
    stopped = do(wire, shut)
    assert stopped["failed"]
    assert "The provider's 198.51.100.0/24 would no longer be accepted on port 26." in told(stopped)
    assert doors.knock(host, PROVIDER, 26).accepts


def test_ports_where_nobody_is_let_in_without_a_login_make_no_noise(tmp_path: pathlib.Path) -> None:
    result = do(Wire(defaults.site("2019", folder=tmp_path)), INBOUND)
    assert not [line for line in result["exposure"]["words"] if "on port" in line]
