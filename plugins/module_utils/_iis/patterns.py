# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests a block is about, as a condition of URL Rewrite.

The condition looks at two spellings of the URL at once. IIS hands on the URL decoded and with its
dot segments resolved (`{R:0}`); decoding it again finds what was encoded twice, for a site with
allowDoubleEscaping. The URL as it was sent (`{UNENCODED_URL}`), decoded, finds what IIS and a
program behind it might resolve otherwise (microsoft/CSS-Exchange, EOMTv2.ps1, takes
`{UrlDecode:{REQUEST_URI}}` for the same reason). What can be read of IIS's functions is that they
take any expression (learn.microsoft.com, "How to escape {curly brackets} in URL Rewrite rule");
that they work on `{R:0}` in a condition is unverified on IIS.
"""

from __future__ import annotations

import re

from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

INPUT = "{UrlDecode:{R:0}} as-sent:{UrlDecode:{UNENCODED_URL}}"
ANY_URL = ".*"
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_LONGEST = 200


def check_path(path: str) -> str:
    """The path of a virtual directory or of something in it, as it is compared: one leading slash,
    none at the end. Raises PlanError for the whole site, and for anything but plain names.
    """
    shown = path if len(path) <= _LONGEST else f"{path[:_LONGEST]}..."
    bare = path.strip().strip("/")
    if not bare:
        raise PlanError(
            f"The path '{shown}' is the whole site, which is not blocked here. Nothing was "
            "changed. Name its virtual directories."
        )
    segments = bare.split("/")
    if (
        len(path) > _LONGEST
        or not path.strip().startswith("/")
        or not all(map(_SEGMENT.fullmatch, segments))
    ):
        raise PlanError(
            f"The path '{shown}' cannot be blocked: a path begins with a slash and has "
            "names of letters, digits, "
            "hyphens, underscores and dots between slashes, no pattern, no encoded characters and "
            "no query. Nothing was changed."
        )
    return f"/{bare}"


def path_pattern(path: str) -> str:
    """The pattern for INPUT: a request for `path` or for anything in it, in either spelling.

    More slashes than one, backslashes, and what Windows or a program behind may drop at the end of
    a name (a dot, a blank, a parameter after a semicolon) make no difference.
    """
    names = [segment.replace(".", r"\.") for segment in path.strip("/").split("/")]
    return r"(?:^|as-sent:)[/\\]*" + r"[/\\]+".join(names) + r"(?:[/\\.;?\s]|$)"


_OURS = re.compile(
    re.escape(r"(?:^|as-sent:)[/\\]*") + "(.*)" + re.escape(r"(?:[/\\.;?\s]|$)"), re.DOTALL
)


def blocked_path(pattern: str) -> str | None:
    """The path of a pattern that path_pattern() has made; None for another."""
    held = _OURS.fullmatch(pattern)
    if held is None:
        return None
    path = "/" + held.group(1).replace(r"[/\\]+", "/").replace(r"\.", ".")
    return path if path_pattern(path) == pattern else None


def below(path: str, base: str) -> bool:
    """Whether a path is the other one or lies in it. Without case, as IIS compares."""
    path, base = path.casefold(), base.casefold()
    return not base or path == base or path.startswith(f"{base}/")
