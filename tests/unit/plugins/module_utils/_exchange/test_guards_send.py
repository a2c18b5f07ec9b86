# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards of the way out: send connectors and the smart hosts that they speak to."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import SiteNetworks
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.tests.support import connectors as sites
from ansible_collections.mailedge.lockdown.tests.support.guarded import sentences_of, severities_of


def test_guard_send_leak() -> None:
    new = {"name": "Mail to filter", "address_spaces": ["*"], "smart_hosts": ["out.filter.example"]}
    state = sites.modern()

    assert severities_of(state, SiteNetworks(), send=[new])["send_leak"] == "stop"
    assert "send_leak" not in severities_of(
        state, SiteNetworks(), send=[new, {"name": "Internet", "enabled": False}]
    )
    # At a lower cost the new one wins, and the old one is only told of.
    dear = {"name": "Internet", "address_spaces": ["*;50"]}
    assert severities_of(state, SiteNetworks(), send=[new, dear])["send_leak"] == "warn"
    closer = sites.site(Version.E2016, [], [sites.send("Old", address_spaces=["*.com"])])
    assert severities_of(closer, SiteNetworks(), send=[new])["send_leak"] == "stop"


def test_guard_send_leak__not_of_a_connector_whose_place_stays() -> None:
    rivals = [sites.send("Internet"), sites.send("Old", address_spaces=["*.com"])]
    state = sites.site(Version.E2016, [], rivals)

    told = severities_of(state, SiteNetworks(), send=[{"name": "Internet", "comment": "Ours"}])
    assert "send_leak" not in told
    again = {"name": "Internet", "address_spaces": ["*;5"]}
    assert severities_of(state, SiteNetworks(), send=[again])["send_leak"] == "stop"


def test_guard_send_leak__a_route_to_a_partner_is_told_of_and_not_forbidden() -> None:
    partner = sites.send(
        "Partner", address_spaces=["partner.example"], smart_hosts=["gw.partner.example"]
    )
    state = sites.site(Version.E2016, [], [partner])
    new = {"name": "Mail to filter", "address_spaces": ["*"], "smart_hosts": ["out.filter.example"]}

    assert severities_of(state, SiteNetworks(), send=[new]) == {"send_leak": "warn"}
    assert "to partner.example would go through the send connector 'Partner'" in sentences_of(
        state, SiteNetworks(), send=[new]
    )


def test_guard_smart_host_unreachable() -> None:
    hosts = ["out1.filter.example", "192.0.2.25"]
    new = {"name": "Internet", "smart_hosts": hosts}
    state = sites.modern()

    assert (
        severities_of(state, SiteNetworks(), send=[new], unreachable=["OUT1.filter.example"])[
            "smart_host_unreachable"
        ]
        == "warn"
    )
    assert (
        severities_of(state, SiteNetworks(), send=[new], unreachable=hosts)[
            "smart_host_unreachable"
        ]
        == "stop"
    )
    assert severities_of(state, SiteNetworks(), send=[new], unreachable=["other.example"]) == {}


@pytest.mark.parametrize(
    "theirs",
    [
        sites.send("Outbound to Office 365 - 1234", address_spaces=["birke.mail.onmicrosoft.com"]),
        sites.send("Hybrid", cloud_services_mail_enabled=True),
        sites.send("EdgeSync - Site to Internet"),
        sites.send("Inbound", address_spaces=["--"]),
    ],
)
def test_guard_protected_send_connector(theirs: dict[str, t.Any]) -> None:
    state = sites.site(Version.E2019, [], [theirs])

    severities = severities_of(
        state, SiteNetworks(), send=[{"name": theirs["name"], "enabled": False}]
    )

    assert severities["protected_send_connector"] == "stop"


def test_guard_protected_send_connector__all_of_them_on_a_subscribed_edge_server() -> None:
    subscribed = sites.site(
        Version.E2019,
        [],
        [sites.send("EdgeSync - Site to Internet"), sites.send("Other")],
        edge=True,
    )
    alone = sites.site(Version.E2019, [], [sites.send("Other")], edge=True)
    change = {"name": "Other", "enabled": False}

    assert "protected_send_connector" in severities_of(subscribed, SiteNetworks(), send=[change])
    assert severities_of(alone, SiteNetworks(), send=[change]) == {}
