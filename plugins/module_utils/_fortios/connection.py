# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the options name a device that can be asked at all, told before anything is sent."""

from __future__ import annotations

import os
import re
import typing as t

# What FortiOS makes tokens of is a part of it. A line break at the end comes from a file, and a
# library would show the whole header that it refuses.
_TOKEN = re.compile(r"[!-~]+")
_HOST = re.compile(r"[^\s/\\?#@\[\]\x00-\x1f]+")


def problems(params: t.Mapping[str, t.Any]) -> str:
    """What is wrong with the options, in sentences, all of them; never with the token."""
    sentences = []
    host, ca_path = str(params["host"]), params.get("ca_path")
    if not _is_host(host):
        sentences.append(
            f"The host {host[:80]!r} is neither a host name nor an address. Name it without "
            "https:// and without a path."
        )
    if not params["vdom"].strip() or params["vdom"] == "*" or "," in params["vdom"]:
        sentences.append(
            f"{params['vdom']!r} is not a vdom. Name a single one; each vdom is a task of its own."
        )
    if not 1 <= params["api_port"] <= 65535:
        sentences.append(f"api_port is {params['api_port']}: it must be between 1 and 65535.")
    if not 1 <= params["timeout"] <= 86400:
        sentences.append(f"timeout is {params['timeout']}: it must be between 1 and 86400 seconds.")
    if not params.get("backup") and not _TOKEN.fullmatch(str(params["token"] or "")):
        sentences.append(
            "The token is empty, or holds a blank, a line break or another character that no token "
            "has (it is not shown here). "
            "Look at the end of the file or variable that it comes from."
        )
    if ca_path and not os.path.exists(ca_path):
        sentences.append(f"There is no ca_path '{ca_path}' on the host that runs the module.")
    return " ".join([*sentences, "Nothing was sent to the device."]) if sentences else ""


def _is_host(host: str) -> bool:
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return bool(_HOST.fullmatch(host))
