# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules that Windows and Exchange bring: names from TechNet bb331973 (2010) and from Exchange
2013 and later. Which ports the rules of 2013 and later carry is known from memory only
(unverified); 2007 makes none.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.store import (
    ALLOW,
    DOMAIN,
    PRIVATE,
    PUBLIC,
    Firewall,
    Rule,
)

_BIN = "%ProgramFiles%\\Microsoft\\Exchange Server\\V15\\Bin"
_OLD_BIN = "%ProgramFiles%\\Microsoft\\Exchange Server\\V14\\Bin"
_SYSTEM = "%SystemRoot%\\System32"
_GROUP = "@FirewallAPI.dll,-"


def _allow(name: str, ports: str | None, program: str = "", **more: t.Any) -> Rule:
    spans: list[t.Any] = []
    for part in ports.split(",") if ports else ():
        first, _dash, last = part.partition("-")
        spans.append((int(first), int(last or first)) if first.isdecimal() else part)
    return Rule(
        name=name, ports=spans or None, program=program or None, enabled=True, action=ALLOW, **more
    )


def of_windows() -> list[Rule]:
    """What Windows has that matters here."""
    remote = {"program": f"{_SYSTEM}\\svchost.exe", "service": "TermService"}
    subnet = {"remote": ["LocalSubnet"], "profiles": PUBLIC}
    return [
        _allow(
            "Windows-Remoteverwaltung (HTTP eingehend)",
            "5985",
            "System",
            grouping=f"{_GROUP}30267",
            reference=f"{_GROUP}30253",
            profiles=DOMAIN | PRIVATE,
        ),
        _allow(
            "Windows-Remoteverwaltung (HTTP eingehend)",
            "5985",
            "System",
            grouping=f"{_GROUP}30267",
            reference=f"{_GROUP}30253",
            **subnet,
        ),
        _allow("WinRM over HTTPS", "5986"),
        _allow(
            "Remotedesktop (TCP eingehend)",
            "3389",
            grouping=f"{_GROUP}28752",
            reference=f"{_GROUP}28775",
            **remote,
        ),
        _allow(
            "World Wide Web Services (HTTP Traffic-In)",
            "80",
            "System",
            reference="@%windir%\\system32\\inetsrv\\iisres.dll,-30500",
        ),
        _allow(
            "World Wide Web Services (HTTPS Traffic-In)",
            "443",
            "System",
            reference="@%windir%\\system32\\inetsrv\\iisres.dll,-30502",
        ),
        Rule(
            name="Core Networking - Time Exceeded (ICMPv6-In)",
            protocol=58,
            enabled=True,
            action=ALLOW,
        ),
        _allow(
            "Core Networking - IPHTTPS (TCP-In)",
            "IPHTTPS",
            "System",
            grouping=f"{_GROUP}25000",
            reference=f"{_GROUP}25426",
        ),
        # As every user's profile brings them by the dozen from Server 2016 on.
        Rule(
            name="Your account",
            protocol=256,
            enabled=True,
            action=ALLOW,
            package="S-1-15-2-1",
            reference=(
                "@{Microsoft.Windows.CloudExperienceHost?ms-resource://resources/appDescription}"
            ),
        ),
        Rule(
            name="Core Networking - DHCP (UDP-In)",
            protocol=17,
            ports=[(68, 68)],
            enabled=True,
            action=ALLOW,
        ),
        Rule(
            name="Network Discovery (LLMNR-UDP-In)",
            protocol=17,
            ports=[(5355, 5355)],
            remote=["LocalSubnet"],
            action=ALLOW,
        ),
        Rule(
            name="Core Networking - DNS (UDP-Out)",
            protocol=17,
            inbound=False,
            enabled=True,
            action=ALLOW,
        ),
    ]


def of_exchange(generation: str) -> list[Rule]:
    """What the set-up of an Exchange of this generation makes."""
    if generation in ("RTM2007", "SP2007"):
        return []
    if generation == "E2010":
        transport = f"{_OLD_BIN}\\EdgeTransport.exe"
        return [
            _allow("MSExchangeTransportWorker (GFW) (TCP-In)", "25,587"),
            _allow("MSExchangeTransportWorker (TCP-In)", None, transport),
            _allow("MSExchangeRPCEPMap (GFW) (TCP-In)", "RPC-EPMap"),
            _allow("MSExchangeRPC (GFW) (TCP-In)", "RPC"),
            _allow("MSExchangeIMAP4 (GFW) (TCP-In)", "143,993"),
            _allow("MSExchangePOP3 (FGW) (TCP-In)", "110,995"),
            _allow("MSExchangeOWA (GFW) (TCP-In)", "5075-5077"),
        ]
    return [
        _allow(
            "MSExchangeFrontendTransport (TCP-In)",
            "25,587,717",
            f"{_BIN}\\MSExchangeFrontendTransport.exe",
        ),
        _allow("MSExchangeTransportWorker (GFW) (TCP-In)", "25,465,587,2525"),
        _allow("MSExchangeTransportWorker (TCP-In)", None, f"{_BIN}\\EdgeTransport.exe"),
        _allow("MSExchangePOP3 (GFW) (TCP-In)", "110,995"),
        _allow("MSExchangeIMAP4 (GFW) (TCP-In)", "143,993"),
        _allow("MSExchangeRPCEPMap (GFW) (TCP-In)", "RPC-EPMap"),
        _allow("MSExchangeRPC (GFW) (TCP-In)", "RPC"),
    ]


def install(firewall: Firewall, generation: str) -> None:
    """Give a firewall the rules of a server with Exchange."""
    for rule in (*of_windows(), *of_exchange(generation)):
        firewall.add(rule)
