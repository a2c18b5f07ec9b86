# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lock of a port is asked for, and what of it cannot be meant."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import fences
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import (
    groups as made_groups,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.bounds import NOTHING
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.model import Target
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    ADDRESS,
    ADDRESS6,
    ELSEWHERE,
    FEED,
    GROUP,
    GROUP6,
    INTERNET_SERVICE,
    POLICY,
    SERVICE,
    SERVICE_GROUP,
    VIP,
    VIP_GROUP,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import Interval, RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

IPV6_IN_POLICIES_SINCE: Version = (6, 4, 0)


@dataclass(frozen=True)
class InboundOptions:
    """What the lock is asked for. `name` is the first part of the names of everything that it
    makes.
    """

    name: str
    port: int
    vips: tuple[str, ...] = ()
    addresses: tuple[Interval, ...] = ()
    ranges: RangeSet = NOTHING
    own_networks: RangeSet = NOTHING
    groups: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()
    internet_services: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    group_size: int = made_groups.GROUP_SIZE

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is locked."""
        return (
            *(Target(self.port, vip=vip) for vip in self.vips),
            *(Target(self.port, address=address) for address in self.addresses),
        )

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions of IP that have a target."""
        return tuple(sorted({target.version for target in self.targets}))

    def of_targets(self, ranges: RangeSet) -> RangeSet:
        """Only those ranges that can reach a target."""
        four = ranges.v4 if 4 in self.versions else NOTHING
        return four | (ranges.v6 if 6 in self.versions else NOTHING)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that have to be read."""
        six = (ADDRESS6, GROUP6) if 6 in self.versions else ()
        feeds = (FEED,) if self.feeds else ()
        services = (INTERNET_SERVICE,) if self.internet_services else ()
        return (
            POLICY,
            VIP,
            VIP_GROUP,
            ADDRESS,
            GROUP,
            *six,
            SERVICE,
            SERVICE_GROUP,
            *feeds,
            *services,
            *ELSEWHERE,
        )


def check(wanted: InboundOptions) -> None:
    """Refuse what cannot be meant, before anything is sent. Raises PlanError."""
    made_groups.check_name(wanted.name, longest=fences.LONGEST_NAME)
    problem = ""
    if not wanted.targets:
        problem = "neither vips nor addresses are named, so that there is nothing to lock"
    elif not 1 <= wanted.port <= 65535:
        problem = f"{wanted.port} is not a TCP port"
    elif not (wanted.ranges or wanted.groups or wanted.feeds or wanted.internet_services):
        problem = (
            "no ranges, groups, feeds or internet_services are named; the lock would let nobody "
            "through but the own networks"
        )
    elif wanted.group_size < 1:
        problem = f"the group_size {wanted.group_size} must be at least 1"
    elif any(address.size > 1 for address in wanted.addresses):
        problem = "addresses holds a range; name the single addresses of the mail server"
    if problem:
        raise PlanError(f"{problem[0].upper()}{problem[1:]}. Nothing was sent to the device.")


def refuse_unread_ipv6(version: Version, versions: t.Collection[int]) -> None:
    """Refuse targets of IPv6 where their policies are in a table that is not judged. Raises
    PlanError.
    """
    if 6 in versions and version < IPV6_IN_POLICIES_SINCE:
        shown = ".".join(map(str, version))
        raise PlanError(
            f"FortiOS {shown} has policies of their own for IPv6, which this collection cannot "
            "judge or lock; 6.4 has not. Nothing was changed. Leave the IPv6 addresses out and "
            "lock them by hand."
        )
