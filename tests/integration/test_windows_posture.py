# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""windows_posture_info on the lab's Windows, well kept and badly, by the stand-in and by the real
engine.
"""

from __future__ import annotations

import datetime
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.action.windows_posture_info import ActionModule
from ansible_collections.mailedge.lockdown.tests.integration.on_windows import Wire, do
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import EDITIONS
from ansible_collections.mailedge.lockdown.tests.lab.windows.certificates import Certificate
from ansible_collections.mailedge.lockdown.tests.lab.windows.defaults import (
    APPLICATION_HOST,
    SYSTEM_KEY,
    application_host,
    set_build,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.files import File
from ansible_collections.mailedge.lockdown.tests.lab.windows.host import WindowsHost
from ansible_collections.mailedge.lockdown.tests.lab.windows.updates import (
    DEFINITIONS,
    FAILED,
    Update,
)
from ansible_collections.mailedge.lockdown.tests.support.engine import needs_engine
from ansible_collections.mailedge.lockdown.tests.support.lab_answers import WAYS

NOW = datetime.datetime.now(datetime.timezone.utc)
POLICY = r"SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate"
WAY = pytest.mark.parametrize("engine", WAYS)
# The table as an administrator would bring it up to date today.
UP_TO_DATE: dict[str, t.Any] = {"exchange_builds_as_of": NOW.date().isoformat()}


def posture_of(wire: Wire, **arguments: t.Any) -> dict[str, tuple[str, str]]:
    """Id → severity and sentence, the worst of each id."""
    result = do(ActionModule, wire, {**UP_TO_DATE, **arguments})
    assert not result.get("failed"), result["msg"]
    assert result["changed"] is False
    return {
        finding["id"]: (finding["severity"], finding["sentence"])
        for finding in reversed(result["findings"])
    }


def wire_to(edition: str, engine: bool, folder: pathlib.Path) -> Wire:
    return Wire(defaults.site(edition, folder=folder), engine=engine)


def ago(days: int) -> datetime.datetime:
    return (NOW - datetime.timedelta(days=days)).replace(tzinfo=None)


@WAY
def test_one_start_reads_everything_and_writes_nothing(
    engine: bool, tmp_path: pathlib.Path
) -> None:
    wire = wire_to("se", engine, tmp_path)
    before = wire.host.windows.registry.shown()
    result = do(ActionModule, wire, UP_TO_DATE)
    assert result["cost"] == {"powershell_starts": 1, "exchange_shells": 0}
    assert wire.starts == 1
    assert wire.host.windows.registry.shown() == before
    assert {
        name: wire.host.counters[name] for name in ("reads", "writes", "exchange_shells")
    } == dict.fromkeys(("reads", "writes", "exchange_shells"), 0)
    assert result["server"] == {
        "name": "EX1",
        "exchange_build": "15.2.2562.17",
        "windows_build": 20348,
        "update_revision": 5020,
    }
    assert result["state"] == "drift"
    assert result["findings"][0]["severity"] == "critical"
    assert all(
        finding["link"].startswith("https://learn.microsoft.com/") for finding in result["findings"]
    )


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_edition_can_be_read(edition: str, tmp_path: pathlib.Path) -> None:
    told = posture_of(wire_to(edition, False, tmp_path))
    unknown = {name for name, (severity, _sentence) in told.items() if severity == "unknown"}
    # The lab's first Exchange 2007 is one that Microsoft's table has with another last number.
    assert unknown <= ({"exchange_build_unknown"} if edition == "2007-rtm" else set())
    assert ("extended_protection" in told) == (
        not edition.startswith(("edge", "2007", "2010", "sbs"))
    )


def kept_well(windows: WindowsHost) -> None:
    """What an administrator does about every finding of a new server."""
    windows.files.put(
        rf"{EDITIONS['se'].install_path}Bin\ExSetup.exe", File((15, 2, 2562, 46), "15.02.2562.046")
    )
    windows.registry.set(POLICY, "WUServer", "http://wsus.example.test:8530")
    windows.registry.set(rf"{POLICY}\AU", "UseWUServer", 1)
    for half in (r"SOFTWARE\Microsoft", r"SOFTWARE\WOW6432Node\Microsoft"):
        for name in ("SystemDefaultTlsVersions", "SchUseStrongCrypto"):
            windows.registry.set(rf"{half}\.NETFramework\v4.0.30319", name, 1)


@WAY
def test_a_server_that_is_well_kept_is_in_order(engine: bool, tmp_path: pathlib.Path) -> None:
    wire = wire_to("se", engine, tmp_path)
    kept_well(wire.host.windows)
    result = do(ActionModule, wire, UP_TO_DATE)
    assert [
        finding["sentence"] for finding in result["findings"] if finding["severity"] != "ok"
    ] == []
    assert result["state"] == "in order"
    # By a table that is old, the same server is not known to be.
    result = do(ActionModule, wire)
    assert result["state"] == "unknown"
    assert (
        do(ActionModule, wire, {"accept_findings": ["exchange_table_old"]})["state"] == "in order"
    )


def break_everything(windows: WindowsHost) -> None:
    windows.wmi.broken = True
    windows.history.denied = True
    windows.certificates.clear()
    windows.files.put(APPLICATION_HOST, File(text="<configuration><location"))
    windows.services.unreadable.update(
        ("mshybridsvc", "wapcsvc", "adsync", "msexchangemitigation", "himds")
    )
    schannel = r"SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2"
    for path in (rf"{schannel}\Server", rf"{schannel}\Client", SYSTEM_KEY, POLICY, rf"{POLICY}\AU"):
        windows.registry.denied.add(path.casefold())
    windows.registry.denied.add(r"software\microsoft\.netframework\v4.0.30319")


@WAY
def test_what_cannot_be_read_is_unknown_and_hides_nothing(
    engine: bool, tmp_path: pathlib.Path
) -> None:
    wire = wire_to("se", engine, tmp_path)
    kept_well(wire.host.windows)
    break_everything(wire.host.windows)
    told = posture_of(wire)
    unknown = {name for name, (severity, _sentence) in told.items() if severity == "unknown"}
    assert unknown == {
        "windows_version_unknown",
        "processors",
        "memory",
        "tls_12_incoming",
        "tls_12_outgoing",
        "tls_12_dotnet",
        "last_update",
        "update_service",
        "hybrid_agent",
        "app_proxy_connector",
        "entra_connect",
        "mitigation_service",
        "extended_protection",
        "certificate",
    }
    assert told["exchange_build"][0] == "ok"


@WAY
@pytest.mark.parametrize(
    ("texts", "severity"),
    [
        (["{0.month}/{0.day}/{0.year}"], "ok"),
        (["{0:%Y-%m-%d}"], "ok"),
        (["{0.day}.{0.month}.{0.year}"], "ok"),
        (["FILETIME"], "ok"),
        ([""], "unknown"),
        (["15 novembre 2026"], "unknown"),
        ([], "unknown"),
    ],
)
def test_dates_of_updates_in_every_form(
    engine: bool, texts: list[str], severity: str, tmp_path: pathlib.Path
) -> None:
    wire = wire_to("2019", engine, tmp_path)
    windows = wire.host.windows
    windows.history.updates.clear()
    day = ago(20)
    ticks = int((day - datetime.datetime(1601, 1, 1)).total_seconds() * 10_000_000)
    windows.wmi.classes["win32_quickfixengineering"] = [
        {
            "HotFixID": "KB1",
            "InstalledOn": f"{ticks:016x}" if text == "FILETIME" else text.format(day),
        }
        for text in texts
    ]
    assert posture_of(wire)["last_update"][0] == severity


@WAY
def test_a_history_that_is_huge_and_full_of_definitions(
    engine: bool, tmp_path: pathlib.Path
) -> None:
    wire = wire_to("2019", engine, tmp_path)
    windows = wire.host.windows
    windows.wmi.classes["win32_quickfixengineering"] = [{"HotFixID": "KB1", "InstalledOn": ""}]
    scanned = (
        "Sicherheitsintelligenz-Update für Microsoft Defender Antivirus – KB2267602 "
        "(Version 1.441.{})"
    )
    windows.history.updates = [
        Update(
            scanned.format(number),
            ago(0) - datetime.timedelta(hours=number),
            (DEFINITIONS,) if number % 2 else None,
        )
        for number in range(60 if engine else 3000)
    ]
    severity, sentence = posture_of(wire)["last_update"]
    assert severity == "unknown"
    assert "not known" in sentence
    windows.history.updates.append(Update("2026-11 Cumulative Update (KB5)", ago(1), result=FAILED))
    assert posture_of(wire)["last_update"][0] == "unknown"
    windows.history.updates.append(Update("2026-11 Cumulative Update (KB5)", ago(1)))
    severity, sentence = posture_of(wire)["last_update"]
    assert (severity, "1 days ago" in sentence) == ("ok", True)


@WAY
def test_a_windows_before_2012_and_without_a_revision(engine: bool, tmp_path: pathlib.Path) -> None:
    wire = wire_to("2010", engine, tmp_path)
    told = posture_of(wire)
    assert told["tls_12_incoming"][0] == "critical"
    assert told["windows_support"][0] == "critical"
    assert told["restart_pending"][0] == "ok"
    # The key alone says it; it has no value.
    wire.host.windows.registry.make(
        r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending"
    )
    assert posture_of(wire)["restart_pending"][0] == "warning"
    set_build(wire.host.windows, 29999)
    assert posture_of(wire)["windows_version_unknown"][0] == "unknown"
    named = [{"build": 29999, "name": "Windows Server 2028", "end_of_support": "2038-01-12"}]
    assert posture_of(wire, windows_versions=named)["windows_support"][0] == "ok"


@WAY
def test_the_hybrid_s_services_and_versions(engine: bool, tmp_path: pathlib.Path) -> None:
    wire = wire_to("se", engine, tmp_path)
    windows = wire.host.windows
    assert posture_of(wire, hybrid="agent")["hybrid_agent"][0] == "critical"
    folder = r"C:\Program Files\Microsoft Hybrid Service"
    windows.services.install("mshybridsvc", rf'"{folder}\Agent.exe" -run "as service"')
    windows.files.put(rf"{folder}\Agent.exe", File((1, 5, 3370, 0), "1.5.3370.0"))
    windows.services.install(
        "ADSync", r"C:\Program Files\Microsoft Azure AD Sync\Bin\miiserver.exe"
    )
    windows.files.put(
        r"C:\Program Files\Microsoft Azure Active Directory Connect\AzureADConnect.exe",
        File((2, 5, 76, 0), "2.5.76.0"),
    )
    told = posture_of(wire, hybrid="agent")
    assert told["hybrid_agent"] == ("ok", "The Hybrid Agent 1.5.3370.0 runs.")
    assert told["entra_connect"][0] == "critical"
    windows.services.install("mshybridsvc", status="Stopped")
    assert posture_of(wire, hybrid="agent")["hybrid_agent"][0] == "critical"
    assert posture_of(wire)["hybrid_agent"][0] == "warning"


@WAY
def test_certificates_and_protection(engine: bool, tmp_path: pathlib.Path) -> None:
    wire = wire_to("2019", engine, tmp_path)
    windows = wire.host.windows
    soon = NOW + datetime.timedelta(days=20, hours=1)
    windows.certificates["my"] += [
        Certificate("CN=soon", soon, "C3" * 20),
        Certificate("CN=gone", NOW - datetime.timedelta(days=20), "D4" * 20),
        Certificate(
            "CN=of somebody else", NOW - datetime.timedelta(days=20), "E5" * 20, private_key=False
        ),
    ]
    windows.files.put(APPLICATION_HOST, File(text=application_host(True, without=("owa",))))
    result = do(ActionModule, wire, UP_TO_DATE)
    told = [finding["sentence"] for finding in result["findings"] if finding["id"] == "certificate"]
    assert [("gone" in sentence, "soon" in sentence) for sentence in told] == [
        (True, False),
        (False, True),
    ]
    assert f"{soon.date()}" in told[1]
    (protection,) = [
        finding for finding in result["findings"] if finding["id"] == "extended_protection"
    ]
    assert protection["sentence"] == "Extended protection is off for owa."
    ignored = do(ActionModule, wire, {**UP_TO_DATE, "ignored_certificates": ["D4D4D4D4"]})
    assert "gone" not in " ".join(finding["sentence"] for finding in ignored["findings"])


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"accept_findings": ["memmory"]}, "'memmory', which is no finding"),
        (
            {
                "exchange_builds": [
                    {"build": "15.2", "name": "Exchange SE", "released": "2026-01-01"}
                ]
            },
            "'15.2'",
        ),
        ({"exchange_builds_as_of": "today"}, "'today'"),
        (
            {"windows_versions": [{"build": 1, "name": "X", "end_of_support": "soon"}]},
            "must be a day",
        ),
    ],
)
def test_options_that_cannot_be_used_reach_no_server(
    arguments: dict[str, t.Any], part: str, tmp_path: pathlib.Path
) -> None:
    wire = wire_to("2019", False, tmp_path)
    result = do(ActionModule, wire, arguments)
    assert result["failed"]
    assert part in result["msg"]
    assert "Nothing was sent to the server." in result["msg"]
    assert wire.starts == 0


@needs_engine
@pytest.mark.parametrize("state", ["new", "broken"])
def test_both_ways_find_the_same_to_the_word(state: str, tmp_path: pathlib.Path) -> None:
    told = []
    for engine in (False, True):
        wire = wire_to("2016", engine, tmp_path / str(engine))
        if state == "broken":
            break_everything(wire.host.windows)
        told.append(do(ActionModule, wire, UP_TO_DATE)["findings"])
    assert told[0] == told[1]
