# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards of the IIS layer: who would be shut out, and who would get in all the same."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis import publish
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.bindings import Binding
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.ip_list import Entry
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.model import (
    Passing,
    passing,
    rewrites_into,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.patterns import below
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.recipes import (
    BACK_END,
    Block,
    Wish,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.tables import IP_LISTS, Change
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING,
    NOT_INTERNET,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import lease
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import (
    STOP,
    WARN,
    Finding,
    Registry,
)

GUARDS = Registry(
    {
        lease.GUARD: lease.SENTENCE,
        "client_access_shut_out": "The internet would lose a path that the site's description says "
        "is in use from there.",
        "client_hidden": "Clients come through a reverse proxy, so that IIS sees its address in "
        "place of theirs.",
        "foreign_entries_removed": "Entries of an IP list that this collection never makes, which "
        "refuse somebody or name a domain, would be removed.",
        "not_bound": "Nobody reaches the site over HTTPS by any of its bindings, so that a block "
        "in it stops nobody.",
        "not_certain": "Strangers may get in at a blocked path, because a rule or a file of "
        "somebody else's cannot be read for certain.",
        "other_site": "Another web site of the server has directories of Exchange too, which are "
        "not looked at.",
        "own_networks_shut_out": "Own networks, other Exchange servers or the server itself would "
        "lose a path that they reach today.",
        "path_not_there": "A path is blocked that is no virtual directory of the site, nor in one.",
        "rewritten_into": "A rule of somebody else's rewrites a URL to a blocked path, after which "
        "no block looks at it again.",
        "still_open": "Strangers would still get in at a blocked path.",
    }
)

ABOUT_STATE = frozenset(GUARDS) - {lease.GUARD, "foreign_entries_removed"}

INTERNET = EVERYTHING - NOT_INTERNET


def blocked(wish: Wish, state: State) -> list[Block]:
    """The blocks that shall be there."""
    return [block for block in wish.on(state) if block.present]


def strangers_at(wish: Wish, block: Block, state: State) -> RangeSet:
    """Whom nobody has named for a path: the internet, and whoever comes through a reverse proxy."""
    return (INTERNET | wish.proxies) - wish.allowed(block, state)


def findings(
    before: State, after: State, wish: Wish, changes: t.Sequence[Change]
) -> t.Iterator[Finding]:
    """What the guards find about making `after` of `before`."""
    blocks = blocked(wish, after)
    paths = list(dict.fromkeys([*(block.path for block in blocks), *after.directories]))
    old = {path: passing(before, path) for path in paths}
    new = {path: passing(after, path) if changes else old[path] for path in paths}
    yield from _clients(wish, after, old, new)
    yield from _own(wish, after, blocks, old, new)
    yield from _proxies(wish, after, blocks)
    yield from _entries(after, changes)
    yield from _open(wish, after, blocks, new)
    for block in blocks:
        if not any(below(block.path, directory) for directory in after.directories):
            yield Finding(
                "path_not_there",
                WARN,
                f"{after.site} has no virtual directory for {block.path}: its own are "
                f"{_and(after.directories)}.",
            )
    for name, directories in after.others.items() if blocks else ():
        held = [path for path in directories if publish.known(path)]
        if held and name.casefold() != BACK_END:
            yield Finding(
                "other_site",
                WARN,
                f"The site '{name}' of the server has {_and(held)} too, and is not looked at here. "
                "Close it by a task of its own.",
            )
    if blocks and after.bindings is not None and not any(map(_reached, after.bindings)):
        yield Finding(
            "not_bound",
            WARN,
            f"Nobody reaches {after.site} over HTTPS by any of its bindings, so that what is "
            f"blocked in it stops nobody. {_who_listens(after)}",
        )
    for rule in rewrites_into(after, [block.path for block in blocks]):
        yield Finding(
            "rewritten_into",
            WARN,
            f"The rule '{rule.name}' rewrites a URL to '{rule.action_url}', which no block looks "
            "at again.",
        )


def _reached(binding: Binding) -> bool:
    return binding.tls and bool(binding.families)


def _who_listens(state: State) -> str:
    held = [each.words() for each in state.other_bindings or () if _reached(each)]
    told = f"Other sites of the server listen there: {'; '.join(held)}. " if held else ""
    return f"{told}Name the site that clients come to."


def _clients(
    wish: Wish, state: State, old: t.Mapping[str, Passing], new: t.Mapping[str, Passing]
) -> t.Iterator[Finding]:
    for service in sorted(publish.services(wish.in_use)):
        for path in publish.SERVICES[service]:
            for directory in state.directories:
                if (
                    directory.casefold() == path.casefold()
                    and (INTERNET & old[directory].certain) - new[directory].at_most
                ):
                    yield Finding(
                        "client_access_shut_out",
                        STOP,
                        f"The internet would no longer reach {state.site}{directory}, and the "
                        f"description says that {service} is in use "
                        "from there.",
                    )


def _own(
    wish: Wish,
    state: State,
    blocks: t.Iterable[Block],
    old: t.Mapping[str, Passing],
    new: t.Mapping[str, Passing],
) -> t.Iterator[Finding]:
    named = {
        "Own networks": wish.own_networks,
        "Other Exchange servers": wish.exchange_servers,
        "The server itself": state.server.itself,
    }
    for block in blocks:
        for who, ranges in named.items():
            losing = (ranges & old[block.path].certain) - new[block.path].at_most
            if losing:
                yield Finding(
                    "own_networks_shut_out",
                    STOP,
                    f"{who} ({_ranges(losing)}) would no longer reach {state.site}{block.path}.",
                )


def _proxies(wish: Wish, state: State, blocks: t.Iterable[Block]) -> t.Iterator[Finding]:
    if not wish.proxies:
        return
    for block in blocks:
        allowed = wish.proxies & wish.allowed(block, state)
        if allowed:
            yield Finding(
                "client_hidden",
                STOP,
                f"Whoever comes through the reverse proxy has its address, {_ranges(allowed)}, "
                f"which may use {block.path}: for them "
                f"{block.path} would not be blocked at all. Block it at the proxy, or leave the "
                "proxy's address out of the networks.",
            )
        else:
            yield Finding(
                "client_hidden",
                WARN,
                f"Whoever comes through the reverse proxy {_ranges(wish.proxies)} is refused at "
                f"{block.path}, from the own networks "
                "too: IIS does not see who it is.",
            )


def _entries(state: State, changes: t.Iterable[Change]) -> t.Iterator[Finding]:
    for change in changes:
        if change.table != IP_LISTS:
            continue
        kept = {_meaning(entry) for entry in change.after.get("entries", ())}
        if "entries" not in change.before:
            continue
        gone = [
            entry
            for entry in change.before["entries"]
            if (entry.domain or not entry.allowed) and _meaning(entry) not in kept
        ]
        if gone:
            yield Finding(
                "foreign_entries_removed",
                STOP,
                f"The IP list of {state.site}{change.key} would lose "
                f"{_and([entry.words() for entry in gone])}, which somebody else "
                "has put there.",
            )


def _meaning(entry: Entry) -> tuple[bool, str]:
    return entry.allowed, str(entry.ranges or (entry.address, entry.mask, entry.domain))


def _open(
    wish: Wish, state: State, blocks: t.Iterable[Block], new: t.Mapping[str, Passing]
) -> t.Iterator[Finding]:
    for block in blocks:
        strangers, through = strangers_at(wish, block, state), new[block.path]
        why = " ".join(through.because)
        if strangers & through.certain:
            inside = _ranges(strangers & through.certain)
            where = f"{state.site}{block.path}"
            sentence = f"Strangers ({inside}) would still get in at {where}. {why}"
            yield Finding("still_open", WARN, sentence.strip())
        elif strangers & through.at_most:
            why = why or "What IIS does there cannot be read for certain."
            yield Finding(
                "not_certain",
                WARN,
                f"Whether strangers get in at {state.site}{block.path} is not known. {why}",
            )


def open_sentences(wish: Wish, state: State) -> list[str]:
    """Who gets in for certain at paths that are to be blocked, in sentences."""
    sentences = []
    for block in blocked(wish, state):
        inside = strangers_at(wish, block, state) & passing(state, block.path).certain
        if inside:
            sentences.append(f"{state.site}{block.path} lets in strangers: {_ranges(inside)}.")
    return sentences


_MOST = 3


def _ranges(ranges: RangeSet) -> str:
    # Who is named is left out of strangers, and would make a list of the rest.
    if 2 * ranges.v4.size > INTERNET.v4.size:
        return "any internet address"
    texts = ranges.to_texts()
    more = len(texts) - _MOST
    return ", ".join(texts[:_MOST]) + (f" and {more} more" if more > 0 else "")


def _and(texts: t.Sequence[str]) -> str:
    if not texts:
        return "none"
    return " and ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))
