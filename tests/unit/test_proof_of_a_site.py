# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At which hosts of a site `apply` looks again, and whose looks undo what: by the conditions of the
playbook itself, over what its tasks have registered.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import jinja2
import yaml
from ansible.plugins.filter import core, mathstuff
from ansible.plugins.test import core as of_results

from ansible_collections.mailedge.lockdown.plugins.filter.disproof import disproof
from ansible_collections.mailedge.lockdown.tests.support.looks import look

PLAY = yaml.safe_load(
    (Path(__file__).parents[2] / "playbooks/apply.yml").read_text(encoding="utf-8")
)[0]
CHANGED, SAME = {"changed": True}, {"changed": False}
OPEN = {"results": [look("a stranger", "closed", "open")]}
SHUT = {"results": [look("a stranger", "closed", "closed")]}


def task(name: str, tasks: t.Any = PLAY["tasks"]) -> dict[str, t.Any]:
    """The task of this name, wherever it stands."""
    for each in tasks:
        if each["name"] == name:
            return t.cast("dict[str, t.Any]", each)
        inner = [entry for part in ("block", "rescue", "always") for entry in each.get(part, ())]
        if inner and task(name, inner):
            return task(name, inner)
    return {}


class Site:
    """Two hosts, of which the first looks and has the firewall."""

    def __init__(self, *, looks: bool = True, **registered: dict[str, t.Any]) -> None:
        self._jinja = jinja2.Environment(autoescape=False)
        self._jinja.filters.update(
            {
                "extract": core.FilterModule().filters()["extract"],
                "difference": mathstuff.FilterModule().filters()["difference"],
                "mailedge.lockdown.disproof": disproof,
                # Ansible makes a list of what yields its items.
                "length": lambda items: len(list(items)),
            }
        )
        self._jinja.tests["changed"] = of_results.TestModule().tests()["changed"]
        self.hostvars = {}
        for host in ("ex1", "ex2"):
            own = looks or host == "ex1"
            how = {"outside": {"how": "managed" if own else "elsewhere"}}
            described = {
                "selected_hosts": ["ex1", "ex2"],
                "site_owner": "ex1",
                "exchange_online_owner": "ex1",
            }
            self.hostvars[host] = {
                "inventory_hostname": host,
                "ansible_check_mode": False,
                "__mailedge": {
                    "layers": ["outside"] if own else ["exchange"],
                    "parts": how,
                    "described": described,
                },
                **registered.get(host, {}),
            }

    def _value(self, host: str, text: str, **more: t.Any) -> t.Any:
        variables = {**self.hostvars[host], "hostvars": self.hostvars, **more}
        return self._jinja.compile_expression(text)(**variables)

    def _known(self, host: str, variables: dict[str, t.Any]) -> dict[str, t.Any]:
        known: dict[str, t.Any] = {}
        for name, text in variables.items():
            if text.startswith("{{"):
                known[name] = self._value(host, text.strip()[2:-2].strip(), **known)
        return known

    def happens(self, host: str, name: str) -> bool:
        """Whether a task is run at a host."""
        known = self._known(host, PLAY["vars"])
        return all(self._value(host, text, **known) for text in task(name)["when"])

    def disproof(self, host: str) -> list[str]:
        """What undoes the change of a host."""
        if not self.happens(host, "Undo what is not proven"):
            return []
        known = self._known(host, PLAY["vars"])
        text = task("Undo what is not proven")["vars"]["__mailedge_disproof"]
        sentences: list[str] = self._value(host, text.strip()[2:-2].strip(), **known)
        return sentences


def test_a_firewall_that_another_host_of_the_site_has_changed_is_looked_at_by_each() -> None:
    prove = "Prove it from outside"
    for layer in ("fortigate_feed", "fortigate_way_in", "fortigate_way_out", "host"):
        changed = {f"__mailedge_result_{layer}": CHANGED}
        site = Site(ex1=changed, ex2={"__mailedge_result_host": SAME})
        assert [site.happens(host, prove) for host in ("ex1", "ex2")] == [True, True], layer
    nothing = Site(ex1={"__mailedge_result_host": SAME}, ex2={"__mailedge_result_host": SAME})
    assert not nothing.happens("ex1", prove)
    alone = Site(looks=False, ex1={}, ex2={"__mailedge_result_host": CHANGED})
    assert alone.happens("ex1", prove), "for the host that does not look"
    assert not alone.happens("ex2", prove)


def test_what_a_host_changed_that_does_not_look_is_undone_by_the_looks_of_the_one_that_does() -> (
    None
):
    changed = {"__mailedge_result_host": CHANGED}
    disproved = Site(looks=False, ex1={"__mailedge_result_outside": OPEN}, ex2=changed)
    assert disproved.disproof("ex2") == disproved.disproof("ex1")
    assert "is open to mail of strangers" in disproved.disproof("ex2")[0]
    proven = Site(looks=False, ex1={"__mailedge_result_outside": SHUT}, ex2=changed)
    assert proven.disproof("ex2") == []
    unchanged = Site(looks=False, ex1={"__mailedge_result_outside": OPEN}, ex2={})
    assert (unchanged.disproof("ex2"), len(unchanged.disproof("ex1"))) == ([], 1)
