# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a live answer to what is locked: what cannot be is refused, what is gone stays a while."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    NOT_INTERNET,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    STOP,
    Finding,
    Registry,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers import registry
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.catalogue import (
    ProviderError,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.lockfile import Locked

GUARDS = Registry(
    {
        **_ranges_guards.GUARDS,
        "too_many_ranges": "The answer holds more ranges than a provider has.",
        "sharply_shrunken": "The answer lacks a large part of what is locked.",
        "unallocated_range": (
            "The answer holds a new range that no registry has given to anybody, as far as the "
            "installed netaddr knows."
        ),
    }
)


@dataclass(frozen=True)
class Limits:
    """What is still believed.

    `removed` is the share of the locked addresses that one answer may lack, in percent.
    """

    ranges: int = 2000
    removed: int = 30
    grace_days: int = 30


def judge(answer: RangeSet, before: RangeSet, limits: Limits) -> t.Iterator[Finding]:
    """What the guards find about an answer.

    An empty answer is no matter of judgement: it raises ProviderError.
    """
    if not answer:
        raise ProviderError("The answer is empty, and a lock to nobody would stop all mail.")
    yield from _ranges_guards.check(answer, "The answer")
    count = len(answer.to_cidrs())
    if count > limits.ranges:
        yield Finding(
            "too_many_ranges",
            STOP,
            f"The answer holds {count} ranges, and not more than {limits.ranges} are believed.",
        )
    # Each costs a search in the tables, which an answer of a hundred thousand is not worth.
    nobodys = (
        [] if count > limits.ranges else list(registry.unallocated(answer - before - NOT_INTERNET))
    )
    if nobodys:
        yield Finding(
            "unallocated_range",
            STOP,
            f"The answer holds {', '.join(nobodys[:4])}{' …' if len(nobodys) > 4 else ''}, which "
            "no registry has given to anybody, as far as the installed netaddr knows.",
        )
    for held, now in ((before.v4, answer.v4), (before.v6, answer.v6)):
        gone = held - now
        share = 100 * gone.size // held.size if held else 0
        if share > limits.removed:
            shown = ", ".join(str(interval) for interval in gone.intervals[:4])
            yield Finding(
                "sharply_shrunken",
                STOP,
                f"The answer lacks {share} % of what is known "
                f"({shown}{' …' if len(gone.intervals) > 4 else ''}), and not more than "
                f"{limits.removed} % are believed.",
            )


def renew(
    old: Locked | None,
    answer: RangeSet,
    *,
    mechanism: str,
    source: str,
    today: datetime.date,
    grace_days: int,
) -> Locked:
    """What is locked from now on.

    An answer without news gives the old entry, so that the file has no diff.
    """
    leaving = [
        (ranges - answer, until) for ranges, until in (old.leaving if old else ()) if today <= until
    ]
    if old is not None:
        known = RangeSet(())
        for ranges, _until in leaving:
            known |= ranges
        gone = old.ranges - answer - known
        if gone and grace_days > 0:
            leaving.append((gone, today + datetime.timedelta(days=grace_days)))
    still_leaving = tuple((ranges, until) for ranges, until in leaving if ranges)
    same = (
        old is not None
        and old.ranges == answer
        and (old.mechanism, old.source) == (mechanism, source)
    )
    return Locked(
        mechanism,
        source,
        old.retrieved if old is not None and same else today,
        answer,
        still_leaving,
    )
