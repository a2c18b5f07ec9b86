# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ranges as the fewest CIDR prefixes, as a filter."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeError, RangeSet

DOCUMENTATION = r"""
name: cidrs
author: mailedge.lockdown contributors (@mailedge)
version_added: 0.1.0
short_description: Ranges as the fewest CIDR prefixes
description:
  - Turns addresses, CIDR prefixes and first-last ranges into the fewest CIDR prefixes, in order,
    each once.
options:
  _input:
    description: The ranges.
    type: list
    elements: str
    required: true
  version:
    description: Only the prefixes of this version of IP.
    type: int
    choices: [4, 6]
"""

EXAMPLES = r"""
- name: Show the IPv4 part of the provider's ranges
  ansible.builtin.debug:
    msg: >-
      {{ ['198.51.100.0-198.51.100.255', '198.51.101.0/24', '2001:db8::/48']
         | mailedge.lockdown.cidrs(version=4) }}
"""

RETURN = r"""
_value:
  description: The prefixes.
  type: list
  elements: str
  sample: [198.51.100.0/23]
"""


def cidrs(ranges: t.Iterable[str], version: int | None = None) -> list[str]:
    """Ranges as the fewest CIDR prefixes of one version of IP, or of both."""
    if version not in (None, 4, 6):
        raise AnsibleFilterError(f"cidrs: {version!r} is not a version of IP: it must be 4 or 6.")
    if isinstance(ranges, str) or not isinstance(ranges, t.Iterable):
        raise AnsibleFilterError(f"cidrs: {ranges!r} is not a list of ranges.")
    try:
        parsed = RangeSet.parse([str(text) for text in ranges])
    except RangeError as error:
        raise AnsibleFilterError(f"cidrs: {error}") from None
    part = parsed if version is None else parsed.v4 if version == 4 else parsed.v6
    return part.to_cidrs()


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name → filter."""
        return {"cidrs": cidrs}
