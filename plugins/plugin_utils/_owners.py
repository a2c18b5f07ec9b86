# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site has once, and each of its hosts leaves to another: nobody has looked at it then."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.finding import (
    WARNING,
    Note,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    ELSEWHERE,
    HostVerdict,
    Record,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import UNKNOWN
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.parts import (
    BELONGS,
    DNS,
    TENANT,
)

Plain = t.Mapping[str, t.Any]


class Owned(t.NamedTuple):
    """Its layer, in words, the option that names its host, and the one that says it is there."""

    layer: str
    words: str
    owner: str
    there: str


_OWNED = (
    Owned("fortigate", "The firewall", "fortigate_owner", "fortigate_enabled"),
    Owned(TENANT, "The tenant", "exchange_online_owner", "exchange_online_enabled"),
    Owned(
        "exchange way out", "The way out", "exchange_outbound_owner", "exchange_outbound_enabled"
    ),
    Owned(DNS, "DNS", "site_owner", "domains"),
    Owned("ranges", "The lock file", "site_owner", "ranges_lock"),
    Owned("published ranges", "The list", "site_owner", "published_folder"),
)
# In these the way out is a part of the layer exchange, which every host has.
_WITH_WAY_OUT = ("apply", "drift", "offline")


def with_unowned(
    verdicts: t.Iterable[HostVerdict], abouts: t.Mapping[str, Plain], playbook: str
) -> list[HostVerdict]:
    """The verdicts, unknown where a host leaves something to one that does not do it.

    `abouts`: host → what site_description says of it.
    """
    return [_judged(verdict, abouts, playbook) for verdict in verdicts]


def _judged(verdict: HostVerdict, abouts: t.Mapping[str, Plain], playbook: str) -> HostVerdict:
    about = abouts.get(verdict.host) or {}
    described = about.get("described")
    if not described:
        return verdict
    records = [
        _record(verdict.host, owned, described, why)
        for owned in _OWNED
        if _leaves(owned, verdict.host, about, playbook)
        and (why := _not_done(owned, described, abouts))
    ]
    if not records:
        return verdict
    return dataclasses.replace(verdict, records=(*verdict.records, *records), elsewhere=False)


def _leaves(owned: Owned, host: str, about: Plain, playbook: str) -> bool:
    """Whether a host leaves something to another that was selected."""
    described, parts = about["described"], about.get("parts") or {}
    if owned.layer in parts:
        part = parts[owned.layer]
        # A rollback leaves alone what the run before it has not changed, too.
        return bool(part["how"] == ELSEWHERE and BELONGS in str(part.get("why")))
    return bool(
        owned.owner == "exchange_outbound_owner"
        and playbook in _WITH_WAY_OUT
        and "exchange" in parts
        and described.get("exchange_enabled")
        and described.get(owned.there)
        and described.get(owned.owner) != host
    )


def _not_done(owned: Owned, described: Plain, abouts: t.Mapping[str, Plain]) -> str:
    """Why the host that it is left to does not do it; empty where it does, or is told itself."""
    owner = str(described.get(owned.owner))
    other = (abouts.get(owner) or {}).get("described")
    if not other:
        return ""
    if other.get("site") != described.get("site"):
        return f"is of site '{other.get('site')}'"
    if not other.get(owned.there):
        return "has none in its description"
    if other.get(owned.owner) != owner:
        return f"leaves it to {other.get(owned.owner)}"
    return ""


def _record(host: str, owned: Owned, described: Plain, why: str) -> Record:
    owner = described.get(owned.owner)
    sentence = (
        f"{owned.words} of site '{described.get('site')}' is looked after by nobody: {host} "
        f"leaves it to {owner}, which {why}. Name the same host in mailedge_{owned.owner} for the "
        "whole site."
    )
    note = Note("owned_by_nobody", UNKNOWN, WARNING, sentence)
    return Record(owned.layer, host, UNKNOWN, (sentence,), notes=(note,))
