# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of a tenant says nothing while a change of it is not in force."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.action.run_report import Judge
from ansible_collections.mailedge.lockdown.plugins.filter.disproof import disproof
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.looks import taken
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._propagation import of_sites
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._registered import about_of
from ansible_collections.mailedge.lockdown.tests.support.looks import look

TENANT = "hafen-example.mail.protection.outlook.com"
GREETING = "220 LAB01FT001.mail.protection.outlook.com Microsoft ESMTP MAIL Service ready"
UNTIL = "2026-01-14T10:45:00.000Z"
AWAITED = {"tenant": {"in_force_by": UNTIL}}
TODAY = datetime.date(2026, 1, 14)


@pytest.mark.parametrize(
    ("about", "verdict"),
    [
        ({"targets": [TENANT]}, "inconclusive"),
        ({"targets": ["mail.hafen.example", "h-example.A1b2.MX.microsoft."]}, "inconclusive"),
        ({"targets": ["h-example.mail.protection.office365.us"]}, "inconclusive"),
        ({"banner": GREETING}, "inconclusive"),
        ({"targets": ["mail.hafen.example"], "banner": "220 mail.hafen.example hello"}, ""),
        ({"targets": ["mail.protection.outlook.com.hafen.example"]}, ""),
        ({"targets": ["owa.mx.microsoft"], "protocol": "https", "web": {"build": None}}, ""),
    ],
)
@pytest.mark.parametrize("seen", ["open", "closed"])
def test_a_tenant_is_neither_open_nor_closed_before_its_change_is_in_force(
    about: dict[str, t.Any], verdict: str, seen: str
) -> None:
    about = {"tls": None, **about}
    for expect in ("closed", "open"):
        registered = {"results": [look("a stranger", expect, seen, **about)]}
        (told,) = taken(registered, UNTIL)
        assert told.result["verdict"] == (verdict or seen)
        assert (UNTIL in told.result["sentences"][0]) is bool(verdict)
        assert taken(registered)[0].result["verdict"] == seen
        assert bool(disproof(registered, AWAITED)) is (not verdict and expect != seen)
        assert bool(disproof(registered, {"tenant": {}})) is (expect != seen)


def test_what_is_seen_beside_the_tenant_counts_all_the_same() -> None:
    both = {
        "results": [
            look("at the tenant", "closed", "open", banner=GREETING),
            look("at the server", "closed", "open", banner="220 mail.hafen.example"),
        ]
    }
    assert ["at the server" in sentence for sentence in disproof(both, AWAITED)] == [True]
    assert len(disproof(both)) == 2
    (only,) = disproof(both, only_tenant=True)
    assert "at the tenant" in only
    failed = {"results": [{"msg": "It broke.", "__mailedge_vantage": {"looks": [{"name": "x"}]}}]}
    assert disproof(failed, AWAITED) == ["x: It broke."]
    assert disproof(failed, AWAITED, only_tenant=True) == []


def host(site: str, **registered: t.Any) -> dict[str, t.Any]:
    """A host of a site that looks at the tenant, and sees it open."""
    parts = {"outside": {"how": "managed", "why": ""}}
    return {
        "__mailedge": {"parts": parts, "described": {"site": site}},
        "__mailedge_result_outside": {
            "results": [look("a stranger", "closed", "open", banner=GREETING)]
        },
        **registered,
    }


@pytest.mark.parametrize(
    ("registered", "state"),
    [
        ({"__mailedge_result_exchange_online": AWAITED}, "unknown"),
        ({"__mailedge_result_exchange_online": {"tenant": {"id": "x"}}}, "open"),
        # Waited for.
        (
            {
                "__mailedge_result_exchange_online": AWAITED,
                "__mailedge_tenant_in_force": {"tenant": {"id": "x"}},
            },
            "open",
        ),
        # Not long enough, or who waited was not answered.
        *(
            (
                {
                    "__mailedge_result_exchange_online": AWAITED,
                    "__mailedge_tenant_in_force": waited,
                },
                "unknown",
            )
            for waited in (AWAITED, {"msg": "No answer."}, {"skipped": True})
        ),
        # Given back a moment ago.
        (
            {
                "__mailedge_result_exchange_online": {"tenant": {"id": "x"}},
                "__mailedge_undone_tenant": AWAITED,
            },
            "unknown",
        ),
        # Another host of the site asks the tenant, and waits only for its own look.
        ({"__mailedge_result_exchange_online": {"skipped": True}}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_the_report_knows_what_is_awaited(registered: dict[str, t.Any], state: str) -> None:
    of_hosts = {
        "ex1": host("birke", **registered),
        "ex2": host(
            "birke",
            __mailedge_result_exchange_online=AWAITED,
            __mailedge_tenant_in_force={"tenant": {"id": "x"}},
        ),
        "ex3": host("eiche"),
    }
    judge = Judge("apply", TODAY, None, of_sites(of_hosts, about_of))
    verdict = judge.host("ex1", of_hosts["ex1"])
    assert verdict.state == state
    assert (UNTIL in verdict.reason) is (state == "unknown")
    assert judge.host("ex3", of_hosts["ex3"]).state == "open", "another site"
