# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An apply that was given an approved plan carries out that one, or nothing at all."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_address_group,
    fortios_inbound_lock,
    fortios_outbound_lock,
    fortios_rollback,
)
from ansible_collections.mailedge.lockdown.tests.integration.playbook_runs import HOST, NO_LOOK
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, play
from ansible_collections.mailedge.lockdown.tests.lab.site import Site
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.store import ALLOW, Rule
from ansible_collections.mailedge.lockdown.tests.support.exchange_online_modules import (
    CERTIFICATE,
    MX,
    Tenant,
    running,
)
from ansible_collections.mailedge.lockdown.tests.support.fortigate import (
    LOCK,
    OUT,
    Firewall,
    locked,
    policy,
    refs,
)
from ansible_collections.mailedge.lockdown.tests.support.fortigate import (
    running as running_firewall,
)
from ansible_collections.mailedge.lockdown.tests.support.host_layers import SITE, whole


@pytest.fixture
def lab() -> t.Iterator[Lab]:
    with Lab([Site("birke", ("2016",), "7.4.4")], pwsh="") as running_lab:
        yield running_lab


@pytest.fixture
def tenant(tmp_path: pathlib.Path) -> t.Iterator[Tenant]:
    yield from running(tmp_path)


def everything(lab: Lab, tenant: Tenant) -> dict[str, t.Any]:
    """A site that has every layer that is written."""
    online, place = tenant.online, lab.hosts[HOST].place
    return {
        **NO_LOOK,
        **SITE,
        "mailedge_fortigate_feed": {"mode": "push"},
        "mailedge_fortigate_outbound": {
            "mail_servers": [place.addresses[0]],
            "smart_hosts": ["203.0.113.200"],
            "interfaces": ["wan1"],
        },
        "mailedge_exchange_online_tenant_id": online.tenant.id,
        "mailedge_exchange_online_client_id": online.writer.client_id,
        "mailedge_exchange_online_client_secret": online.writer.secret,
        "mailedge_exchange_online_authority_url": online.login_url,
        "mailedge_exchange_online_api_url": online.api_url,
        "mailedge_exchange_online_ca_path": str(online.ca_path),
        "mailedge_exchange_online_snapshot_folder": str(tenant.snapshots),
        "mailedge_exchange_online_provider_certificate": CERTIFICATE,
        "mailedge_exchange_online_mx_hosts": " ".join(MX),
    }


def firewall_of(lab: Lab) -> tuple[t.Any, t.Any]:
    dump = lab.client().firewall_dump(HOST)
    return dump["policies"], dump["groups"]


def handed_on(run: Run) -> dict[str, t.Any]:
    plan: dict[str, t.Any] = run.of("Say what was found")[-1].result["ansible_stats"]["data"][
        "mailedge_plan"
    ]
    return plan


def told(run: Run) -> str:
    return " ".join(run.of("Say what was found")[-1].result["failed_hosts"].values())


def test_another_plan_stops_before_the_first_write_of_any_layer(lab: Lab) -> None:
    """The firewall is written last, and its plan alone is another one than it was."""
    host = lab.hosts[HOST]
    start = whole(host), firewall_of(lab)
    approved = f"{HOST}/fortigate_way_in={'1' * 32}"
    run = play("apply", lab.inventory, variables={**NO_LOOK, "mailedge_approved_plan": approved})
    assert run.code != 0
    assert "The plan is not the one that was approved." in told(run)
    assert "This run had changed nothing" in told(run)
    assert (whole(host), firewall_of(lab)) == start


def test_a_module_carries_out_the_plan_that_it_showed_in_check_mode(firewall: Firewall) -> None:
    asked: dict[str, t.Any] = {"name": "filter", "ranges": ["198.51.100.0/24"]}
    shown = firewall.done(fortios_address_group, **asked, check=True)
    approved = {"digest": shown["plan_digest"], "plan": shown["plan"]}
    wider: dict[str, t.Any] = {"name": "filter", "ranges": ["198.51.100.0/24", "203.0.113.7"]}
    before = firewall.dump()
    for check in (True, False):
        refused = firewall.run(fortios_address_group, **wider, approved_plan=approved, check=check)
        assert refused["failed"]
        assert (
            "Planned now, and not approved: Create the address 'filter-203.0.113.7'"
            in (refused["msg"])
        )
        assert not refused["changed"]
    assert firewall.dump() == before

    made = firewall.done(fortios_address_group, **asked, approved_plan=approved)
    assert made["plan_digest"] == shown["plan_digest"]
    again = firewall.done(fortios_address_group, **asked, approved_plan={"digest": ""})
    assert (again["changed"], again["plan_digest"]) == (False, "")

    back = firewall.done(fortios_rollback, snapshot="latest", check=True)
    refused = firewall.run(fortios_rollback, snapshot="latest", approved_plan=approved)
    assert "The plan is not the one that was approved." in refused["msg"]
    asked_back: dict[str, t.Any] = {"approved_plan": {"digest": back["plan_digest"]}}
    assert firewall.done(fortios_rollback, snapshot="latest", **asked_back)["changed"]
    assert firewall.dump() == before


WIDE: dict[str, t.Any] = {"dstintf": refs("any"), "srcintf": refs("any")}


@pytest.mark.parametrize(
    ("smtp", "addresses", "fields"),
    [
        ("25", False, {"dstaddr": refs("all"), "service": refs("ALL")}),
        ("25 587", False, {"dstaddr": refs("VIP-mail", "VIP-web"), "service": refs("ALL")}),
        ("25 587", True, {"dstaddr": refs("all"), "service": refs("ALL")}),
        ("25", True, {"dstaddr": refs("VIP-mail", "VIP-web"), "service": refs("SMTP")}),
        ("25", True, {"srcaddr6": refs("all"), "dstaddr6": refs("mail-server-v6")}),
        (
            "25",
            True,
            {
                "srcaddr": [],
                "dstaddr": [],
                "srcaddr6": refs("all"),
                "dstaddr6": refs("mail-server-v6"),
            },
        ),
    ],
    ids=["everything", "service", "addresses", "virtual IPs", "both versions", "IPv6"],
)
def test_the_way_out_is_planned_alike_before_and_after_the_way_in(
    tmp_path: pathlib.Path, smtp: str, addresses: bool, fields: dict[str, t.Any]
) -> None:
    """Both are approved as they were planned before the first of them was written."""
    for firewall in running_firewall(tmp_path, external6="2001:db8:20::25"):
        config = firewall.device.configs["root"]
        config.create("firewall/address", {"name": "server", "subnet": "10.20.1.11/32"})
        config.update("firewall.service/custom", "SMTP", {"tcp-portrange": smtp})
        policy(firewall, "First", top=True, **WIDE, **fields)
        servers = ["10.20.1.11", "2001:db8:20::25"]
        inwards = {**LOCK, "addresses": servers if addresses else []}
        outwards = {**OUT, "mail_servers": servers}
        with firewall.without_network():
            plans = [
                firewall.done(fortios_inbound_lock, **inwards, check=True),
                firewall.done(fortios_outbound_lock, **outwards, check=True),
            ]
            approved = [
                {"approved_plan": {"digest": plan["plan_digest"], "plan": plan["plan"]}}
                for plan in plans
            ]
            assert firewall.done(fortios_inbound_lock, **inwards, **approved[0])["changed"]
            assert firewall.done(fortios_outbound_lock, **outwards, **approved[1])["changed"]
            assert not firewall.done(fortios_inbound_lock, **inwards)["changed"]
            assert not firewall.done(fortios_outbound_lock, **outwards)["changed"]
            assert locked(firewall)


def test_a_plan_is_of_one_device_and_vdom_whatever_member_of_the_cluster_answers(
    tmp_path: pathlib.Path,
) -> None:
    asked: dict[str, t.Any] = {"name": "filter", "ranges": ["198.51.100.0/24"], "check": True}
    digests = []
    for firewall in running_firewall(tmp_path, vdoms=("root", "guests")):
        for serial in ("FGTLAB0000000001", "FGTLAB0000000002"):
            firewall.device.serial = serial
            digests.append(
                [
                    firewall.done(fortios_address_group, **asked, vdom=vdom)["plan_digest"]
                    for vdom in ("root", "guests")
                ]
            )
    assert digests[0] == digests[1], "a cluster fails over between check and apply"
    assert digests[0][0] != digests[0][1]
    for firewall in running_firewall(tmp_path):
        assert firewall.done(fortios_address_group, **asked)["plan_digest"] != digests[0][0]


def test_a_tenant_that_changes_meanwhile_is_left_as_it_is(tenant: Tenant) -> None:
    shown = tenant.lock(check=True)
    approved = {"digest": shown["plan_digest"], "plan": shown["plan"]}
    tenant.online.tenant.organization["RejectDirectSend"] = True
    before = tenant.dump()
    refused = tenant.lock(approved_plan=approved)
    assert refused["failed"]
    assert "Approved, and not planned any more: Set RejectDirectSend" in refused["msg"]
    assert tenant.dump() == before
    tenant.online.tenant.organization["RejectDirectSend"] = False
    assert tenant.locked(approved_plan=approved)["changed"]


@pytest.mark.core
@pytest.mark.long
def test_a_site_that_changes_meanwhile_is_planned_and_approved_anew(
    lab: Lab, tenant: Tenant
) -> None:
    """In every layer there is, what was approved is what is written."""
    variables, host = everything(lab, tenant), lab.hosts[HOST]

    def state() -> t.Any:
        return whole(host), firewall_of(lab), tenant.dump()

    checked = play("apply", lab.inventory, "--check", variables=variables)
    plan = handed_on(checked)
    assert set(plan["hosts"][HOST]) == {
        "exchange",
        "exchange online",
        "fortigate feed",
        "fortigate way in",
        "fortigate way out",
        "iis",
        "windows firewall",
        "windows tls",
    }
    assert variables["mailedge_exchange_online_client_secret"] not in str(plan)

    start = state()
    rules = host.exchange.windows.firewall.rules
    beside = Rule(name="By hand", ports=[(25, 25)], remote=["*"], enabled=True, action=ALLOW)
    host.exchange.windows.firewall.add(beside)
    meanwhile = state()
    approved = {**variables, "mailedge_plan": plan, "mailedge_approved_plan": "{{ mailedge_plan }}"}
    refused = play("apply", lab.inventory, variables=approved)
    assert refused.code != 0
    assert "Planned now, and not approved: " in told(refused)
    assert "By hand" in told(refused)
    assert state() == meanwhile

    rules.remove(beside)
    tenant.online.tenant.organization["RejectDirectSend"] = True
    meanwhile = state()
    refused = play("apply", lab.inventory, variables=approved)
    assert "Approved, and not planned any more: Set RejectDirectSend" in told(refused)
    assert state() == meanwhile

    tenant.online.tenant.organization["RejectDirectSend"] = False
    assert state() == start
    applied = play("apply", lab.inventory, variables=approved)
    assert applied.code == 0, applied.output
    assert state() != start
    digest = {**variables, "mailedge_approved_plan": plan["digest"]}
    again = play("apply", lab.inventory, variables=digest)
    assert (again.code, again.changed) == (0, []), "what is done needs no approval"
