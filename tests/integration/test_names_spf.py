# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SPF as we read it: who may send, what is too wide, what is an error. pyspf judges it, where it is
installed: for every record and address it says the same.
"""

from __future__ import annotations

import importlib
import types
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._dns import spf
from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.judge import Described, _spf
from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.resolver import Resolver
from ansible_collections.mailedge.lockdown.tests.lab.names import NameServer
from ansible_collections.mailedge.lockdown.tests.support.spf_records import (
    BROKEN,
    RECORDS,
    zones,
)

DOMAIN = "hafen.example"


def pyspf() -> types.ModuleType | None:
    try:
        return importlib.import_module("spf")
    except ImportError:
        return None


SENDERS = [
    "198.51.100.7",
    "198.51.100.200",
    "203.0.113.25",
    "203.0.113.26",
    "203.0.113.80",
    "203.0.113.81",
    "192.0.2.9",
    "192.0.2.12",
    "2001:db8:25::7",
    "2001:db8:113::25",
    "2001:db8:113::26",
    "2001:db8:999::1",
]


@pytest.fixture(scope="module")
def dns() -> t.Iterator[NameServer]:
    with NameServer(zones()) as server:
        yield server


def publish(dns: NameServer, *records: str) -> Resolver:
    dns.zones.records[DOMAIN, "TXT"] = [f'"{record}"' for record in records]
    return Resolver("127.0.0.1", dns.port, seconds=2)


def judged(dns: NameServer, sender: str) -> str:
    """What pyspf says, by way of the same server."""
    judge: t.Any = pyspf()
    if judge is None:
        pytest.skip("pyspf is not installed, see requirements-judges.txt")
    resolver = Resolver("127.0.0.1", dns.port, seconds=2)

    def look_up(name: str, kind: str, *_more: t.Any, **_others: t.Any) -> list[t.Any]:
        """As pyspf wants it: ((name, kind), value) of every record, aliases included."""
        answer = resolver.ask(name, kind)
        findings: list[t.Any] = []
        for record in answer.records:
            if kind == "TXT":
                value: t.Any = tuple(record.strings)
            elif kind == "MX":
                value = (record.preference, record.exchange.to_text(omit_final_dot=True))
            else:
                value = str(record.address)
            findings.append(((name, kind), value))
        return findings

    kept, judge.DNSLookup = judge.DNSLookup, look_up
    try:
        return str(judge.check2(sender, f"probe@{DOMAIN}", DOMAIN)[0])
    finally:
        judge.DNSLookup = kept


@pytest.mark.parametrize("record", RECORDS)
def test_pyspf_says_the_same_of_every_sender(dns: NameServer, record: str) -> None:
    read = spf.read(DOMAIN, publish(dns, record))
    assert read.whole, read
    says = {sender: judged(dns, sender) for sender in SENDERS}
    assert {sender: sender in read.passed for sender in SENDERS} == {
        sender: verdict == "pass" for sender, verdict in says.items()
    }, says
    assert not {"permerror", "temperror"} & set(says.values())


@pytest.mark.parametrize(("record", "words"), BROKEN)
def test_what_is_an_error_to_pyspf_is_one_to_us(dns: NameServer, record: str, words: str) -> None:
    read = spf.read(DOMAIN, publish(dns, record))
    assert words in read.error, read
    assert not read.whole
    assert judged(dns, "192.0.2.200") == "permerror"


def test_who_may_send_is_read_without_a_judge(dns: NameServer) -> None:
    """So that something is tested also where pyspf is not there."""
    read = spf.read(DOMAIN, publish(dns, RECORDS[9]))
    assert "198.51.100.8" in read.passed
    assert "198.51.100.7" not in read.passed
    assert (read.ends, read.lookups) == ("-", 1)


FOUND = [
    (["v=spf1 +all"], "critical", "lets everybody send"),
    (["v=spf1 redirect=_open.filter.example"], "critical", "lets everybody send"),
    (["v=spf1 include:_open.filter.example -all"], "critical", "send in its name"),
    (["v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all"], "critical", "send in its name"),
    (["v=spf1 ip4:100.0.0.0/8 -all"], "critical", "100.0.0.0/8"),
    (["v=spf1 ip4:198.51.100.0/24 ?all"], "warning", "does not say that others may not"),
    (["v=spf1 ip4:198.51.100.0/24"], "warning", "does not say that others may not"),
    (["v=spf1 a -all", "v=spf1 mx -all"], "critical", "2 SPF records"),
    (["v=spf1 ipv4:198.51.100.1 -all"], "critical", "is an error"),
    (["v=spf2.0/pra -all"], "warning", "no SPF record"),
    ([], "warning", "no SPF record"),
    (["v=spf1 ip4:198.51.100.0/24 ~all"], "ok", "0 of 10 lookups"),
]


@pytest.mark.parametrize(("records", "severity", "words"), FOUND)
def test_each_record_has_its_finding(
    dns: NameServer, records: list[str], severity: str, words: str
) -> None:
    findings = next(iter(_spf(DOMAIN, Described(), publish(dns, *records))))
    assert (findings.severity, words in findings.sentence) == (severity, True), findings


SMART = [
    ("v=spf1 ip4:198.51.100.0/24 -all", ["198.51.100.7", "mx.filter.example"], "ok"),
    ("v=spf1 ip4:192.0.2.0/24 -all", ["mx.filter.example"], "warning"),
    ("v=spf1 ip4:198.51.100.0/24 -all", ["gone.filter.example"], "unknown"),
    ("v=spf1 exists:%{i}.filter.example -all", ["mx.filter.example"], "unknown"),
    ("v=spf1 ip4:203.0.113.25 -all", ["mail.hafen.example"], "warning"),
]


@pytest.mark.parametrize(("record", "hosts", "severity"), SMART)
def test_smart_hosts_are_asked_for_by_all_their_addresses(
    dns: NameServer, record: str, hosts: list[str], severity: str
) -> None:
    findings = list(_spf(DOMAIN, Described(smart_hosts=tuple(hosts)), publish(dns, record)))
    (about,) = [each for each in findings if each.id == "spf_smart_hosts"]
    assert about.severity == severity, findings


def test_a_term_that_dns_does_not_answer_is_unknown(dns: NameServer) -> None:
    dns.faults["_spf.filter.example"] = "SERVFAIL"
    try:
        resolver = publish(dns, "v=spf1 include:_spf.filter.example -all")
        (findings,) = _spf(DOMAIN, Described(smart_hosts=("198.51.100.7",)), resolver)
    finally:
        dns.faults.clear()
    assert findings.severity == "unknown"
