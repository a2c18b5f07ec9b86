# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a task failed, as sentences, as a filter."""

from __future__ import annotations

import typing as t

DOCUMENTATION = r"""
name: reason
author: mailedge.lockdown contributors (@mailedge)
version_added: 0.1.0
short_description: Why a task failed
description:
  - Turns the result of a failed task, C(ansible_failed_result) in a rescue, into its reasons, those
    of a loop together.
options:
  _input:
    description: The result.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Undo what fails
  block:
    - name: Fail
      ansible.builtin.fail:
        msg: The door stands open.
  rescue:
    - name: Say why
      ansible.builtin.debug:
        msg: "{{ ansible_failed_result | mailedge.lockdown.reason }}"
"""

RETURN = r"""
_value:
  description: The reasons.
  type: str
  sample: The door stands open.
"""


def reason(result: t.Any) -> str:
    """The reasons of a failed result; never empty."""
    if not isinstance(result, t.Mapping):
        return "A task failed, and left no result."
    items = result.get("results")
    failed = (
        [item for item in items if isinstance(item, t.Mapping) and item.get("failed")]
        if isinstance(items, list)
        else []
    )
    texts = dict.fromkeys(str(item["msg"]).strip() for item in failed if item.get("msg"))
    return " ".join(texts) or str(result.get("msg") or "A task failed, and said nothing.").strip()


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name → filter."""
        return {"reason": reason}
