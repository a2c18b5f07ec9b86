# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The self-test's checks of IIS, Windows Firewall and the tenant, on a lab where they hold, and on
one that is otherwise.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.action.selftest_info import ActionModule
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.catalogue import run_all
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.check import Evidence
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.of_tenants import (
    OF_TENANTS,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.of_windows import (
    OF_WINDOWS,
    parts_of,
)
from ansible_collections.mailedge.lockdown.tests.integration.on_windows import Wire, do
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import EDITIONS
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.store import Rule
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.server import Iis
from ansible_collections.mailedge.lockdown.tests.support.exchange_online_modules import (
    Tenant,
    running,
)
from ansible_collections.mailedge.lockdown.tests.support.lab_answers import LONG_WAYS

RULE = '<rule name="help"><match url="^ecp/help" /><action type="None" /></rule>'
WEB_CONFIG = "C:\\inetpub\\wwwroot\\web.config"
IPV6 = '<add ipAddress="2001:db8::" subnetMask="{}" allowed="true" />'
SKIPPED = {"iis_levels", "iis_ipv6_masks", "firewall_intune"}


def section(held: str) -> bytes:
    return f"<configuration><system.webServer>{held}</system.webServer></configuration>".encode()


def rules(held: str) -> bytes:
    return section(f"<rewrite><rules>{held}</rules></rewrite>")


def list_addresses(host: ExchangeHost, mask: str) -> None:
    """An IP list of the site, where they stand: its section is locked below."""
    iis = host.windows.iis
    held = section(f"<security><ipSecurity>{IPV6.format(mask)}</ipSecurity></security>").decode()
    inner = held.removeprefix("<configuration>").removesuffix("</configuration>")
    location = f'<location path="Default Web Site/owa">{inner}</location>'
    iis.text = iis.text.replace("</configuration>", f"{location}</configuration>")


def server(folder: pathlib.Path, edition: str = "2019") -> ExchangeHost:
    host = defaults.site(edition, folder=folder)
    if edition == "2019":
        # With the module that servers do not have by themselves.
        host.windows.add_iis(lambda: Iis(edition, ip_restrictions=True))
    return host


def evidence(mail_flow: dict[str, t.Any], reading: dict[str, t.Any]) -> Evidence:
    iis, firewall = parts_of(reading)
    return Evidence(mail_flow=mail_flow, iis=iis, windows_firewall=firewall)


def told_of(host: ExchangeHost, *, engine: bool = False) -> dict[str, tuple[str, str]]:
    """Check → status and what was seen, of those about the server."""
    wire = Wire(host, engine=engine)
    reading = do(ActionModule, wire)
    assert not reading.get("failed"), reading["msg"]
    assert (reading["changed"], reading["cost"]["powershell_starts"]) == (False, 1)
    year = host.edition.generation.name.strip("RTMSPE") or "SE"
    version = {"server": {"version": f"Exchange {year}"}}
    results = run_all(evidence(version, reading))
    return {
        check.name: (results[check.name]["status"], results[check.name]["seen"])
        for check in OF_WINDOWS
    }


@pytest.mark.parametrize("engine", LONG_WAYS)
def test_all_that_can_be_judged_holds_on_the_lab(engine: bool, tmp_path: pathlib.Path) -> None:
    host = server(tmp_path)
    windows = host.windows
    windows.iis.disk.write(WEB_CONFIG, rules(RULE))
    list_addresses(host, "32")
    windows.firewall.mdm_rules.append(Rule(name="From Intune", ports=[(25, 25)], enabled=True))
    before = windows.firewall.shown(), windows.iis.text
    told = told_of(host, engine=engine)
    assert {name: status for name, (status, _seen) in told.items() if status != "success"} == {}
    assert (windows.firewall.shown(), windows.iis.text) == before
    assert not [name for name in ("EX1", "2001:db8", "Intune") if name in str(told["iis_paths"])]


@pytest.mark.parametrize("edition", EDITIONS)
def test_no_edition_fails_and_silence_is_no_success(edition: str, tmp_path: pathlib.Path) -> None:
    told = told_of(server(tmp_path, edition))
    assert {name: seen for name, seen in told.items() if seen[0] in ("failure", "error")} == {}
    assert {name for name, (status, _seen) in told.items() if status == "skipped"} >= SKIPPED


def hides_levels(host: ExchangeHost) -> None:
    host.windows.iis.disk.write(WEB_CONFIG, rules(RULE))
    host.windows.iis.store.unknown_metadata.add("deepestPathSet")


def is_broken(host: ExchangeHost) -> None:
    host.windows.iis.disk.write(WEB_CONFIG, rules('<rule name="a" enabled="maybe" />'))


def has_other_names(host: ExchangeHost) -> None:
    iis = host.windows.iis
    iis.text = iis.text.replace('path="/owa"', 'path="/mail"')


def has_another_mask(host: ExchangeHost) -> None:
    list_addresses(host, "ffff:ffff::")


def shows_policy(host: ExchangeHost) -> None:
    firewall = host.windows.firewall
    firewall.shows_policy = True
    firewall.policy_rules.append(Rule(name="Of a policy", ports=[(25, 25)], enabled=True))


def has_a_new_word(host: ExchangeHost) -> None:
    host.windows.firewall.add(Rule(name="Newer", ports=[(25, 25)], tokens=("Magic=TRUE",)))


def has_odd_intune_rules(host: ExchangeHost) -> None:
    host.windows.firewall.mdm_rules.append(Rule(name="Out", ports=[(25, 25)], inbound=False))


def calls_its_rules_otherwise(host: ExchangeHost) -> None:
    for rule in host.windows.firewall.rules:
        rule.name = rule.name.replace("MSExchange", "Exchange ")


OTHERWISE: dict[str, t.Callable[[ExchangeHost], None]] = {
    "iis_sections": is_broken,
    "iis_levels": hides_levels,
    "iis_paths": has_other_names,
    "iis_ipv6_masks": has_another_mask,
    "firewall_rules": shows_policy,
    "firewall_texts": has_a_new_word,
    "firewall_intune": has_odd_intune_rules,
    "firewall_exchange_rules": calls_its_rules_otherwise,
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_a_server_that_is_otherwise_is_a_failure(name: str, tmp_path: pathlib.Path) -> None:
    host = server(tmp_path)
    OTHERWISE[name](host)
    told = told_of(host)
    assert {each for each, (status, _seen) in told.items() if status == "failure"} == {name}


def test_every_check_of_a_server_is_tried() -> None:
    assert set(OTHERWISE) == {check.name for check in OF_WINDOWS}


def test_what_cannot_be_read_is_an_error(tmp_path: pathlib.Path) -> None:
    host = server(tmp_path)
    host.windows.iis.store.denied = True
    host.windows.firewall.running = False
    assert {status for status, _seen in told_of(host).values()} == {"error"}
    silent: list[dict[str, t.Any]] = [
        {"failed": True},
        {"unreachable": True},
        {"iis": {}},
        {"iis": None},
    ]
    for reading in silent:
        results = run_all(evidence({}, reading))
        assert {results[check.name]["status"] for check in OF_WINDOWS} == {"error"}, reading


# ---------------------------------------------------------------- the tenant


@pytest.fixture
def tenant(tmp_path: pathlib.Path) -> t.Iterator[Tenant]:
    yield from running(tmp_path)


def told_by(tenant: Tenant) -> dict[str, str]:
    results = run_all(Evidence(tenant=tenant.info()))
    return {check.name: results[check.name]["status"] for check in OF_TENANTS}


def test_a_tenant_that_is_as_it_is_taken_to_be_and_others(tenant: Tenant) -> None:
    online = tenant.online
    assert told_by(tenant) == {
        "tenant_whole": "success",
        "tenant_direct_send": "success",
        "tenant_changes": "success",
        "tenant_rules": "skipped",
    }
    tenant.locked(method="rule", provider_ranges=["198.51.100.0/24"], rule_mode="audit")
    assert set(told_by(tenant).values()) == {"success"}

    online.arm(forbidden={"Get-TransportRule"})
    assert told_by(tenant)["tenant_whole"] == "failure"
    assert told_by(tenant)["tenant_rules"] == "error"
    online.arm(warn={"Get-InboundConnector": ["There are more results available."]})
    assert told_by(tenant)["tenant_whole"] == "failure"
    online.arm()
    for row in online.tenant.rows("TransportRule"):
        row["Conditions"] = None
    assert told_by(tenant)["tenant_rules"] == "failure"
    del online.tenant.organization["RejectDirectSend"]
    assert told_by(tenant)["tenant_direct_send"] == "failure"
    for name in ("WhenChanged", "WhenChangedUTC"):
        online.tenant.organization.pop(name, None)
    assert told_by(tenant)["tenant_changes"] == "failure"
    online.arm(forbidden={"Get-OrganizationConfig"})
    assert set(told_by(tenant).values()) == {"error"}
