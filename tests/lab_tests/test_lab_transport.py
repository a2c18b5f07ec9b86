# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Port 25 of the lab goes by the rights on its connectors, whatever their permission groups are
called.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.exchange import rights
from ansible_collections.mailedge.lockdown.tests.lab.exchange.defaults import add_receive, site
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import EDITIONS
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.support.lab_connectors import (
    bare,
    create,
    grant,
    withdraw,
)

STRANGER, PROVIDER = "203.0.113.9", "198.51.100.7"


@pytest.fixture
def host() -> ExchangeHost:
    return bare()


def meets(host: ExchangeHost, sender: str = STRANGER, **where: t.Any) -> str:
    return host.admission(sender, **where).words()


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_edition_lets_strangers_in_before_a_lock_and_relays_for_none(edition: str) -> None:
    admission = site(edition).admission(STRANGER)
    assert admission.submit
    assert not admission.relays


def test_a_right_opens_the_door_without_its_group(host: ExchangeHost) -> None:
    wide = create(host, "Wide", PermissionGroups="ExchangeServers")
    assert meets(host) == "refused by Wide"
    grant(host, wide, rights.SUBMIT)
    assert meets(host) == "accepted by Wide"
    grant(host, wide, rights.ANY_RECIPIENT)
    assert meets(host) == "relayed by Wide"
    (row,) = host.invoke("Get-ReceiveConnector", {"Server": "EX1"})
    assert row["PermissionGroups"] == "ExchangeServers, Custom"


def test_an_anonymous_sender_without_one_right_of_its_group_may_still_send(
    host: ExchangeHost,
) -> None:
    wide = create(host, "Wide", PermissionGroups="AnonymousUsers")
    withdraw(host, wide, rights.OWN_DOMAIN_SENDER)
    assert "AnonymousUsers" not in host.rights.read(host.receive_connectors()[0].rights)
    admission = host.admission(STRANGER)
    assert (admission.submit, admission.any_sender, admission.own_domain_sender) == (
        True,
        True,
        False,
    )


def test_what_is_denied_is_denied_whoever_allows_it(host: ExchangeHost) -> None:
    wide = create(host, "Wide", PermissionGroups="AnonymousUsers")
    grant(host, wide, rights.ANY_RECIPIENT)
    grant(host, wide, rights.ANY_RECIPIENT, deny=True)
    assert meets(host) == "accepted by Wide"
    grant(host, wide, rights.SUBMIT, deny=True)
    assert meets(host) == "refused by Wide"


def test_rights_of_others_are_no_stranger_s(host: ExchangeHost) -> None:
    wide = create(host, "Wide", PermissionGroups="ExchangeUsers, ExchangeServers, Partners")
    grant(host, wide, rights.SUBMIT, rights.ANY_RECIPIENT, user=rights.AUTHENTICATED)
    assert meets(host) == "refused by Wide"


def test_the_anonymous_account_has_the_name_of_the_servers_language() -> None:
    host = bare(anonymous_account="NT-AUTORITÄT\\ANONYMOUS-ANMELDUNG")
    create(host, "Wide", PermissionGroups="AnonymousUsers")
    assert meets(host) == "accepted by Wide"


def test_whoever_an_externally_secured_connector_hears_relays(host: ExchangeHost) -> None:
    create(
        host,
        "Partner",
        PermissionGroups="ExchangeServers",
        AuthMechanism="ExternalAuthoritative",
        RemoteIPRanges=["198.51.100.0/24"],
    )
    assert meets(host, PROVIDER) == "relayed by Partner"
    assert meets(host) == "no connector"


def test_the_smallest_range_takes_the_session_and_tls_is_its_own(host: ExchangeHost) -> None:
    create(host, "Wide", PermissionGroups="AnonymousUsers")
    create(
        host,
        "Filter",
        PermissionGroups="AnonymousUsers",
        RequireTLS=True,
        RemoteIPRanges=["198.51.100.0/24"],
    )
    create(host, "One of them", RemoteIPRanges=["198.51.100.7"])
    assert meets(host) == "accepted by Wide"
    assert meets(host, "198.51.100.8") == "accepted by Filter, over TLS only"
    assert meets(host, PROVIDER) == "refused by One of them"
    assert meets(host, "2001:db8:bad::9") == "accepted by Wide"
    host.invoke(
        "Set-ReceiveConnector", {"Identity": "EX1\\One of them", "Enabled": False, "Confirm": False}
    )
    assert meets(host, PROVIDER) == "accepted by Filter, over TLS only"


def test_a_binding_to_the_address_beats_the_one_to_all_of_them(host: ExchangeHost) -> None:
    create(host, "Wide", PermissionGroups="AnonymousUsers")
    create(host, "Here", Bindings=["192.0.2.25:25"], RemoteIPRanges=["10.0.0.0/8"])
    assert meets(host) == "no connector"
    assert meets(host, local="192.0.2.26") == "accepted by Wide"
    assert meets(host, port=587) == "no connector"
    assert host.listens(4)
    assert host.listens(6)
    assert not host.listens(4, 587)


def test_of_two_equal_claims_the_generous_one_counts(host: ExchangeHost) -> None:
    """A replication conflict leaves two of them; no cmdlet makes such a pair."""
    for name, groups in (("Wide\nCNF:1", "AnonymousUsers"), ("Wide", "ExchangeServers")):
        printed = {
            "Bindings": ["0.0.0.0:25"],
            "RemoteIPRanges": ["0.0.0.0-255.255.255.255"],
            "AuthMechanism": "Tls",
        }
        add_receive(host, name, {**printed, "PermissionGroups": groups})
    assert host.admission(STRANGER).submit


def test_what_is_shown_is_equal_for_equal_states(host: ExchangeHost) -> None:
    wide = create(host, "Wide", RemoteIPRanges=["10.0.0.0/8", "192.0.2.0/24"])
    before = host.shown()
    assert before["receive_connectors"]["Wide"]["RemoteIPRanges"] == [
        "10.0.0.0-10.255.255.255",
        "192.0.2.0-192.0.2.255",
    ]
    change = {
        "Identity": wide,
        "RemoteIPRanges": ["192.0.2.0-192.0.2.255", "10.0.0.0/8"],
        "Confirm": False,
    }
    host.invoke("Set-ReceiveConnector", change)
    assert host.shown() == before
    grant(host, wide, rights.SUBMIT)
    assert host.shown() != before
