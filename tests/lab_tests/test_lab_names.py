# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's DNS server, asked by dnspython's own resolver: it says what a real one would."""

from __future__ import annotations

import typing as t

import dns.exception
import dns.resolver
import pytest

from ansible_collections.mailedge.lockdown.tests.lab.names import NameServer
from ansible_collections.mailedge.lockdown.tests.support.names import DOMAIN, SERVER, a_site


@pytest.fixture
def server() -> t.Iterator[NameServer]:
    with NameServer(a_site()) as running:
        yield running


def resolver(server: NameServer) -> dns.resolver.Resolver:
    asks = dns.resolver.Resolver(configure=False)
    asks.nameservers, asks.port, asks.lifetime = ["127.0.0.1"], server.port, 1.0
    return asks


def test_it_follows_aliases_and_tells_no_data_from_no_name(server: NameServer) -> None:
    asks = resolver(server)
    answer = asks.resolve(f"webmail.{DOMAIN}", "A")
    assert answer.canonical_name.to_text() == f"mail.{DOMAIN}."
    assert [str(record) for record in answer] == [SERVER]
    with pytest.raises(dns.resolver.NoAnswer):
        asks.resolve(f"mail.{DOMAIN}", "MX")
    with pytest.raises(dns.resolver.NoAnswer):
        asks.resolve(f"_tls.{DOMAIN}", "TXT")  # Nothing there, and something below it.
    with pytest.raises(dns.resolver.NXDOMAIN):
        asks.resolve(f"nobody.{DOMAIN}", "A")


def test_a_wildcard_covers_what_is_not_there_and_no_more(server: NameServer) -> None:
    server.zones.add(f"*.{DOMAIN}", "A", "203.0.113.80")
    asks = resolver(server)
    assert [str(each) for each in asks.resolve(f"any.{DOMAIN}", "A")] == ["203.0.113.80"]
    assert [str(each) for each in asks.resolve(f"a.b.{DOMAIN}", "A")] == ["203.0.113.80"]
    assert [str(each) for each in asks.resolve(f"mail.{DOMAIN}", "A")] == [SERVER]
    # RFC 4592, 4.9: what exists keeps the wildcard from all that is below it.
    with pytest.raises(dns.resolver.NXDOMAIN):
        asks.resolve(f"below.mail.{DOMAIN}", "A")


@pytest.mark.parametrize("fault", ["SERVFAIL", "REFUSED", "silent", "garbage", "cut for good"])
def test_its_faults_are_failures_to_a_real_resolver(server: NameServer, fault: str) -> None:
    server.faults["*"] = fault
    with pytest.raises((dns.resolver.NoNameservers, dns.exception.Timeout)):
        resolver(server).resolve(f"mail.{DOMAIN}", "A")


def test_an_answer_that_is_cut_is_whole_over_tcp(server: NameServer) -> None:
    server.faults["*"] = "cut"
    assert [str(each) for each in resolver(server).resolve(f"mail.{DOMAIN}", "A")] == [SERVER]
    assert len(server.asked) == 2
