# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the agent read, understood."""

from __future__ import annotations

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.recipes import (
    Block,
    Wish,
    desired,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.state import read_state
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.tables import TABLES
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.tests.support.iis_rows import (
    HOST,
    SITE,
    Rows,
    entry,
    rule,
)

LAN = RangeSet.parse(["10.20.0.0/16"])


def planned(
    rows: Rows, *blocks: Block, published: tuple[str, ...] | None = None
) -> list[tuple[str, str]]:
    """What a description asks for, as actions and keys."""
    state = rows.state()
    wish = Wish(SITE, blocks, published, own_networks=LAN)
    changes = TABLES.plan(state, desired(wish, state))
    return [(change.action.value, change.key) for change in changes if change.table != "sections"]


def without_levels(node: dict[str, object]) -> dict[str, object]:
    return {**node, "metadata": {"deepestPathSet": None, "deepestFileNameSet": None}}


def test_our_own_rules_are_known_where_iis_tells_no_levels() -> None:
    block = Block("/ecp", LAN)
    assert planned(Rows(), block) == [("create", "mailedge: /ecp")]
    rows = Rows(without_levels(rule("mailedge: /ecp")), without_levels(rule("old")))
    assert planned(rows, block) == [("modify", "mailedge: /ecp")]
    assert [rule.name for rule in rows.state().effective(rows.state().root) or ()] == [
        "mailedge: /ecp",
        "old",
    ]


def test_entries_of_the_path_itself_are_known_where_iis_tells_no_levels() -> None:
    rows = Rows()
    above = without_levels(entry("192.0.2.7"))
    rows.lists[""] = {"values": {"allowUnlisted": True}, "items": [above]}
    own = without_levels(entry("10.20.0.0", "255.255.0.0"))
    rows.lists["/ecp"] = {"values": {"allowUnlisted": False}, "items": [above, own]}
    held = TABLES["ip_lists"].find(rows.state(), "/ECP")
    assert held is not None
    assert TABLES["ip_lists"].plain(held[1])["entries"] == ["10.20.0.0/255.255.0.0"]
    assert TABLES["ip_lists"].find(rows.state(), "/owa") is None


def test_what_is_not_published_is_what_the_server_has_and_nobody_named() -> None:
    keys = [key for _action, key in planned(Rows(), published=("hybrid", "activesync"))]
    assert keys == ["mailedge: /owa", "mailedge: /ecp", "mailedge: /PowerShell"]
    everything = [key for _action, key in planned(Rows(), published=("hybrid_agent",))]
    assert len(everything) == 6
    own = planned(Rows(), Block("/ECP", LAN, "ip_security"), published=("hybrid", "activesync"))
    assert ("create", "/ECP") in own
    assert ("create", "mailedge: /ecp") not in own


@pytest.mark.parametrize(
    ("version", "words"), [("7.1.0.761", ""), ("7.0.1.2", "older than 7.1"), ("", "not installed")]
)
def test_url_rewrite_that_is_too_old_is_told(version: str, words: str) -> None:
    rows = Rows(rewrite=version, modules=("RewriteModule",) if version else ())
    if not words:
        assert planned(rows, Block("/ecp", LAN))
        return
    with pytest.raises(PlanError, match=words):
        planned(rows, Block("/ecp", LAN))


def test_a_locked_section_is_told_before_anything_is_written() -> None:
    rows = Rows(modules=("IpRestrictionModule",))
    held = rows.rows()
    for row in held:
        if row.get("section") == "system.webServer/security/ipSecurity":
            row["node"]["metadata"] = {"isLocked": True}
    state = read_state(HOST, held, SITE)
    with pytest.raises(PlanError, match="is locked there"):
        desired(Wish(SITE, (Block("/ecp", LAN, "ip_security"),)), state)


def test_what_nothing_can_be_read_of_is_one_sentence() -> None:
    rows = Rows()
    rows.process_error = {
        "class": "COMException",
        "hresult": "0x80040154",
        "message": "Class not registered",
    }
    with pytest.raises(PlanError, match="Web-Scripting-Tools"):
        rows.state()
    rows = Rows()
    rows.sites_error = {
        "class": "COMException",
        "hresult": "0x8007000d",
        "message": "Error:\r\n not well-formed",
    }
    with pytest.raises(PlanError, match=r"Error: not well-formed \(0x8007000d\)"):
        rows.state()
