# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one host is to look at, as a filter."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.looks import to_take

DOCUMENTATION = r"""
name: looks_to_take
author: mailedge.lockdown contributors (@mailedge)
version_added: 0.1.0
short_description: What one host is to look at
description:
  - Turns a site's looks into the option O(mailedge.lockdown.mail_edge_probe#module:looks), with the
    addresses that the same host reached before.
options:
  _input:
    description: The looks of one host.
    type: list
    elements: dict
    required: true
  before:
    description: What M(mailedge.lockdown.mail_edge_probe) found when the same host took the same
      looks before.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show what would be looked at
  ansible.builtin.debug:
    msg: "{{ [{'name': 'a stranger', 'expect': 'closed'}] | mailedge.lockdown.looks_to_take }}"
"""

RETURN = r"""
_value:
  description: The option O(mailedge.lockdown.mail_edge_probe#module:looks).
  type: list
  elements: dict
"""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name → filter."""
        return {"looks_to_take": lambda looks, before=None: to_take(looks, before)}
