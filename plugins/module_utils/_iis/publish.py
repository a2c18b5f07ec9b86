# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Exchange offers on its web site, by the words of an administrator, and what of it has to be
reached from the internet.

Paths as Exchange 2007 to SE sets them up (microsoft/CSS-Exchange, applicationHost.config of its
tests; those of 2007 and 2010 by memory, unverified). What a server does not have is not there to be
blocked.
"""

from __future__ import annotations

import types
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.patterns import below

SERVICES: t.Mapping[str, tuple[str, ...]] = types.MappingProxyType(
    {
        "activesync": ("/Microsoft-Server-ActiveSync",),
        "autodiscover": ("/Autodiscover",),
        "ecp": ("/ecp",),
        "ews": ("/EWS",),
        "mapi": ("/mapi",),
        "oab": ("/OAB",),
        "outlook_anywhere": ("/Rpc", "/RpcWithCert"),
        "owa": ("/owa", "/Exchange", "/Exchweb", "/Public"),
        "powershell": ("/PowerShell",),
        "rest": ("/API",),
    }
)

PRESETS: t.Mapping[str, tuple[str, ...]] = types.MappingProxyType(
    {
        # Microsoft's list for hybrid: Autodiscover, EWS and in it the mailbox replication service
        # (learn.microsoft.com, "Hybrid deployment prerequisites").
        "hybrid": ("autodiscover", "ews"),
        # It works from inside (learn.microsoft.com, "Microsoft Hybrid Agent").
        "hybrid_agent": (),
    }
)

WORDS = (*SERVICES, *PRESETS)


def services(words: t.Iterable[str]) -> frozenset[str]:
    """The services that words of a description stand for."""
    return frozenset(service for word in words for service in PRESETS.get(word, (word,)))


def paths_of(words: t.Iterable[str]) -> tuple[str, ...]:
    """The paths of what words of a description stand for."""
    return tuple(path for service in sorted(services(words)) for path in SERVICES[service])


def unpublished(words: t.Iterable[str], directories: t.Iterable[str]) -> list[str]:
    """The virtual directories of Exchange that are there and that none of the words stands for, as
    the server spells them. What lies in another of them is blocked with it.
    """
    published = services(words)
    closed = {
        path.casefold()
        for service, paths in SERVICES.items()
        if service not in published
        for path in paths
    }
    return [path for path in directories if path.casefold() in closed]


def known(path: str) -> str | None:
    """The service that a path belongs to."""
    for service, paths in SERVICES.items():
        if any(below(path, blocked) for blocked in paths):
            return service
    return None
