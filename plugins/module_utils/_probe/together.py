# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work side by side: which visits are to one host, and a few threads that share the hosts."""

from __future__ import annotations

import queue
import threading
import typing as t

# Hosts at once. A probe is a guest; and a small runner has as few cores as it has memory.
MOST = 16

Work = t.Callable[[], object]


def one_host_each(visits: t.Iterable[tuple[t.Collection[str], Work]]) -> list[list[Work]]:
    """The visits by host, each host's in their order: `marks`, the addresses and names of a visit,
    are of one host as soon as one visit has both.

    The longest first, so that none of them begins when the others are done.
    """
    host_of: dict[str, int] = {}
    chains: dict[int, list[tuple[int, Work]]] = {}
    for order, (marks, visit) in enumerate(visits):
        joined = {host_of[mark] for mark in marks if mark in host_of}
        chain = [(order, visit)]
        for other in joined:
            chain += chains.pop(other)
        chains[order] = sorted(chain, key=lambda placed: placed[0])
        for mark in (*marks, *(mark for mark, host in host_of.items() if host in joined)):
            host_of[mark] = order
    ordered = sorted(chains.values(), key=len, reverse=True)
    return [[visit for _order, visit in chain] for chain in ordered]


def at_once(works: t.Sequence[Work], most: int = MOST) -> None:
    """Do all of it, so many at a time. Raises what the first of them raised, when all are done."""
    waiting: queue.SimpleQueue[Work] = queue.SimpleQueue()
    for work in works:
        waiting.put(work)
    failures: list[BaseException] = []

    def helper() -> None:
        while True:
            try:
                work = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                work()
            except BaseException as error:
                failures.append(error)

    threads = [
        threading.Thread(target=helper, name="look", daemon=True)
        for _number in range(min(most, len(works)) - 1)
    ]
    for thread in threads:
        thread.start()
    # This thread works too, so that one host needs no other thread.
    helper()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
