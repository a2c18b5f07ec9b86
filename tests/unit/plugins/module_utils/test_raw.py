# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a site's answers is kept in a file: no login that somebody has noted in a comment."""

from __future__ import annotations

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils import _raw


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Scanner, password=Orchid7", "Scanner, password="),
        ("Passwort: Orchid 7!\nfor the scanner", "Passwort:\nfor the scanner"),
        ("VPN (PSK: Orchid7)", "VPN (PSK:"),
        ("pw:Orchid7", "pw:"),
        ("API key = Orchid7", "API key ="),
        ("Authorization: Bearer Orchid7", "Authorization: Bearer "),
        ("|Desc=token: Orchid7|Dir=In|", "|Desc=token:|Dir=In|"),
    ],
)
def test_a_login_in_a_comment_is_left_out_and_named(text: str, kept: str) -> None:
    assert _raw.kept({"comment": text}) == ({"comment": kept}, ["comment"])


@pytest.mark.parametrize(
    "text",
    [
        "Password portal",
        "compass: north",
        "System, publicKeyToken=31bf3856ad364e35",
        "password:",
        "token |Dir=In",
        "10.20.1.11:25",
    ],
)
def test_what_only_sounds_like_one_is_kept(text: str) -> None:
    assert _raw.kept({"comment": text}) == ({"comment": text}, [])
