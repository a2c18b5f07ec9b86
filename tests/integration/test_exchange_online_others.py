# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else bounces when a tenant is locked: told before, and true of the lab's mail servers."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.attribution import (
    NO_DIRECT_SEND,
    NOT_BY_THE_FILTER,
    Hop,
    answer,
)
from ansible_collections.mailedge.lockdown.tests.support.exchange_online_modules import (
    OWN,
    Tenant,
    ids,
    running,
)
from ansible_collections.mailedge.lockdown.tests.support.fortigate import Result

FORWARDER = Hop("192.0.2.99", tls=True, subject="mx.forwarder.example")
OFFICE = Hop("203.0.113.25", tls=True, subject=OWN)
HYBRID = "postmaster@hafen-lab.mail.onmicrosoft.com"
OTHERS = {"others_refused", "own_senders_refused", "service_domains_refused"}


@pytest.fixture
def tenant(tmp_path: pathlib.Path) -> t.Iterator[Tenant]:
    yield from running(tmp_path)


def said(tenant: Tenant, hop: Hop, sender: str, recipient: str) -> str:
    """What the tenant's mail servers say when all is in force."""
    tenant.online.clock.advance(1801)
    return answer([tenant.online.tenant], hop, sender, recipient)


def sentence(result: Result, guard: str) -> str:
    (told,) = [each["sentence"] for each in result["guards"] if each["id"] == guard]
    return str(told)


def test_a_lock_tells_each_kind_of_sender_that_bounces_and_each_does(tenant: Tenant) -> None:
    told = tenant.locked(check=True)
    assert ids(told) >= OTHERS
    assert "forwarders without SRS" in sentence(told, "own_senders_refused")
    service = sentence(told, "service_domains_refused")
    assert "Mail to hafen-lab.onmicrosoft.com and hafen-lab.mail.onmicrosoft.com" in service
    assert "the description names none" in service
    assert all(each["severity"] == "warn" for each in told["guards"])
    tenant.locked()
    own, away = "office@hafen.example", "a@bank.example"
    assert said(tenant, FORWARDER, own, "postmaster@hafen.example") == NOT_BY_THE_FILTER
    assert said(tenant, FORWARDER, away, "postmaster@hafen.example") == NOT_BY_THE_FILTER
    assert said(tenant, OFFICE, own, HYBRID) == NOT_BY_THE_FILTER
    assert not ids(tenant.locked()) & OTHERS, "what is so already is no news"


def test_the_plan_has_the_servers_on_premises_where_they_are_named(tenant: Tenant) -> None:
    named = {"on_premises_certificate": OWN, "accept_risks": ["no_safe_order"]}
    told = tenant.locked(check=True, **named)
    assert any(OWN in step for step in told["plan"])
    service = sentence(told, "service_domains_refused")
    assert f"than the filter and a certificate for {OWN}." in service
    assert "names none" not in service
    tenant.locked(**named)
    assert said(tenant, OFFICE, "office@hafen.example", HYBRID).startswith("250")


def test_direct_send_alone_tells_whom_it_refuses(tenant: Tenant) -> None:
    options: dict[str, t.Any] = {"method": "none", "reject_direct_send": True}
    told = tenant.locked(check=True, **options)
    assert ids(told) & OTHERS == {"own_senders_refused"}
    tenant.lock(**options)
    own = "office@hafen.example"
    assert said(tenant, FORWARDER, own, "postmaster@hafen.example") == NO_DIRECT_SEND
    assert not ids(tenant.lock(**options)) & OTHERS


def test_a_rule_that_only_counts_refuses_nobody(tenant: Tenant) -> None:
    rule: dict[str, t.Any] = {"method": "rule", "provider_ranges": ["198.51.100.0/24"]}
    assert not ids(tenant.lock(check=True, **rule)) & OTHERS
    told = tenant.lock(check=True, rule_mode="enforce", **rule)
    assert "would be quarantined" in sentence(told, "own_senders_refused")
