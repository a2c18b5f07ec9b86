# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found about a server: each subject has a finding, and what is not known is never good."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._windows import (
    finding,
    posture,
    reading,
    tls,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.catalogue import FINDINGS
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.exchange_level import (
    overridden,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.posture import Site
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.reading import (
    AUTOMATIC_KEY,
    RESTART_KEYS,
    SYSTEM_KEY,
    UPDATE_KEY,
    Certificate,
    Facts,
    Service,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.registry import (
    DWORD,
    Key,
    Value,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.systems import SYSTEMS

TODAY = datetime.date(2026, 11, 29)
SITE = Site(TODAY, overridden([], "2026-11-20"), SYSTEMS)
GB = 1 << 30


def key(**values: t.Any) -> Key:
    held = {
        name.casefold(): Value(DWORD if isinstance(data, int) else "String", data)
        for name, data in values.items()
    }
    return Key(True, held)


def windows(build: str, kind: str = "Server") -> Key:
    return key(CurrentBuild=build, InstallationType=kind)


STRONG = {
    setting.key: key(**dict.fromkeys(tls.DOTNET_VALUES, 1))
    for setting in tls.SETTINGS.values()
    if "NET" in setting.key
}
KEYS: dict[str, Key | None] = {
    **dict.fromkeys(tls.SIDES.values(), Key(False)),
    **STRONG,
    SYSTEM_KEY: windows("20348"),
    UPDATE_KEY: key(WUServer="http://wsus.example.test:8530"),
    AUTOMATIC_KEY: key(UseWUServer=1),
    **dict.fromkeys(RESTART_KEYS, Key(False)),
}
SERVICES: dict[str, Service | None] = {
    **dict.fromkeys(
        ("mshybridsvc", "WAPCSvc", "WAPCUpdaterSvc", "ADSync", *reading.ARC, "CcmExec")
    ),
    "MSExchangeMitigation": Service("Running", 2),
}
FINE = Facts(
    "EX1",
    exchange_installed=True,
    edge=False,
    exchange_build=(15, 2, 2562, 46),
    keys=KEYS,
    services=SERVICES,
    computer={"NumberOfLogicalProcessors": 4, "TotalPhysicalMemory": str(16 * GB - 50_000_000)},
    fixes=[{"InstalledOn": "11/15/2026"}],
    history={"total": 0, "entries": []},
    protection={f"default web site/{name}": "require" for name in ("api", "ecp", "ews", "owa")},
    certificates=(
        Certificate(
            "CN=mail",
            "AB" * 20,
            datetime.datetime(2027, 11, 1, tzinfo=datetime.timezone.utc),
            False,
        ),
    ),
)


def judged(facts: Facts, **site: t.Any) -> dict[str, tuple[str, str]]:
    """Id → severity and sentence, the worst of each id."""
    findings = posture.findings(facts, dataclasses.replace(SITE, **site))
    return {
        subject.id: (subject.severity, subject.sentence)
        for subject in reversed(finding.ordered(findings))
    }


def finding_of(facts: Facts, name: str, **site: t.Any) -> tuple[str, str]:
    return judged(facts, **site)[name]


def but(**changes: t.Any) -> Facts:
    return dataclasses.replace(FINE, **changes)


def with_keys(**changes: Key | None) -> Facts:
    names = {"system": SYSTEM_KEY, "update": UPDATE_KEY, "automatic": AUTOMATIC_KEY, **tls.SIDES}
    return but(keys={**KEYS, **{names[name]: changed for name, changed in changes.items()}})


def with_services(**changes: Service | None) -> Facts:
    return but(services={**SERVICES, **changes})


def test_a_server_that_is_well_kept_is_in_order() -> None:
    findings = posture.findings(FINE, SITE)
    assert {subject.severity for subject in findings} == {finding.OK}
    assert finding.state(findings) == "in order"
    assert all(subject.link.startswith("https://") and not subject.remedy for subject in findings)


def test_what_could_not_be_read_is_unknown_in_every_subject() -> None:
    nothing = Facts("EX1", exchange_installed=True, edge=False)
    findings = judged(nothing)
    assert {
        name: severity
        for name, (severity, _sentence) in findings.items()
        if severity != finding.UNKNOWN
    } == {}
    assert len(findings) > 12
    assert finding.state(posture.findings(nothing, SITE)) == "unknown"


# What of a good server is taken away → the finding that is then unknown.
UNREAD: tuple[tuple[str, Facts], ...] = (
    ("exchange_build_unknown", but(exchange_build=None)),
    ("windows_version_unknown", with_keys(system=None)),
    ("processors", but(computer=None)),
    ("memory", but(computer={"NumberOfLogicalProcessors": 4})),
    ("tls_12_incoming", with_keys(incoming=None)),
    ("tls_12_outgoing", with_keys(outgoing=None)),
    ("tls_12_dotnet", but(keys={name: key for name, key in KEYS.items() if "NET" not in name})),
    ("last_update", but(fixes=None, history=None)),
    ("update_service", with_keys(update=None, automatic=None)),
    ("restart_pending", but(keys={**KEYS, RESTART_KEYS[1]: None})),
    (
        "hybrid_agent",
        but(
            services={name: service for name, service in SERVICES.items() if name != "mshybridsvc"}
        ),
    ),
    (
        "app_proxy_connector",
        but(services={name: service for name, service in SERVICES.items() if name != "WAPCSvc"}),
    ),
    (
        "entra_connect",
        but(services={name: service for name, service in SERVICES.items() if name != "ADSync"}),
    ),
    (
        "mitigation_service",
        but(services={name: service for name, service in SERVICES.items() if "Miti" not in name}),
    ),
    ("extended_protection", but(protection=None)),
    ("extended_protection", but(protection={"other site/owa": "require"})),
    ("certificate", but(certificates=None)),
)


@pytest.mark.parametrize(("name", "facts"), UNREAD, ids=[name for name, _facts in UNREAD])
def test_each_subject_alone_makes_the_server_unknown(name: str, facts: Facts) -> None:
    assert finding_of(facts, name)[0] == finding.UNKNOWN
    assert finding.state(posture.findings(facts, SITE)) == "unknown"


def test_the_newest_of_an_old_table_is_not_called_the_newest() -> None:
    old = overridden([], "")
    severity, sentence = finding_of(FINE, "exchange_table_old", builds=old)
    assert severity == finding.UNKNOWN
    assert "2026-08-19" in sentence
    assert "exchange_build" not in judged(FINE, builds=old)


@pytest.mark.parametrize(
    ("build", "name", "severity"),
    [
        ((15, 2, 2562, 45), "exchange_build", finding.CRITICAL),
        ((15, 2, 1544, 44), "exchange_build", finding.WARNING),
        ((15, 2, 2562, 47), "exchange_build_newer", finding.UNKNOWN),
        ((15, 2, 2562, 44), "exchange_build_unknown", finding.UNKNOWN),
    ],
)
def test_builds_of_exchange(build: t.Any, name: str, severity: str) -> None:
    assert finding_of(but(exchange_build=build), name)[0] == severity


def test_an_exchange_without_support_is_critical_whatever_its_build() -> None:
    severity, sentence = finding_of(but(exchange_build=(15, 1, 2507, 72)), "exchange_support")
    assert severity == finding.CRITICAL
    assert "2025-10-14" in sentence
    assert "2026-10-31" in sentence


def test_who_pays_is_warned_until_that_ends_too() -> None:
    paid: dict[str, t.Any] = {"today": datetime.date(2026, 10, 1), "paid_updates": True}
    old = but(exchange_build=(15, 1, 2507, 72))
    assert finding_of(old, "exchange_support", **paid)[0] == finding.WARNING
    assert finding_of(old, "exchange_support", paid_updates=True)[0] == finding.CRITICAL
    severity, sentence = finding_of(old, "exchange_support", today=datetime.date(2026, 10, 1))
    assert (severity, "paid_updates" in sentence) == (finding.CRITICAL, True)


@pytest.mark.parametrize(
    ("system", "name", "severity"),
    [
        (windows("14393"), "windows_support", finding.WARNING),
        (windows("17763"), "windows_support", finding.OK),
        (windows("9600"), "windows_support", finding.CRITICAL),
        (windows("29999"), "windows_version_unknown", finding.UNKNOWN),
        # Windows 10 1809 has the build of Windows Server 2019.
        (windows("17763", "Client"), "windows_version_unknown", finding.UNKNOWN),
        (key(InstallationType="Server"), "windows_version_unknown", finding.UNKNOWN),
    ],
)
def test_versions_of_windows(system: Key, name: str, severity: str) -> None:
    assert finding_of(with_keys(system=system), name)[0] == severity


def test_memory_is_a_little_less_than_is_built_in() -> None:
    assert finding_of(FINE, "memory")[0] == finding.OK
    computer = {"NumberOfLogicalProcessors": 2, "TotalPhysicalMemory": str(12 * GB)}
    assert finding_of(but(computer=computer), "memory")[0] == finding.WARNING
    assert finding_of(but(computer=computer), "processors")[0] == finding.WARNING
    assert finding_of(but(computer=computer), "memory", min_memory_gb=12)[0] == finding.OK


@pytest.mark.parametrize("side", tls.SIDES)
def test_tls_12_that_is_off_is_critical(side: str) -> None:
    assert finding_of(with_keys(**{side: key(Enabled=0)}), f"tls_12_{side}")[0] == finding.CRITICAL
    assert finding_of(with_keys(system=windows("7601")), f"tls_12_{side}")[0] == finding.CRITICAL
    on = key(Enabled=1, DisabledByDefault=0)
    assert (
        finding_of(with_keys(system=windows("7601"), **{side: on}), f"tls_12_{side}")[0]
        == finding.OK
    )


def test_of_net_missing_and_0_are_told_apart() -> None:
    four = tls.dotnet_keys("4")
    sentence = finding_of(but(keys={**KEYS, four[0]: key(SchUseStrongCrypto=0)}), "tls_12_dotnet")[
        1
    ]
    assert "SystemDefaultTlsVersions is missing for .NET 4 (64 bits)" in sentence
    assert "SchUseStrongCrypto is not 1 for .NET 4 (64 bits)" in sentence


def test_a_net_that_is_not_there_is_none_that_is_weak() -> None:
    keys = {**KEYS, **dict.fromkeys(tls.dotnet_keys("3.5"), Key(False))}
    assert finding_of(but(keys=keys), "tls_12_dotnet")[0] == finding.OK
    keys = {**KEYS, **dict.fromkeys(tls.dotnet_keys("4"), Key(False))}
    assert finding_of(but(keys=keys), "tls_12_dotnet")[0] == finding.WARNING


def test_updates_are_old_or_perhaps_old() -> None:
    assert finding_of(but(fixes=[{"InstalledOn": "7/1/2026"}]), "last_update")[0] == finding.WARNING
    assert (
        finding_of(but(fixes=[{"InstalledOn": "7/1/2026"}, {"InstalledOn": ""}]), "last_update")[0]
        == finding.UNKNOWN
    )
    assert (
        finding_of(but(fixes=[{"InstalledOn": "11/1/2026"}, {"InstalledOn": ""}]), "last_update")[0]
        == finding.OK
    )
    assert (
        finding_of(
            but(fixes=[{"InstalledOn": "7/1/2026"}]), "last_update", max_update_age_days=200
        )[0]
        == finding.OK
    )


@pytest.mark.parametrize(
    ("facts", "name", "severity"),
    [
        # An address that is not used is none.
        (with_keys(automatic=Key(True)), "update_service", finding.WARNING),
        (with_keys(automatic=key(UseWUServer=0)), "update_service", finding.WARNING),
        (
            with_keys(update=Key(False), automatic=key(UseWUServer=1)),
            "update_service",
            finding.WARNING,
        ),
        (with_keys(update=Key(False), automatic=key(AUOptions=4)), "update_service", finding.OK),
        (
            with_keys(update=Key(False), automatic=key(AUOptions=4, NoAutoUpdate=1)),
            "update_service",
            finding.WARNING,
        ),
        (
            with_keys(update=Key(False), automatic=key(AUOptions=3)),
            "update_service",
            finding.WARNING,
        ),
    ],
)
def test_who_looks_after_updates(facts: Facts, name: str, severity: str) -> None:
    assert finding_of(facts, name)[0] == severity


@pytest.mark.parametrize("path", RESTART_KEYS)
def test_what_waits_for_a_restart_is_told_also_where_the_other_key_is_unread(path: str) -> None:
    keys = {**KEYS, **dict.fromkeys(RESTART_KEYS), path: Key(True)}
    assert finding_of(but(keys=keys), "restart_pending")[0] == finding.WARNING


@pytest.mark.parametrize("service", ["himds", "GCArcService", "ExtensionService", "CcmExec"])
def test_an_agent_is_no_schedule(service: str) -> None:
    facts = dataclasses.replace(
        with_keys(update=Key(False), automatic=Key(False)),
        services={**SERVICES, service: Service("Running", 2)},
    )
    assert finding_of(facts, "update_schedule")[0] == finding.UNKNOWN
    stopped = dataclasses.replace(facts, services={**SERVICES, service: Service("Stopped", 4)})
    assert finding_of(stopped, "update_service")[0] == finding.WARNING


@pytest.mark.parametrize(
    ("service", "hybrid", "severity"),
    [
        (None, "none", finding.OK),
        (None, "classic", finding.OK),
        (None, "agent", finding.CRITICAL),
        (Service("Running", 2), "none", finding.OK),
        (Service("Running", 2), "agent", finding.OK),
        (Service("Stopped", 2), "none", finding.WARNING),
        (Service("Stopped", 2), "agent", finding.CRITICAL),
    ],
)
def test_the_hybrid_agent_is_asked_for_where_the_site_needs_it(
    service: Service | None, hybrid: str, severity: str
) -> None:
    assert (
        finding_of(with_services(mshybridsvc=service), "hybrid_agent", hybrid=hybrid)[0] == severity
    )
    assert (
        finding_of(with_services(WAPCSvc=None), "app_proxy_connector", hybrid="app_proxy")[0]
        == finding.CRITICAL
    )


def test_a_connector_whose_updater_stands_still_grows_old() -> None:
    running = Service("Running", 2)
    assert (
        finding_of(with_services(WAPCSvc=running, WAPCUpdaterSvc=running), "app_proxy_connector")[0]
        == finding.OK
    )
    stopped = with_services(WAPCSvc=running, WAPCUpdaterSvc=Service("Stopped", 4))
    assert finding_of(stopped, "app_proxy_connector")[0] == finding.WARNING


@pytest.mark.parametrize(
    ("version", "status", "name", "severity"),
    [
        ("2.5.79.0", "Running", "entra_connect_retirement", finding.UNKNOWN),
        ("2.5.190.0", "Stopped", "entra_connect", finding.WARNING),
        ("2.5.76.0", "Running", "entra_connect", finding.CRITICAL),
        ("1.6.16.0", "Running", "entra_connect", finding.CRITICAL),
        ("", "Running", "entra_connect", finding.UNKNOWN),
    ],
)
def test_entra_connect_by_its_version(version: str, status: str, name: str, severity: str) -> None:
    facts = dataclasses.replace(
        with_services(ADSync=Service(status, 2)), versions={"ADSync": version} if version else {}
    )
    assert finding_of(facts, name)[0] == severity
    assert finding_of(but(services=SERVICES), "entra_connect")[0] == finding.OK


def test_the_mitigation_service_is_asked_for_where_exchange_has_one() -> None:
    assert (
        finding_of(with_services(MSExchangeMitigation=None), "mitigation_service")[0]
        == finding.WARNING
    )
    assert (
        finding_of(with_services(MSExchangeMitigation=Service("Stopped", 4)), "mitigation_service")[
            0
        ]
        == finding.WARNING
    )
    assert "mitigation_service" not in judged(but(exchange_build=(15, 0, 1497, 48)))
    assert "mitigation_service" not in judged(but(edge=True))


def test_extended_protection_that_is_off_is_told_by_name() -> None:
    held = dict(FINE.protection or {})
    severity, sentence = finding_of(
        but(protection={**held, "default web site/owa": "none"}), "extended_protection"
    )
    assert severity == finding.WARNING
    assert "owa" in sentence
    # Not in the file at all, which is its default: none.
    assert (
        finding_of(but(protection={**held, "default web site/ecp": ""}), "extended_protection")[0]
        == finding.WARNING
    )
    assert "extended_protection" not in judged(but(edge=True))
    assert "extended_protection" not in judged(but(exchange_build=(14, 3, 513, 0)))


def test_the_hybrid_agent_needs_ews_without_it() -> None:
    held = {**(FINE.protection or {}), "default web site/ews": "none"}
    assert finding_of(but(protection=held), "extended_protection")[0] == finding.WARNING
    assert finding_of(but(protection=held), "extended_protection", hybrid="agent")[0] == finding.OK


def certificate(day: datetime.date, thumbprint: str = "CD" * 20) -> Certificate:
    end = datetime.datetime(day.year, day.month, day.day, 12, tzinfo=datetime.timezone.utc)
    return Certificate("CN=other", thumbprint, end, True)


@pytest.mark.parametrize(
    ("days", "severity"),
    [(-1, finding.CRITICAL), (0, finding.WARNING), (60, finding.WARNING), (61, finding.OK)],
)
def test_the_end_of_a_certificate(days: int, severity: str) -> None:
    ends = certificate(TODAY + datetime.timedelta(days=days))
    assert (
        finding_of(but(certificates=(*(FINE.certificates or ()), ends)), "certificate")[0]
        == severity
    )


def test_a_certificate_that_is_ignored_hides_no_other() -> None:
    old, other = (
        certificate(datetime.date(2020, 1, 1)),
        certificate(datetime.date(2021, 1, 1), "EF" * 20),
    )
    ignored = {"ignored_certificates": ["cd cd cd cd"]}
    assert (
        finding_of(but(certificates=(*(FINE.certificates or ()), old)), "certificate", **ignored)[0]
        == finding.OK
    )
    assert (
        finding_of(but(certificates=(old, other)), "certificate", **ignored)[0] == finding.CRITICAL
    )
    assert finding_of(but(certificates=(old,)), "certificate", **ignored)[0] == finding.UNKNOWN
    assert finding_of(but(certificates=()), "certificate")[0] == finding.WARNING


def test_a_server_without_exchange_is_judged_as_a_windows() -> None:
    findings = judged(but(exchange_installed=False, exchange_build=None))
    assert findings["exchange_absent"][0] == finding.OK
    assert "mitigation_service" not in findings
    assert "windows_support" in findings


def test_every_finding_of_the_catalogue_can_come_about() -> None:
    """Every id that is documented is one that some test has seen."""
    several = [
        *(facts for _name, facts in UNREAD),
        FINE,
        but(exchange_installed=False),
        but(exchange_build=(15, 2, 2562, 47)),
        with_services(ADSync=Service("Running", 2)),
        dataclasses.replace(
            with_keys(update=Key(False), automatic=Key(False)),
            services={**SERVICES, "himds": Service("Running", 2)},
        ),
        dataclasses.replace(
            with_services(ADSync=Service("Running", 2)), versions={"ADSync": "2.5.79.0"}
        ),
    ]
    seen = {name for facts in several for name in judged(facts)} | set(
        judged(FINE, builds=overridden([], ""))
    )
    assert seen == set(FINDINGS)
