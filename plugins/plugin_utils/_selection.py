# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts a play selects, told where only its pattern is known."""

from __future__ import annotations

import typing as t

from ansible import context
from ansible.inventory.manager import InventoryManager

NOBODY = "all:!all"
"""A pattern that selects no host, and is no mistake."""


def is_listing() -> bool:
    """Whether nothing is run: ansible-playbook says what it would run, and knows of no result."""
    options = ("syntax", "listhosts", "listtasks", "listtags")
    return any(context.CLIARGS.get(option) for option in options)


def patterns(terms: t.Iterable[t.Any]) -> list[str]:
    """A survey gives a text, maybe with blanks and new lines around the commas."""
    parts: list[str] = []
    for term in terms:
        if isinstance(term, (list, tuple)):
            parts.extend(patterns(term))
        else:
            parts.extend(
                part.strip() for line in str(term).splitlines() for part in line.split(",")
            )
    return [part for part in parts if part]


def selected_hosts(loader: t.Any, pattern: str, variables: t.Mapping[str, t.Any]) -> list[str]:
    """The hosts within the limit. Raises AnsibleError for a pattern that is none."""
    manager = InventoryManager(loader, parse=False)
    for group, hosts in (variables.get("groups") or {}).items():
        manager.add_group(group)
        for host in hosts:
            manager.add_host(host, group=group)
    if variables.get("ansible_limit"):
        manager.subset(variables["ansible_limit"])
    return [host.name for host in manager.get_hosts(pattern=pattern)]
