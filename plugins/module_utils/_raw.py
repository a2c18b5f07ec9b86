# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was read of a server or device, as it may be kept in a file: without any secret.

Neither is asked for a secret. A device answers more than it is asked for, and people write logins
into addresses; so whatever looks like one is left out here, and told by its name.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._secrets import (
    MARK,
    holds_secret,
    without_secrets,
)

# Names that have a word of a login in them, and hold no secret: members of the two systems that
# are read, each of which says how somebody logs in, and with what name.
_HARMLESS = frozenset(
    {
        "AuthenticationCredential.UserName",
        "EnableAuthGSSAPI",
        "LiveCredentialEnabled",
        "MaxLogonFailures",
        "tokenChecking",
    }
)
# As FortiOS shows what it keeps encrypted, and as keys and certificates with them are written.
_KEPT = re.compile(r"\bENC \S|-----BEGIN [A-Z ]*PRIVATE KEY|\{(?:SSHA|AES)\}")
# As people note a login in a comment: such a word, and what stands behind it up to the end of the
# line, or of the field of a rule of Windows.
_NOTED = re.compile(
    r"(\b(?:pass(?:wor[dt]|wd|phrase)?|pwd?|kennwort|psk|secret|token|api[ _-]?key|community)"
    r"\s*[:=]|\bBearer\s)\s*[^\s|<>][^|<>\r\n]*",
    re.IGNORECASE,
)
_QUERY = re.compile(r"(?<=://)([^\s?#]+)[?#]\S+")


def kept(value: t.Any, where: str = "") -> tuple[t.Any, list[str]]:
    """The value without secrets, and the names of what was left out of it, each once."""
    left_out: dict[str, None] = {}
    return _kept(value, where, left_out), list(left_out)


def _kept(value: t.Any, where: str, left_out: dict[str, None]) -> t.Any:
    if isinstance(value, t.Mapping):
        told = {}
        for name, inner in value.items():
            place = f"{where}.{name}" if where else str(name)
            if str(name) not in _HARMLESS and holds_secret(str(name)):
                # That there is none is no secret, and is what most of them hold.
                if _is_something(inner):
                    left_out[place] = None
                continue
            told[str(name)] = _kept(inner, place, left_out)
        return told
    if isinstance(value, (list, tuple)):
        return [_kept(inner, where, left_out) for inner in value]
    if not isinstance(value, str):
        return value
    if _KEPT.search(value):
        left_out[where] = None
        return ""
    # An address of a feed may have its key behind the question mark, and a login before the host.
    text = _QUERY.sub(r"\1", _NOTED.sub(r"\1", without_secrets(value))).replace(MARK, "")
    if text != value:
        left_out[where] = None
    return text


def _is_something(value: t.Any) -> bool:
    return value not in (None, "", [], {}, False)
