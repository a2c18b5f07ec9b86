# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The findings of a report as tickets, each with a key that stays the same, as a filter."""

from __future__ import annotations

import hashlib
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.changes import (
    ReportError,
    checked,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.finding import SEVERITIES
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render._texts import (
    accepted,
    clean,
    line,
)

DOCUMENTATION = r"""
name: tickets
author: mailedge.lockdown contributors (@mailedge)
version_added: 0.1.0
short_description: The findings of a report as tickets, each with a key that stays the same
description:
  - Turns C(mailedge_report) into a list of plain entries, one for each finding at a site, for
    tickets, chat or a webhook. The key of a finding is the same in every run, so that nobody gets a
    second ticket for the same thing.
  - A finding that is gone since the report before, where the report says what changed, is an entry
    with the state V(gone). One that a site accepts, or that is only told, is none.
options:
  _input:
    description: The report.
    type: dict
    required: true
  severity:
    description: The least severity of what gets a ticket.
    type: str
    choices: [critical, warning, info]
    default: warning
"""

EXAMPLES = r"""
- name: Tell a webhook of each finding
  ansible.builtin.uri:
    url: https://tickets.example/hook
    method: POST
    body_format: json
    body: "{{ item }}"
  loop: "{{ mailedge_report | mailedge.lockdown.tickets }}"
  loop_control:
    label: "{{ item.key }}"
"""

RETURN = r"""
_value:
  description:
    - Worst first, each with C(key), C(state) (V(standing) or V(gone)), C(site), C(host), C(layer),
      C(severity), C(title) in one line, C(text), C(remedy), C(since) and C(id).
    - C(key) is V(mailedge-) and 32 characters that follow from C(id), short enough for any field.
  type: list
  elements: dict
"""

Plain = t.Mapping[str, t.Any]


def tickets(report: t.Any, severity: str = "warning") -> list[dict[str, str]]:
    """One entry for each finding that somebody should look at."""
    if severity not in SEVERITIES:
        raise AnsibleFilterError(
            f"'{severity}' is no severity. The severities are: {', '.join(SEVERITIES)}."
        )
    try:
        whole = checked(report)
    except ReportError as error:
        raise AnsibleFilterError(f"This is no report: {error}") from None
    counting = SEVERITIES[: SEVERITIES.index(severity) + 1]
    told = [
        _ticket(site, finding, "standing")
        for site, about in whole["sites"].items()
        for finding in about["findings"]
        if finding.get("severity") in counting and not accepted(finding)
    ]
    told.sort(key=lambda ticket: SEVERITIES.index(ticket["severity"]))
    gone = (whole.get("changes") or {}).get("gone") or ()
    return told + [
        _ticket(str(finding.get("site")), finding, "gone")
        for finding in gone
        if finding.get("severity") in counting
    ]


def _ticket(site: str, finding: Plain, state: str) -> dict[str, str]:
    name = str(finding["id"])
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:32]
    host = line(finding.get("host"))
    words = line(finding.get("words"))
    title = f"{line(site)}: {f'{host}, ' if host else ''}{line(finding.get('layer'))}: {words}"
    return {
        "key": f"mailedge-{digest}",
        "state": state,
        "site": line(site),
        "host": host,
        "layer": line(finding.get("layer")),
        "severity": line(finding.get("severity")),
        "title": title if len(title) <= _LONGEST else f"{title[: _LONGEST - 1]}…",
        "text": clean(finding.get("words")),
        "remedy": clean(finding.get("remedy")),
        "since": line(finding.get("since")),
        "id": clean(name),
    }


# Fields for a summary take about so many characters.
_LONGEST = 150


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name → filter."""
        return {"tickets": tickets}
