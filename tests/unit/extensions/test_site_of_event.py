# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rule sees of an event: a site of the inventory, or nothing. No text of the event."""

from __future__ import annotations

import json
import logging
import pathlib
import runpy
import subprocess
import typing as t

import pytest
import yaml

from ansible_collections.mailedge.lockdown.extensions.eda.plugins.event_filter import (
    site_of_event,
)

EDA = (
    next(folder for folder in pathlib.Path(__file__).parents if (folder / "galaxy.yml").is_file())
    / "extensions"
    / "eda"
)
SITES = {"birke": ("birke-ex1", "birke-ex2"), "hafen": ("hafen-ex1",)}
INVENTORY = {
    "_meta": {
        "hostvars": {
            "birke-ex1": {"mailedge_site": "birke", "ansible_password": "canary"},
            "birke-ex2": {"mailedge_site": " birke "},
            "erle-ex1": {"mailedge_site": "{{ inventory_hostname[:4] }}"},
            "other": {"mailedge_site": "other"},
        }
    },
    "all": {"children": ["mailedge", "ungrouped"]},
    "ungrouped": {"hosts": ["other"]},
    "mailedge": {"children": ["birke", "north"], "hosts": ["erle-ex1"]},
    "birke": {"hosts": ["birke-ex1", "birke-ex2"]},
    "north": {"children": ["hafen", "mailedge"]},
    "hafen": {"hosts": ["hafen-ex1"]},
}
HOSTILE: list[t.Any] = [
    "birke-ex1",
    "all",
    "mailedge",
    "*",
    "birke:!birke-ex1",
    "birke,hafen",
    "~birke.*",
    "@/etc/passwd",
    "birke -e mailedge_fail_on=never",
    "{{ lookup('pipe', 'id') }}",
    "birke\n",
    " birke",
    "BIRKE",
    "birke\x00",
    "birke\u200b",
    "x" * 10_000_000,
    ["birke"],
    {"birke": 1},
    1,
    True,
]


@pytest.fixture(autouse=True)
def _afresh() -> None:
    site_of_event._read.clear()
    site_of_event._told.clear()


def event(payload: t.Any) -> dict[str, t.Any]:
    """As the webhook gives it."""
    return {
        "payload": payload,
        "meta": {"endpoint": "x", "headers": {"X": "{{ 1 }}"}, "hosts": ["other"]},
    }


def seen(payload: t.Any) -> t.Any:
    return site_of_event.main(event(payload), sites=SITES)


def test_a_rule_sees_a_site_of_the_inventory_and_nothing_that_was_sent() -> None:
    birke = {"look": {"site": "birke"}, "meta": {"hosts": ["birke-ex1", "birke-ex2"]}}
    more = {"meta": {"limit": "all"}, "mailedge_fail_on": "never", "state": "in order"}
    assert seen({"site": "birke"}) == birke
    assert seen({"host": "birke-ex2", **more}) == birke
    assert seen({"site": "birke", "host": "birke-ex1", **more}) == birke
    assert seen({"site": "", "host": "hafen-ex1"})["meta"] == {"hosts": ["hafen-ex1"]}


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:30])
@pytest.mark.parametrize("key", ["site", "host"])
def test_what_is_no_name_of_the_inventory_looks_nowhere(key: str, name: t.Any) -> None:
    if (key, name) == ("host", "birke-ex1"):
        return
    assert seen({key: name}) == []


@pytest.mark.parametrize(
    "payload",
    [None, {}, [], ["birke"], "birke", 1, {"name": "birke"}, {"site": None}],
    ids=ascii,
)
def test_what_names_nothing_looks_nowhere(payload: t.Any) -> None:
    assert seen(payload) == []


@pytest.mark.parametrize("whole", [None, [], "birke", {"site": "birke"}, {"meta": {}}], ids=str)
def test_an_event_that_no_webhook_makes_looks_nowhere(whole: t.Any) -> None:
    assert site_of_event.main(whole, sites=SITES) == []


def test_a_host_of_another_site_looks_nowhere() -> None:
    assert seen({"site": "birke", "host": "hafen-ex1"}) == []


def test_a_refusal_is_told_in_plain_characters_and_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for number in range(500):
        seen({"site": f"{number}\n2026-11-30 INFO all is well \x1b[2J\u202e{'x' * 150}"})
    seen({"site": ["canary"]})
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    first, second = (record.getMessage() for record in caplog.records)
    assert "which nobody knows. No site was looked at for it." in first
    assert first.isascii()
    assert first.isprintable()
    assert len(first) < 300
    assert "canary" not in second


def test_sites_are_those_of_the_group_by_the_names_that_the_inventory_gives_them() -> None:
    assert site_of_event.sites_in(INVENTORY, "mailedge") == {
        "birke": ("birke-ex1", "birke-ex2"),
        # A name that is a template is not known before it is rendered.
        "erle-ex1": ("erle-ex1",),
        "hafen-ex1": ("hafen-ex1",),
    }
    empty: list[t.Any] = [{}, [], {"mailedge": {}}]
    for nothing in empty:
        with pytest.raises(site_of_event.NoInventory):
            site_of_event.sites_in(nothing, "mailedge")


def test_the_inventory_is_asked_again_when_what_it_said_is_old(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[t.Any] = [INVENTORY]
    asked: list[list[str]] = []

    def run(command: list[str], **_more: t.Any) -> subprocess.CompletedProcess[bytes]:
        asked.append(command)
        (answer,) = answers
        code, text = (0, json.dumps(answer)) if answer is not None else (4, "canary")
        return subprocess.CompletedProcess(command, code, text.encode(), b"canary")

    monkeypatch.setattr(subprocess, "run", run)
    looked = {"look": {"site": "birke"}, "meta": {"hosts": ["birke-ex1", "birke-ex2"]}}
    for _twice in range(2):
        assert site_of_event.main(event({"site": "birke"})) == looked
    assert len(asked) == 1
    assert asked[0][1:] == ["--list"], "no text of an event is on a command line"
    answers[:] = [{"mailedge": {"hosts": ["hafen-ex1"]}}]
    assert site_of_event.main(event({"site": "birke"}), fresh_seconds=0) == []
    answers[:] = [None]
    assert site_of_event.main(event({"site": "hafen-ex1"}), fresh_seconds=0), "what it said last"
    site_of_event._read.clear()
    assert site_of_event.main(event({"site": "hafen-ex1"})) == []
    assert "The inventory could not be read" in caplog.text
    assert "canary" not in caplog.text


def test_it_needs_nothing_beside_it() -> None:
    """ansible-rulebook runs the file, and knows no collection."""
    path = EDA / "plugins" / "event_filter" / "site_of_event.py"
    main = runpy.run_path(str(path))["main"]
    assert main(event({"host": "hafen-ex1"}), sites=SITES)["look"] == {"site": "hafen"}
    assert "ansible_collections" not in path.read_text(encoding="utf-8")


def test_the_rulebook_listens_to_nobody_without_a_token_and_hands_on_no_event() -> None:
    (rules,) = yaml.safe_load((EDA / "rulebooks" / "drift.yml").read_text(encoding="utf-8"))
    (source,) = rules["sources"]
    given = source["eda.builtin.webhook"]
    # Without a default: ansible-rulebook ends where one is not set.
    for name in ("token", "certfile", "keyfile"):
        assert "default" not in given[name]
    assert source["filters"] == [{"mailedge.lockdown.site_of_event": {}}]
    (rule,) = rules["rules"]
    assert rule["condition"] == "event.look.site is defined"
    assert rule["throttle"]["group_by_attributes"] == ["event.look.site"]
    assert rules.get("execution_strategy", "sequential") == "sequential"
    assert "{{" not in json.dumps(rule), "no text of an event becomes a part of a command"
    assert rule["action"]["run_playbook"]["extra_vars"] == {"mailedge_report_partial": True}
