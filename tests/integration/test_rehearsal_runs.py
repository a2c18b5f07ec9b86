# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site is read, rehearsed in a lab that was made from that, locked there and given back, by the
playbooks alone.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.mailedge.lockdown.tests.integration.playbook_runs import HOST, report
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, play
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.file import load
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.lab import Rehearsal
from ansible_collections.mailedge.lockdown.tests.lab.site import Site

STRANGER, PROVIDER, SCANNER = "203.0.113.9", "198.51.100.25", "10.20.7.7"
DESCRIPTION: dict[str, t.Any] = {
    "mailedge_provider_ranges": ["198.51.100.0/24", "2001:db8:100::/48"],
    "mailedge_own_networks": ["10.20.0.0/16", "2001:db8:20::/48"],
    "mailedge_fortigate_vips": ["VIP-mail"],
    "mailedge_fortigate_addresses": ["2001:db8:20:1::11"],
    "mailedge_fortigate_interfaces": ["wan1"],
    "mailedge_windows_tls_enabled": True,
}
# What leads to the real site, as its description has it.
REAL = {
    "mailedge_fortigate_host": "192.0.2.1",
    "mailedge_fortigate_token": "of-the-real-one",
    "mailedge_exchange_online_enabled": True,
    "mailedge_exchange_online_tenant_id": "00000000-0000-0000-0000-000000000000",
}


def described(lab: Lab, **more: t.Any) -> pathlib.Path:
    """The inventory, with the site's description beside it as the documentation says."""
    place = lab.inventory.parent / "group_vars" / "birke.yml"
    place.parent.mkdir(exist_ok=True)
    place.write_text(yaml.safe_dump({**DESCRIPTION, **more}), encoding="utf-8")
    return lab.inventory


def discover(lab: Lab, folder: pathlib.Path, **more: t.Any) -> pathlib.Path:
    """Read the site; the file that is kept of it."""
    run = play(
        "discover",
        lab.inventory,
        variables={
            "mailedge_discover_reading": True,
            "mailedge_discover_folder": str(folder),
            # Nobody answers for DNS.
            "mailedge_dns_resolver": "127.0.0.1",
            "mailedge_dns_resolver_port": 1,
            "mailedge_dns_timeout": 1,
            **more,
        },
    )
    assert run.code == 0, run.output
    return folder / "birke.reading.json"


def verdict(run: Run) -> list[str]:
    """What a drift says of the site, but for what was seen from outside."""
    assert run.code != 0, run.output
    return sorted(line.strip() for line in report(run).splitlines() if "outside" not in line)


@pytest.mark.long
def test_a_site_is_read_rehearsed_locked_there_and_given_back(tmp_path: pathlib.Path) -> None:
    no_look = {"mailedge_probe_targets": ""}
    with Lab([Site("birke", ("2016",), "7.4.4")], pwsh="", described=False) as site:
        exchange = site.hosts[HOST].exchange
        exchange.colleague(
            "New-ReceiveConnector",
            {
                "Name": "Old scanner",
                "Bindings": ["0.0.0.0:25"],
                "RemoteIPRanges": ["10.20.7.1-10.20.7.99"],
                "PermissionGroups": "AnonymousUsers",
                "TransportRole": "FrontendTransport",
            },
        )
        first = discover(site, tmp_path / "site")
        assert first.stat().st_mode & 0o777 == 0o600
        text = first.read_text(encoding="utf-8")
        assert site.password not in text
        assert site.firewalls["birke"].token not in text
        there = verdict(play("drift", described(site), variables=no_look))
        shown, policies = exchange.shown(), site.client().firewall_dump(HOST)["policies"]

        discover(site, tmp_path / "to hand on", mailedge_discover_replace_names=True)
    kept = sorted((tmp_path / "to hand on").iterdir())
    assert [path.name for path in kept] == ["birke.names.json", "birke.replaced.json", "birke.yml"]
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert "birke" not in kept[1].read_text(encoding="utf-8").casefold()
    other = Rehearsal(load(kept[1]), pwsh="")
    with other as lab:
        assert list(lab.hosts) == ["site-srv1"]
        told = [text for text in other.told if "iis" not in text and "LocalSubnet" not in text]
        assert told == []

    rehearsal = Rehearsal(load(first), pwsh="")
    with rehearsal as lab:
        told = [text for text in rehearsal.told if "iis" not in text and "LocalSubnet" not in text]
        assert told == []
        again = load(discover(lab, tmp_path / "lab"))
        assert again.firewall == load(first).firewall
        host = lab.hosts[HOST].exchange
        assert host.shown() == shown
        assert lab.client().firewall_dump(HOST)["policies"] == policies

        inventory = described(lab, **REAL)
        assert verdict(play("drift", inventory, variables=no_look)) == there
        assert host.admission(STRANGER).submit
        real = {"mailedge_fortigate_host": REAL["mailedge_fortigate_host"]}
        refused = play("apply", inventory, variables=real)
        assert refused.code != 0
        assert "mailedge_fortigate_host is 192.0.2.1, which is not the lab" in refused.output
        assert host.shown() == shown
        done = play("apply", inventory)
        assert done.code == 0, done.output
        assert host.admission(PROVIDER).submit
        assert not host.admission(STRANGER).submit
        scanner = host.admission(SCANNER).connector
        assert scanner is not None
        assert scanner.name == "Old scanner"
        assert not lab.firewalls["birke"].device.admits(STRANGER, "203.0.113.91", 25)
        drift = play("drift", inventory)
        assert drift.code == 0, drift.output
        back = play("rollback", inventory)
        assert back.code == 0, back.output
        assert host.shown() == shown
        assert lab.client().firewall_dump(HOST)["policies"] == policies
