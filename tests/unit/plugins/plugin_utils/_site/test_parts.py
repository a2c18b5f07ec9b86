# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each host of a site is to do."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.support.described import (
    FIREWALL,
    PROBE,
    SITE,
    WHOLE,
    described,
    parts,
)


@pytest.mark.parametrize("playbook", ["apply", "drift"])
def test_the_owner_looks_at_the_names_of_a_site(playbook: str) -> None:
    named = {**SITE, "mailedge_domains": ["birke.example"]}
    asked = {name: value for name, value in PROBE.items() if name != "mailedge_probe_targets"}
    whole = {**named, **asked, "mailedge_names_from_server": True}
    owner = described(whole, playbook=playbook)
    assert {name: parts(owner)[name] for name in ("dns", "outside")} == {
        "dns": "managed",
        "outside": "managed",
    }
    assert owner.values["names_from"] == ["birke-ex1", "birke-ex2"]
    second = parts(described(whole, playbook=playbook, host="birke-ex2"))
    assert (second["dns"], second["outside"]) == ("elsewhere", "elsewhere")
    alone = described(whole, playbook=playbook, host="birke-ex2", selected=["birke-ex2"])
    assert parts(alone)["outside"] == "left out"
    # Its own targets are looked at by each host.
    second = parts(described({**whole, **PROBE}, playbook=playbook, host="birke-ex2"))
    assert (second["dns"], second["outside"]) == ("elsewhere", "managed")
    # Who names domains for the playbook probe alone is told, and not refused.
    lacking = described(named, playbook=playbook)
    assert parts(lacking)["outside"] == "not looked at"
    assert "without mailedge_probe_sender" in lacking.parts["outside"].why


def test_a_site_that_is_looked_at_has_its_tenant_asked_by_who_can() -> None:
    named = {**SITE, **PROBE, "mailedge_exchange_online_tenant_id": "8f0f9b9e"}
    secret = {"mailedge_exchange_online_client_secret": "x"}

    def tenant(**more: object) -> tuple[str, str]:
        part = described({**named, **more}, playbook="probe").parts["exchange online"]
        return part.how, part.why

    assert tenant(**secret)[0] == "managed"
    how, why = tenant()
    assert how == "not looked at"
    assert "mailedge_exchange_online_client_secret" in why
    assert tenant(mailedge_exchange_online_enabled=False)[0] == "not managed"
    second = described({**named, **secret}, playbook="probe", host="birke-ex2")
    assert parts(second)["exchange online"] == "elsewhere"
    assert "exchange online" not in parts(described({**SITE, **PROBE}, playbook="probe"))
    # A drift has to ask it, and is refused.
    assert "needs one way to log in" in str(described(named, playbook="drift").errors)


def test_the_ranges_of_a_provider_are_known_where_a_tenant_is_asked() -> None:
    named = {**SITE, **PROBE, "mailedge_provider": "nobody", "mailedge_provider_ranges": ""}
    tenant = {
        "mailedge_exchange_online_tenant_id": "8f0f9b9e",
        "mailedge_exchange_online_client_secret": "x",
    }
    assert described(named, playbook="probe").errors == []
    assert "nobody" in str(described({**named, **tenant}, playbook="probe").errors)


def test_an_offline_report_needs_no_login_and_calls_nothing_looked_at_that_is_not() -> None:
    given = {**WHOLE, "mailedge_offline_folder": "dumps", "mailedge_windows_tls_enabled": True}
    del given["mailedge_fortigate_token"]
    description = described(given, playbook="offline")
    assert parts(description) == {
        "exchange": "managed",
        "windows tls": "managed",
        "fortigate way in": "left out",
        "outside": "not looked at",
    }
    assert description.parts["fortigate way in"].why == (
        "mailedge_fortigate_backup names no backup of it."
    )
    # Over a connection a backup that is left in the variables is not looked at.
    live = described(
        {**given, **FIREWALL, "mailedge_fortigate_backup": "fw.conf"}, playbook="drift"
    )
    assert live.values["fortigate_backup"] is None
    backed = described({**given, "mailedge_fortigate_backup": "fw.conf"}, playbook="offline")
    assert parts(backed)["fortigate way in"] == "managed"
    assert backed.values["fortigate_backup"] == "dumps/fw.conf"
    assert backed.values["fortigate_from"] is None


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, "mailedge_offline_folder is not set"),
        ({"mailedge_offline_folder": ""}, "mailedge_offline_folder is not set"),
        ({"mailedge_offline_folder": "d", "mailedge_offline_days": 0}, "between 1 and 3650"),
    ],
)
def test_what_is_wrong_with_an_offline_report_is_told(
    variables: dict[str, t.Any], told: str
) -> None:
    assert told in " ".join(described({**SITE, **variables}, playbook="offline").errors)
    assert told not in " ".join(described({**SITE, **variables}, playbook="drift").errors)
