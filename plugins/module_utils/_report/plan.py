# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a run on all its hosts, as a run in check mode hands it on to be approved, and as a
later one is given it.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.templates import (
    unrendered,
)

Plans = dict[str, dict[str, t.Any]]
"""Layer → {digest, plan}, as the option approved_plan of its module takes it."""

NOTHING = "nothing"
"""The digest of a plan that changes nothing. An empty text would be one that is not given."""

_ENTRY = re.compile(r"(?P<host>\S+)/(?P<layer>[a-z_]+)=(?P<digest>[0-9a-f]{32})")
_SEPARATORS = re.compile(r"[,;\s]+")


class NoPlan(ValueError):
    """What was given is no plan that a run has handed on. The text says so in a sentence."""


def handed_on(results: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """{digest, hosts, summary} of host → layer → the result of that layer.

    `digest` is a text with the digest of every layer of every host that would be changed; `hosts`
    the same as data; `summary` has one line for each change, in which Ansible finds no template. A
    layer that failed has no plan that could be approved.
    """
    hosts: dict[str, dict[str, str]] = {}
    summary: list[str] = []
    for host in sorted(results):
        hosts[host] = {}
        for layer, result in results[host].items():
            if result.get("failed") or result.get("unreachable") or not result.get("plan_digest"):
                continue
            hosts[host][layer] = str(result["plan_digest"])
            summary += [f"{_head(host, layer)}{sentence}" for sentence in result.get("plan") or ()]
    entries = [
        f"{host}/{layer.replace(' ', '_')}={digest}"
        for host, layers in hosts.items()
        for layer, digest in sorted(layers.items())
    ]
    return {
        "digest": ", ".join(entries) or NOTHING,
        "hosts": hosts,
        "summary": unrendered(summary),
    }


def _head(host: str, layer: str) -> str:
    return f"{host}, {layer}: "


def approved(given: t.Any, host: str) -> Plans:
    """What of a plan that a run has handed on, or of its digest, was approved for one host.

    Raises NoPlan.
    """
    if isinstance(given, str) and given.lstrip().startswith("{"):
        try:
            given = json.loads(given)
        except ValueError:
            raise NoPlan("It begins like JSON and is none.") from None
    if isinstance(given, str):
        return _of_text(given, host)
    hosts = given.get("hosts") if isinstance(given, t.Mapping) else None
    if not isinstance(hosts, t.Mapping):
        raise NoPlan(
            "It has to be what a run of apply in check mode hands on as mailedge_plan, or the "
            "digest of that."
        )
    layers = hosts.get(host) or {}
    summary = given.get("summary") or []
    if (
        not isinstance(layers, t.Mapping)
        or not all(isinstance(digest, str) for digest in layers.values())
        or not isinstance(summary, (list, tuple))
    ):
        raise NoPlan(f"What it says of {host} is not what a run hands on.")
    plans = {}
    for layer, digest in layers.items():
        head = _head(host, str(layer))
        plan = [str(line)[len(head) :] for line in summary if str(line).startswith(head)]
        plans[str(layer)] = {"digest": str(digest), **({"plan": plan} if plan else {})}
    return plans


def _of_text(text: str, host: str) -> Plans:
    plans: Plans = {}
    entries = [entry for entry in _SEPARATORS.split(text) if entry]
    for entry in entries if entries != [NOTHING] else ():
        match = _ENTRY.fullmatch(entry)
        if not match:
            raise NoPlan(
                f"It has {entry[:80]!r}, which is no digest of a layer, such as "
                f"HOST/exchange=0123... with 32 digits and letters from a to f."
            )
        if match["host"] == host:
            plans[match["layer"].replace("_", " ")] = {"digest": match["digest"]}
    return plans
