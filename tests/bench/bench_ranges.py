# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""10,000 ranges: read, normalised, subtracted, compared, and folded by the mail-flow model; beside
netaddr's IPSet.

Both do the same work on the same texts in the same run. Fails where they come to another result;
times and ratios are printed, and judged by whoever reads them.
"""

from __future__ import annotations

import itertools
import random
import sys
import time
import typing as t

import netaddr

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.mailflow import exposure
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING,
    RangeSet,
    parse_endpoint,
)

COUNT = 10_000
RUNS = 3

T = t.TypeVar("T")


def texts(seed: int) -> list[str]:
    """CIDRs of both families, with host bits, overlaps and neighbours; the same ones for the same
    seed.
    """
    chance = random.Random(seed)
    written = []
    for _number in range(COUNT):
        if chance.random() < 0.7:
            prefix = chance.choice((22, 24, 24, 25, 28, 32))
            written.append(
                f"{netaddr.IPAddress(0x0A000000 + chance.randrange(1 << 24), 4)}/{prefix}"
            )
        else:
            prefix = chance.choice((48, 56, 64, 128))
            value = (0x20010DB8 << 96) + chance.randrange(1 << 40 << 56)
            written.append(f"{netaddr.IPAddress(value, 6)}/{prefix}")
    return written


def timed(work: t.Callable[[], T]) -> tuple[float, T]:
    """The best time of some runs in seconds, and what came out."""
    best, result = float("inf"), None
    for _run in range(RUNS):
        began = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - began)
    return best, t.cast(T, result)


def main() -> int:
    """Print a line for each kind of work; 0 where all are fast enough."""
    before, after = texts(1), texts(1)[COUNT // 2 :] + texts(2)[: COUNT // 2]
    our_time, (ours, our_other) = timed(lambda: (RangeSet.parse(before), RangeSet.parse(after)))
    peer_time, (peer, peer_other) = timed(lambda: (netaddr.IPSet(before), netaddr.IPSet(after)))
    rows = [("read and normalise, twice", our_time, peer_time)]

    our_time, our_left = timed(lambda: ours - our_other)
    peer_time, peer_left = timed(lambda: peer - peer_other)
    rows.append(("subtract", our_time, peer_time))
    our_time, our_difference = timed(lambda: (ours - our_other, our_other - ours, ours & our_other))
    peer_time, peer_difference = timed(
        lambda: (peer - peer_other, peer_other - peer, peer & peer_other)
    )
    rows.append(("diff: gone, new, kept", our_time, peer_time))
    our_time, our_cidrs = timed(our_left.to_cidrs)
    peer_time, peer_cidrs = timed(lambda: [str(cidr) for cidr in peer_left.iter_cidrs()])
    rows.append(("to the fewest CIDRs", our_time, peer_time))

    sizes = [
        (mine.size, other.size)
        for mine, other in zip((ours, *our_difference), (peer, *peer_difference))
    ]
    same = (
        all(mine == other for mine, other in sizes)
        and len(our_cidrs) == len(peer_cidrs)
        and our_left.size == peer_left.size
    )

    bindings = frozenset(map(parse_endpoint, ("0.0.0.0:25", "[::]:25")))
    connectors = [
        {
            "name": name,
            "bindings": bindings,
            "remote_ip_ranges": ranges,
            "permission_groups": frozenset({"AnonymousUsers"}),
        }
        for name, ranges in (
            ("Wide", EVERYTHING),
            ("One", RangeSet.parse(before)),
            ("Other", RangeSet.parse(after)),
        )
    ]
    numbers = itertools.count()
    # Under other names each time: answers about the same connectors are remembered.
    folded, _exposure = timed(
        lambda: exposure([{**row, "name": f"{row['name']} {next(numbers)}"} for row in connectors])
    )

    print(f"{COUNT:,} ranges, best of {RUNS} runs" + " " * 8 + "ours     netaddr   ratio")
    for name, our_time, peer_time in rows:
        print(
            f"  {name:<28} {our_time * 1000:8.1f} ms {peer_time * 1000:8.1f} ms  "
            f"{our_time / peer_time:6.3f}"
        )
    print(f"  {'exposure of two such':<28} {folded * 1000:8.1f} ms")
    together = sum(our_time for _name, our_time, _peer_time in rows) + folded
    print(f"  {'all together':<28} {together * 1000:8.1f} ms")
    if not same:
        print("FAILED: netaddr comes to another result.")
    return int(not same)


if __name__ == "__main__":
    sys.exit(main())
