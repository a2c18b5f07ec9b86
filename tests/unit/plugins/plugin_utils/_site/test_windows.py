# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of a site as options of windows_firewall_rules."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall import argspec
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site import windows
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.host import SiteOfHost

SITE: dict[str, t.Any] = {
    "provider_ranges": ["198.51.100.0/24"],
    "hybrid_ranges": ["203.0.113.0/28"],
    "own_networks": ["10.20.0.0/16"],
    "exchange_servers": [],
    "exchange_in_use": [],
    "windows_firewall_ports": [25],
    "windows_firewall_domain_controllers": ["10.20.1.2"],
}


def options(**more: t.Any) -> dict[str, t.Any]:
    site = SiteOfHost(
        "ex1", {**SITE, **more}, lambda name: SITE.get(name.removeprefix("mailedge_"))
    )
    return {
        name: value for name, value in windows.firewall_options(site).items() if value is not None
    }


def test_mail_comes_from_the_provider_and_in_a_hybrid_from_exchange_online() -> None:
    assert options() == {
        "ports": [25],
        "remote_addresses": ["198.51.100.0/24", "203.0.113.0/28"],
        "own_networks": ["10.20.0.0/16"],
        "exchange_servers": [],
        "domain_controllers": ["10.20.1.2"],
        "ports_in_use": [],
    }


def test_the_site_says_for_whom_and_how() -> None:
    given = options(
        windows_firewall_ports=[443],
        windows_firewall_remote_addresses=["192.0.2.0/24"],
        windows_firewall_method="disable",
        windows_firewall_accept_risks=["uncertain_rule"],
    )
    assert (given["ports"], given["remote_addresses"]) == ([443], ["192.0.2.0/24"])
    assert (given["method"], given["accept_risks"]) == ("disable", ["uncertain_rule"])


def test_who_uses_exchange_from_the_internet_comes_by_443() -> None:
    assert options()["ports_in_use"] == []
    assert options(exchange_in_use=["activesync"])["ports_in_use"] == [443]


def test_the_module_takes_what_comes_of_it() -> None:
    checked = ArgumentSpecValidator(**argspec.MODULE).validate(options())
    assert checked.error_messages == []
    site = argspec.site(checked.validated_parameters)
    assert site is not None
    assert "10.20.1.2" in site.named
    assert "203.0.113.7" in site.named
    assert "203.0.113.99" not in site.named


def test_a_rollback_names_no_port() -> None:
    site = SiteOfHost(
        "ex1",
        SITE,
        lambda name: SITE.get(name.removeprefix("mailedge_")),
        lease={"run_id": "4f1c2a90"},
    )
    assert {name for name, value in windows.firewall_restore_options(site).items() if value} == {
        "lease",
        "own_networks",
    }
