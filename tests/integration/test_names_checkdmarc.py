# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DMARC, SPF and MTA-STS as we read them, judged by checkdmarc, where it is installed: what is an
error to it is never in order to us, and what it calls valid is read the same.
"""

from __future__ import annotations

import importlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._dns import policies, spf
from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.resolver import Resolver
from ansible_collections.mailedge.lockdown.tests.lab.names import NameServer
from ansible_collections.mailedge.lockdown.tests.support.spf_records import (
    BROKEN,
    RECORDS,
    zones,
)

DOMAIN = "hafen.example"
ERROR = "error"
RECORD = policies.Policy(policies.PRESENT, f"_mta-sts.{DOMAIN}", {"v": "STSv1", "id": "20260101"})


def judge(name: str) -> t.Any:
    try:
        return importlib.import_module(f"checkdmarc.{name}")
    except ImportError:
        pytest.skip("checkdmarc is not installed, see requirements-judges.txt")


@pytest.fixture(scope="module")
def dns() -> t.Iterator[NameServer]:
    with NameServer(zones()) as server:
        yield server


def ours(dns: NameServer) -> Resolver:
    return Resolver("127.0.0.1", dns.port, seconds=2)


def theirs(dns: NameServer) -> dict[str, t.Any]:
    resolver = importlib.import_module("dns.resolver").Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], dns.port
    return {"resolver": resolver, "timeout": 2, "retries": 0}


DMARC = [
    "v=DMARC1; p=none",
    "v=DMARC1; p=quarantine",
    "v=DMARC1;p=reject;",
    "v=DMARC1; p = REJECT",
    "v=DMARC1 ; p=reject; adkim=s; aspf=r; fo=1",
    "v=DMARC1; p=reject; sp=none; unknown=1",
    "v=DMARC1; p=rejct",
    "v=DMARC1; p=reject; p=none",
    "v=DMARC1; p",
    "v=DMARC1 p=reject",
    "p=reject; v=DMARC1",
    "v=DMARC2; p=reject",
    "v=DMARC1",
]


@pytest.mark.parametrize("record", DMARC)
def test_dmarc_asks_for_the_same_and_an_error_is_never_a_policy(
    dns: NameServer, record: str
) -> None:
    dmarc = judge("dmarc")
    dns.zones.records[f"_dmarc.{DOMAIN}", "TXT"] = [f'"{record}"']
    read = policies.dmarc(DOMAIN, ours(dns))
    asked = read.tags.get("asked", "") if read.status == policies.PRESENT else ""
    try:
        says = dmarc.parse_dmarc_record(record, DOMAIN, **theirs(dns))["tags"]["p"]["value"]
    except dmarc.DMARCError:
        says = ERROR
    # Without any policy it takes "none" for granted, and we say that there is none.
    assert asked == says or (asked, says) in (("", ERROR), ("", "none")), read


POLICY = "version: STSv1\nmode: enforce\nmx: {}\nmax_age: {}\n"
MTA_STS = [
    POLICY.format("*.filter.example", 604800),
    POLICY.format("mx1.filter.example", 31557600).replace("\n", "\r\n"),
    POLICY.format("a.example", 1).replace(": ", ":") + "mx: b.example\nother: x\n",
    "version: STSv1\nmode: none\nmax_age: 86400\n",
    "version: STSv2\nmode: none\nmax_age: 86400\n",
    POLICY.format("a.example", 86400).replace("enforce", "enforced"),
    "version: STSv1\nmode: enforce\nmax_age: 86400\n",
    "version: STSv1\nmode: enforce\nmx: a.example\n",
    POLICY.format("a.example", "soon"),
    POLICY.format("a.example", 99999999999),
    POLICY.format("a.example", 31557601),
    POLICY.format("*.*.example", 86400),
    POLICY.format(".example", 86400),
    "<html></html>",
    "",
]


@pytest.mark.parametrize("text", MTA_STS)
def test_a_policy_of_mta_sts_is_valid_to_both_or_to_none(text: str) -> None:
    mta_sts = judge("mta_sts")
    read = policies.understood("mta-sts.hafen.example", text, RECORD)
    try:
        says = mta_sts.parse_mta_sts_policy(text)["policy"]
    except mta_sts.MTASTSPolicySyntaxError:
        says = None
    assert (read.status == policies.PRESENT) == (says is not None), read
    if says is not None:
        assert (read.tags["mode"], list(read.mx)) == (says["mode"], says["mx"])


@pytest.mark.parametrize("record", [*RECORDS, *(record for record, _words in BROKEN)])
def test_spf_is_an_error_to_both_or_to_none(dns: NameServer, record: str) -> None:
    judged = judge("spf")
    dns.zones.records[DOMAIN, "TXT"] = [f'"{record}"']
    read = spf.read(DOMAIN, ours(dns))
    try:
        # It takes small letters alone, where RFC 7208, 4.6.1 takes any.
        judged.parse_spf_record(record.lower(), DOMAIN, **theirs(dns))
        says = ""
    except judged.SPFError as error:
        says = str(error)
    assert bool(read.error) == bool(says), (read, says)
