# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A password in an address is a secret, whatever the option is called."""

from __future__ import annotations

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._secrets import (
    MARK,
    secrets_in,
    without_secrets,
)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (
            "https://reader:hunter2@ranges.example/list",
            f"https://reader:{MARK}@ranges.example/list",
        ),
        ("http://:hunter2@proxy.example:3128", f"http://:{MARK}@proxy.example:3128"),
        ("see ftp://a:hunter2@b.example", f"see ftp://a:{MARK}@b.example"),
    ],
)
def test_a_password_in_an_address_is_a_secret(address: str, shown: str) -> None:
    options = {"sources": [{"url": address}], "name": "feed"}
    assert "hunter2" in secrets_in(options)
    assert without_secrets(options) == {"sources": [{"url": shown}], "name": "feed"}


@pytest.mark.parametrize(
    "address",
    [
        "https://ranges.example:8443/list@v2",
        "https://reader@ranges.example/list",
        "https://ranges.example/a:b@c",
        "postmaster@hafen.example",
        "[2001:db8::1]:25",
    ],
)
def test_other_addresses_are_shown_as_they_are(address: str) -> None:
    assert secrets_in({"url": address}) == set()
    assert without_secrets({"url": address}) == {"url": address}
