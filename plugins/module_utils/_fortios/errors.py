# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a FortiGate refuses, and why it cannot be reached, as sentences for the operator."""

from __future__ import annotations

import types
import typing as t

NOT_FOUND = -3
TOO_MANY = -4
DUPLICATE = -5
IN_USE = -23

# About what was written, so that the same write would be refused outside of a transaction as well.
_ABOUT_DATA = frozenset(
    {-2, -3, -4, -5, -8, -9, -15, -23, -36, -45, -50, -56, -72, -163, -164, -165, -177, -178}
)
_ABOUT_DATA_TOO = frozenset({-14, -37, -360, -515, -560, -650, -651})

# Numbers of the FortiOS configuration database, as public clients and the vendor's knowledge base
# list them.
_MEANINGS: t.Mapping[int, str] = types.MappingProxyType(
    {
        -1: "a value has a length that is not allowed",
        -2: "an index is out of range",
        -3: "the entry, or an entry that it refers to, does not exist",
        -4: (
            "the table or the list has as many entries as this model allows. For an address group, "
            "set a smaller group_size"
        ),
        -5: "an entry of that name exists already",
        # A table that another administrator has changed in a workspace is locked (Fortinet's guide
        # on workspace mode); that this is the number of it is unverified.
        -7: (
            "it conflicts with the system's settings, or another administrator has changed the "
            "table in a workspace (execute config-transaction) that is still open: wait until it "
            "is committed, given up or over, by default after five minutes without activity, and "
            "run it again. What is open there is not in force, and was not judged"
        ),
        -8: "an IP address is not valid",
        -9: "a netmask is not valid",
        -14: "the API user may not do that; see its accprofile",
        -15: "an entry of that name exists already",
        -23: "the entry is in use elsewhere",
        -36: "the mapping of a virtual IP is not valid, or exists twice",
        -37: "the API user may not do that; see its accprofile",
        -45: "a range is not valid",
        -50: "a value has the wrong format",
        -56: "a value is empty that must not be",
        -61: "the input is not what the device expects",
        -72: "a name or value is too long",
        -163: "the name is taken: addresses, address groups and virtual IPs share their names",
        -164: "the name is taken: addresses, address groups and virtual IPs share their names",
        -165: "the name is taken: addresses, address groups and virtual IPs share their names",
        -177: "a policy cannot be moved across pairs of interfaces",
        -178: "a policy cannot be moved across pairs of interfaces",
        -360: "the configuration database did not answer in time",
        -515: "the name is reserved",
        -560: "the name is reserved",
        -650: "a number is out of range",
        -651: "a value is not one of those that the device knows",
        -10000: "the device does not know that action",
    }
)

_STATUS: t.Mapping[int, str] = types.MappingProxyType(
    {
        301: "it sends us elsewhere, which is not followed",
        302: "it sends us elsewhere, which is not followed",
        401: (
            "it does not accept the token: that is wrong, or comes from none of its trusthosts, or "
            "the device has no valid licence"
        ),
        403: "the API user may not do that: see its vdoms, its trusthost and its accprofile",
        404: "it does not know that path; this FortiOS may be too old for it",
        405: "it does not take that method there",
        413: "the request is too large for it",
        429: "it has locked out our address for a while, after too many failed logins",
    }
)


_NO_RIGHT = (-14, -37)
# Of the groups of an accprofile (the public schema of the vendor's collection); which of them a
# table is of is a judgement, so that the sentence says so.
_RIGHTS: t.Mapping[str, str] = types.MappingProxyType(
    {
        **dict.fromkeys(
            ("system/interface", "system/zone", "system/sdwan", "system/virtual-wan-link"), "netgrp"
        ),
        **dict.fromkeys(("router/", "monitor/router/"), "netgrp"),
        **dict.fromkeys(("firewall/", "firewall.service/", "monitor/firewall/"), "fwgrp"),
        **dict.fromkeys(("system/", "monitor/system/"), "sysgrp"),
    }
)


def _right_for(method: str, path: str) -> str:
    """Which right of an accprofile is probably missing; empty where that is not known."""
    table = path.removeprefix("cmdb/")
    kind = "read" if method == "GET" else "write"
    group = next((group for start, group in _RIGHTS.items() if table.startswith(start)), "")
    return f", which probably lacks the right to {kind} {group}" if group else ""


class FortiOSError(Exception):
    """What went wrong with the device, in sentences for the operator, without any secret."""


class DeviceUnreachable(FortiOSError):
    """The device cannot be reached, or went away in the middle. `sent`: a write may have arrived
    there nevertheless.
    """

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class DeviceError(FortiOSError):
    """The device refused a request.

    `code` is the number of the configuration database, None where the answer has none; `status` is
    that of HTTP; `text` is what the device said in its own words; `enveloped`: whether the answer
    had the form that a FortiGate's has.
    """

    def __init__(
        self,
        method: str,
        path: str,
        *,
        status: int,
        code: int | None = None,
        text: str = "",
        where: str = "",
        enveloped: bool = True,
    ) -> None:
        self.method, self.path, self.status, self.code, self.text = method, path, status, code, text
        self.enveloped = enveloped
        meaning = _MEANINGS.get(code) if code is not None and status != 403 else None
        if not enveloped and status in (200, 400, 404):
            meaning = (
                "the answer does not come from a FortiGate's API. Look at host and api_port, and "
                "for a proxy or a web server in between"
            )
        elif meaning is None:
            meaning = _STATUS.get(status, "it gives no reason that we know")
        if enveloped and code in _NO_RIGHT:
            meaning += _right_for(method, path)
        numbers = f"HTTP {status}" if code is None else f"error {code}, HTTP {status}"
        said = f" It said: {text.strip()[:300]}" if text.strip() else ""
        super().__init__(
            f"The FortiGate {where} refused {method} {path}: {meaning} ({numbers}).{said}"
        )

    def explain(self, more: str) -> DeviceError:
        """The same with more sentences."""
        self.args = (f"{self} {more}",)
        return self

    @property
    def may_be_about_the_transaction(self) -> bool:
        """Whether the same write could be taken outside of a transaction: some tables refuse them
        (by public clients; with which error is unverified).
        """
        return (
            self.enveloped
            and not self.refuses_us
            and self.code not in _ABOUT_DATA | _ABOUT_DATA_TOO
        )

    @property
    def refuses_us(self) -> bool:
        """Whether it is the token, the profile or the lockout, and not what was asked."""
        return self.status in (401, 403, 429) or self.code in _NO_RIGHT


class UnreadableAnswer(DeviceError):
    """An answer that says success, and whose content cannot be read. `what` is a phrase."""

    def __init__(self, method: str, path: str, what: str, where: str) -> None:
        super().__init__(method, path, status=200, text=what, where=where)
        self.args = (
            f"The FortiGate {where} answered {method} {path} with {what}. That is not an answer "
            "that this collection can read, so that it does not guess. Look for something in "
            "between that changes answers, and at that entry on the device.",
        )
