# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fences inspect mail as the policy did that they stand before; and who is seen behind a firewall
that translates sources.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_inbound_lock,
    fortios_outbound_lock,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.schema import PROFILES
from ansible_collections.mailedge.lockdown.tests.support.fortigate import (
    LOCK,
    OUT,
    POLICY,
    PROVIDER,
    STRANGER,
    Firewall,
    locked,
    meets,
    policy,
    refs,
    running,
    told_by,
)


@pytest.mark.parametrize(
    "version", ["v6.0.12", "v6.2.9", "v6.4.14", "v7.0.12", "v7.2.8", "v7.4.4", "v7.6.2"]
)
def test_a_fence_keeps_every_profile_of_the_version(tmp_path: pathlib.Path, version: str) -> None:
    for firewall in running(tmp_path, version=version, future=("moonlight-profile",)):
        config = firewall.device.configs["root"]
        here = [
            name
            for name, (since, until) in PROFILES.items()
            if since <= firewall.device.version < until
        ]
        profiles = {
            name: f"mine-{number}" for number, name in enumerate([*here, "moonlight-profile"])
        }
        inspected = {**profiles, "utm-status": "enable"}
        config.update(POLICY, "1", {**inspected, "service": refs("ALL"), "dstaddr": refs("all")})
        config.update(POLICY, "3", inspected)
        firewall.done(fortios_inbound_lock, **LOCK)
        firewall.done(fortios_outbound_lock, **OUT)
        rows = {row["name"]: row for row in config.all(POLICY).values()}
        for fence in ("birke-1-in", "birke-3-out"):
            assert {name: rows[fence][name] for name in inspected} == inspected
        for barrier in ("birke-1-stop", "birke-3-held"):
            assert not any(rows[barrier][name] for name in profiles)
        assert not firewall.done(fortios_inbound_lock, **LOCK)["changed"]


def test_a_mail_policy_that_translates_sources_is_told(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    assert not told_by(firewall.done(fortios_inbound_lock, **LOCK, check=True), "source_translated")
    config.update(POLICY, "1", {"nat": "enable"})
    for _state in ("before the lock", "locked"):
        result = firewall.done(fortios_inbound_lock, **LOCK)
        [sentence] = told_by(result, "source_translated")
        assert "Policy 1 'Mail in'" in sentence
        assert "the firewall's own address" in sentence
        assert any("source_translated" in text for text in result["warnings"])
    # A barrier translates nothing, nor does what is out of force or leads elsewhere.
    config.update(POLICY, "1", {"nat": "disable"})
    config.update(POLICY, "2", {"nat": "enable"})
    assert not told_by(firewall.done(fortios_inbound_lock, **LOCK), "source_translated")


def test_a_fence_before_one_that_translates_is_told_itself(firewall: Firewall) -> None:
    firewall.device.configs["root"].update(
        POLICY, "1", {"nat": "enable", "service": refs("ALL"), "dstaddr": refs("all")}
    )
    assert (
        "birke-1-in" in told_by(firewall.done(fortios_inbound_lock, **LOCK), "source_translated")[0]
    )


@pytest.mark.parametrize(
    "first",
    [
        {"dstaddr": refs("VIP-web"), "service": refs("SMTP")},
        {"dstaddr": refs("VIP-mail", "VIP-web"), "service": refs("SMTP", "HTTPS")},
        {"dstaddr": refs("server"), "service": refs("ALL")},
        {"dstaddr": refs("VIP-web", "server"), "service": refs("SMTP", "HTTPS")},
        {"dstaddr": refs("VIP-mail", "server"), "service": refs("SMTP", "HTTPS")},
        {"dstaddr": refs("VIP-other", "server"), "service": refs("ALL")},
        {"dstaddr": refs("of others", "server"), "service": refs("ALL")},
    ],
    ids=lambda fields: " ".join(reference["name"] for reference in fields["dstaddr"]),
)
@pytest.mark.parametrize("version", ["v7.2.3", "v7.4.4"])
def test_a_barrier_to_the_server_lets_mail_by_its_virtual_ips_pass(
    tmp_path: pathlib.Path, version: str, first: dict[str, t.Any]
) -> None:
    """With match-vip, one that names the server's own address stops that as well."""
    for firewall in running(tmp_path, version=version):
        config = firewall.device.configs["root"]
        config.create("firewall/address", {"name": "server", "subnet": "10.20.1.11/32"})
        other = {"mappedip": [{"range": "10.20.1.11"}], "extip": "203.0.113.81", "extintf": "wan1"}
        config.create("firewall/vip", {"name": "VIP-other", **other})
        config.create("firewall/vipgrp", {"name": "of others", "member": refs("VIP-other")})
        policy(firewall, "Other mail in", dstaddr=refs("VIP-other"), service=refs("SMTP"))
        policy(firewall, "First", top=True, **first)
        lock: dict[str, t.Any] = {
            **LOCK,
            "vips": ["VIP-mail", "VIP-other"],
            "addresses": ["10.20.1.11"],
        }
        was = {to: meets(firewall, PROVIDER, to=to) for to in ("203.0.113.81", "10.20.1.11")}
        result = firewall.done(fortios_inbound_lock, **lock)
        assert result["state"] == "in order"
        assert locked(firewall)
        # Whoever is named may get a way more, and loses none.
        assert all(meets(firewall, PROVIDER, to=to) for to, through in was.items() if through)
        assert not any(meets(firewall, STRANGER, to=to) for to in was)
        assert meets(firewall, STRANGER, 443)
        assert not firewall.done(fortios_inbound_lock, **lock)["changed"]
