# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found about a Windows server: builds and their support, size, TLS 1.2, updates,
certificates.

What does not apply, such as extended protection on an Edge server, has no finding. All else has
one.
"""

from __future__ import annotations

import datetime
import math
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.plugins.module_utils._windows import (
    _posture_hybrid,
    _posture_updates,
    exchange_level,
    systems,
    tls,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.catalogue import FINDINGS
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.exchange_level import (
    Level,
    text_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.finding import (
    CRITICAL,
    OK,
    UNKNOWN,
    WARNING,
    PostureFinding,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.reading import (
    HYBRID_AGENT,
    MITIGATION,
    SYSTEM_KEY,
    Facts,
)

# Directories of the front end where Microsoft asks for extended protection, and where the Hybrid
# Agent needs it off (learn.microsoft.com, "Configure Windows Extended Protection in Exchange
# Server").
_PROTECTED = ("api", "ecp", "ews", "mapi", "microsoft-server-activesync", "oab", "owa", "rpc")
_WITHOUT_FOR_AGENT = frozenset({"ews"})
_SITE = "default web site"
_GIGABYTE = 1 << 30


@dataclass(frozen=True)
class Site:
    """What the site asks of a server, and what it knows. `today` is by the controller's clock.

    `paid_updates`: it pays for updates after the end of support. `hybrid`: which way Exchange
    Online comes in. `ignored_certificates` are thumbprints, or beginnings of such.
    """

    today: datetime.date
    builds: exchange_level.Table
    windows: t.Mapping[int, systems.System]
    min_processors: int = 4
    min_memory_gb: int = 16
    max_update_age_days: int = 45
    warn_before_days: int = 60
    paid_updates: bool = False
    hybrid: str = "none"
    ignored_certificates: t.Sequence[str] = ()


def findings(facts: Facts, site: Site) -> list[PostureFinding]:
    """Everything that is found, by subject."""
    subjects: tuple[t.Callable[[Facts, Site], t.Iterable[PostureFinding]], ...] = (
        _exchange,
        _windows,
        _size,
        lambda facts, _site: _tls(facts),
        lambda facts, site: _posture_updates.findings(facts, site.today, site.max_update_age_days),
        lambda facts, site: _posture_hybrid.findings(facts, site.today, site.hybrid),
        lambda facts, _site: _mitigation(facts),
        _protection,
        _certificates,
    )
    return [finding for subject in subjects for finding in subject(facts, site)]


# ---------------------------------------------------------------- Exchange and Windows


def _exchange(facts: Facts, site: Site) -> t.Iterator[PostureFinding]:
    make = FINDINGS.make
    if not facts.exchange_installed:
        yield make("exchange_absent", OK, f"{facts.name} has no Exchange Server.")
        return
    if facts.exchange_build is None:
        yield make(
            "exchange_build_unknown",
            UNKNOWN,
            "The build of Exchange could not be read from ExSetup.exe, "
            "so that nothing is known of its updates.",
            "Look at the version of ExSetup.exe in the folder Bin of Exchange.",
        )
        return
    table, build = site.builds, facts.exchange_build
    text, release, as_of = text_of(build), table.release(build), table.as_of.isoformat()
    yield from _level(text, table, build, release, site)
    product = table.product(build)
    if product:
        yield from _support(
            f"Exchange {product}", site, *exchange_level.SUPPORT_ENDS.get(product, (None, None))
        )
    else:
        yield make(
            "exchange_support",
            UNKNOWN,
            f"The table of {as_of} does not say which Exchange the build {text} is, "
            "so that its support is not known.",
        )


def _level(
    text: str,
    table: exchange_level.Table,
    build: exchange_level.Build,
    release: exchange_level.Release | None,
    site: Site,
) -> t.Iterator[PostureFinding]:
    make, as_of = FINDINGS.make, table.as_of.isoformat()
    level, newest = table.level(build), table.newest(table.product(build))
    refresh = (
        "Name newer builds in exchange_builds, with exchange_builds_as_of, "
        "or update the collection."
    )
    words = release.words if release else f"Exchange with the build {text}"
    if level is Level.NEWEST and table.is_complete(site.today):
        yield make("exchange_build", OK, f"{words} is the newest of its kind, as of {as_of}.")
    elif level is Level.NEWEST:
        age = (site.today - table.as_of).days
        yield make(
            "exchange_table_old",
            UNKNOWN,
            f"{words} was the newest of its kind on {as_of}, {age} days ago. "
            "There may be a newer one by now.",
            f"{refresh} Look at the page whether there is a newer build.",
        )
    elif level is Level.OLDER_BRANCH and newest:
        yield make(
            "exchange_build",
            WARNING,
            f"{words} has the newest security update of its cumulative update, as of {as_of}, "
            f"and {newest.words} is there.",
            f"Install the cumulative update of {newest.words}.",
        )
    elif level is Level.BEHIND and newest:
        late = (site.today - newest.day).days
        yield make(
            "exchange_build",
            CRITICAL,
            f"{words} is not the newest: {newest.words} has been there for {late} days.",
            f"Install {newest.words}{', ' + newest.article if newest.article else ''}, "
            "or what is newer by now.",
        )
    elif level is Level.NEWER:
        yield make(
            "exchange_build_newer",
            UNKNOWN,
            f"The build {text} of Exchange is newer than all that the table of {as_of} has. "
            "It may not be the newest.",
            refresh,
        )
    else:
        yield make(
            "exchange_build_unknown",
            UNKNOWN,
            f"The table of {as_of} does not have the build {text} of Exchange, "
            "so that nobody knows which updates it has.",
            f"{refresh} It may be a fix that Microsoft gave to single customers.",
        )


def _windows(facts: Facts, site: Site) -> t.Iterator[PostureFinding]:
    make, build = FINDINGS.make, facts.windows_build
    key = facts.keys.get(SYSTEM_KEY)
    kind = key.text("InstallationType") if key else ""
    known = site.windows.get(build or 0)
    # Windows 10 and 11 have builds of servers too.
    if build is None or known is None or kind.casefold() == "client":
        name = f"the build {build}" if build else "a version that could not be read"
        yield make(
            "windows_version_unknown",
            UNKNOWN,
            f"{facts.name} has a Windows of {name}, which this collection does not "
            f"know{' as a server' if known else ''}.",
            "Name it in windows_versions.",
        )
        return
    yield from _support(known.name, site, known.end, known.paid_end, finding="windows_support")


def _support(
    name: str,
    site: Site,
    end: datetime.date | None,
    paid_end: datetime.date | None,
    *,
    finding: str = "exchange_support",
) -> t.Iterator[PostureFinding]:
    make, today = FINDINGS.make, site.today
    move = f"Plan the move from {name} to a version that is supported."
    last = paid_end if site.paid_updates and paid_end else end
    if last is None:
        yield make(finding, OK, f"{name} is supported, and no end is known.")
    elif today > last:
        paid = f" Paid updates ended on {paid_end}." if paid_end and today > paid_end else ""
        still = ""
        if paid_end and today <= paid_end and not site.paid_updates:
            still = f" Who pays for it gets updates until {paid_end}: then set paid_updates."
        yield make(
            finding,
            CRITICAL,
            f"{name} has been without support since {end}, and gets no security "
            f"updates.{paid}{still}",
            move,
        )
    elif last == paid_end and end and today > end:
        yield make(
            finding,
            WARNING,
            f"{name} has been without support since {end}, and gets paid security updates until "
            f"{paid_end}.",
            move,
        )
    elif (last - today).days <= site.warn_before_days:
        yield make(
            finding,
            WARNING,
            f"The support of {name} ends on {last}, in {(last - today).days} days.",
            move,
        )
    else:
        yield make(finding, OK, f"{name} is supported until {last}.")


def _size(facts: Facts, site: Site) -> t.Iterator[PostureFinding]:
    computer = facts.computer or {}
    memory = _number(computer.get("TotalPhysicalMemory"))
    # What is told is a little less than what is built in.
    gigabytes = None if memory is None else math.ceil(memory / _GIGABYTE)
    for finding, noun, count, least in (
        (
            "processors",
            "logical processors",
            _number(computer.get("NumberOfLogicalProcessors")),
            site.min_processors,
        ),
        ("memory", "GB of memory", gigabytes, site.min_memory_gb),
    ):
        if count is None:
            yield FINDINGS.make(
                finding,
                UNKNOWN,
                f"How many {noun} {facts.name} has could not be read.",
                "Look whether WMI works there.",
            )
        elif count < least:
            yield FINDINGS.make(
                finding,
                WARNING,
                f"{facts.name} has {count} {noun}, and the site asks for {least}.",
                "Give it more, or name what is enough in min_processors and min_memory_gb.",
            )
        else:
            yield FINDINGS.make(
                finding, OK, f"{facts.name} has {count} {noun}; {least} are asked for."
            )


def _number(value: t.Any) -> int | None:
    text = str(value).strip()
    return int(text) if text.isdecimal() and int(text) > 0 else None


# ---------------------------------------------------------------- TLS 1.2


def _tls(facts: Facts) -> t.Iterator[PostureFinding]:
    default = systems.default_of(facts.windows_build)
    remedy = "Set it with windows_tls, and restart the server."
    for side, key in tls.SIDES.items():
        protocol, why = tls.protocol(facts.keys.get(key), default)
        sentence = f"TLS 1.2 of Windows, {side} connections: {protocol.value}, because {why}."
        finding = f"tls_12_{side}"
        if protocol is tls.Protocol.ON:
            yield FINDINGS.make(finding, OK, sentence)
        elif protocol is tls.Protocol.UNKNOWN:
            yield FINDINGS.make(finding, UNKNOWN, sentence, remedy)
        elif protocol is tls.Protocol.UNSUPPORTED:
            yield FINDINGS.make(finding, CRITICAL, sentence, "Move to a newer Windows.")
        else:
            yield FINDINGS.make(finding, CRITICAL, sentence, remedy)
    yield from _dotnet(facts, remedy)


def _dotnet(facts: Facts, remedy: str) -> t.Iterator[PostureFinding]:
    unread: list[str] = []
    wrong: dict[tuple[str, str], list[str]] = {}
    for framework, settings in tls.DOTNET_SETTINGS.items():
        for setting in settings:
            key, said = facts.keys.get(setting.key), tls.dotnet(facts.keys, setting)
            if said is tls.DotNet.UNKNOWN:
                unread.append(setting.path)
            elif said is not tls.DotNet.SET and not (framework == "3.5" and key and not key.exists):
                # Without its key, this version of .NET is not installed.
                bits = "32" if "WOW6432Node" in setting.key else "64"
                wrong.setdefault((setting.name, said.value), []).append(
                    f".NET {framework} ({bits} bits)"
                )
    if unread:
        yield FINDINGS.make(
            "tls_12_dotnet",
            UNKNOWN,
            f"Of .NET could not be understood: {', '.join(unread)}.",
            remedy,
        )
    if wrong:
        told = "; ".join(
            f"{name} is {said} for {', '.join(where)}" for (name, said), where in wrong.items()
        )
        yield FINDINGS.make(
            "tls_12_dotnet",
            WARNING,
            f".NET may not use TLS 1.2, or not with strong cryptography: {told}.",
            remedy,
        )
    if not unread and not wrong:
        yield FINDINGS.make(
            "tls_12_dotnet", OK, ".NET follows Windows and uses strong cryptography."
        )


# ---------------------------------------------------------------- what Exchange brings


def _mitigation(facts: Facts) -> t.Iterator[PostureFinding]:
    build = facts.exchange_build
    if not facts.exchange_installed or facts.edge or (build and build[:2] < (15, 1)):
        return
    if MITIGATION not in facts.services:
        yield FINDINGS.make(
            "mitigation_service", UNKNOWN, "Whether the mitigation service runs could not be read."
        )
        return
    service = facts.services[MITIGATION]
    if service is None:
        yield FINDINGS.make(
            "mitigation_service",
            WARNING,
            "The mitigation service is not installed: it came with the cumulative updates of "
            "September 2021.",
            "Install a newer cumulative update.",
        )
    elif service.runs:
        yield FINDINGS.make(
            "mitigation_service",
            OK,
            "The mitigation service runs. Whether the organization lets it apply mitigations was "
            "not looked at.",
        )
    else:
        yield FINDINGS.make(
            "mitigation_service",
            WARNING,
            "The mitigation service is "
            f"{service.status.lower()}{', and disabled' if service.start == 4 else ''}.",
            "Start it, or accept this finding if the site does without it.",
        )


def _protection(facts: Facts, site: Site) -> t.Iterator[PostureFinding]:
    build = facts.exchange_build
    if not facts.exchange_installed or facts.edge or (build and build[0] < 15):
        return
    held = facts.protection
    agent = site.hybrid == "agent" or facts.services.get(HYBRID_AGENT) is not None
    names = [name for name in _PROTECTED if f"{_SITE}/{name}" in (held or {})]
    if held is None or not names:
        yield FINDINGS.make(
            "extended_protection",
            UNKNOWN,
            "Extended protection could not be read from applicationHost.config.",
            "Look at it with Microsoft's script ExchangeExtendedProtectionManagement.ps1.",
        )
        return
    asked = [name for name in names if not (agent and name in _WITHOUT_FOR_AGENT)]
    off = [name for name in asked if held[f"{_SITE}/{name}"] not in ("allow", "require")]
    if off:
        yield FINDINGS.make(
            "extended_protection",
            WARNING,
            f"Extended protection is off for {', '.join(off)}.",
            "Turn it on with Microsoft's script ExchangeExtendedProtectionManagement.ps1, "
            "which looks first at what it needs.",
        )
    else:
        yield FINDINGS.make(
            "extended_protection", OK, f"Extended protection is on for {', '.join(asked)}."
        )


def _certificates(facts: Facts, site: Site) -> t.Iterator[PostureFinding]:
    make = FINDINGS.make
    if facts.certificates is None:
        yield make("certificate", UNKNOWN, "The certificates of the server could not be read.")
        return
    if not facts.certificates:
        severity = WARNING if facts.exchange_installed else OK
        yield make("certificate", severity, "The server has no certificate with a private key.")
        return
    ignored = tuple(thumbprint.replace(" ", "").upper() for thumbprint in site.ignored_certificates)
    judged = [
        certificate
        for certificate in facts.certificates
        if not (ignored and certificate.thumbprint.upper().startswith(ignored))
    ]
    if not judged:
        yield make(
            "certificate",
            UNKNOWN,
            "Every certificate of the server is named in ignored_certificates.",
        )
        return
    fine = []
    for certificate in sorted(judged, key=lambda certificate: certificate.end):
        days = (certificate.end.date() - site.today).days
        which = f"The certificate {certificate.subject} ({certificate.thumbprint[:8]})"
        # Which of them SMTP uses is known to Exchange alone.
        remedy = (
            "Renew it, or remove it if nothing uses it: Get-ExchangeCertificate tells what does. "
            "One that stays is named in ignored_certificates."
        )
        if days < 0:
            yield make(
                "certificate", CRITICAL, f"{which} ended on {certificate.end.date()}.", remedy
            )
        elif days <= site.warn_before_days:
            yield make(
                "certificate",
                WARNING,
                f"{which} ends on {certificate.end.date()}, in {days} days.",
                remedy,
            )
        else:
            fine.append(certificate)
    if len(fine) == len(judged):
        yield make("certificate", OK, f"No certificate ends before {fine[0].end.date()}.")
