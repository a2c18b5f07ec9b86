# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal reaches nothing but the lab, whatever the description of the real site says."""

from __future__ import annotations

import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.description import (
    describe_host,
)

HOST = "birke-ex1"
TENANT = "00000000-0000-0000-0000-000000000000"
LAB: dict[str, t.Any] = {
    "inventory_hostname": HOST,
    "ansible_host": "127.0.0.1",
    "mailedge_rehearsal": True,
    "mailedge_site": "birke",
    "mailedge_provider_ranges": ["198.51.100.0/24"],
    "mailedge_own_networks": ["10.20.0.0/16"],
    "mailedge_fortigate_host": "127.0.0.1",
    "mailedge_fortigate_token": "of-the-lab",
    "mailedge_fortigate_from": "localhost",
    "mailedge_fortigate_vips": ["VIP-mail"],
    "mailedge_fortigate_interfaces": ["wan1"],
    "mailedge_probe_targets": ["127.0.0.1", "::1"],
    "mailedge_probe_sender": "probe@watchtower.example",
    "mailedge_probe_recipient": "postmaster@birke.example",
    "mailedge_probe_control_host": "localhost",
}


def refusal(playbook: str = "apply", **more: t.Any) -> str:
    variables = {**LAB, **more}
    about = describe_host(
        Templar(DataLoader(), variables=variables), variables, playbook, {"birke": [HOST]}
    )
    assert bool(about.get("failed")) == bool(about.get("msg"))
    return str(about.get("msg") or "")


@pytest.mark.parametrize("playbook", ["apply", "drift", "rollback"])
def test_a_rehearsal_on_its_lab_is_refused_nothing(playbook: str) -> None:
    assert refusal(playbook) == ""


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ansible_host", "birke-ex1.birke.example"),
        ("ansible_host", "10.20.1.11"),
        ("ansible_winrm_host", "10.20.1.11"),
        ("ansible_psrp_host", "2001:db8::11"),
        ("mailedge_fortigate_host", "fw.birke.example"),
        ("mailedge_fortigate_from", "jump.birke.example"),
        ("mailedge_probe_targets", ["127.0.0.1", "mail.birke.example"]),
        ("mailedge_probe_hosts", ["watchtower"]),
        ("mailedge_probe_control_host", "mx.watchtower.example"),
        ("mailedge_probe_web_targets", ["owa.birke.example"]),
        ("mailedge_probe_web_control_host", "www.watchtower.example"),
        ("mailedge_domains", ["birke.example"]),
    ],
)
@pytest.mark.parametrize("playbook", ["apply", "drift", "rollback"])
def test_what_is_not_on_this_machine_is_refused(playbook: str, variable: str, value: t.Any) -> None:
    told = refusal(playbook, **{variable: value})
    last = value[-1] if isinstance(value, list) else value
    assert f"{variable} is {last}, which is not the lab on this machine" in told
    assert "Nothing was sent to any server." in told
    outside = {**LAB, variable: value, "mailedge_rehearsal": False}
    assert "not the lab" not in refusal(playbook, **outside)


def test_a_look_a_tenant_and_a_host_without_an_address_are_refused_at_once() -> None:
    looks = [
        {"name": "a stranger", "expect": "closed"},
        {"name": "the provider", "expect": "open", "targets": ["192.0.2.25"]},
    ]
    told = refusal(
        mailedge_probe_looks=looks,
        mailedge_exchange_online_tenant_id=TENANT,
        mailedge_exchange_online_client_id=TENANT,
        mailedge_exchange_online_client_secret="canary-of-the-tenant",
        mailedge_exchange_online_reject_direct_send=True,
    )
    assert "mailedge_probe_looks, entry 2, targets is 192.0.2.25" in told
    assert "mailedge_exchange_online_enabled is true" in told
    assert "canary" not in told
    variables = {name: value for name, value in LAB.items() if name != "ansible_host"}
    about = describe_host(
        Templar(DataLoader(), variables=variables), variables, "apply", {"birke": [HOST]}
    )
    assert f"its name is {HOST}, which is not the lab on this machine" in about["msg"]
