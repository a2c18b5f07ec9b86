# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the web of a site is looked for that names none, and what of such a look counts."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.looks import (
    VANTAGE,
    taken,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.proof import judge_look
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import (
    all_together,
    summed_up,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.web_names import (
    shows_exchange,
    web_targets,
)

TENANT = "birke-example.mail.protection.outlook.com"
SERVER, OTHER, CLOUD = "203.0.113.25", "203.0.113.77", "198.51.100.10"


def dns(**names: tuple[str, list[str]]) -> dict[str, t.Any]:
    """Label → where it is from, and its addresses; `at` is the domain itself."""
    full = {
        "birke.example" if label == "at" else f"{label}.birke.example": told
        for label, told in names.items()
    }
    return {
        "targets": list(full),
        "target_addresses": {name: addresses for name, (_source, addresses) in full.items()},
        "names": [
            {"name": name, "sources": [source]} for name, (source, _addresses) in full.items()
        ],
    }


def test_names_and_their_addresses_are_looked_at() -> None:
    told = dns(mail=("mx", [SERVER]), owa=("forgotten", [OTHER]))
    assert web_targets(["192.0.2.9"], told) == [
        "192.0.2.9",
        "mail.birke.example",
        "owa.birke.example",
        SERVER,
        OTHER,
    ]
    assert web_targets(["mail.birke.example"], None) == ["mail.birke.example"]


def test_an_address_is_asked_by_few_names_and_first_by_those_that_the_server_has() -> None:
    labels = {f"n{number}": ("forgotten", [SERVER]) for number in range(6)}
    told = dns(**labels, alt=("server", [SERVER]), far=("forgotten", [OTHER]))
    assert web_targets([], told) == [
        "alt.birke.example",
        "n0.birke.example",
        "n1.birke.example",
        "far.birke.example",
        SERVER,
        OTHER,
    ]


def test_the_pages_of_the_company_are_left_alone_unless_the_server_has_them() -> None:
    mail = {"mail": ("mx", [SERVER])}
    assert "birke.example" not in web_targets([], dns(**mail, at=("domain", [OTHER])))
    assert "birke.example" in web_targets([], dns(**mail, at=("domain", [SERVER])))


def test_the_tenant_is_nobodys_web() -> None:
    told = dns(mail=("mx", [SERVER]), mx0=("forgotten", [CLOUD]))
    told["targets"].append(TENANT)
    told["target_addresses"][TENANT] = [CLOUD]
    assert web_targets([TENANT], told) == ["mail.birke.example", SERVER]


def test_what_is_looked_at_already_is_not_again() -> None:
    told = dns(mail=("mx", [SERVER]), owa=("forgotten", [SERVER]), old=("forgotten", [OTHER]))
    at = web_targets([], told, beside=["MAIL.birke.example."], published=[SERVER, "203.0.113.80"])
    assert at == ["old.birke.example", OTHER, "203.0.113.80"]


def address(at: str, **paths: str) -> dict[str, t.Any]:
    cases = {
        f"/{path}": {
            "verdict": verdict,
            "reason": "",
            "stage": "answer",
            "sentence": f"So it is at {at}.",
            "needs_positive_control": False,
            "expect": "closed" if path == "ecp" else None,
        }
        for path, verdict in paths.items()
    }
    fixed = {"protocol": "https", "targets": [at], "address": at, "peer": f"{at}:443"}
    seen = {"reachable": True, "web": {"build": None}, "tls": None, "seen_as": None}
    return summed_up({**fixed, **seen, "sender_address_hidden": False, "cases": cases})


def looked(*addresses: dict[str, t.Any], derived: bool = True) -> dict[str, t.Any]:
    look = {"name": "a stranger at the web", "expect": "any", "derived": derived}
    return {
        "results": [
            {VANTAGE: {"looks": [look]}, "looks": [all_together({"addresses": list(addresses)})]}
        ]
    }


def test_only_where_exchange_answers_is_a_path_expected_to_be_closed() -> None:
    hoster = address(OTHER, owa="inconclusive", ecp="inconclusive")
    locked = address(SERVER, owa="open", ecp="closed")
    state, _reasons = judge_look(taken(looked(hoster))[0].result, "any")
    assert state == "not judged"
    state, _reasons = judge_look(taken(looked(hoster, locked))[0].result, "any")
    assert state == "in order"
    # Whoever names his web is told of every path.
    assert judge_look(taken(looked(hoster, derived=False))[0].result, "any")[0] == "unknown"
    for ecp, expected in (("open", "open"), ("inconclusive", "unknown")):
        seen = taken(looked(hoster, address(SERVER, owa="open", ecp=ecp)))[0]
        state, reasons = judge_look(seen.result, "any")
        assert (state, len(reasons)) == (expected, 1)
        assert SERVER in reasons[0]
        assert seen.beside, "nothing is undone for it"
        assert shows_exchange(seen.result)
    assert not shows_exchange(all_together({"addresses": [hoster]}))


def test_a_look_that_could_not_be_taken_says_so() -> None:
    look = {"name": "w", "derived": True}
    nobody = {"results": [{VANTAGE: {"looks": [look]}, "msg": "No route."}]}
    assert judge_look(taken(nobody)[0].result, "any") == ("unknown", ["No route."])
