# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs compared: what came, what went, since when."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.changes import (
    ReportError,
    checked,
    compared,
    merged,
    with_since,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import worst_of

Plain = dict[str, t.Any]
MONDAY, TUESDAY, WEDNESDAY = (f"2026-11-{day}T10:00:00Z" for day in (23, 24, 25))


def run(at: str, **sites: str) -> Plain:
    """A report: site → its state and the ids of its findings, with blanks between them."""
    made = {}
    for name, text in sites.items():
        state, *ids = text.split()
        made[name] = site_of(
            {"ex1": {"exchange": state}}, [f"{name}/ex1/exchange/{i}" for i in ids]
        )
    return {"format": 1, "at": at, "sites": made}


def site_of(hosts: dict[str, dict[str, str]], ids: t.Sequence[str] = ()) -> Plain:
    """A site: host → layer → its state; and what was found."""
    told: dict[str, Plain] = {}
    for host, layers in hosts.items():
        records = [{"layer": name, "host": host, "state": state} for name, state in layers.items()]
        told[host] = {"state": worst_of(layers.values()), "layers": records}
    return {
        "state": worst_of(host["state"] for host in told.values()),
        "line": ", ".join(told),
        "hosts": told,
        "findings": [
            {"id": each, "host": each.split("/")[1], "layer": each.split("/")[2], "since": ""}
            for each in ids
        ],
    }


def birke(at: str, hosts: dict[str, dict[str, str]], *ids: str) -> Plain:
    """The report of a run on the hosts of one site."""
    return {"format": 1, "at": at, "sites": {"birke": site_of(hosts, ids)}}


def known_of(report: Plain) -> list[str]:
    return [each["id"] for each in report["sites"]["birke"]["findings"]]


def test_what_came_and_what_went_and_which_site_is_another() -> None:
    before = run(MONDAY, birke="drift a b", erle="open c", esche="drift d", ulme="drift x")
    now = run(TUESDAY, birke="drift b n", erle="drift", esche="drift d", linde="open e")
    told = compared(before, now)
    assert told["since"] == MONDAY
    assert [(each["site"], each["id"]) for each in told["appeared"]] == [
        ("birke", "birke/ex1/exchange/n")
    ]
    assert [(each["site"], each["id"]) for each in told["gone"]] == [
        ("birke", "birke/ex1/exchange/a"),
        ("erle", "erle/ex1/exchange/c"),
    ]
    assert told["states"] == {"erle": ["open", "drift"]}
    assert (told["new_sites"], told["missing_sites"]) == (["linde"], ["ulme"])
    # What a run was not to see is not missing.
    assert compared(before, now, partial=True)["missing_sites"] == []


def test_a_finding_is_there_since_the_report_that_had_it_first() -> None:
    first = with_since(run(MONDAY, birke="drift a"), None)
    second = with_since(run(TUESDAY, birke="drift a b"), first)
    third = with_since(run(WEDNESDAY, birke="drift a b"), second)
    assert [each["since"] for each in third["sites"]["birke"]["findings"]] == [MONDAY, TUESDAY]
    gone = with_since(run(TUESDAY, birke="drift b"), first)
    back = with_since(run(WEDNESDAY, birke="drift a"), gone)
    assert [each["since"] for each in back["sites"]["birke"]["findings"]] == [WEDNESDAY]


def test_a_run_on_some_sites_takes_nothing_from_what_is_known_of_the_others() -> None:
    whole = merged(None, run(MONDAY, birke="drift a", erle="open c"), partial=False)
    part = merged(whole, run(TUESDAY, birke="drift"), partial=True)
    assert {name: (site["state"], site["at"]) for name, site in part["sites"].items()} == {
        "birke": ("drift", TUESDAY),
        "erle": ("open", MONDAY),
    }
    # A site that is gone is gone with the next run that would have seen it.
    assert set(merged(part, run(WEDNESDAY, birke="drift"), partial=False)["sites"]) == {"birke"}


RELAY = "birke/ex1/exchange/relay"
OPEN_YESTERDAY = birke(MONDAY, {"ex1": {"exchange": "open", "iis": "in order"}}, RELAY)


@pytest.mark.parametrize(
    ("hosts", "partial"),
    [
        # It did not answer; it never ran; the run ended before.
        ({"ex1": {"exchange": "unknown", "iis": "unknown"}}, False),
        ({"ex1": {"description": "unknown"}}, False),
        ({"ex1": {"exchange": "unknown", "iis": "in order"}}, False),
        # The layer, or the host, was left out.
        ({"ex1": {"exchange": "not looked at", "iis": "in order"}}, False),
        ({"ex1": {"exchange": "not judged", "iis": "in order"}}, False),
        ({"ex1": {}}, False),
        ({"ex2": {"exchange": "in order", "iis": "in order"}}, True),
    ],
)
def test_what_nobody_looked_at_is_not_gone_and_stays_known(
    hosts: dict[str, dict[str, str]], partial: bool
) -> None:
    monday = merged(None, with_since(OPEN_YESTERDAY, None), partial=False)
    now = birke(TUESDAY, hosts)
    assert compared(monday, now, partial=partial)["gone"] == []
    tuesday = merged(monday, with_since(now, monday), partial=partial)
    assert known_of(tuesday) == [RELAY]
    again = {**OPEN_YESTERDAY, "at": WEDNESDAY}
    assert compared(tuesday, again)["appeared"] == []
    found_again = with_since(again, tuesday)["sites"]["birke"]["findings"]
    assert [each["since"] for each in found_again] == [MONDAY]
    mended = birke(WEDNESDAY, {"ex1": {"exchange": "drift", "iis": "in order"}})
    assert [each["id"] for each in compared(tuesday, mended)["gone"]] == [RELAY]
    assert known_of(merged(tuesday, mended, partial=False)) == []


@pytest.mark.parametrize("layer", ["run", "description"])
def test_what_a_run_said_of_itself_is_gone_when_the_next_one_has_looked(layer: str) -> None:
    before = birke(MONDAY, {"ex1": {"exchange": "unknown"}}, f"birke/ex1/{layer}/failed")
    again = birke(TUESDAY, {"ex1": {"exchange": "unknown"}})
    assert compared(before, again)["gone"] == []
    looked = birke(TUESDAY, {"ex1": {"exchange": "open", "iis": "unknown"}})
    assert len(compared(before, looked)["gone"]) == 1


def test_what_all_layers_say_together_is_gone_when_all_of_them_were_looked_at() -> None:
    door = "birke/ex1/whole edge/strangers"
    looked = {"exchange": "drift", "fortigate way in": "in order", "outside": "not looked at"}
    before = birke(MONDAY, {"ex1": {**looked, "whole edge": "unknown"}}, door)
    for missing in (
        {**looked, "fortigate way in": "not looked at"},
        {**looked, "exchange": "open"},
        {**looked, "exchange": "unknown"},
    ):
        assert compared(before, birke(TUESDAY, {"ex1": missing}))["gone"] == []
    assert len(compared(before, birke(TUESDAY, {"ex1": looked}))["gone"]) == 1
    # Mail that nobody saw come in is seen by a proof alone.
    unproven = birke(MONDAY, {"ex1": looked}, "birke/ex1/delivery/is_unknown")
    assert compared(unproven, birke(TUESDAY, {"ex1": looked}))["gone"] == []


def test_what_is_not_managed_any_more_is_neither_there_nor_gone() -> None:
    for now in (
        birke(TUESDAY, {"ex1": {"exchange": "not managed", "iis": "in order"}}),
        birke(TUESDAY, {"ex1": {"iis": "in order"}}),
        birke(TUESDAY, {"ex2": {"exchange": "in order"}}),
    ):
        assert compared(OPEN_YESTERDAY, now)["gone"] == []
        assert known_of(merged(OPEN_YESTERDAY, now, partial=False)) == []


def test_a_limit_to_one_host_says_nothing_of_the_others_of_its_site() -> None:
    relay = "birke/mx2/exchange/relay"
    both = {"mx1": {"exchange": "drift"}, "mx2": {"exchange": "open"}}
    monday = merged(None, birke(MONDAY, both, "birke/mx1/exchange/differs", relay), partial=False)
    now = birke(TUESDAY, {"mx1": {"exchange": "in order"}})
    told = compared(monday, now, partial=True)
    assert told["states"] == {}
    assert [each["id"] for each in told["gone"]] == ["birke/mx1/exchange/differs"]
    site = merged(monday, now, partial=True)["sites"]["birke"]
    assert (site["state"], site["at"], site["line"]) == ("open", MONDAY, "mx1, mx2")
    assert {name: (host["state"], host["at"]) for name, host in site["hosts"].items()} == {
        "mx1": ("in order", TUESDAY),
        "mx2": ("open", MONDAY),
    }
    assert [each["id"] for each in site["findings"]] == [relay]
    # Each of them in turn is the whole site.
    later = birke(WEDNESDAY, {"mx2": {"exchange": "in order"}})
    tuesday = merged(monday, now, partial=True)
    assert compared(tuesday, later, partial=True)["states"] == {"birke": ["open", "in order"]}
    site = merged(tuesday, later, partial=True)["sites"]["birke"]
    assert (site["state"], site["at"], site["findings"]) == ("in order", TUESDAY, [])


def test_what_the_description_of_a_site_says_in_vain_is_judged_by_all_its_hosts() -> None:
    before = birke(MONDAY, {"mx1": {"exchange": "drift"}, "mx2": {"exchange": "drift"}})
    vain = {"id": "birke//description/acceptance_unmatched/x", "host": "", "layer": "description"}
    before["sites"]["birke"]["findings"] = [vain]
    both = birke(TUESDAY, {"mx1": {"exchange": "drift"}, "mx2": {"exchange": "drift"}})
    assert len(compared(before, both)["gone"]) == 1
    assert compared(before, both, partial=True)["gone"] == []
    one_silent = birke(TUESDAY, {"mx1": {"exchange": "drift"}, "mx2": {"exchange": "unknown"}})
    assert compared(before, one_silent)["gone"] == []


@pytest.mark.parametrize(
    "other",
    [
        None,
        [],
        "x",
        {},
        {"format": 2, "at": MONDAY, "sites": {}},
        {"format": 1, "sites": {}},
        {"format": 1, "at": MONDAY, "sites": []},
        {"format": 1, "at": MONDAY, "sites": {"birke": []}},
        {"format": 1, "at": MONDAY, "sites": {"birke": {"findings": [{}]}}},
        {"format": 1, "at": MONDAY, "sites": {"birke": {"findings": ["a"]}}},
    ],
)
def test_what_is_no_report_is_told(other: t.Any) -> None:
    with pytest.raises(ReportError):
        checked(other)


def test_a_report_is_taken_as_it_is() -> None:
    whole = run(MONDAY, birke="drift a")
    assert checked(whole) is whole
