# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site that names its provider instead of ranges: refreshed, reviewed, applied; and lists that
firewalls poll.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.mailedge.lockdown.tests.lab.feeds import Answer, Web
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, play
from ansible_collections.mailedge.lockdown.tests.lab.site import Site


@pytest.fixture
def web() -> t.Iterator[Web]:
    with Web() as running:
        yield running


def inventory(folder: pathlib.Path, **hosts: dict[str, t.Any]) -> pathlib.Path:
    path = folder / "hosts.yml"
    path.write_text(yaml.safe_dump({"mailedge": {"hosts": hosts}}), encoding="utf-8")
    return path


def test_refresh_review_apply(tmp_path: pathlib.Path, web: Web) -> None:
    lock = tmp_path / "ranges.lock.yml"
    web.answers["/list.txt"] = Answer("198.51.100.0/24\n2001:db8:100::/48\n")
    provider: dict[str, t.Any] = {
        "mailedge_provider": "own-filter",
        "mailedge_provider_mechanism": "url",
        "mailedge_provider_source": web.url("/list.txt"),
        "mailedge_ranges_lock": str(lock),
    }
    with Lab([Site("birke", ("2016", "2016"))], pwsh="") as lab:
        # As if the site had never named its ranges.
        text = lab.inventory.read_text(encoding="utf-8")
        described = yaml.safe_load(text)
        del described["mailedge"]["children"]["birke"]["vars"]["mailedge_provider_ranges"]
        lab.inventory.write_text(yaml.safe_dump(described), encoding="utf-8")
        run = play("apply", lab.inventory, variables=provider)
        assert run.code != 0
        assert "is not there, and nothing was used instead" in run.output
        run = play("refresh_ranges", lab.inventory, "--check", variables=provider)
        assert run.code == 0, run.output
        assert not lock.exists()
        run = play("refresh_ranges", lab.inventory, variables=provider)
        assert run.code == 0, run.output
        assert len(run.changed) == 1, "once for a site"
        assert "+    - 198.51.100.0/24" in run.output
        assert lab.client().counters("birke-ex1")["powershell_starts"] == 0
        # The plan says it; what a run makes of a plan is tested elsewhere.
        run = play("apply", lab.inventory, "--check", variables=provider)
        assert run.code == 0, run.output
        assert "198.51.100.0/24 and 2001:db8:100::/48" in " ".join(
            run.mail_flow("birke-ex1")["plan"]
        )
        web.answers["/list.txt"] = Answer("<html>")
        before = lock.read_text(encoding="utf-8")
        run = play("refresh_ranges", lab.inventory, variables=provider)
        assert run.code != 0
        assert "a page for people" in run.output
        assert lock.read_text(encoding="utf-8") == before


def test_sites_with_their_own_providers(tmp_path: pathlib.Path) -> None:
    lock = tmp_path / "ranges.lock.yml"
    hosts = inventory(
        tmp_path,
        one={
            "mailedge_provider": "hornetsecurity",
            "mailedge_provider_region": "eu",
            "mailedge_ranges_lock": str(lock),
        },
        two={
            "mailedge_provider": "cloudflare",
            "mailedge_provider_region": "global",
            "mailedge_ranges_lock": str(lock),
        },
        three={"mailedge_provider": "cisco", "mailedge_ranges_lock": str(lock)},
        four={},
    )
    run = play("refresh_ranges", hosts)
    assert run.code != 0
    assert "welcome letter" in run.output
    assert {task.host for task in run.changed} == {"one", "two"}
    locked = yaml.safe_load(lock.read_text(encoding="utf-8"))["providers"]
    assert set(locked) == {"hornetsecurity/eu", "cloudflare/global"}
    shown = [
        {
            "name": "Show",
            "hosts": "two",
            "gather_facts": False,
            "tasks": [
                {
                    "name": "Show",
                    "ansible.builtin.debug": {
                        "msg": (
                            "{{ query('mailedge.lockdown.provider_ranges', 'cloudflare', "
                            "region='global', lock=mailedge_ranges_lock) }}"
                        )
                    },
                }
            ],
        }
    ]
    run = play(shown, hosts)
    assert run.code == 0, run.output
    assert run.tasks[0].result["msg"] == locked["cloudflare/global"]["ranges"]


@pytest.mark.long
def test_lists_that_firewalls_poll(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()

    def publish(*arguments: str, **sites: t.Sequence[str]) -> Run:
        """One run over all these sites: its name, and its ranges."""
        hosts: dict[str, dict[str, t.Any]] = {
            f"{name}-ex1": {"mailedge_site": name, "mailedge_provider_ranges": [*ranges]}
            for name, ranges in sites.items()
        }
        if "birke-ex1" in hosts:
            hosts["birke-ex2"] = hosts["birke-ex1"]
        if "replaced-ex1" in hosts:
            hosts["replaced-ex1"]["mailedge_published_max_removed_percent"] = 100
        variables = {"mailedge_published_folder": str(folder)}
        return play("publish_ranges", inventory(tmp_path, **hosts), *arguments, variables=variables)

    def held() -> dict[str, str]:
        return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}

    birke = ["198.51.101.0/24", "198.51.100.0-198.51.100.255", "203.0.113.9"]
    run = publish("--check", "--diff", birke=birke)
    assert run.code == 0, run.output
    assert "+198.51.100.0/23" in run.output
    assert held() == {}

    run = publish(birke=birke)
    assert run.code == 0, run.output
    assert held() == {"birke-ipv4.txt": "198.51.100.0/23\n203.0.113.9/32\n"}

    # The same in other words is no change; IPv6 comes, the other family stays; what is really meant
    # is written.
    bad: dict[str, list[str]] = {
        "emptied": [],
        "lost": ["2001:db8:100::/48"],
        "shrunken": ["192.0.2.0/24", "2001:db8:100::/48"],
        "mistyped": ["nonsense"],
    }
    for site in ("grown", "replaced", *bad):
        (folder / f"{site}-ipv4.txt").write_text(held()["birke-ipv4.txt"], encoding="utf-8")
    before = held()
    run = publish(
        birke=["203.0.113.9", "198.51.100.0/23"],
        grown=["198.51.100.0/23", "203.0.113.9", "2001:db8:100::/48"],
        replaced=["192.0.2.0/24"],
    )
    assert run.code == 0, run.output
    assert {task.host for task in run.changed} == {"grown-ex1", "replaced-ex1"}
    after = {
        **before,
        "grown-ipv6.txt": "2001:db8:100::/48\n",
        "replaced-ipv4.txt": "192.0.2.0/24\n",
    }
    assert held() == after

    run = publish(**bad)
    assert {task.host for task in run.tasks if task.status == "failed"} == {
        f"{name}-ex1" for name in bad
    }, run.output
    assert run.code != 0
    assert held() == after
