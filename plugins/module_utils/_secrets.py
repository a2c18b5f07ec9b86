# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which texts of some options are secrets, however wrong the options are.

An argument spec knows the secrets of well-formed options only. A login that is misspelt, misplaced
or of the wrong type is still a login, and an error that quotes it would print it.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
import typing as t

# Words in the name of an option whose value is a secret, as they are meant; and of one that has a
# login in it.
_WORDS = ("password", "passwd", "passphrase", "secret", "token", "apikey")
_SHORT_WORDS = frozenset({"pass", "pwd", "psk"})
_LOGINS = ("credential", "credentials", "login")
# As near as "pasword" is to "password"; "secure" is no "secret".
_NEAR = 0.85
# Names that have such a word in them, and hold no secret.
_HARMLESS = frozenset({"update_password", "update_credential"})
_USER = frozenset({"username", "user", "user_name"})
_KEYWORDS = frozenset({*_USER, *_WORDS})
# An address with a login in it, as a feed or a proxy may have one.
_IN_URL = re.compile(r"(?<=://)([^/@\s:]*:)([^/@\s]+)(?=@)")
MARK = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


@functools.lru_cache(maxsize=1024)
def holds_secret(name: str) -> bool:
    """Whether a name, misspelt or not, says that its value is a secret or has one in it."""
    if name.lower() in _HARMLESS:
        return False
    parts = [part for part in re.split(r"[^a-z]+", name.lower()) if part]
    whole = "".join(parts)
    return (
        any(word in whole for word in (*_WORDS, *_LOGINS))
        or not _SHORT_WORDS.isdisjoint(parts)
        or any(
            difflib.get_close_matches(part, (*_WORDS, *_LOGINS), n=1, cutoff=_NEAR)
            for part in parts
        )
    )


def secrets_in(options: t.Any) -> set[str]:
    """Every text under a name that can hold a secret, at any depth, except user names of logins.

    Each also in the forms in which an error quotes it. A text of blanks is none: it would turn
    every gap of a message into asterisks.
    """
    forms: set[str] = set()
    for text in _secrets(options, below=False):
        # A login given as one text: its parts as well, but not the words that name them.
        parts = [
            part
            for part in re.split(r"[\s,;:=]+", text)
            if len(part) >= 6 and part.lower() not in _KEYWORDS
        ]
        for secret in (text, *parts):
            forms.update((secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]))
    return forms


def _secrets(value: t.Any, *, below: bool) -> t.Iterator[str]:
    if isinstance(value, t.Mapping):
        for name, inner in value.items():
            if not _is_harmless(str(name), inner, below=below):
                yield from _secrets(inner, below=below or holds_secret(str(name)))
    elif isinstance(value, (list, tuple, set, frozenset)):
        for inner in value:
            yield from _secrets(inner, below=below)
    elif below and value is not None and not isinstance(value, bool) and str(value).strip():
        yield str(value)
    elif isinstance(value, str):
        yield from (password for _user, password in _IN_URL.findall(value))


def _is_harmless(name: str, value: t.Any, *, below: bool) -> bool:
    return name.lower() in _HARMLESS or (below and name.lower() in _USER and isinstance(value, str))


def without_secrets(options: t.Any, *, below: bool = False) -> t.Any:
    """The options with a mark in the place of every secret, for what is handed around."""
    if isinstance(options, t.Mapping):
        return {
            name: inner
            if _is_harmless(str(name), inner, below=below)
            else without_secrets(inner, below=below or holds_secret(str(name)))
            for name, inner in options.items()
        }
    if isinstance(options, (list, tuple)):
        return [without_secrets(inner, below=below) for inner in options]
    if below and options is not None and not isinstance(options, bool):
        return MARK
    return _IN_URL.sub(rf"\1{MARK}", options) if isinstance(options, str) else options
