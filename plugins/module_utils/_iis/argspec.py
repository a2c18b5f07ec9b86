# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument spec of iis_path_blocks, and what its options mean."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._host_options import (
    RUN_OPTIONS,
    TIME_LIMIT,
    WRITE_OPTIONS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis import publish
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.patterns import check_path
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.recipes import (
    AUTO,
    IP_LIST,
    REWRITE,
    Block,
    Wish,
    check_block,
    check_site,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING_V4,
    EVERYTHING_V6,
    RangeError,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

_METHODS = [AUTO, REWRITE, IP_LIST]
_NETWORKS = ("own_networks", "exchange_servers", "reverse_proxies")


def _texts(**more: t.Any) -> dict[str, t.Any]:
    return {"type": "list", "elements": "str", **more}


BLOCK_OPTIONS: dict[str, dict[str, t.Any]] = {
    "path": {"type": "str", "required": True},
    "networks": _texts(),
    "method": {"type": "str", "choices": _METHODS},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}

PATH_BLOCKS_MODULE: dict[str, t.Any] = {
    "argument_spec": {
        "site": {"type": "str", "default": "Default Web Site"},
        "blocks": {"type": "list", "elements": "dict", "default": [], "options": BLOCK_OPTIONS},
        "publish": _texts(choices=list(publish.WORDS)),
        "in_use": _texts(choices=list(publish.WORDS), default=[]),
        **{name: _texts(default=[]) for name in _NETWORKS},
        "method": {"type": "str", "choices": _METHODS, "default": AUTO},
        **WRITE_OPTIONS,
        **RUN_OPTIONS,
        **TIME_LIMIT,
    },
    "mutually_exclusive": [("snapshot", "publish")],
}

Params = t.Mapping[str, t.Any]


def wish(params: Params) -> tuple[Wish, list[str]]:
    """What the options describe, and what is wrong with them, one sentence each."""
    problems = [wrong] if (wrong := check_site(str(params["site"]))) else []
    networks: dict[str, RangeSet] = {}
    for option in _NETWORKS:
        networks[option] = _ranges(params.get(option) or [], f"The option {option}", problems)
    blocks: dict[str, Block] = {}
    for entry in params.get("blocks") or []:
        try:
            path = check_path(str(entry["path"]))
        except PlanError as error:
            problems.append(str(error))
            continue
        if path.casefold() in blocks:
            problems.append(f"The path {path} is described twice. Describe it once.")
            continue
        named = entry.get("networks")
        ranges = (
            networks["own_networks"]
            if named is None
            else _ranges(named, f"The option networks of {path}", problems)
        )
        method = entry.get("method") or params.get("method") or AUTO
        block = Block(path, ranges, method, present=entry.get("state") != "absent")
        if block.present and (wrong := check_block(block)):
            problems.append(wrong)
        blocks[path.casefold()] = block
    published = params.get("publish")
    described = Wish(
        site=str(params["site"]).strip(),
        blocks=tuple(blocks.values()),
        published=None if published is None else tuple(published),
        in_use=tuple(params.get("in_use") or ()),
        own_networks=networks["own_networks"],
        exchange_servers=networks["exchange_servers"],
        proxies=networks["reverse_proxies"],
        method=params.get("method") or AUTO,
    )
    if params.get("snapshot"):
        problems += ["The options snapshot and blocks exclude each other."] if blocks else []
    elif not blocks and published is None:
        problems.append(
            "Nothing is described: name blocks, or what to publish, or a snapshot to give back."
        )
    return described, list(dict.fromkeys(problems))


def _ranges(texts: t.Sequence[str], what: str, problems: list[str]) -> RangeSet:
    try:
        return _ranges_guards.friends(texts)
    except RangeError as error:
        problems.append(_everything(texts, what) or f"{what} cannot be used as given: {error}")
        return RangeSet()


def _everything(texts: t.Sequence[str], what: str) -> str:
    """A sentence for networks that are all there are; empty for any others."""
    try:
        ranges = RangeSet.parse(texts)
    except RangeError:
        return ""
    if ranges.v4 != EVERYTHING_V4 and ranges.v6 != EVERYTHING_V6:
        return ""
    return (
        f"{what} holds all addresses there are, so that nobody would be kept out. Name the "
        f"networks that may come."
    )
