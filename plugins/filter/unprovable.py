# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a look before a change says about the proof after it, as a filter."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.control import (
    without_control,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.looks import EXPECTED, taken
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.proof import proof_possible

DOCUMENTATION = r"""
name: unprovable
author: mailedge.lockdown contributors (@mailedge)
version_added: 0.1.0
short_description: Why a look from outside could not prove a lock
description:
  - Looks at what M(mailedge.lockdown.mail_edge_probe) found before a change, in a loop over the
    hosts that look. Where the server did not answer, and no control host did, silence after the
    change would prove nothing.
options:
  _input:
    description: The registered result of the loop.
    type: dict
    required: true
  method:
    description: How the wide connector will be closed, as
      O(mailedge.lockdown.exchange_mail_flow#module:inbound_lock.method). Where it is V(narrow), an
      allowed sender has to look as well.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Refuse what could not be proven
  ansible.builtin.assert:
    that: looks | mailedge.lockdown.unprovable | length == 0
  vars:
    looks:
      results: []
"""

RETURN = r"""
_value:
  description: A sentence for each look that could prove nothing.
  type: list
  elements: str
"""


def unprovable(looks: t.Mapping[str, t.Any], method: str = "") -> list[str]:
    """The sentences of all looks, each once. A look that is to find an open door proves itself."""
    sentences: list[str] = []
    seen = [look for look in taken(looks) if not look.beside]
    for look in seen:
        if look.expect == EXPECTED:
            sentences += [f"{look.name}: {sentence}" for sentence in proof_possible(look.result)]
    if method == "narrow":
        sentences += without_control(seen)
    return list(dict.fromkeys(sentences))


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name → filter."""
        return {"unprovable": unprovable}
