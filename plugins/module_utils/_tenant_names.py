# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which names the tenants of Exchange Online are reached."""

from __future__ import annotations

SUFFIXES = (
    "mail.protection.outlook.com",
    "mail.protection.office365.us",
    "mail.protection.partner.outlook.cn",
    "mx.microsoft",
    "mail.eo.outlook.com",
)
"""What these names end with. Unverified: those of the national clouds."""


def is_tenant(host: str) -> bool:
    """Whether a host name is one by which Exchange Online takes mail."""
    name = host.strip().lower().rstrip(".")
    return any(name == suffix or name.endswith(f".{suffix}") for suffix in SUFFIXES)
