# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as JUnit for whatever shows tests: a site is a suite, a layer of a host is a case.

What is open or differs failed. What is not known is an error, and so is a host that fails because
nobody has judged it. What was accepted, not managed or not looked at was skipped, and says why.
Only what was looked at and found so has passed.
"""

from __future__ import annotations

import typing as t
from xml.etree import ElementTree as Tree

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._texts import (
    FINE,
    clean,
    known,
    line,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    NOT_JUDGED,
    breaks_promise,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    DRIFT,
    OPEN,
    UNKNOWN,
)

Plain = t.Mapping[str, t.Any]

_ALARMING = (OPEN, UNKNOWN, DRIFT)
_KINDS = {OPEN: "failure", DRIFT: "failure", UNKNOWN: "error"}


def render(report: Plain, changes: Plain | None = None) -> str:
    """The document. `changes` are not in it."""
    del changes
    sites = report.get("sites") or {}
    whole = Tree.Element("testsuites", name="mailedge")
    for name, site in sites.items():
        whole.append(
            _suite(name, site, str(report.get("at") or ""), str(report.get("playbook") or ""))
        )
    _count(whole, list(whole.iter("testcase")))
    return f"<?xml version='1.0' encoding='utf-8'?>\n{Tree.tostring(whole, encoding='unicode')}\n"


def _suite(name: str, site: Plain, at: str, playbook: str) -> Tree.Element:
    suite = Tree.Element("testsuite", name=line(name), timestamp=at.rstrip("Z"), time="0")
    for host, about in (site.get("hosts") or {}).items():
        records = about.get("layers") or ()
        for record in records:
            state, told = known(record.get("state")), list(record.get("findings") or ())
            if state in (OPEN, DRIFT):
                told += [f"A run would: {sentence}" for sentence in record.get("plan") or ()]
            suite.append(_case(name, host, str(record.get("layer")), state, told))
        state = known(about.get("state"))
        if about.get("trouble") or (
            state in _ALARMING and all(known(each.get("state")) != state for each in records)
        ):
            # Nothing of its layers says what is wrong with it.
            wrong = state if state in _ALARMING else UNKNOWN
            why = str(about.get("trouble") or "Nothing of it was looked at.")
            suite.append(_case(name, host, "run", wrong, [why]))
        elif state == NOT_JUDGED and breaks_promise(playbook, state):
            suite.append(_case(name, host, "run", UNKNOWN, ["Nobody has judged it."]))
    if not len(suite):
        suite.append(_case(name, name, "run", UNKNOWN, ["The report names no host of it."]))
    _count(suite, list(suite))
    return suite


def _case(site: str, host: str, layer: str, state: str, told: t.Sequence[str]) -> Tree.Element:
    case = Tree.Element("testcase", classname=line(site), name=f"{line(host)}: {layer}", time="0")
    text = "\n".join(clean(sentence) for sentence in told)
    if state in FINE:
        if text:
            Tree.SubElement(case, "system-out").text = text
        return case
    message = f"{state}. {line(told[0])}" if told else f"{state}."
    if state in _KINDS:
        Tree.SubElement(case, _KINDS[state], type=state, message=message).text = text
    else:
        Tree.SubElement(case, "skipped", message=message)
    return case


def _count(element: Tree.Element, cases: t.Sequence[Tree.Element]) -> None:
    element.set("tests", str(len(cases)))
    for kind, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        element.set(name, str(sum(case.find(kind) is not None for case in cases)))
