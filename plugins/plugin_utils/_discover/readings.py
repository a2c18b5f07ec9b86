# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was read of a site that is not yet described, and what a draft of its description holds."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

Told = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Entry:
    """A variable of the description. `why` are the lines above it; a `suggested` one is a comment,
    which somebody has to take over.
    """

    name: str
    value: t.Any
    why: tuple[str, ...] = ()
    suggested: bool = False


@dataclass
class Draft:
    """What was made of the readings. `unread` are sentences on what could not be asked."""

    site: str
    servers: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, t.Any]:
        """The variables that the draft sets."""
        return {entry.name: entry.value for entry in self.entries if not entry.suggested}


@dataclass(frozen=True)
class Readings:
    """What was read of a site. Each value is the result of a module, empty where it was not asked.

    `mail_flow`, `senders` and `names`: host → the results of exchange_mail_flow_info,
    exchange_senders_info and exchange_names_info. `firewall` is that of fortios_info, `dns` that of
    mail_edge_names. `described` are the variables that the inventory has already, without their
    prefix.
    """

    site: str
    hosts: tuple[str, ...]
    described: Told = field(default_factory=dict)
    mail_flow: t.Mapping[str, Told] = field(default_factory=dict)
    senders: t.Mapping[str, Told] = field(default_factory=dict)
    names: t.Mapping[str, Told] = field(default_factory=dict)
    firewall: Told = field(default_factory=dict)
    dns: Told = field(default_factory=dict)


def read_well(result: Told | None) -> bool:
    """Whether a module has answered."""
    return bool(result) and not any(map((result or {}).get, ("failed", "unreachable", "skipped")))
