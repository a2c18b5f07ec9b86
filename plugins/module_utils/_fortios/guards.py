# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guards: what would happen that nobody can want, told before anything is written.

A guard has a stable id. One that stops is overridden on purpose by naming its id in accept_risks; it then warns.
"""

from __future__ import annotations

import dataclasses
import types
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.plan import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet

STOP = "stop"
WARN = "warn"

GUARDS: t.Mapping[str, str] = types.MappingProxyType(
    {
        "no_source": "Nobody could reach the mail server any more, because no source is named.",
        "range_too_wide": "A range is wider than a /8 (IPv4) or a /20 (IPv6), so that it locks next to nothing.",
        "private_range": "A range holds private addresses, which no provider on the internet sends from.",
        "provider_shut_out": "The provider, or a part of its ranges, would not get through.",
        "own_networks_shut_out": "The own networks would lose the way that they have today.",
        "missing_source": "A group, feed or internet service that is named as a source does not exist on the device.",
        "internet_service_destination": "An internet service that is named as a source has addresses of destinations only.",
        "internet_service_empty": "An internet service that is named as a source holds no addresses on this device.",
        "shared_source": "A source is shared by all customers of its owner, so that any of them can reach the server.",
        "feed_empty": "A feed that is named as a source holds no addresses on this device.",
        "still_open": "Others than the named sources could still reach the port after the lock.",
        "other_way_in": "Another virtual IP leads to the same server and port.",
        "no_way_out": "Nothing lets the port out today, so that nothing can be locked.",
        "mail_shut_in": "The mail server would not get out to its smart hosts any more.",
        "no_way_in": "Nothing that is named as the target lets the port through today, so that nothing can be locked.",
    }
)

_WIDEST = {4: 1 << 24, 6: 1 << 108}
_PRIVATE = RangeSet.parse(
    "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,127.0.0.0/8,169.254.0.0/16,100.64.0.0/10,0.0.0.0/8,224.0.0.0/3,fc00::/7,fe80::/10,::1,ff00::/8"
)


@dataclass(frozen=True)
class Guard:
    """A guard that spoke. `severity` is `stop` or `warn`; `sentence` says what would happen, without the way to override it."""

    id: str
    severity: str
    sentence: str


def settle(spoken: t.Iterable[Guard], accept_risks: t.Collection[str]) -> tuple[Guard, ...]:
    """The guards, those that stop first; what is accepted only warns. Raises PlanError for an id that is none."""
    unknown = sorted(set(accept_risks) - set(GUARDS))
    if unknown:
        raise PlanError(
            f"accept_risks names '{unknown[0]}', which is no guard. Nothing was changed. The guards are: {', '.join(sorted(GUARDS))}."
        )
    found = [
        dataclasses.replace(one, severity=WARN) if one.id in accept_risks else one for one in dict.fromkeys(spoken)
    ]
    return tuple(sorted(found, key=lambda one: one.severity != STOP))


def about_ranges(ranges: RangeSet, *, what: str) -> t.Iterator[Guard]:
    """The guards on the provider's ranges."""
    wide = [str(one) for one in ranges.intervals if one.size > _WIDEST[one.version]]
    if wide:
        yield Guard("range_too_wide", STOP, f"{what} holds {wide[0]}, which is wider than any provider's range.")
    private = ranges & _PRIVATE
    if private:
        yield Guard(
            "private_range", STOP, f"{what} holds {private.intervals[0]}, from where nobody on the internet sends."
        )
