# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way Exchange Online comes in to a hybrid, and whether what brings it in runs on the
server.
"""

from __future__ import annotations

import types
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.reading import (
    APP_PROXY,
    HYBRID_AGENT,
)

NONE, CLASSIC, AGENT, APP_PROXY_KIND = "none", "classic", "agent", "app_proxy"

# Kind → the service that brings Exchange Online in from inside, and what it is called.
_SERVICES: t.Mapping[str, tuple[str, str]] = types.MappingProxyType(
    {
        AGENT: (HYBRID_AGENT, "Hybrid Agent"),
        APP_PROXY_KIND: (APP_PROXY, "connector of Entra application proxy"),
    }
)
ON_THE_SERVER = frozenset(_SERVICES)
_STEP = "hybrid-services"


def read_steps() -> list[dict[str, t.Any]]:
    """The step that asks for the services. It is optional: what it meets hides no layer."""
    names = [service for service, _noun in _SERVICES.values()]
    return [{"op": "service_read", "id": _STEP, "names": names, "optional": True}]


def trouble(kind: str, answer: t.Mapping[str, t.Any]) -> tuple[str, str]:
    """(state, sentence) of what one of the kinds ON_THE_SERVER needs; the sentence is empty where
    it runs.
    """
    service, noun = _SERVICES[kind]
    told = answer["steps"].get(_STEP) or {}
    rows = {row["name"]: row for row in (told.get("objects") or [])} if told.get("ok") else {}
    row = rows.get(service) or {}
    if row.get("error") or row.get("exists") is None:
        return "unknown", f"Whether the {noun} runs could not be read."
    if not row["exists"]:
        return "drift", f"The {noun}, by which Exchange Online comes in, is not installed here."
    if row.get("status") != "Running":
        status = str(row.get("status")).lower()
        return "drift", f"The {noun}, by which Exchange Online comes in, is {status}."
    return "in order", ""
