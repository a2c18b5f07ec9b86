# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Receive connectors as the model of mail flow takes them."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING,
    RangeSet,
    parse_endpoint,
)

Connector = dict[str, t.Any]
BOTH = ("0.0.0.0:25", "[::]:25")


def connector(
    name: str,
    ranges: str | t.Iterable[str] | RangeSet = EVERYTHING,
    groups: t.Iterable[str] = ("AnonymousUsers",),
    bindings: t.Iterable[str] = BOTH,
    **more: t.Any,
) -> Connector:
    """A receive connector of canonical values."""
    return {
        "name": name,
        "enabled": True,
        "bindings": frozenset(map(parse_endpoint, bindings)),
        "remote_ip_ranges": ranges if isinstance(ranges, RangeSet) else RangeSet.parse(ranges),
        "permission_groups": frozenset(groups),
        "auth_mechanism": frozenset({"Tls"}),
        "require_tls": False,
        "anonymous_relay": False,
        **more,
    }
