# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's model of who gets in, held against the lab's own answer by the rights on its
connectors.

Both start from the same server and share nothing behind that: the model goes by what it reads of
it, the lab by what is stored in it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import typing as t

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.doors import View, holding
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import (
    REFUSED,
    Answer,
    answers,
    exposure,
    match,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    Endpoint,
    RangeSet,
    parse_address,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange import rights
from ansible_collections.mailedge.lockdown.tests.lab.exchange.defaults import add_receive
from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.exchange.transport import Admission
from ansible_collections.mailedge.lockdown.tests.lab.exchange.transport import may as may_on
from ansible_collections.mailedge.lockdown.tests.support.lab_connectors import (
    EVERYBODY,
    bare,
    create,
    grant,
    withdraw,
)
from ansible_collections.mailedge.lockdown.tests.support.reading import read

STRANGER = "203.0.113.9"
PORTS = (25, 26, 587)
# The two addresses of the server, one that no connector names, and the server itself.
LOCALS = {
    4: ("192.0.2.25", "192.0.2.26", "192.0.2.99", "127.0.0.1"),
    6: ("2001:db8::25", "2001:db8::99", "::1"),
}
BINDINGS = (
    "0.0.0.0:25",
    "[::]:25",
    "192.0.2.25:25",
    "192.0.2.26:25",
    "[2001:db8::25]:25",
    "127.0.0.1:25",
    "0.0.0.0:26",
    "192.0.2.25:587",
)
# Nested, beside each other, and of one address; on one binding those that cross are refused.
RANGES = (
    *EVERYBODY,
    "0.0.0.0-127.255.255.255",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.1.7",
    "127.0.0.1",
    "192.0.2.0/24",
    "198.51.100.0/24",
    "198.51.100.0-198.51.100.127",
    "198.51.100.7",
    "2001:db8::/32",
    "2001:db8:100::/48",
    "::1",
)
ACCOUNTS = {
    "ExchangeUsers": rights.AUTHENTICATED,
    "ExchangeServers": r"MS Exchange\Hub Transport Servers",
    "Partners": r"MS Exchange\Partner Servers",
}
GROUPS = ("AnonymousUsers", *ACCOUNTS)

_options: st.SearchStrategy[dict[str, t.Any]] = st.fixed_dictionaries(
    {
        "Bindings": st.lists(st.sampled_from(BINDINGS), min_size=1, max_size=3, unique=True),
        "RemoteIPRanges": st.lists(st.sampled_from(RANGES), min_size=1, max_size=3, unique=True),
        "AuthMechanism": st.sampled_from(("Tls", "Tls", "None", "Tls, ExternalAuthoritative")),
        "RequireTLS": st.sampled_from((False, False, True)),
        "Enabled": st.sampled_from((True, True, True, False)),
    }
)
# For the relay right: allowed, denied, both.
_relays = st.sampled_from(((), (), (False,), (True,), (False, True)))


@st.composite
def _hosts(draw: st.DrawFn) -> ExchangeHost:
    """A server with up to six connectors, of which its own cmdlets have refused what cannot be."""
    host = bare(draw(st.sampled_from(("2007-rtm", "2010", "2016", "edge"))))
    for number in range(draw(st.integers(0, 6))):
        options = draw(_options)
        groups = ", ".join(sorted(draw(st.sets(st.sampled_from(GROUPS))))) or "None"
        relays = draw(_relays)
        try:
            made = create(host, f"Connector {number}", **options, PermissionGroups=groups)
        except ExchangeError:
            continue
        for deny in relays:
            grant(host, made, rights.ANY_RECIPIENT, deny=deny)
    event(f"{len(host.receive_connectors())} connectors")
    return host


def _borders(host: ExchangeHost) -> list[str]:
    """A sender on either side of every border, and strangers."""
    edges = {STRANGER, "2001:db8:bad::9"}
    for connector in host.receive_connectors():
        for entry in connector.values["RemoteIPRanges"]:
            kind = ipaddress.IPv4Address if entry.version == 4 else ipaddress.IPv6Address
            for value in (entry.first - 1, entry.first, entry.last, entry.last + 1):
                with contextlib.suppress(ipaddress.AddressValueError):
                    edges.add(str(kind(value)))
    return sorted(edges)


def _agree(host: ExchangeHost, answer: Answer, admission: Admission) -> None:
    """Whether one answer of the model is the lab's, for those that log in as well."""
    answering = admission.connector
    assert answer.connector == (answering.name if answering else None)
    assert answer.accepts_anonymous == admission.submit
    assert answer.relay == admission.relays
    assert answer.require_tls == admission.tls_first
    for group, account in ACCOUNTS.items():
        may = answering is not None and may_on(answering, [account], rights.SUBMIT)
        assert (group in answer.groups) == may, group


@given(_hosts())
def test_the_model_says_of_every_sender_at_every_door_what_the_lab_does(host: ExchangeHost) -> None:
    connectors = tuple(read(host).receive.values())
    views = {port: View(connectors, port) for port in PORTS}
    for sender in _borders(host):
        address = parse_address(sender)
        for local in LOCALS[address.version]:
            here = parse_address(local)
            for port in PORTS:
                admission = host.admission(sender, local, port)
                _agree(host, match(connectors, address, port, here), admission)
                pieces = views[port].at(Endpoint(here.version, here.value, port))
                held = [answer for first, last, answer in pieces if first <= address.value <= last]
                _agree(host, held[0] if held else REFUSED, admission)
                assert len(held) <= 1


@given(_hosts())
def test_the_exposure_of_a_listener_is_what_the_lab_answers_there(host: ExchangeHost) -> None:
    connectors = tuple(read(host).receive.values())
    senders = _borders(host)
    for port in PORTS:
        for piece in exposure(connectors, port):
            version, address = piece.listener.version, piece.listener.address
            local = str(ipaddress.ip_address(address.to_bytes(4 if version == 4 else 16, "big")))
            if address == 0:
                local = "192.0.2.99" if version == 4 else "2001:db8::99"
            for sender in senders:
                if parse_address(sender) in piece.ranges:
                    _agree(host, piece.answer, host.admission(sender, local, port))


@given(_hosts())
def test_who_gets_in_anywhere_is_told_and_nobody_else(host: ExchangeHost) -> None:
    connectors = tuple(read(host).receive.values())
    for port in PORTS:
        told = {
            "submit": holding(connectors, lambda answer: answer.accepts_anonymous, port),
            "relays": holding(connectors, lambda answer: answer.relay, port),
        }
        for sender in _borders(host):
            address = parse_address(sender)
            # What listens on loopback is for the server itself.
            doors = [
                host.admission(sender, local, port)
                for local in LOCALS[address.version]
                if local not in ("127.0.0.1", "::1")
            ]
            for right, ranges in told.items():
                assert (address in ranges) == any(getattr(door, right) for door in doors), (
                    sender,
                    port,
                    right,
                )
            reached = {
                answer.connector for answer in answers(connectors, RangeSet.parse(sender), port)
            }
            assert {door.connector.name for door in doors if door.connector} <= reached


# ---------------------------------------------------------------- where both once parted


def _same(host: ExchangeHost) -> None:
    connectors = tuple(read(host).receive.values())
    assert match(connectors, STRANGER).accepts_anonymous == host.admission(STRANGER).submit


@pytest.mark.parametrize(
    "also", [(), (rights.ANY_SENDER,), (rights.ANY_SENDER, rights.ANY_RECIPIENT)]
)
def test_a_right_to_send_beyond_the_groups_is_an_open_door(also: tuple[str, ...]) -> None:
    host = bare()
    grant(host, create(host, "Wide", PermissionGroups="ExchangeServers"), rights.SUBMIT, *also)
    _same(host)


def test_a_connector_hardened_against_forged_senders_is_an_open_door() -> None:
    host = bare()
    withdraw(
        host, create(host, "Wide", PermissionGroups="AnonymousUsers"), rights.OWN_DOMAIN_SENDER
    )
    _same(host)


def test_a_right_to_send_that_is_denied_is_a_closed_door() -> None:
    host = bare()
    grant(host, create(host, "Wide", PermissionGroups="AnonymousUsers"), rights.SUBMIT, deny=True)
    _same(host)


def test_of_two_equal_claims_the_open_one_counts() -> None:
    host = bare()
    printed = {"Bindings": ["0.0.0.0:25"], "RemoteIPRanges": [EVERYBODY[0]], "AuthMechanism": "Tls"}
    add_receive(host, "Wide", {**printed, "PermissionGroups": "ExchangeServers"})
    add_receive(host, "Wide\nCNF:1", {**printed, "PermissionGroups": "AnonymousUsers"})
    _same(host)
