# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report in one of its formats, as a filter."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.changes import (
    ReportError,
    checked,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.folder import (
    FORMATS,
    rendered,
)

DOCUMENTATION = r"""
name: report_text
author: mailedge.lockdown contributors (@mailedge)
version_added: 0.1.0
short_description: A report as Markdown, HTML, CSV, JUnit, metrics or JSON
description:
  - Renders C(mailedge_report), with what changed where it says so, as a text for a mail, a chat or
    a file.
options:
  _input:
    description: The report.
    type: dict
    required: true
  format:
    description: The format.
    type: str
    choices: [json, html, markdown, csv, junit, prometheus]
    default: markdown
"""

EXAMPLES = r"""
- name: Tell a chat how the sites stand
  ansible.builtin.uri:
    url: https://chat.example/hook
    method: POST
    body_format: json
    body:
      text: "{{ mailedge_report | mailedge.lockdown.report_text }}"
"""

RETURN = r"""
_value:
  description: The text.
  type: str
"""


def report_text(report: t.Any, format: str = "markdown") -> str:
    """The report in a format."""
    if format not in FORMATS:
        raise AnsibleFilterError(
            f"'{format}' is no format of a report. The formats are: {', '.join(FORMATS)}."
        )
    try:
        whole = checked(report)
    except ReportError as error:
        raise AnsibleFilterError(f"This is no report: {error}") from None
    return rendered(format, whole, whole.get("changes"))


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name → filter."""
        return {"report_text": report_text}
