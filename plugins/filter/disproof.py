# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks from outside found that was not expected, as a filter."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.in_force import (
    is_awaited,
    is_of_tenant,
    only,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.looks import (
    taken,
    weighed,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.proof import (
    IN_ORDER,
    NOT_JUDGED,
    judge_look,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._propagation import in_force_by

DOCUMENTATION = r"""
name: disproof
author: mailedge.lockdown contributors (@mailedge)
version_added: 0.1.0
short_description: What looks from outside found that was not expected
description:
  - Judges what M(mailedge.lockdown.mail_edge_probe) found in a loop over the hosts that look, each
    look with what it is to find.
  - What a look at further names found, beside targets that the site names, is left to the report.
  - What was seen of a tenant of Exchange Online while a change of it is not in force yet disproves
    nothing.
options:
  _input:
    description: The registered result of the loop.
    type: dict
    required: true
  tenant:
    description: What M(mailedge.lockdown.exchange_online_lock) or
      M(mailedge.lockdown.exchange_online_info) returned for the site's tenant.
    type: dict
    default: {}
  only_tenant:
    description: Whether only what was seen of the tenant counts.
    type: bool
    default: false
  of_change:
    description:
      - Whether the looks are to prove a change. Silence from where the way out is proven then
        disproves nothing. A server that is down since the change is known by the look before it,
        which the report holds against these.
      - Otherwise silence is closed only where one of the looks shows that somebody is there. A
        server that is down, or an address that is not the site's, is as silent as a lock.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Fail where the proof fails
  ansible.builtin.assert:
    that: looks | mailedge.lockdown.disproof | length == 0
  vars:
    looks:
      results: []
"""

RETURN = r"""
_value:
  description: A sentence for each thing that was not expected, open doors first. Nothing where
    every look found what it was to find.
  type: list
  elements: str
"""


def disproof(
    looks: t.Mapping[str, t.Any],
    tenant: t.Mapping[str, t.Any] | None = None,
    only_tenant: bool = False,
    of_change: bool = False,
) -> list[str]:
    """The sentences of all looks, each once; not of those beside the named targets, see Sought."""

    def counts(address: t.Mapping[str, t.Any]) -> bool:
        return not is_awaited(address) and (is_of_tenant(address) or not only_tenant)

    told: list[tuple[bool, str]] = []
    seen = taken(looks, in_force_by(tenant))
    for look in seen if of_change or only_tenant else weighed(seen, ())[0]:
        if look.beside:
            continue
        result = only(look.result, counts)
        if result is None or (only_tenant and not result.get("addresses")):
            continue
        state, sentences = judge_look(result, look.expect)
        if state not in (IN_ORDER, NOT_JUDGED):
            told += [(state != "open", f"{look.name}: {sentence}") for sentence in sentences]
    return list(
        dict.fromkeys(sentence for _rank, sentence in sorted(told, key=lambda ranked: ranked[0]))
    )


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name → filter."""
        return {"disproof": disproof}
