# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Short ways to the lab's Exchange, for its tests."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost

NO = {"Confirm": False}
FRONTEND = "EX1\\Default Frontend EX1"
HUB = "EX1\\Default EX1"


def narrow(name: str = "Filter", **more: t.Any) -> dict[str, t.Any]:
    """Parameters of a new connector for a provider, on Exchange 2013 or later."""
    return {
        "Name": name,
        "Custom": True,
        "Bindings": ["0.0.0.0:25"],
        "RemoteIPRanges": ["198.51.100.0/24"],
        "TransportRole": "FrontendTransport",
        **NO,
        **more,
    }


def refusal(host: ExchangeHost, cmdlet: str, parameters: dict[str, t.Any]) -> ExchangeError:
    with pytest.raises(ExchangeError) as caught:
        host.invoke(cmdlet, parameters)
    return caught.value


def receive_connector(host: ExchangeHost, identity: str) -> dict[str, t.Any]:
    name = identity.split("\\")[-1]
    (connector,) = [
        row
        for row in host.invoke("Get-ReceiveConnector", {"Server": host.name})
        if row["Name"] == name
    ]
    return connector


def send(host: ExchangeHost, name: str = "Internet") -> dict[str, t.Any]:
    (connector,) = host.invoke("Get-SendConnector", {"Identity": name})
    return connector


def change(host: ExchangeHost, identity: str, **parameters: t.Any) -> dict[str, t.Any]:
    assert host.invoke("Set-ReceiveConnector", {"Identity": identity, **NO, **parameters}) == []
    return receive_connector(host, identity)
