# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets through to a path, with two bounds where somebody else's rule cannot be read."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.model import (
    passing,
    rewrites_into,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.recipes import (
    rule_name,
    rule_options,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.schema import rule_change
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.senders import (
    EVERYBODY,
    NOBODY,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.tables import TABLES
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.tests.support.iis_rows import (
    SITE,
    Rows,
    entry,
    from_address,
    rule,
)

LAN = RangeSet.parse(["10.20.0.0/16"])
ITSELF = RangeSet.parse(["127.0.0.0/8", "10.20.1.10", "::1", "fe80::1", "2001:db8::25"])


def block(path: str, allowed: RangeSet = LAN | ITSELF) -> dict[str, t.Any]:
    """The rule of the recipe as the agent reads it back."""
    change = rule_change(rule_name(path), rule_options(path, allowed, Rows().state()))
    conditions = [item["values"] for item in change["children"]["conditions"]["items"]]
    action = change["children"]["action"]["values"]
    read = rule(rule_name(path), ".*", *conditions, action="CustomResponse")
    read["children"]["action"]["values"] = action
    return read


def both(rows: Rows, path: str) -> tuple[RangeSet, RangeSet]:
    through = passing(rows.state(), path)
    return through.certain, through.at_most


def test_nothing_said_is_open_to_everybody() -> None:
    assert both(Rows(), "/ecp") == (EVERYBODY, EVERYBODY)


def test_a_block_holds_for_its_path_and_all_in_it_and_for_nothing_else() -> None:
    rows = Rows(block("/ecp"))
    for path in ("/ecp", "/ECP", "/ecp/x/y"):
        assert both(rows, path) == (LAN | ITSELF, LAN | ITSELF)
    assert both(rows, "/owa") == (EVERYBODY, EVERYBODY)
    # Of what holds the path a part is open.
    assert both(Rows(block("/owa/Calendar")), "/owa") == (EVERYBODY, EVERYBODY)


@pytest.mark.parametrize("levels", ["told", "not told"])
def test_another_rule_of_the_same_name_at_the_path_is_not_the_one_above(levels: str) -> None:
    rows = Rows(block("/ecp"))
    # What IIS Manager leaves when somebody disables the inherited rule there: <remove/>, and a
    # copy.
    disabled = block("/ecp")
    disabled["values"]["enabled"] = False
    disabled["metadata"] = rule("", level=f"{SITE}/ecp", file="web.config")["metadata"]
    rows.below["/ecp"] = [disabled]
    rows.cleared.add("/ecp")
    if levels == "not told":
        for row in (*rows.rules, disabled):
            row["metadata"] = {"deepestPathSet": None, "deepestFileNameSet": None}
    assert both(rows, "/ecp") == (EVERYBODY, EVERYBODY)
    # A copy that says the same refuses as well.
    disabled["values"]["enabled"] = True
    assert both(rows, "/ecp") == (LAN | ITSELF, LAN | ITSELF)


def test_what_ends_the_rules_below_is_open_whoever_is_blocked_above() -> None:
    rows = Rows(block("/owa"))
    rows.below["/owa/Calendar"] = [rule("own", level=f"{SITE}/owa/Calendar", file="web.config")]
    rows.cleared.add("/owa/Calendar")
    through = passing(rows.state(), "/owa")
    assert through.certain == EVERYBODY
    assert "ended by a <clear/>" in through.because[0]


@pytest.mark.parametrize(
    ("text", "certain", "at_most"),
    [
        (
            (
                "<configuration><system.webServer><rewrite><rules><clear "
                "/></rules></rewrite></system.webServer></configuration>"
            ),
            EVERYBODY,
            EVERYBODY,
        ),
        (
            '\ufeff<configuration><location path="." '
            'inheritInChildApplications="false"><system.webServer><rewrite><rules><clear/>'
            "</rules></rewrite></system.webServer></location></configuration>",
            EVERYBODY,
            EVERYBODY,
        ),
        (
            (
                "<configuration><!-- <clear/> --><system.webServer><rewrite><rules "
                "/></rewrite></system.webServer></configuration>"
            ),
            LAN | ITSELF,
            LAN | ITSELF,
        ),
        ("<configuration><system.webServer><rewrite>", LAN | ITSELF, EVERYBODY),
        (
            (
                "<configuration><system.webServer><rewrite><rules "
                'configSource="r.config"/></rewrite></system.webServer></configuration>'
            ),
            LAN | ITSELF,
            EVERYBODY,
        ),
        (None, LAN | ITSELF, EVERYBODY),
    ],
    ids=["clear", "clear in a location", "a comment", "no xml", "elsewhere", "not searched"],
)
def test_before_the_first_rule_the_file_tells_what_ends_it(
    text: str | None, certain: RangeSet, at_most: RangeSet
) -> None:
    rows = Rows()
    rows.web_configs["/ecp"] = text
    state = rows.state()
    wished = [
        Desired("rewrite_rules", rule_name("/ecp"), rule_options("/ecp", LAN | ITSELF, state))
    ]
    after = TABLES.apply_all(TABLES.plan(state, wished), state)
    through = passing(after, "/ecp")
    assert (through.certain, through.at_most) == (certain, at_most)


def test_a_rule_in_front_that_stops_lets_past_whom_it_may_fit() -> None:
    front = rule("old", "^(ecp|owa)/help", from_address(r"^203\.0\.113\.[0-9]{1,3}$"))
    through = passing(Rows(front, block("/ecp")).state(), "/ecp")
    assert through.certain == LAN | ITSELF
    assert through.at_most == LAN | ITSELF | RangeSet.parse(["203.0.113.0/24"])
    assert "The rule 'old' comes before" in through.because[0]


@pytest.mark.parametrize(
    "front",
    [
        rule("other path", "^owa/"),
        rule("disabled", enabled=False),
        rule("goes on", stopProcessing=False),
        rule("redirect", action="Redirect", target="https://mail.example.test/"),
        rule("refuses", "(?=.*powershell)", action="AbortRequest"),
    ],
    ids=lambda front: str(front["values"]["name"]),
)
def test_a_rule_in_front_that_lets_nobody_past_is_no_matter(front: dict[str, t.Any]) -> None:
    assert passing(Rows(front, block("/ecp")).state(), "/ecp").at_most == LAN | ITSELF


def test_rules_of_the_server_come_first() -> None:
    rows = Rows(block("/ecp"))
    rows.globals = [rule("farm", ".*", level="")]
    assert passing(rows.state(), "/ecp").at_most == EVERYBODY
    rows.globals = [
        rule("farm", ".*", from_address(r"^10\.20\.0\.5$"), action="AbortRequest", level="")
    ]
    assert both(rows, "/owa") == (EVERYBODY - RangeSet.parse(["10.20.0.5"]),) * 2


def test_a_rule_of_which_only_the_name_is_known_may_do_anything() -> None:
    rows = Rows(block("/ecp"))
    node = {
        "values": {"name": "ghost"},
        "metadata": {"deepestPathSet": None, "deepestFileNameSet": None},
    }
    rows.below["/ecp"] = [node]
    # It comes behind: what the block stops it does not see, and the rest it may stop.
    assert both(rows, "/ecp") == (NOBODY, LAN | ITSELF)
    assert passing(rows.state(), "/owa").certain == EVERYBODY


def test_a_list_counts_where_its_module_runs() -> None:
    values = {"allowUnlisted": False, "denyAction": 403, "enableProxyMode": False}
    rows = Rows()
    rows.lists["/ecp"] = {
        "values": values,
        "items": [entry("10.20.0.0", "255.255.0.0", level=f"{SITE}/ecp")],
    }
    assert both(rows, "/ecp") == (LAN, LAN)
    rows.modules = ("RewriteModule",)
    assert both(rows, "/ecp") == (EVERYBODY, EVERYBODY)
    rows.modules = ("IpRestrictionModule",)
    values["enableProxyMode"] = True
    assert both(rows, "/ecp") == (NOBODY, EVERYBODY)


def test_entries_decide_from_top_to_bottom_and_unreadable_ones_are_not_guessed() -> None:
    values = {"allowUnlisted": True}
    rows = Rows()
    first = entry("10.20.1.0", "24", allowed=False)
    rows.lists["/ecp"] = {"values": values, "items": [first, entry("10.20.0.0", "255.255.0.0")]}
    assert passing(rows.state(), "/ecp").certain == EVERYBODY - RangeSet.parse(["10.20.1.0/24"])
    rows.lists["/ecp"] = {"values": {"allowUnlisted": False}, "items": [entry("192.0.2.0.0")]}
    assert both(rows, "/ecp") == (NOBODY, EVERYBODY)


def test_a_section_that_cannot_be_read_is_unknown() -> None:
    rows = Rows(block("/ecp"))
    rows.errors["system.webServer/rewrite/rules", "/ecp"] = {
        "class": "COMException",
        "hresult": "0x8007000d",
        "message": "Filename: x\r\nError: not well-formed\r\n",
    }
    through = passing(rows.state(), "/ecp")
    assert (through.certain, through.at_most) == (NOBODY, EVERYBODY)
    assert through.because == (
        "The rules of Default Web Site/ecp cannot be read: Filename: x Error: not well-formed.",
    )


def test_rules_that_lead_into_a_blocked_path_are_named() -> None:
    rows = Rows(
        rule("in", "^admin", action="Rewrite", target="/ecp/default.aspx"),
        rule("out", "^x", action="Rewrite", target="/y"),
    )
    assert [rule.name for rule in rewrites_into(rows.state(), ["/ecp", "/owa"])] == ["in"]
