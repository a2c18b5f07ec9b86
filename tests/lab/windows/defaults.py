# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What set-up leaves on a Windows with an Exchange of some edition: made for the lab, in the manner
of CSS-Exchange's data of real servers.

Windows is the one that the edition's PowerShell came with. TLS 1.2 has no keys: Windows Server
brings none for it; the keys of .NET exist where .NET does, without the values that matter
(learn.microsoft.com, "Exchange Server TLS configuration best practices"). A version before Windows
Server 2016 has no UBR. Exchange 2019 CU14 and SE set extended protection, others do not.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import Edition, Generation
from ansible_collections.mailedge.lockdown.tests.lab.windows.certificates import Certificate
from ansible_collections.mailedge.lockdown.tests.lab.windows.files import File
from ansible_collections.mailedge.lockdown.tests.lab.windows.updates import Update
from ansible_collections.mailedge.lockdown.tests.lab.windows.wmi import UInt64

if t.TYPE_CHECKING:
    from ansible_collections.mailedge.lockdown.tests.lab.windows.host import WindowsHost

# Build → name, version of the kernel, UBR.
_VERSIONS: t.Mapping[int, tuple[str, str, int | None]] = {
    6002: ("Windows Server (R) 2008 Standard", "6.0", None),
    7601: ("Windows Server 2008 R2 Standard", "6.1", None),
    9600: ("Windows Server 2012 R2 Standard", "6.3", None),
    14393: ("Windows Server 2016 Standard", "6.3", 9234),
    17763: ("Windows Server 2019 Standard", "6.3", 8647),
    20348: ("Windows Server 2022 Standard", "6.3", 5020),
}
_GIGABYTE = 1 << 30
# The virtual directories of the front end that use Windows authentication.
_DIRECTORIES = (
    "API",
    "ECP",
    "EWS",
    "MAPI",
    "Microsoft-Server-ActiveSync",
    "OAB",
    "owa",
    "PowerShell",
    "Rpc",
)
APPLICATION_HOST = r"C:\Windows\System32\inetsrv\config\applicationHost.config"
SYSTEM_KEY = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"


def build_of(edition: Edition) -> int:
    """The build of Windows below an edition."""
    if edition.generation < Generation.E2010:
        return 6002
    return {"2.0": 7601, "4.0": 9600}.get(edition.powershell) or int(
        edition.powershell.split(".")[2]
    )


def furnish(windows: WindowsHost, edition: Edition) -> None:
    """Put there what set-up does."""
    _system(windows, build_of(edition))
    _exchange(windows, edition)
    now = datetime.datetime.now(datetime.timezone.utc)
    recent = now - datetime.timedelta(days=12)
    windows.history.updates.append(
        Update(
            "2026-11 Cumulative Update for Windows Server (KB5099999)", recent.replace(tzinfo=None)
        )
    )
    windows.wmi.classes["win32_quickfixengineering"] = [
        {"HotFixID": "KB5099999", "InstalledOn": f"{recent.month}/{recent.day}/{recent.year}"}
    ]
    windows.wmi.classes["win32_computersystem"] = [
        {
            "NumberOfProcessors": 2,
            "NumberOfLogicalProcessors": 8,
            # Firmware keeps a little of the 128 GB.
            "TotalPhysicalMemory": UInt64(128 * _GIGABYTE - 67_112_960),
            "HypervisorPresent": True,
        }
    ]


def set_build(windows: WindowsHost, build: int) -> None:
    """Make it another Windows."""
    _system(windows, build)


def _system(windows: WindowsHost, build: int) -> None:
    registry = windows.registry
    name, version, ubr = _VERSIONS.get(build, (f"Windows Server build {build}", "6.3", 1))
    for value, data in (
        ("CurrentBuild", str(build)),
        ("CurrentVersion", version),
        ("ProductName", name),
    ):
        registry.set(SYSTEM_KEY, value, data)
    registry.set(SYSTEM_KEY, "InstallationType", "Server")
    registry.remove(SYSTEM_KEY, "UBR")
    if ubr is not None:
        registry.set(SYSTEM_KEY, "UBR", ubr)
    schannel = r"SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols"
    registry.set(rf"{schannel}\SSL 2.0\Client", "DisabledByDefault", 1)
    for half in (
        r"SOFTWARE\Microsoft\.NETFramework",
        r"SOFTWARE\WOW6432Node\Microsoft\.NETFramework",
    ):
        registry.set(half, "InstallRoot", r"C:\Windows\Microsoft.NET\Framework64")
        registry.set(rf"{half}\v4.0.30319", "AspNetEnforceViewStateMac", 1)
        if build < 9200:
            registry.set(rf"{half}\v2.0.50727", "AspNetEnforceViewStateMac", 1)


def _exchange(windows: WindowsHost, edition: Edition) -> None:
    major, minor, build, revision = edition.build
    setup = rf"SOFTWARE\Microsoft\{edition.registry}\Setup"
    windows.registry.set(setup, "MsiInstallPath", edition.install_path)
    program = File(edition.build, f"{major:02}.{minor:02}.{build:04}.{revision:03}")
    windows.files.put(rf"{edition.install_path}Bin\ExSetup.exe", program)
    windows.services.install(
        "MSExchangeTransport", rf"{edition.install_path}Bin\MSExchangeTransport.exe"
    )
    if edition.generation >= Generation.E2016 and not edition.edge:
        windows.services.install(
            "MSExchangeMitigation",
            rf'"{edition.install_path}Bin\MSExchangeMitigation.exe" -service',
        )
    if not edition.edge:
        protected = edition.generation >= Generation.E2019
        windows.files.put(APPLICATION_HOST, File(text=application_host(protected)))
    end = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(
        days=700
    )
    windows.certificates["my"] = [
        Certificate("CN=Microsoft Exchange Server Auth Certificate", end, "A1" * 20),
        Certificate("CN=mail.birke.example", end, "B2" * 20, issuer="CN=Authority, O=Birke"),
    ]


def application_host(protected: bool, *, without: t.Collection[str] = ()) -> str:
    """The part of applicationHost.config that is about authentication; `without` are directories
    that are not protected.
    """
    locations = []
    for name in _DIRECTORIES:
        level = "Allow" if name in ("EWS", "Microsoft-Server-ActiveSync", "OAB") else "Require"
        if not protected or name in without or name == "PowerShell":
            level = "None"
        protection = (
            f'<extendedProtection tokenChecking="{level}" />'
            if level != "None" or protected
            else ""
        )
        locations.append(
            f'  <location path="Default Web Site/{name}">\n    '
            "<system.webServer><security><authentication>\n"
            f'      <windowsAuthentication enabled="true">{protection}</windowsAuthentication>\n'
            "    </authentication></security></system.webServer>\n  </location>\n"
        )
    return (
        '<?xml version="1.0" '
        f'encoding="UTF-8"?>\n<configuration>\n{"".join(locations)}</configuration>\n'
    )
