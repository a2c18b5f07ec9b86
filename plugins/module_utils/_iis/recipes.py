# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What "these paths are not for the internet" means at a site: rules of URL Rewrite, or IP lists.

A rule stands in the site's own location of applicationHost.config, which updates of Exchange leave
alone (they write web.configs anew), and before all rules of others there. Whoever uses a path is
always: the server itself, and the other Exchange servers.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis import publish
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.ip_list import entry_of
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.model import (
    MISSING as NOT_DECLARED,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.model import ours
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.patterns import (
    ANY_URL,
    INPUT,
    check_path,
    path_pattern,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.schema import (
    DEFAULTS,
    IP_MODULE,
    IP_SECURITY,
    PREFIX,
    REWRITE_MODULE,
    RULES,
    Condition,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.sections import (
    LOCATION,
    MISSING,
    NOTHING,
    RULES_KEY,
    SECTIONS,
    list_key,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.senders import (
    NOBODY,
    six_pattern,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.state import State
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.tables import (
    IP_LISTS,
    REWRITE_RULES,
    TABLES,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    LOOPBACK,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges_forms import to_regex
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

AUTO, REWRITE, IP_LIST = "auto", "rewrite", "ip_security"
BACK_END = "exchange back end"

# Beyond this an expression is nothing that anybody checks by reading; where it is longer an IP list
# says the same better. IIS names no limit.
_LONGEST_PATTERN = 4000
# ExchangeExtendedProtectionManagement.ps1 (microsoft/CSS-Exchange) takes no more.
MOST_ENTRIES = 500
# EOMTv2.ps1 refuses older ones.
_OLDEST = (7, 1)
_OLDEST_WORDS = "7.1 (URL Rewrite 2.0)"


@dataclass(frozen=True)
class Block:
    """A path and the networks that may use it, beside the server itself and other Exchange servers.

    `present`: whether it is blocked; otherwise what blocked it is taken away.
    """

    path: str
    networks: RangeSet
    method: str = AUTO
    present: bool = True


@dataclass(frozen=True)
class Wish:
    """What a task describes. `published`: words for what the internet may reach, None where the
    task does not say; all else of Exchange is then for `own_networks`. `blocks` win over it.
    """

    site: str
    blocks: tuple[Block, ...] = ()
    published: tuple[str, ...] | None = None
    in_use: tuple[str, ...] = ()
    own_networks: RangeSet = NOBODY
    exchange_servers: RangeSet = NOBODY
    proxies: RangeSet = NOBODY
    method: str = AUTO

    def on(self, state: State) -> tuple[Block, ...]:
        """The blocks on a server: those of what is not published too."""
        named = {block.path.casefold(): block for block in self.blocks}
        if self.published is not None:
            for path in publish.unpublished(self.published, state.directories):
                named.setdefault(path.casefold(), Block(path, self.own_networks, self.method))
        return tuple(named.values())

    def allowed(self, block: Block, state: State) -> RangeSet:
        """All who may use a path that is blocked for others."""
        return block.networks | self.exchange_servers | state.server.itself | LOOPBACK


def check_site(site: str) -> str:
    """Why a site is not managed here; empty for any other."""
    if site.strip().casefold() == BACK_END:
        return (
            "The site 'Exchange Back End' is never changed: Exchange's own front end and other "
            "servers work through it. Name the "
            "site that clients come to, usually 'Default Web Site'."
        )
    return (
        ""
        if site.strip()
        else "The option site is empty. Name the web site, usually 'Default Web Site'."
    )


def check_block(block: Block) -> str:
    """What is wrong with a block in itself; empty where nothing is."""
    if block.method == REWRITE and block.networks.v6:
        six = block.networks.v6.to_texts()[0]
        return (
            f"The networks of {block.path} hold {six}, and rewrite compares IPv6 addresses as "
            "texts, which no network can be. Use the method ip_security or auto."
        )
    return ""


def desired(wish: Wish, state: State) -> tuple[Desired[str], ...]:
    """The rows that the description asks for. Raises PlanError with every reason at once."""
    rows: list[Desired[str]] = []
    # Why a path cannot be blocked, and which paths cannot for that reason.
    problems: dict[tuple[str, str], list[str]] = {}
    others = [wrong] if (wrong := _nothing_to_publish(wish, state)) else []
    first = _first_of_others(state)
    rules: set[str] = set()
    for block in wish.on(state):
        try:
            check_path(block.path)
            if not block.present:
                rows += _no_list(block.path)
                continue
            method = _method(block, wish, state)
        except _Unblockable as error:
            problems.setdefault((error.how, error.why), []).append(block.path)
            continue
        except PlanError as error:
            others.append(str(error))
            continue
        if method == REWRITE:
            name = rule_name(block.path)
            rules.add(name.casefold())
            rows.append(
                Desired(
                    REWRITE_RULES,
                    name,
                    rule_options(block.path, wish.allowed(block, state), state),
                    first,
                )
            )
            if _is_plain_list(state, block.path):
                rows += _no_list(block.path)
        else:
            rows.append(Desired(SECTIONS, list_key(block.path), {MISSING: NOTHING}))
            rows.append(Desired(IP_LISTS, block.path, list_options(wish.allowed(block, state))))
    if problems or others:
        sentences = [
            f"{_and(paths)} of {state.site} cannot be blocked{how}: {why}"
            for (how, why), paths in problems.items()
        ]
        raise PlanError(" ".join([*dict.fromkeys(others), *sentences, "Nothing was changed."]))
    # What carries our name and is described by nothing is gone with the description.
    held = [rule.name for rule in state.local if is_ours(rule.name)]
    gone = [name for name in held if name.casefold() not in rules]
    rows += [Desired(REWRITE_RULES, name, None) for name in gone]
    if rules or gone:
        missing = NOTHING if rules else LOCATION
        rows.insert(0, Desired(SECTIONS, RULES_KEY, {MISSING: missing}))
    return tuple(rows)


def _no_list(path: str) -> list[Desired[str]]:
    """A path has no IP list of ours, nor a section that was made for it."""
    section = Desired(SECTIONS, list_key(path), {MISSING: LOCATION})
    return [Desired(IP_LISTS, path, None), section]


def _nothing_to_publish(wish: Wish, state: State) -> str:
    """Why what is published says nothing of a site; empty where it does.

    A site without Exchange's directories would be in order with nothing blocked, while strangers
    use those of another one.
    """
    if wish.published is None or any(map(publish.known, state.directories)):
        return ""
    return (
        f"The site '{state.site}' has none of Exchange's virtual directories, so that publish says "
        "nothing about it. Name the site that clients come to."
    )


def rule_name(path: str) -> str:
    """What the rule of a path is called."""
    return f"{PREFIX}{path}"


def is_ours(name: str) -> bool:
    """Whether a rule is one of this collection's."""
    return name.casefold().startswith(PREFIX)


def rule_options(path: str, allowed: RangeSet, state: State) -> dict[str, t.Any]:
    """The rule that refuses a path to all but `allowed`; of IPv6 only single addresses, which are
    the server's own.
    """
    six = [address for address in state.server.addresses if ":" in address]
    conditions = [
        Condition(INPUT, path_pattern(path)),
        Condition("{REMOTE_ADDR}", to_regex(allowed.v4), negate=True),
        Condition(
            "{REMOTE_ADDR}", six_pattern(dict.fromkeys(["::1", *map(str.lower, six)])), negate=True
        ),
    ]
    return {
        **DEFAULTS,
        "stop_processing": True,
        "url": ANY_URL,
        "conditions": tuple(conditions),
        # 403 rather than AbortRequest: a client that is cut off tries again and again.
        "action": "CustomResponse",
        "status_code": 403,
        "status_reason": "Forbidden",
        "status_description": "Forbidden",
    }


def list_options(allowed: RangeSet) -> dict[str, t.Any]:
    """The IP list that lets `allowed` in and nobody else."""
    return {
        "allow_unlisted": False,
        "entries": tuple(entry_of(cidr) for cidr in allowed.to_cidrs()),
    }


def _first_of_others(state: State) -> str | None:
    """The first rule of somebody else in the site's own location: ours stand before it."""
    return next((rule.name for rule in state.local if not is_ours(rule.name)), None)


def _is_plain_list(state: State, path: str) -> bool:
    """Whether a path has an IP list such as this collection makes, which a rule then does the work
    of.
    """
    held = TABLES[IP_LISTS].find(state, path)
    return (
        held is not None
        and not held[1]["allow_unlisted"]
        and all(entry.allowed for entry in held[1]["entries"])
    )


class _Unblockable(Exception):
    """A path cannot be blocked. `how` is the method that was asked for, in words; empty: any."""

    def __init__(self, how: str, why: str) -> None:
        super().__init__(f"{how}: {why}")
        self.how, self.why = how, why


def _and(paths: t.Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{', '.join(paths[:-1])} and {paths[-1]}"


def _method(block: Block, wish: Wish, state: State) -> str:
    allowed = wish.allowed(block, state)
    rewrite, lists = _no_rewrite(state), _no_lists(block.path, state, allowed)
    foreign_six = (block.networks | wish.exchange_servers).v6 - state.server.itself
    if block.method == REWRITE:
        reason = rewrite or (
            f"{_six_words(foreign_six)}, which rewrite cannot tell." if foreign_six else ""
        )
        if reason:
            raise _Unblockable(" by rewrite", reason)
        return REWRITE
    if block.method == IP_LIST:
        if lists:
            raise _Unblockable(" by an IP list", lists)
        return IP_LIST
    many = len(to_regex(allowed.v4)) > _LONGEST_PATTERN
    if not rewrite and not foreign_six and not (many and not lists):
        return REWRITE
    if not lists:
        return IP_LIST
    why = rewrite or f"{_six_words(foreign_six)}, for which an IP list is needed."
    raise _Unblockable("", f"{why} {lists}")


def _six_words(six: RangeSet) -> str:
    return (
        f"its networks hold {six.to_texts()[0]}"
        if six
        else "its networks are too many for an expression"
    )


def _no_rewrite(state: State) -> str:
    """Why no rule can be written at the site; empty where it can."""
    root = state.root
    trouble = root.rules_trouble
    missing = trouble is not None and trouble.hresult == NOT_DECLARED and not state.server.rewrite
    if missing or (not state.server.rewrite and REWRITE_MODULE not in (root.modules or ())):
        return (
            "URL Rewrite is not installed. Install it (version 7.2.1993 or later), or use "
            "ip_security."
        )
    if trouble is not None:
        return (
            f"the rewrite rules of the site cannot be read: {trouble.message} "
            f"({trouble.hresult}). Mend that file first."
        )
    if state.server.rewrite and _version(state.server.rewrite) < _OLDEST:
        return (
            f"URL Rewrite is {state.server.rewrite}, and what is older than {_OLDEST_WORDS} "
            f"reads rules otherwise. Update it."
        )
    if REWRITE_MODULE not in (root.modules or ()):
        return "URL Rewrite is installed, but its module does not run at the site."
    if root.rules_locked:
        return "the section of its rewrite rules is locked at the site. Unlock it first."
    return _twice(state, "", RULES)


def _no_lists(path: str, state: State, allowed: RangeSet) -> str:
    place = state.places.get(path.casefold()) or state.place_of(path)
    if place.modules is not None and IP_MODULE not in place.modules:
        return (
            "The role service 'IP and Domain Restrictions' (Web-IP-Security) is not installed or "
            "does not run there, so that a list "
            "would stop nobody."
        )
    if place.ip_trouble is not None:
        return (
            f"The IP list cannot be read: {place.ip_trouble.message} ({place.ip_trouble.hresult})."
        )
    if place.ip_locked:
        return "The section of its IP list is locked there. Unlock it first."
    count = len(allowed.to_cidrs())
    if count > MOST_ENTRIES:
        return (
            f"An IP list of {count} entries is more than the {MOST_ENTRIES} that Microsoft's "
            f"own script allows itself."
        )
    return _twice(state, path, IP_SECURITY)


def _twice(state: State, path: str, section: str) -> str:
    """Two locations of one path: which of them gets a write is not known."""
    wanted = f"{state.site}{path}".casefold()
    count = sum(held.casefold() == wanted for held, _sections in state.locations)
    if count < 2:
        return ""
    return (
        f"applicationHost.config has {count} locations for {state.site}{path}, and it is not known "
        "in which of them IIS would write "
        f"{section.rpartition('/')[2]}. Merge them first."
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def blocked_by_rules(state: State) -> list[str]:
    """The paths that rules of this collection's form block."""
    return [path for path in map(ours, state.local) if path is not None]
