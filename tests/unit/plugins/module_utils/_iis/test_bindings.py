# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a site of IIS answers, by its bindings and those of its neighbours."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge import fold
from ansible_collections.mailedge.lockdown.plugins.module_utils._edge.stage import (
    INTERNET,
    Groups,
    stage,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.bindings import (
    Binding,
    doors,
    read_bindings,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet

SERVER, SECOND = "10.20.1.11", "10.20.1.12"
RIGHTS = {"/owa": (INTERNET, INTERNET), "/ecp": (RangeSet(), RangeSet())}
ALONE = "by the name mail.birke.example alone"
SHUT = "refused by IIS, because the site has no binding there"
UNSURE = "perhaps answered: not known enough of IIS (which might let them through)"


def row(information: str, protocol: str = "https", **more: t.Any) -> dict[str, t.Any]:
    return {"protocol": protocol, "bindingInformation": information, **more}


def answers(
    own: t.Sequence[str], others: t.Sequence[str] = (), inside: str = SERVER, port: int = 443
) -> dict[str, str]:
    """Path → what a stranger gets who comes through a firewall over IPv4."""
    mine, theirs = (read_bindings(map(row, each)) for each in (own, others))
    told = stage("iis", Groups(RangeSet(), RangeSet()), doors(mine, theirs, RIGHTS))
    reach = {"strangers": ["all", "all"]}
    door = {"families": [4], "ports": [443], "at": ["203.0.113.80"], "reach": reach}
    leads = {"leads_to": [inside] if inside else [], "port_behind": port}
    front = {"stage": "firewall", "means": told["means"], "doors": [{**door, **leads}]}
    windows = {**front, "doors": [{"families": [4], "ports": [443, 8443], "reach": reach}]}
    seen = [fold.Seen(*each) for each in zip(fold.WEB_STAGES, (front, windows, told))]
    return {answer.path: answer.words() for answer in fold.web_answers(seen)}


def test_a_binding_is_read_as_iis_writes_it() -> None:
    bindings = read_bindings(
        [
            row("*:80:", "http"),
            row("127.0.0.1:443:"),
            row("[2001:db8::25]:443:Mail.birke.example", sslFlags=1),
            # Nothing of a web.
            row("808:*", "net.tcp"),
        ]
    )
    assert bindings == (
        Binding("", 80, "", tls=False),
        Binding("127.0.0.1", 443, "", tls=True),
        Binding("2001:db8::25", 443, "mail.birke.example", tls=True, sni=True),
    )
    assert [binding.families for binding in bindings] == [(4, 6), (), (6,)]
    assert bindings[0].words() == "http at any address, port 80, by any name"
    assert bindings[2].words() == (
        "https at 2001:db8::25, port 443, by the name mail.birke.example (SNI)"
    )


@pytest.mark.parametrize("address", ["*", "", "0.0.0.0", "[::]"])
def test_a_binding_to_the_address_of_all_listens_at_every_one(address: str) -> None:
    assert read_bindings([row(f"{address}:443:")]) == (Binding("", 443, "", tls=True),)
    assert answers([f"{address}:443:"])["/owa"] == "answered"


@pytest.mark.parametrize("rows", [None, [row("443")], [row("*:https:")], [row("nowhere:443:")]])
def test_what_is_not_understood_leaves_the_site_at_the_port_of_https(rows: t.Any) -> None:
    assert read_bindings(rows) is None
    told = doors(None, (), RIGHTS)
    assert [(door.families, door.ports, door.at) for door in told] == [
        ((4,), (443,), ()),
        ((6,), (443,), ()),
    ]
    assert all(door.rights == RIGHTS for door in told)


@pytest.mark.parametrize(
    ("own", "others", "owa", "ecp"),
    [
        # As set-up leaves it.
        (["*:443:", "127.0.0.1:443:"], ["*:444:"], "answered", "refused by IIS"),
        # A scanner that comes by the address meets another site, or none.
        (["*:443:mail.birke.example"], [], f"answered, {ALONE}", "refused by IIS"),
        # Another one, of which nobody knows whether it refuses what this one refuses.
        (["*:443:mail.birke.example"], ["*:443:"], f"answered, {ALONE}", UNSURE),
        ([f"{SERVER}:443:"], [], "answered", "refused by IIS"),
        ([f"{SECOND}:443:"], [], SHUT, SHUT),
        (["127.0.0.1:443:"], [], SHUT, SHUT),
        (["*:8443:"], [], SHUT, SHUT),
        ([], [], SHUT, SHUT),
        # What another site does at these paths nobody knows.
        ([], ["*:443:"], UNSURE, UNSURE),
        (["*:443:"], [f"{SERVER}:443:"], UNSURE, UNSURE),
        (["*:443:"], ["*:443:"], UNSURE, UNSURE),
        (["*:443:"], ["*:443:intranet.birke.example"], "answered", "refused by IIS"),
    ],
)
def test_what_a_stranger_gets_goes_by_the_bindings(
    own: list[str], others: list[str], owa: str, ecp: str
) -> None:
    assert answers(own, others) == {"/owa": owa, "/ecp": ecp}


def test_a_port_behind_a_forwarder_is_the_one_that_counts() -> None:
    assert answers(["*:8443:"], port=8443)["/owa"] == "answered"
    assert answers(["*:443:"], port=8443) == {}


def test_where_nobody_knows_the_address_behind_no_binding_to_one_shuts_the_door() -> None:
    assert answers([f"{SERVER}:443:"], inside="")["/owa"] == UNSURE
