# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example of a module, lookup or filter is run on a lab, as it stands but for the names and
addresses that are invented; in one run of ansible-playbook for each kind.
"""

from __future__ import annotations

import json
import pathlib
import sys
import typing as t

import pytest
import yaml

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.lab import ExchangeOnline
from ansible_collections.mailedge.lockdown.tests.lab.feeds import Answer, Web
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.names import NameServer, Zones
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, play
from ansible_collections.mailedge.lockdown.tests.lab.site import SOURCES, Site
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.server import Iis
from ansible_collections.mailedge.lockdown.tests.support import reports
from ansible_collections.mailedge.lockdown.tests.support.example_plays import (
    Play,
    apart,
    named_in,
    on_the_lab,
    plays_of,
    plugins_of,
    with_more,
    without,
)
from ansible_collections.mailedge.lockdown.tests.support.examples import options_of

HOST, SMALL, FIREWALL = "birke-ex1", "nordlicht-ex1", "firewall"
OURS = "mailedge.lockdown."
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}

_KINDS = ("fortios_", "exchange_online_", "mail_edge_", "provider_ranges_")


def ordered(prefix: str, *last: str) -> list[str]:
    """The modules that begin with `prefix`, or with none of the known ones; `last` at the end."""
    of_kind = [
        name
        for name in plugins_of("modules")
        if next((known for known in _KINDS if name.startswith(known)), "") == prefix
    ]
    assert set(last) <= set(of_kind), last
    return [*(name for name in of_kind if name not in last), *last]


# The modules of a kind in the order in which they are run, who reads before who writes; those that
# are not named come first.
OF_SERVERS = ordered(
    "",
    "exchange_mail_flow_info",
    "exchange_names_info",
    "exchange_senders_info",
    "windows_posture_info",
    "selftest_info",
    "site_hosts",
    "site_description",
    "selftest_report",
    "site_draft",
    "exchange_mail_flow",
    "exchange_snapshots_info",
    "exchange_lease_end",
    "exchange_receive_connector",
    "exchange_delivery_proof",
    "iis_path_blocks",
    "windows_firewall_rules",
    "windows_tls",
    "exchange_send_connector",
    "host_lock",
    "run_report",
    "report_files",
)
OF_FIREWALLS = ordered(
    "fortios_",
    "fortios_info",
    "fortios_address_group",
    "fortios_range_feed",
    "fortios_inbound_lock",
    "fortios_outbound_lock",
    "fortios_lease_end",
    "fortios_snapshots_info",
    "fortios_rollback",
)
OF_TENANTS = ordered("exchange_online_", "exchange_online_info", "exchange_online_lock")
FROM_OUTSIDE = ordered("mail_edge_", "mail_edge_names", "mail_edge_probe")
OF_RANGES = ordered("provider_ranges_", "provider_ranges_lock")
FILTERS, LOOKUPS = plugins_of("filter"), plugins_of("lookup")

# On a Small Business Server, whose organization is its own.
ON_A_SMALL_ONE = {
    "Lock both ways of a Small Business Server",
    "Hand outgoing mail to the filter, with a login that is written once",
    "Take the old connector out of service and keep it for the way back",
}
# What a report is made of: a comparison, as the playbook of the example has made it.
COMPARE: Play = {
    "name": "Compare",
    "hosts": HOST,
    "gather_facts": False,
    "tasks": [
        {
            "name": "Know the sites",
            "ansible.builtin.include_role": {
                "name": "mailedge.lockdown.site",
                "tasks_from": "hosts",
                "rolespec_validate": False,
            },
        },
        {
            "name": "Compare",
            f"{OURS}host_lock": {"playbook": "drift"},
            "register": "__mailedge_result_host",
            "check_mode": True,
        },
    ],
}
NOT_FROM_OUTSIDE = {"mailedge_probe_targets": "", "mailedge_windows_posture_enabled": False}
# What is not run → why.
NOT_RUN: dict[str, str] = {
    "Wait a quarter of an hour for the provider's next message": (
        "it would sleep for a minute between two looks; test_delivery_proof runs it without"
    ),
}


def test_every_example_is_run_or_says_why_not() -> None:
    kinds = (*OF_SERVERS, *OF_FIREWALLS, *OF_TENANTS, *FROM_OUTSIDE, *OF_RANGES)
    assert sorted(kinds) == plugins_of("modules")
    there = {
        name
        for kind, names in (("modules", kinds), ("lookup", LOOKUPS), ("filter", FILTERS))
        for plugin in names
        for name in named_in(plays_of(kind, plugin, "all"))
    }
    assert set(NOT_RUN) <= there


def ran(run: Run, plays: t.Iterable[Play]) -> None:
    """Every task of these plays was run, and none failed; one that a condition leaves out had its
    turn.
    """
    told = {task.task.rpartition(" : ")[2] for task in run.tasks}
    failed = [
        f"{task.host}: {task.task}: {task.result.get('msg')}"
        for task in run.tasks
        if task.status in ("failed", "unreachable", "item_failed")
    ]
    assert not failed, "\n\n".join(failed)
    assert run.code == 0, run.output
    assert set(named_in(plays)) - told == set(named_in(plays)) & RESCUES


# Tasks that are there for what does not happen on a lab where all goes well.
RESCUES = {
    "Take back what this run made",
    "Say that the server is not locked",
    "Fail",
}


# ---------------------------------------------------------------- servers


@pytest.mark.long
def test_the_examples_of_servers(tmp_path: pathlib.Path) -> None:
    zones = Zones(["birke.example", "filter.example"])
    zones.add("birke.example", "MX", "10 mx1.filter.example.")
    zones.add("mx1.filter.example", "A", "198.51.100.25")
    sites = (Site("birke", ("2016",)), Site("nordlicht", ("sbs-2011",)))
    with Lab(sites, pwsh="") as lab, NameServer(zones) as dns:
        server = lab.hosts[HOST]
        server.exchange.windows.add_iis(lambda: Iis("2016", ip_restrictions=True))
        add = server.exchange.colleague
        for name, port in (("Scanners", 2526), ("Old fax gateway", 2527)):
            add(
                "New-ReceiveConnector",
                {
                    "Name": name,
                    "Bindings": [f"0.0.0.0:{port}"],
                    "RemoteIPRanges": ["10.20.5.16"],
                    "Usage": "Custom",
                    "TransportRole": "FrontendTransport",
                },
            )
        small = lab.hosts[SMALL].exchange.colleague
        small("New-SendConnector", {"Name": "Internet", "AddressSpaces": ["SMTP:*;9"]})
        plays: list[Play] = []
        for module in OF_SERVERS:
            plays += [COMPARE] if module == "run_report" else []
            plays += plays_of("modules", module, HOST)
        plays = [
            each for listed in plays for each in apart(listed, dict.fromkeys(ON_A_SMALL_ONE, SMALL))
        ]
        plays = [without(each, NOT_RUN) for each in plays]
        # The lab's own port 25 stands in for the filter's.
        front = server.front_end
        more: dict[str, dict[str, t.Any]] = {
            "Lock both ways of a Small Business Server": {"outbound_lock": {"port": front.port}},
            "Hand outgoing mail to the filter, with a login that is written once": {
                "port": front.port
            },
        }
        played = {
            "out.filter.example": front.address,
            "mail.birke.example": front.address,
            "mx.service.example": "localhost",
            "/srv/reports": str(tmp_path),
            "192.168.16.0/24": "192.0.2.0/24",
        }
        usual = {
            f"{OURS}mail_edge_names": {"resolver": "127.0.0.1", "resolver_port": dns.port},
            f"{OURS}mail_edge_probe": {"port": front.port, "control_port": control_port(lab)},
        }
        run = play(
            [
                {
                    **with_more(on_the_lab(each, played), more),
                    "ignore_errors": True,
                    "module_defaults": usual,
                }
                for each in plays
            ],
            _with_hosts(lab.inventory, "reports.example"),
            variables={"smart_host_password": "lab-secret", **NOT_FROM_OUTSIDE},
        )
    ran(run, plays)


def control_port(lab: Lab, site_name: str = "birke") -> int:
    """Where somebody answers whom a probe can reach for certain."""
    inventory = yaml.safe_load(lab.inventory.read_text(encoding="utf-8"))
    site = inventory["mailedge"]["children"][site_name]["vars"]
    return int(site["mailedge_probe_control_port"])


def _with_hosts(path: pathlib.Path, *names: str) -> pathlib.Path:
    """The inventory of a lab and beside it hosts that are this machine."""
    inventory = yaml.safe_load(path.read_text(encoding="utf-8"))
    inventory["beside"] = {"hosts": dict.fromkeys(names, LOCAL)}
    wider = path.with_name("wider.yml")
    wider.write_text(json.dumps(inventory), encoding="utf-8")
    return wider


# ---------------------------------------------------------------- firewalls


@pytest.mark.long
def test_the_examples_of_firewalls(tmp_path: pathlib.Path) -> None:
    plays = [each for name in OF_FIREWALLS for each in plays_of("modules", name, FIREWALL)]
    with FortiGateServer(Device()) as server:
        server.device.seed_mail_site(external6="2001:db8:20::25")
        usual: dict[str, t.Any] = {
            "group/mailedge.lockdown.fortigate": {
                "api_port": server.port,
                "ca_path": str(server.ca_path),
                "timeout": 5,
            },
        }
        usual |= {
            f"{OURS}{name}": {"snapshot_folder": str(tmp_path)}
            for name in OF_FIREWALLS
            if "snapshot_folder" in options_of(name)
        }
        run = played_here(
            plays,
            {
                "fw.birke.example": "127.0.0.1",
                "fw.hafen.example": "127.0.0.1",
                # The feed that an example before has made.
                "hafen-provider": "birke-provider",
            },
            usual,
            tmp_path,
            vault_fortigate_token=server.token,
            vault_birke_fortigate_token=server.token,
        )
    ran(run, plays)


def played_here(
    plays: t.Iterable[Play],
    played: t.Mapping[str, t.Any],
    usual: t.Mapping[str, t.Any],
    folder: pathlib.Path,
    *hosts: str,
    more: t.Mapping[str, t.Mapping[str, t.Any]] | None = None,
    go_on: bool = True,
    **variables: t.Any,
) -> Run:
    """A run of plays on hosts that are all this machine. `go_on`: so that all that fails shows."""
    inventory = folder / "inventory.json"
    listed = dict.fromkeys((FIREWALL, "localhost", *hosts), LOCAL)
    inventory.write_text(json.dumps({"all": {"hosts": listed}}), encoding="utf-8")
    shown = [
        {
            **with_more(on_the_lab(each, played), more or {}),
            "ignore_errors": go_on,
            "module_defaults": dict(usual),
        }
        for each in plays
    ]
    return play(shown, inventory, variables=variables)


# ---------------------------------------------------------------- tenants


@pytest.mark.long
def test_the_examples_of_tenants(tmp_path: pathlib.Path) -> None:
    plays = [each for name in OF_TENANTS for each in plays_of("modules", name, "localhost")]
    with ExchangeOnline() as online:
        held = online.certificate
        key = tmp_path / "birke.pem"
        key.write_bytes(held.key_path.read_bytes() + held.certificate_path.read_bytes())
        run = played_here(
            plays,
            {
                "8f0f9b9e-0c2a-4a55-9d4b-6d1f8f1f2f10": online.tenant.id,
                "2b6f6c1e-5c5e-4a0a-8f9b-0a5d5d5d5d5d": online.writer.client_id,
                "/etc/mailedge/birke.pem": str(key),
            },
            {
                "group/mailedge.lockdown.exchange_online": {
                    "authority_url": online.login_url,
                    "api_url": online.api_url,
                    "ca_path": str(online.ca_path),
                    "snapshot_folder": str(tmp_path / "snapshots"),
                    "timeout": 5,
                }
            },
            tmp_path,
            vault_birke_exchange_online_secret=online.writer.secret,
        )
    ran(run, plays)


# ---------------------------------------------------------------- ranges and lookups


@pytest.mark.long
def test_the_examples_of_ranges_and_lookups(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays = [each for name in OF_RANGES for each in plays_of("modules", name, "localhost")]
    plays += [each for name in LOOKUPS for each in plays_of("lookup", name, "localhost")]
    lock = tmp_path / "ranges.lock.yml"
    with Web() as web:
        web.answers["/delivery.txt"] = Answer("198.51.100.0/24\n")
        web.answers["/endpoints"] = Answer(json.dumps(ENDPOINTS), kind="application/json")
        run = played_here(
            plays,
            {
                "ranges.lock.yml": str(lock),
                "https://lists.filter.example/delivery.txt": web.url("/delivery.txt"),
            },
            {},
            tmp_path,
            more={
                "Keep Exchange Online's ranges in the site's repository": {
                    "source": web.url("/endpoints")
                }
            },
            mailedge_hosts="localhost",
        )
    ran(run, plays)


@pytest.mark.long
def test_the_examples_of_filters(tmp_path: pathlib.Path) -> None:
    """One of them fails by itself, and is rescued."""
    plays = [each for name in FILTERS for each in plays_of("filter", name, "localhost")]
    earlier = tmp_path / "earlier.json"
    earlier.write_text(json.dumps(reports.report({"birke": "in order"})), encoding="utf-8")
    with Web() as web:
        web.answers["/hook"] = Answer("taken")
        run = played_here(
            plays,
            {
                "https://chat.example/hook": web.url("/hook"),
                "https://tickets.example/hook": web.url("/hook"),
                "/srv/reports/report-20261123T063000Z-drift.json": str(earlier),
            },
            {},
            tmp_path,
            # A rescue is there for what is not ignored.
            go_on=False,
            mailedge_report=reports.report({"birke": "open", "hafen": "in order"}),
        )
        assert len(web.posted) > 2
    failed = [task.task for task in run.tasks if task.status == "failed"]
    assert failed == ["Fail"], [task.result for task in run.tasks if task.status == "failed"]
    assert {task.task for task in run.tasks} >= set(named_in(plays))
    assert run.code == 0, run.output


ENDPOINTS = [
    {
        "id": 10,
        "serviceArea": "Exchange",
        "urls": ["*.mail.protection.outlook.com"],
        "ips": ["40.92.0.0/15", "2a01:111:f400::/48"],
        "tcpPorts": "25",
        "category": "Allow",
        "required": True,
    }
]


# ---------------------------------------------------------------- from outside

LOCKED = {
    "provider_ranges": ["198.51.100.0/24", "2001:db8:100::/48"],
    "own_networks": ["10.20.0.0/16", "2001:db8:20::/48"],
    "exchange_servers": ["10.20.1.11"],
    "inbound_lock": {},
}
BLOCKED = {"blocks": [{"path": path} for path in ("/ecp", "/EWS", "/PowerShell", "/mapi")]}
BLOCKED["blocks"] += [{"path": path} for path in ("/Rpc", "/OAB", "/API")]
# What has happened at the server before an example: who proves that it is locked has locked it.
BEFORE: dict[str, dict[str, t.Any]] = {
    "Prove that the site is locked, from a host outside": {f"{OURS}exchange_mail_flow": LOCKED},
    "Look before a change, from the host that looks again afterwards": {
        f"{OURS}exchange_mail_flow": {"snapshot": "latest"}
    },
    "Prove after the change that the site is closed, without a control host": {
        f"{OURS}exchange_mail_flow": LOCKED
    },
    "See that strangers reach Outlook on the web, and no path besides": {
        f"{OURS}iis_path_blocks": {"own_networks": ["10.20.0.0/16"], **BLOCKED}
    },
}
SERVER = "hafen-ex1"


@pytest.mark.long
def test_the_examples_of_looks_from_outside() -> None:
    zones = Zones(["hafen.example", "filter.example"])
    zones.add("hafen.example", "MX", "10 mx1.filter.example.", "20 mail.hafen.example.")
    zones.add("mx1.filter.example", "A", "198.51.100.25")
    plays = [each for name in FROM_OUTSIDE for each in plays_of("modules", name, "watchtower")]
    with Lab((Site("hafen", ("2019",)),), pwsh="") as lab, NameServer(zones) as dns:
        host = lab.hosts[SERVER]
        host.exchange.windows.add_iis(lambda: Iis("2019"))
        front = host.front_end
        zones.add("mail.hafen.example", "A", front.address)
        assert host.web is not None
        web = {"targets": host.web.address, "port": host.web.port}
        played = {
            "mx.watchtower.example": "localhost",
            "192.0.2.7": SOURCES["internet"],
            "198.51.100.7": SOURCES["provider"],
        }
        of_probe = {
            **played,
            "mail.hafen.example": front.address,
            "owa.hafen.example": front.address,
        }
        usual = {
            f"{OURS}mail_edge_names": {"resolver": "127.0.0.1", "resolver_port": dns.port},
            f"{OURS}mail_edge_probe": {
                "port": front.port,
                "control_port": control_port(lab, "hafen"),
            },
        }
        https = "See that strangers reach Outlook on the web, and no path besides"
        shown: list[Play] = []
        for each in plays:
            of_names = each["name"] == "Of mail_edge_names"
            for task in each["tasks"]:
                single = {**each, "tasks": [task], "ignore_errors": True, "module_defaults": usual}
                single = on_the_lab(single, played if of_names else of_probe)
                single = with_more(single, {https: web})
                if task["name"] in BEFORE:
                    before = {"name": "Before", **BEFORE[task["name"]]}
                    shown.append(
                        {
                            "name": "Before",
                            "hosts": SERVER,
                            "gather_facts": False,
                            "tasks": [before],
                        }
                    )
                shown.append(single)
        run = play(shown, _with_hosts(lab.inventory, "watchtower"))
    assert set(BEFORE) <= set(named_in(plays))
    ran(run, plays)
