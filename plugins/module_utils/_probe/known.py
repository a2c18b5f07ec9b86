# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names whose addresses are known before the look, so that this host's DNS is not asked."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import Door
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.options import OptionError
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    RangeError,
    parse_address,
)

Known = t.Mapping[str, t.Sequence[str]]


def check_known(params: t.Mapping[str, t.Any]) -> Known:
    """Name → its addresses. Raises OptionError."""
    known: dict[str, list[str]] = {}
    for name, addresses in (params.get("target_addresses") or {}).items():
        given = [addresses] if isinstance(addresses, str) else addresses
        try:
            known[str(name)] = [str(parse_address(each)) for each in given]
        except (RangeError, TypeError) as error:
            raise OptionError(
                f"target_addresses of {name} cannot be used: {error} Nothing was sent."
            ) from None
        if not known[str(name)]:
            raise OptionError(
                f"target_addresses has no address of {name}: leave the name out. Nothing was sent."
            )
    return known


def as_addresses(targets: t.Iterable[str], known: Known) -> list[str]:
    """The targets, with the addresses of a known name in its place."""
    return [address for target in targets for address in known.get(target, (target,))]


def with_names(doors: t.Iterable[Door], targets: t.Sequence[str], known: Known) -> list[Door]:
    """The doors, each with the known names that led to it, as if they had been resolved here."""

    def named(door: Door) -> Door:
        ours = [name for name in targets if door.address in known.get(name, ())]
        others = [name for name in door.names if name != door.address or name in targets]
        return dataclasses.replace(door, names=tuple(dict.fromkeys((*ours, *others))))

    return [named(door) for door in doors]
