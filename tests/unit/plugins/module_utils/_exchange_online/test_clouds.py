# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each of Microsoft's clouds is asked."""

from __future__ import annotations

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.tokens import (
    CLOUDS,
)

# The bases of the Admin API as Microsoft documents them (2026). Those of the login are in no
# document that was read; whether China's two go together is unverified.
DOCUMENTED = {
    "worldwide": ("login.microsoftonline.com", "outlook.office365.com"),
    "us_gov_high": ("login.microsoftonline.us", "outlook.office365.us"),
    "us_gov_dod": ("login.microsoftonline.us", "outlook-dod.office365.us"),
    "china": ("login.partner.microsoftonline.cn", "outlook.office365.cn"),
}


def test_every_cloud_is_asked_where_microsoft_says() -> None:
    assert {name: (cloud.authority, cloud.api) for name, cloud in CLOUDS.items()} == {
        name: (f"https://{login}", f"https://{api}") for name, (login, api) in DOCUMENTED.items()
    }
