# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What group policy says in the way of Windows XP: one standard profile beside the domain's, and
lists of ports and programs that are let in ("Windows Firewall: Define inbound port exceptions").

Whether a Windows of today heeds them is unverified: they are a doubt about who gets in, and never
certain.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    EVERYTHING,
    LOOPBACK,
    RangeSet,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.values import (
    read_addresses,
)

STANDARD = "standard"
PORTS, PROGRAMS = "GloballyOpenPorts", "AuthorizedApplications"

# The domain's profile, and those that take the place of the standard one.
_BITS: t.Mapping[str, tuple[int, ...]] = {"domain": (1,), STANDARD: (2, 4)}
# `25:TCP:*:enabled:SMTP` and `C:\mail\mail.exe:10.0.0.0/8:disabled:Mail`.
_PORT = re.compile(r"(?P<what>\d+:(?:tcp|udp)):(?P<scope>[^:]*):(?P<state>enabled|disabled):", re.I)
_PROGRAM = re.compile(
    r"(?P<what>(?:[a-z]:)?[^:]+):(?P<scope>.*):(?P<state>enabled|disabled):", re.I
)

Row = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Old:
    """One such setting. `text` is how it stands there, `ranges` are whom it might let in, `port` is
    the one that it names, None for any; `program` the file name of the program that it names.
    """

    profile: str
    text: str
    ranges: RangeSet = EVERYTHING - LOOPBACK
    port: int | None = None
    program: str = ""

    def may_let_in(self, port: int, current: t.Container[int]) -> bool:
        """Whether it is about a TCP port in a profile that is active."""
        return self.port in (None, port) and any(bit in current for bit in _BITS[self.profile])


def read_old(rows: t.Iterable[Row], standard: Row) -> tuple[Old, ...]:
    """The settings in rows of the agent that let somebody in, or may; `standard` are the values of
    the standard profile.
    """
    entries = []
    values = {name.casefold(): value for name, value in standard.items()}
    if str(values.get("enablefirewall", 1)) != "1":
        text = f"EnableFirewall of the StandardProfile is {values['enablefirewall']}"
        entries.append(Old(STANDARD, text))
    for row in sorted(rows, key=lambda row: (str(row["profile"]), str(row["text"]))):
        old = _exception(str(row["profile"]), str(row["list"]), str(row["text"]))
        entries += [old] if old else []
    return tuple(entries)


def _exception(profile: str, held: str, text: str) -> Old | None:
    match = (_PORT if held == PORTS else _PROGRAM).match(text)
    told = f"{held} has '{text}'"
    if match is None:
        # What is not understood may be about any port, and let in anybody.
        return Old(profile, told)
    if match["state"].casefold() == "disabled":
        return None
    number, _colon, protocol = match["what"].partition(":")
    if held == PORTS and protocol.casefold() == "udp":
        return None
    ranges = read_addresses(match["scope"]).possible - LOOPBACK
    if held == PORTS:
        return Old(profile, told, ranges, port=int(number))
    program = match["what"].replace("/", "\\").rpartition("\\")[2].casefold()
    return Old(profile, told, ranges, program=program)
