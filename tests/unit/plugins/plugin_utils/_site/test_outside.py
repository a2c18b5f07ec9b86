# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who looks from where, and what must be found."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.outside import vantage_points

SITE: dict[str, t.Any] = {
    "probe_targets": ["mail.birke.example"],
    "probe_port": 25,
    "probe_address_family": None,
    "probe_control_host": "mx.watchtower.example",
    "probe_expect": "closed",
    "probe_looks": [],
    "probe_hosts": [],
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
    (point,) = vantage_points({**SITE, "probe_looks": looks}, by_names=True, beside=True)
    assert [look["name"] for look in point["looks"]] == ["c"]
