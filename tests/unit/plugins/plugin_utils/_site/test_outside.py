# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who looks from where, and what must be found."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.outside import vantage_points
from ansible_collections.mailedge.lockdown.tests.support.described import WHOLE, described

SITE: dict[str, t.Any] = {
    "probe_targets": ["mail.birke.example"],
    "probe_port": 25,
    "probe_address_family": None,
    "probe_control_host": "mx.watchtower.example",
    "probe_expect": "closed",
    "probe_looks": [],
    "probe_hosts": [],
    "probe_web": False,
    "probe_web_targets": [],
    "probe_web_port": 443,
    "probe_web_control_host": None,
    "own_networks": ["10.20.0.0/16"],
    "iis_enabled": True,
    "exchange_publish": ["owa", "activesync"],
    "iis_blocks": [],
}


def test_each_host_takes_every_look_and_says_from_where() -> None:
    points = vantage_points({**SITE, "probe_hosts": ["tower", "office"]})
    assert [point["from"] for point in points] == ["tower", "office"]
    assert [look["name"] for point in points for look in point["looks"]] == [
        "a stranger on the internet, from tower",
        "a stranger on the internet, from office",
    ]
    # A look that says who looks is taken there alone, and one that lets somebody in, from within.
    looks = [{"name": "the office", "from": "runner", "expect": "open"}]
    (point,) = vantage_points({**SITE, "probe_hosts": ["tower", "office"], "probe_looks": looks})
    assert (point["from"], point["looks"][0]["name"]) == ("runner", "the office")
    assert "own_networks" not in point["looks"][0]


def test_what_is_blocked_must_be_refused_at_the_web() -> None:
    site = {
        **SITE,
        "probe_web_targets": ["mail.birke.example"],
        "iis_blocks": [{"path": "/owa/calendar"}, {"path": "/x", "state": "absent"}],
    }
    (point,) = vantage_points(site)
    mail, web = point["looks"]
    assert mail["own_networks"] == web["own_networks"] == ["10.20.0.0/16"]
    assert (web["protocol"], web["port"], web["expect"]) == ("https", 443, "any")
    # The host that greets on port 25 says nothing about the way out on 443.
    assert "control_host" not in web
    assert set(web["paths"]) == {"/owa", "/Microsoft-Server-ActiveSync"}
    assert {"/ecp", "/PowerShell", "/EWS", "/owa/calendar"} <= set(web["closed_paths"])
    assert "/x" not in web["closed_paths"]


def test_blocks_alone_say_nothing_of_other_paths() -> None:
    site = {
        **SITE,
        "probe_web_targets": ["mail.birke.example"],
        "exchange_publish": [],
        "iis_blocks": [{"path": "/ECP"}],
    }
    web = vantage_points(site)[0]["looks"][1]
    assert web["closed_paths"] == ["/ECP"]
    assert "/owa" in web["paths"]
    assert "/ecp" not in web["paths"]


def test_a_look_that_is_not_to_judge_asks_for_the_same_paths() -> None:
    site = {**SITE, "probe_web_targets": ["mail.birke.example"], "probe_expect": "any"}
    web = vantage_points(site)[0]["looks"][1]
    assert "closed_paths" not in web
    assert {"/owa", "/ecp"} <= set(web["paths"])


def test_a_web_that_iis_does_not_manage_is_told_and_not_judged() -> None:
    site = {**SITE, "probe_web_targets": ["mail.birke.example"], "iis_enabled": False}
    web = vantage_points(site)[0]["looks"][1]
    assert not {"paths", "closed_paths", "open_paths"} & set(web)


def test_a_run_that_changes_something_looks_at_further_names_in_a_look_of_its_own() -> None:
    (point,) = vantage_points(SITE, by_names=True, beside=True)
    named, at_names = point["looks"]
    assert "by_names" not in named
    assert at_names == {
        **named,
        "name": "a stranger on the internet, at the names in DNS",
        "targets": [],
        "by_names": True,
        "beside": ["mail.birke.example"],
    }
    (point,) = vantage_points({**SITE, "probe_targets": []}, by_names=True, beside=True)
    assert [look["by_names"] for look in point["looks"]] == [True]
    looks = [{"name": "c", "targets": ["192.0.2.9"]}]
    (point,) = vantage_points({**SITE, "probe_looks": looks}, beside=True)
    assert [look["name"] for look in point["looks"]] == ["c"]


@pytest.mark.parametrize("beside", [True, False])
def test_names_that_no_look_of_a_stranger_takes_are_looked_at_nevertheless(beside: bool) -> None:
    """Each entry keeps to its own targets, or is to find an open door."""
    looks: list[dict[str, t.Any]] = [
        {"name": "inside", "targets": ["10.20.1.11"], "stands_for": "203.0.113.25:25"},
        {"name": "c", "targets": ["192.0.2.9"], "from": "tower", "port": 2525},
        {"name": "the filter", "expect": "open"},
    ]
    points = vantage_points({**SITE, "probe_looks": looks}, by_names=True, beside=beside)
    (at_names,) = [
        look
        for point in points
        for look in point["looks"]
        if look.get("by_names") and look["expect"] == "closed"
    ]
    assert at_names in points[1]["looks"]
    assert points[1]["from"] == "tower"
    assert at_names["name"] == "c, at the names in DNS"
    assert (at_names["targets"], at_names["port"]) == ([], 25)
    assert at_names["beside"] == ["10.20.1.11", "192.0.2.9"]
    assert at_names["counts"] is not beside, "what it finds undoes no change"
    (point,) = vantage_points({**SITE, "probe_looks": looks[:1]}, by_names=True)
    assert point["looks"][1]["name"] == "a stranger on the internet, at the names in DNS"
    assert "stands_for" not in point["looks"][1]
    nobody = vantage_points({**SITE, "probe_looks": looks[2:]}, by_names=True)
    assert [look["name"] for point in nobody for look in point["looks"]] == ["the filter"]
    (told,) = vantage_points(
        {**SITE, "probe_looks": looks[:1], "probe_expect": "any"}, by_names=True
    )
    assert [look["expect"] for look in told["looks"]] == ["any", "any"]


WEB = {**SITE, "probe_web": True}


def web_of(values: dict[str, t.Any], **more: t.Any) -> list[dict[str, t.Any]]:
    return [
        {**look, "from": point["from"]}
        for point in vantage_points(values, **more)
        for look in point["looks"]
        if look.get("derived")
    ]


def test_the_web_is_looked_at_by_the_names_of_the_mail_servers() -> None:
    (web,) = web_of(WEB)
    assert (web["name"], web["protocol"], web["port"]) == ("a stranger at the web", "https", 443)
    assert web["targets"] == ["mail.birke.example"]
    assert web["expect"] == "any"
    assert "control_host" not in web
    assert "/ecp" in web["closed_paths"], "what IIS is told to block must be refused"
    assert web["paths"] == ["/Microsoft-Server-ActiveSync", "/owa"]
    (told,) = web_of({**WEB, "iis_enabled": False})
    assert not {"paths", "closed_paths", "open_paths"} & set(told)
    # In a run that changes something it is told, and undoes nothing.
    assert web_of(WEB, beside=True)[0]["counts"] is False
    assert web["counts"] is True


def test_the_doors_of_the_firewall_are_looked_at_from_where_they_can_be_reached() -> None:
    looks: list[dict[str, t.Any]] = [
        {"name": "inside", "stands_for": "203.0.113.25:25", "from": "runner"},
        {"name": "a", "from": "tower", "targets": ["192.0.2.9"], "port": 2525},
        {"name": "the filter", "expect": "open"},
    ]

    def at_doors(**more: t.Any) -> list[dict[str, t.Any]]:
        points = vantage_points({**SITE, **more}, at_doors=True)
        return [look for point in points for look in point["looks"] if look.get("at_doors")]

    (look,) = at_doors(probe_looks=looks)
    assert look["name"] == "a, at the doors of the firewall"
    assert (look["targets"], look["expect"]) == ([], "closed")
    assert at_doors(probe_looks=[looks[0], looks[2]]) == []
    assert [each["name"] for each in at_doors()] == [
        "a stranger on the internet, at the doors of the firewall"
    ]
    assert at_doors(probe_expect="any") == []


def test_the_web_is_looked_at_from_where_a_stranger_looks() -> None:
    looks: list[dict[str, t.Any]] = [
        {"name": "the filter", "source_address": "127.0.1.2", "expect": "open"},
        {"name": "inside", "stands_for": "203.0.113.25:25", "from": "runner"},
        {"name": "a", "source_address": "127.0.1.1", "from": "tower", "targets": ["192.0.2.9"]},
    ]
    (web,) = web_of({**WEB, "probe_looks": looks})
    assert (web["from"], web["source_address"]) == ("tower", "127.0.1.1")
    assert web["targets"] == ["mail.birke.example"]
    assert web["stands_in"] is False
    assert web_of({**WEB, "probe_looks": looks[:1]}) == [], "nobody there is a stranger"
    assert web_of({**WEB, "probe_looks": looks[:2]})[0]["stands_in"] is True


def test_beside_the_webs_that_a_site_names_those_in_dns_are_looked_at() -> None:
    site = {**WEB, "probe_web_targets": ["www.birke.example"]}
    assert web_of(site) == [], "nobody knows another name"
    (web,) = web_of(site, by_names=True)
    assert web["name"] == "a stranger at the web, at the names in DNS"
    assert (web["targets"], web["beside"]) == ([], ["www.birke.example"])


def test_every_look_has_all_that_it_needs() -> None:
    description = described(
        {
            **WHOLE,
            "mailedge_probe_control_host": "mx.service.example",
            "mailedge_probe_web": "no",
            "mailedge_probe_looks": [
                {"name": "a", "port": "2525"},
                {"name": "b", "from": "watchtower", "expect": "open"},
                {"name": "c", "targets": "192.0.2.9"},
            ],
        }
    )
    common = {
        "port": 25,
        "targets": ["mail.birke.example"],
        "control_host": "mx.service.example",
        "expect": "closed",
    }
    assert description.values["vantage_points"] == [
        {
            "from": "localhost",
            "looks": [
                {**common, "name": "a", "port": 2525},
                {**common, "name": "c", "targets": ["192.0.2.9"]},
            ],
        },
        {"from": "watchtower", "looks": [{**common, "name": "b", "expect": "open"}]},
    ]
