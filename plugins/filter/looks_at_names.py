# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names of DNS the hosts that look are to look at, as a filter."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.looks import at_names

DOCUMENTATION = r"""
name: looks_at_names
author: mailedge.lockdown contributors (@mailedge)
version_added: 0.1.0
short_description: The looks of a site, at the names that DNS has for it too
description:
  - Gives the hosts that look at a site, each with its looks. Looks that are to go by the names in
    DNS have these among their targets.
  - A look beside the targets that the site names leaves out what leads to those. It is not taken
    where nothing else is left.
options:
  _input:
    description: The hosts that look, each with its looks, as M(mailedge.lockdown.site_description)
      gives them.
    type: list
    elements: dict
    required: true
  dns:
    description: What M(mailedge.lockdown.mail_edge_names) has returned.
    type: dict
    default: {}
  front:
    description: What M(mailedge.lockdown.fortios_inbound_lock) has returned as RV(ignore:edge). The
      addresses at which it publishes the web of the mail server are looked at, too.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show who looks at what
  ansible.builtin.debug:
    msg: "{{ points | mailedge.lockdown.looks_at_names({'targets': ['mail.hafen.example']}) }}"
  vars:
    points:
      - from: localhost
        looks:
          - name: a stranger
            by_names: true
"""

RETURN = r"""
_value:
  description: The hosts with their looks.
  type: list
  elements: dict
"""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name → filter."""
        return {"looks_at_names": at_names}
