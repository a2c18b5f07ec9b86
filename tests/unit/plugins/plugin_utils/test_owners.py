# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site has once is done by somebody, or the site is not green."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    HostVerdict,
    Record,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._owners import with_unowned
from ansible_collections.mailedge.lockdown.tests.support.described import WHOLE, described

HOSTS = ("birke-ex1", "birke-ex2")
MORE: dict[str, dict[str, t.Any]] = {
    "fortigate": {},
    "exchange online": {
        "mailedge_exchange_online_tenant_id": "tenant.example",
        "mailedge_exchange_online_client_id": "x",
        "mailedge_exchange_online_client_secret": "x",
    },
    "exchange way out": {"mailedge_exchange_outbound": {"smart_hosts": ["smart.filter.example"]}},
    "dns": {"mailedge_domains": ["birke.example"], "mailedge_probe_targets": []},
}
OWNER = {
    "fortigate": "mailedge_fortigate_owner",
    "exchange online": "mailedge_exchange_online_owner",
    "exchange way out": "mailedge_exchange_outbound_owner",
    "dns": "mailedge_site_owner",
}


def unowned(
    of_hosts: t.Mapping[str, t.Mapping[str, t.Any]], playbook: str = "drift"
) -> list[tuple[str, str, str]]:
    """Host, layer and sentence of what nobody has done."""
    abouts = {}
    for host, variables in of_hosts.items():
        # As each host describes itself, where what another one is of is not known to it.
        description = described(
            {**WHOLE, **variables}, playbook=playbook, host=host, selected=HOSTS, site_hosts=()
        )
        assert not description.errors, description.errors
        abouts[host] = {
            "described": description.values,
            "parts": {
                name: {"how": part.how, "why": part.why} for name, part in description.parts.items()
            },
        }
    green = [HostVerdict(host, "birke", (Record("exchange", host, "in order"),)) for host in abouts]
    told = with_unowned(green, abouts, playbook)
    return [
        (verdict.host, record.layer, record.findings[0])
        for verdict in told
        for record in verdict.records[1:]
        if verdict.state == "unknown"
    ]


@pytest.mark.parametrize("layer", MORE)
def test_what_each_host_leaves_to_the_other_is_unknown(layer: str) -> None:
    first, second = ({**MORE[layer], OWNER[layer]: host} for host in reversed(HOSTS))
    crossed = {HOSTS[0]: first, HOSTS[1]: second}
    if layer == "dns":
        # By whom the site is looked after follows from the same, where nothing else is said.
        more = {name: HOSTS[0] for name in OWNER.values() if name != OWNER[layer]}
        crossed = {host: {**each, **more} for host, each in crossed.items()}
    told = unowned(crossed)
    assert [(host, name) for host, name, _words in told] == [(host, layer) for host in HOSTS]
    assert f"leaves it to {HOSTS[1]}, which leaves it to {HOSTS[0]}" in told[0][2]
    agreed = {host: {**each, OWNER[layer]: HOSTS[0]} for host, each in crossed.items()}
    assert unowned(agreed) == []


def test_one_of_another_site_or_without_such_a_thing_does_it_for_nobody() -> None:
    mine = {"mailedge_fortigate_owner": HOSTS[1]}
    other = {"mailedge_site": "erle", "mailedge_fortigate_owner": HOSTS[1]}
    ((host, _layer, words),) = unowned({HOSTS[0]: mine, HOSTS[1]: other})
    assert host == HOSTS[0]
    assert "which is of site 'erle'" in words
    without = {"mailedge_fortigate_host": "", "mailedge_fortigate_vips": ""}
    ((_host, _layer, words),) = unowned({HOSTS[0]: mine, HOSTS[1]: {**mine, **without}})
    assert "which has none in its description" in words


@pytest.mark.parametrize("playbook", ["rollback", "snapshots"])
def test_a_firewall_that_nobody_gives_back_is_told(playbook: str) -> None:
    crossed = {host: {"mailedge_fortigate_owner": other} for host, other in zip(HOSTS, HOSTS[::-1])}
    assert [layer for _host, layer, _words in unowned(crossed, playbook)] == ["fortigate"] * 2
    # What the run before has not changed is not to be given back.
    handed_on = {host: {**each, "mailedge_snapshots": {host: {}}} for host, each in crossed.items()}
    assert unowned(handed_on, "rollback") == []
    assert unowned(dict.fromkeys(HOSTS, MORE["exchange way out"]), playbook) == []


def test_a_list_that_nobody_publishes_is_told() -> None:
    crossed = {
        host: {"mailedge_site_owner": other, "mailedge_published_folder": "/srv/ranges"}
        for host, other in zip(HOSTS, HOSTS[::-1])
    }
    told = unowned(crossed, "publish_ranges")
    assert [layer for _host, layer, _words in told] == ["published ranges"] * 2


@pytest.mark.parametrize("name", sorted(OWNER.values()))
def test_an_owner_of_another_site_is_an_error_before_anything_is_written(name: str) -> None:
    description = described(
        {**WHOLE, name: "erle-ex1"}, selected=(*HOSTS, "erle-ex1"), site_hosts=HOSTS
    )
    # Who looks after the site looks after all of it, where nothing else is said.
    wrong = " ".join(description.errors)
    assert f"{name} is 'erle-ex1', which is of another site than 'birke'" in wrong
    # A slice shows a part of the site.
    assert not described({**WHOLE, name: "birke-ex9"}, site_hosts=HOSTS).errors
