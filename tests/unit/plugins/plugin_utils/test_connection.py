# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which command each connection plugin gets, and over which ones a secret may travel."""

from __future__ import annotations

import base64
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._connection import (
    command_for,
    login,
    reason_not_private,
    short_name,
)

# Names and options of connection plugins are those of ansible-core and of what it ships.
pytestmark = pytest.mark.core


class Plugin:
    """A connection plugin's names and options."""

    def __init__(self, name: str, **options: t.Any) -> None:
        self.ansible_name = f"ansible.builtin.{name}"
        self._options = options

    def get_option(self, name: str) -> t.Any:
        return self._options[name]


def test_winrm_gets_the_script_itself_because_every_version_of_it_encodes_once() -> None:
    assert command_for(Plugin("winrm"), "$input") == "$input"


@pytest.mark.parametrize("name", ["psrp", "ssh"])
def test_others_get_a_command_encoded_once_with_the_words_that_psrp_recognises(name: str) -> None:
    command = command_for(Plugin(name), "@($input)")
    words = command.split(" ")
    assert words[:-1] == [
        "PowerShell",
        "-NoProfile",
        "-NonInteractive",
        "-ExecutionPolicy",
        "Unrestricted",
        "-EncodedCommand",
    ]
    assert base64.b64decode(words[-1]).decode("utf-16-le") == "@($input)"


@pytest.mark.parametrize(
    ("plugin", "variables"),
    [
        (Plugin("winrm", scheme="https", port=5986, transport=["basic"]), {}),
        (Plugin("winrm", scheme=None, port=5986, transport=None), {}),
        (Plugin("winrm", scheme="http", port=5985, transport=["ntlm"]), {}),
        (Plugin("winrm", scheme="http", port=5985, transport=["kerberos"]), {}),
        (
            Plugin("psrp", protocol="http", port=5985, auth="negotiate", message_encryption="auto"),
            {},
        ),
        (Plugin("psrp", protocol=None, port=5986, auth="basic", message_encryption="auto"), {}),
        (Plugin("ssh"), {}),
    ],
)
def test_a_connection_that_encrypts_is_private(plugin: Plugin, variables: dict[str, t.Any]) -> None:
    assert reason_not_private(plugin, variables) is None


@pytest.mark.parametrize(
    ("plugin", "variables", "clause"),
    [
        (Plugin("winrm", scheme="http", port=5985, transport=["basic"]), {}, "'basic'"),
        (Plugin("winrm", scheme=None, port=5985, transport=None), {}, "'plaintext'"),
        (Plugin("winrm", scheme="http", port=5985, transport=["ntlm", "basic"]), {}, "'basic'"),
        (
            Plugin("winrm", scheme="http", port=5985, transport=["ntlm"]),
            {"ansible_winrm_message_encryption": "never"},
            "'never'",
        ),
        (
            Plugin("psrp", protocol="http", port=5985, auth="basic", message_encryption="auto"),
            {},
            "'basic'",
        ),
        (
            Plugin("psrp", protocol="http", port=5985, auth="ntlm", message_encryption="never"),
            {},
            "'never'",
        ),
        (Plugin("local"), {}, "'local'"),
    ],
)
def test_a_connection_that_could_be_read_is_not(
    plugin: Plugin, variables: dict[str, t.Any], clause: str
) -> None:
    reason = reason_not_private(plugin, variables)
    assert reason is not None
    assert clause in reason


def test_the_login_is_that_of_the_connection() -> None:
    assert login(Plugin("winrm", remote_user="LAB\\admin", remote_password="s3cret")) == (
        "LAB\\admin",
        "s3cret",
    )
    assert login(Plugin("ssh")) == (None, None)


def test_the_name_is_without_its_collection() -> None:
    assert short_name(Plugin("psrp")) == "psrp"
