# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever had mail before a lock has it after, or is told of: the server itself, who nobody has
named, who logs in.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.integration.guard_words import FRONTEND, said
from ansible_collections.mailedge.lockdown.tests.integration.in_process import (
    COLLEAGUE,
    INBOUND,
    PROVIDER,
    SITE,
    STRANGER,
    Wire,
    do,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults, rights, transport
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import Ace
from ansible_collections.mailedge.lockdown.tests.support.lab_host import receive_connector
from ansible_collections.mailedge.lockdown.tests.support.reading import read

OWN_ADDRESS = "192.0.2.25"
UNNAMED = ("10.30.0.5", "fd00::5")
_LAN = {
    "Bindings": ["0.0.0.0:25"],
    "RemoteIPRanges": ["10.20.0.0/16"],
    "PermissionGroups": "AnonymousUsers, ExchangeServers",
    "AuthMechanism": "Tls, ExchangeServer",
}


def with_connector(host: ExchangeHost, name: str, **values: t.Any) -> None:
    role = {"TransportRole": "FrontendTransport"} if host.edition.frontend else {}
    defaults.add_receive(host, name, {**_LAN, **role, **values})


def logs_in(host: ExchangeHost, sender: str, account: str, local: str | None = None) -> bool:
    """Whether an account of the organization may send from there, by the rights on the connector
    that answers.
    """
    connector = host.admission(sender, local).connector
    return connector is not None and transport.may(connector, [account], rights.SUBMIT)


SERVERS = r"MS Exchange\Hub Transport Servers"


@pytest.mark.parametrize("method", ["auto", "narrow", "disable"])
@pytest.mark.parametrize("relay", [False, True], ids=["wide alone", "LAN relay beside it"])
def test_the_server_itself_keeps_what_it_has(
    relay: bool, method: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    if relay:
        with_connector(host, "LAN relay")
    wire = Wire(host)
    lock = {**SITE, "inbound_lock": {"method": method}}
    done = do(wire, lock)
    assert not done.get("failed"), done["msg"]
    for sender in ("127.0.0.1", "::1", OWN_ADDRESS, "2001:db8::25"):
        assert host.admission(sender, sender).submit, sender
        assert logs_in(host, sender, SERVERS, sender), sender
    assert not host.admission(STRANGER).submit
    assert done["state"] == "in order"
    assert "the server itself: anonymous mail accepted" in done["exposure"]["words"]
    again = do(wire, lock)
    assert (again["changed"], again["state"]) == (False, "in order"), again["plan"]


def test_the_server_itself_keeps_what_it_has_within_the_ranges_of_the_provider(
    tmp_path: pathlib.Path,
) -> None:
    inside = "2001:db8:100:1::11"
    host = defaults.site("2019", folder=tmp_path, addresses=(OWN_ADDRESS, inside))
    lock = {**INBOUND, "provider_ranges": [*SITE["provider_ranges"], "2001:db8:100::/48"]}
    done = do(Wire(host), lock)
    assert not done.get("failed"), done["msg"]
    assert host.admission(inside, inside).submit
    assert logs_in(host, inside, SERVERS, inside)
    assert not logs_in(host, "2001:db8:100::7", SERVERS, inside)
    assert (do(Wire(host), lock)["changed"], done["state"]) == (False, "in order")


def test_the_server_itself_is_no_network_that_has_to_be_named(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    lock = {"provider_ranges": SITE["provider_ranges"], "inbound_lock": {}}
    stopped = do(Wire(host), lock)
    assert "No own_networks are named" in said(stopped, "own_networks_shut_out")
    done = do(Wire(host), {**lock, "accept_risks": ["own_networks_shut_out"]})
    assert not done.get("failed"), done["msg"]
    assert host.admission("127.0.0.1", "127.0.0.1").submit
    assert not host.admission(COLLEAGUE).submit


def test_a_change_that_takes_something_from_the_server_itself_is_stopped(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    narrow = {"name": "Loopback", "bindings": ["127.0.0.1:25"], "remote_ip_ranges": ["127.0.0.1"]}
    stopped = do(Wire(host), {**SITE, "receive_connectors": [narrow]})
    assert stopped["failed"]
    assert "The server itself, from 127.0.0.0/8, could no longer send without a login" in said(
        stopped, "server_shut_out"
    )


def test_private_senders_that_nobody_has_named_are_told(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    assert all(host.admission(sender).submit for sender in UNNAMED)
    done = do(Wire(host), INBOUND)
    assert not done.get("failed"), done["msg"]
    assert not any(host.admission(sender).submit for sender in UNNAMED)
    told = said(done, "unnamed_senders_shut_out")
    assert "could no longer send without a login, which they can today" in told
    assert any("(guard unnamed_senders_shut_out)" in text for text in done["warnings"])
    group = "private addresses that nobody has named: anonymous mail accepted → refused"
    assert any(line.startswith(group) for line in done["exposure"]["words"])
    again = do(Wire(host), INBOUND)
    assert again["guards"] == []


def test_a_server_of_the_organization_that_nobody_has_named_is_told(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    assert logs_in(host, UNNAMED[0], SERVERS)
    done = do(Wire(host), {**SITE, "inbound_lock": {"method": "narrow"}})
    assert not done.get("failed"), done["msg"]
    assert not logs_in(host, UNNAMED[0], SERVERS)
    assert "log in as Exchange servers" in said(done, "unnamed_senders_shut_out")
    assert said(done, "logins_shut_out").startswith(
        "Exchange servers on the internet could no longer log in"
    )


def test_no_binding_of_a_connector_out_of_service_is_taken_over(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    old = {
        "Bindings": [f"{OWN_ADDRESS}:25"],
        "Enabled": False,
        "RemoteIPRanges": ["0.0.0.0-255.255.255.255"],
    }
    with_connector(host, "Old filter", **old)
    before = {
        sender: logs_in(host, sender, SERVERS, OWN_ADDRESS)
        for sender in ("10.20.1.11", UNNAMED[0], STRANGER)
    }
    assert all(before.values())
    wire = Wire(host)
    done = do(wire, INBOUND)
    assert not done.get("failed"), done["msg"]
    [ours] = [
        connector for connector in host.receive_connectors() if connector.name == "Mail from filter"
    ]
    assert sorted(map(str, ours.values["Bindings"])) == ["0.0.0.0:25", "[::]:25"]
    assert {sender: logs_in(host, sender, SERVERS, OWN_ADDRESS) for sender in before} == before
    assert not do(wire, INBOUND)["changed"]


@pytest.mark.parametrize("edition", ["2010", "sbs-2011"])
def test_the_binding_of_a_connector_that_the_lock_disables_stays_where_the_provider_comes_in(
    edition: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site(edition, folder=tmp_path, door=False)
    if edition == "2010":
        internet = {
            "Bindings": [f"{OWN_ADDRESS}:25"],
            "RemoteIPRanges": ["0.0.0.0-255.255.255.255"],
        }
        with_connector(
            host, "Internet", **internet, PermissionGroups="AnonymousUsers", AuthMechanism="Tls"
        )
    wire = Wire(host)
    lock = {
        **INBOUND,
        "own_networks": ["192.0.2.0/24"],
        "accept_risks": ["exchange_servers_shut_out"],
    }
    for _run in range(2):
        done = do(wire, lock)
        assert not done.get("failed"), done["msg"]
        assert host.admission(PROVIDER, OWN_ADDRESS).submit
        assert not host.admission(STRANGER, OWN_ADDRESS).submit
    assert (done["changed"], done["state"]) == (False, "in order"), done["plan"]


def test_what_the_server_is_given_does_not_depend_on_whether_a_lock_was_there(
    tmp_path: pathlib.Path,
) -> None:
    # Bound to loopback and deaf to it, it stands in the way of the one on all addresses until the
    # lock disables both.
    host = defaults.site("2010", folder=tmp_path)
    with_connector(
        host,
        "Partners",
        Bindings=[f"{OWN_ADDRESS}:25", "127.0.0.1:25"],
        RemoteIPRanges=["10.0.0.0/8", "128.0.0.0-255.255.255.255"],
        PermissionGroups="AnonymousUsers",
        AuthMechanism="Tls",
    )
    assert not host.admission("127.0.0.1", "127.0.0.1").submit
    wire = Wire(host)
    lock = {
        **INBOUND,
        "inbound_lock": {"method": "disable"},
        "accept_risks": ["exchange_servers_shut_out"],
    }
    done = do(wire, lock)
    assert not done.get("failed"), done["msg"]
    assert not receive_connector(host, "EX1\\Partners")["Enabled"]
    again = do(wire, lock)
    assert not again["changed"], again["plan"]


def test_a_narrower_binding_is_judged_for_everyone_who_comes_to_that_address(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2019", folder=tmp_path, addresses=(OWN_ADDRESS, "192.0.2.26"))
    wire = Wire(host)
    lock = {**SITE, "inbound_lock": {"bindings": [f"{OWN_ADDRESS}:25", "0.0.0.0:25", "[::]:25"]}}
    done = do(wire, {**lock, "exchange_servers": ["10.40.0.11"]})
    assert done["failed"]
    assert "The Exchange servers 10.40.0.11 could no longer send" in said(
        done, "exchange_servers_shut_out"
    )
    # In the own networks they are kept there as well, but whichever comes first is alone for a
    # time.
    done = do(wire, lock)
    assert done["failed"]
    assert "would for a time shut out other Exchange servers (10.20.1.11) on port 25" in done["msg"]
    assert "'Mail from filter' would be the first connector on 192.0.2.25:25" in done["msg"]
    assert "two runs" not in done["msg"]
    assert "log in as Exchange servers" in said(done, "unnamed_senders_shut_out")
    assert host.counters["writes"] == 0
    # Where one listens already, the narrow connector keeps them at that address as well.
    everybody = {
        **_LAN,
        "RemoteIPRanges": ["0.0.0.0-255.255.255.255"],
        "Bindings": [f"{OWN_ADDRESS}:25"],
    }
    with_connector(host, "Second address", **everybody)
    done = do(wire, lock)
    assert not done.get("failed"), done["msg"]
    for local in (OWN_ADDRESS, "192.0.2.26"):
        assert host.admission(COLLEAGUE, local).submit
        assert host.admission(PROVIDER, local).submit
        assert not host.admission(STRANGER, local).submit
        assert all(logs_in(host, sender, SERVERS, local) for sender in ("10.20.1.11", UNNAMED[0]))
    assert not do(wire, lock)["changed"]


def test_a_binding_to_an_address_where_nobody_listens_is_told_with_what_to_name_instead(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2019", folder=tmp_path, addresses=(OWN_ADDRESS, "192.0.2.26"))
    wire = Wire(host)
    stopped = do(wire, {**SITE, "inbound_lock": {"bindings": ["192.0.2.26:25"]}})
    assert stopped["failed"]
    assert (
        "If it comes in by 0.0.0.0:25, name that in the bindings of inbound_lock instead of "
        "192.0.2.26:25, where no connector listens today."
    ) in said(stopped, "provider_shut_out")
    done = do(wire, {**SITE, "inbound_lock": {"bindings": ["0.0.0.0:25"]}})
    assert not done.get("failed"), done["msg"]
    assert all(host.admission(PROVIDER, local).submit for local in (OWN_ADDRESS, "192.0.2.26"))
    # Where somebody listens there, the other one is named beside it.
    small = defaults.site(
        "sbs-2011", folder=tmp_path / "small", addresses=(OWN_ADDRESS, "192.0.2.26")
    )
    with_connector(small, "Second address", Bindings=["192.0.2.26:25"])
    stopped = do(Wire(small), {**SITE, "inbound_lock": {"bindings": ["192.0.2.26:25"]}})
    assert (
        f"If it comes in by {OWN_ADDRESS}:25, name that in the bindings of inbound_lock as well."
        in said(stopped, "provider_shut_out")
    )


@pytest.mark.parametrize("groups", ["ExchangeUsers", "Partners", "ExchangeServers", ""])
def test_auto_disables_only_what_has_no_other_use(groups: str, tmp_path: pathlib.Path) -> None:
    host = defaults.site("2010", folder=tmp_path, door=False)
    held = ", ".join(filter(None, ("AnonymousUsers", groups)))
    wide = {"RemoteIPRanges": ["0.0.0.0-255.255.255.255"], "Bindings": [f"{OWN_ADDRESS}:25"]}
    with_connector(host, "Internet", **wide, PermissionGroups=held, AuthMechanism="Tls, BasicAuth")
    wire = Wire(host)
    done = do(wire, INBOUND)
    assert not done.get("failed"), done["msg"]
    [internet] = [
        connector for connector in host.receive_connectors() if connector.name == "Internet"
    ]
    assert internet.values["Enabled"] == bool(groups)
    assert not host.admission(STRANGER, OWN_ADDRESS).submit
    if groups == "ExchangeUsers":
        assert logs_in(host, STRANGER, rights.AUTHENTICATED, OWN_ADDRESS)
        words = (
            "any internet address: anonymous mail accepted, users that log in too → refused, "
            "except for Exchange servers and users that log in"
        )
        assert words in done["exposure"]["words"]
    assert not do(wire, INBOUND)["changed"]


def test_logins_that_are_taken_on_purpose_are_told(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2010", folder=tmp_path)
    done = do(Wire(host), {**SITE, "inbound_lock": {"method": "disable"}})
    assert not done.get("failed"), done["msg"]
    assert not logs_in(host, STRANGER, rights.AUTHENTICATED)
    assert "Users and Exchange servers on the internet could no longer log in on port 25" in said(
        done, "logins_shut_out"
    )
    words = "any internet address: anonymous mail accepted, users that log in too → refused"
    assert words in done["exposure"]["words"]


def _relaying(host: ExchangeHost, how: str) -> None:
    """Let everybody relay by the connector of setup, which carries the hybrid path as well."""
    identity = f"EX1\\{FRONTEND}"
    capability = ["mail.protection.outlook.com:AcceptCloudServicesMail"]
    host.colleague(
        "Set-ReceiveConnector", {"Identity": identity, "TlsDomainCapabilities": capability}
    )
    if how == "trusted":
        trusted = {"DomainSecureEnabled": False, "AuthMechanism": "Tls, ExternalAuthoritative"}
        host.colleague("Set-ReceiveConnector", {"Identity": identity, **trusted})
    else:
        [frontend] = [
            connector for connector in host.receive_connectors() if connector.name == FRONTEND
        ]
        account = rights.ANONYMOUS if how == "anonymous" else "Everyone"
        frontend.rights = (*frontend.rights, Ace(account, rights.ANY_RECIPIENT))


@pytest.mark.parametrize("how", ["anonymous", "everyone", "trusted"])
def test_exchange_online_may_not_relay_by_the_connector_that_keeps_its_path(
    how: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    _relaying(host, how)
    wire, online = Wire(host), "203.0.113.7"
    lock = {
        **INBOUND,
        "hybrid_ranges": ["203.0.113.0/26"],
        "accept_risks": ["exchange_servers_shut_out"],
    }
    assert host.admission(online).relays
    done = do(wire, lock)
    assert not done.get("failed"), done["msg"]
    assert (host.admission(online).submit, host.admission(online).relays) == (True, False)
    assert host.admission(COLLEAGUE).relays
    assert done["state"] == "in order"
    assert not do(wire, lock)["changed"]
    # Somebody lets it relay again.
    [keeper] = [
        connector
        for connector in host.receive_connectors()
        if connector.name == "Mail from filter (hybrid)"
    ]
    given = {
        "Identity": keeper.distinguished_name,
        "User": rights.ANONYMOUS,
        "ExtendedRights": [rights.ANY_RECIPIENT],
    }
    host.colleague("Add-ADPermission", given)
    seen = do(wire, lock, check=True)
    assert seen["state"] == "open"
    assert seen["plan"] == [
        (
            "Change the receive connector 'Mail from filter (hybrid)': "
            "anonymous_relay true \u2192 false."
        )
    ]
    assert not do(wire, lock).get("failed")
    assert not host.admission(online).relays


GERMAN_USERS = "NT-AUTORIT\u00c4T\\Authentifizierte Benutzer"


@pytest.mark.parametrize("account", [rights.AUTHENTICATED, GERMAN_USERS])
def test_users_whose_rights_are_no_whole_group_log_in_as_before(
    account: str, tmp_path: pathlib.Path
) -> None:
    """As where users must not relay: one right of the group is taken, and it reads as Custom."""
    host = defaults.site("2010", folder=tmp_path, authenticated_account=account, door=False)
    wide = {"RemoteIPRanges": ["0.0.0.0-255.255.255.255"], "Bindings": [f"{OWN_ADDRESS}:25"]}
    with_connector(
        host,
        "Internet",
        **wide,
        PermissionGroups="AnonymousUsers, ExchangeUsers",
        AuthMechanism="Tls",
    )
    [internet] = [
        connector for connector in host.receive_connectors() if connector.name == "Internet"
    ]
    taken = {
        "Identity": internet.distinguished_name,
        "User": account,
        "ExtendedRights": [rights.ANY_RECIPIENT],
    }
    host.colleague("Remove-ADPermission", taken)
    assert "ExchangeUsers" not in read(host).receive["internet"]["permission_groups"]
    wire = Wire(host)
    assert "users that log in" in " ".join(do(wire, INBOUND, check=True)["exposure"]["words"])
    assert logs_in(host, COLLEAGUE, account, OWN_ADDRESS)
    done = do(wire, INBOUND)
    assert not done.get("failed"), done["msg"]
    assert logs_in(host, COLLEAGUE, account, OWN_ADDRESS)
    # It has another use, so that it is not switched off.
    assert logs_in(host, STRANGER, account, OWN_ADDRESS)
    assert not host.admission(STRANGER, OWN_ADDRESS).submit
    assert not do(wire, INBOUND)["changed"]


def test_users_to_whom_sending_is_denied_get_it_by_no_narrow_connector(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2010", folder=tmp_path)
    [default] = [
        connector for connector in host.receive_connectors() if connector.name == "Default EX1"
    ]
    default.rights = (*default.rights, Ace(rights.AUTHENTICATED, rights.SUBMIT, True))
    assert not logs_in(host, COLLEAGUE, rights.AUTHENTICATED)
    done = do(Wire(host), INBOUND)
    assert not done.get("failed"), done["msg"]
    assert host.admission(COLLEAGUE).heard == ("Mail from filter (own networks)",)
    assert not logs_in(host, COLLEAGUE, rights.AUTHENTICATED)
