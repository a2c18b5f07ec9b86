# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab that is made from what was read of a site answers as the site did, and says where not."""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import pathlib
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.tests.lab.__main__ import main
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.directory import Directory
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import EDITIONS
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal import compare, windows_firewall
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.file import (
    NoReading,
    firewall_of,
    load,
    understand,
)
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.fortigate import device_of
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.lab import Rehearsal
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall import operations
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.packets import admits
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.store import Firewall
from ansible_collections.mailedge.lockdown.tests.support import random_windows_firewalls
from ansible_collections.mailedge.lockdown.tests.support.random_firewalls import (
    MISLEADING_POLICIES,
    PLACES,
    POLICIES,
    SOURCES,
    SURROUNDINGS,
    Surroundings,
    seed,
)
from ansible_collections.mailedge.lockdown.tests.support.rehearsing import (
    kept,
    played,
    read_device,
    read_host,
    text,
    unlike,
)

SECRETS = ("Corr3ctHorse", "AAAAlab5Y0cE9vQqk3bqTz0w", "k3y-of-the-feed", "MIIEvQIBADANBg")


@functools.cache
def _server() -> str:
    return json.dumps(read_host(defaults.site("2016")))


def server() -> dict[str, t.Any]:
    """What was read of a server as set-up leaves it."""
    return t.cast("dict[str, t.Any]", json.loads(_server()))


def but_iis(sentences: t.Iterable[str]) -> list[str]:
    """Without what is said of IIS, whose rules the lab does not carry, and of what no server
    tells.
    """
    return [text for text in sentences if not text.startswith("iis") and "LocalSubnet" not in text]


@pytest.mark.parametrize("edition", EDITIONS)
def test_connectors_rights_and_names_of_every_edition_come_back(edition: str) -> None:
    host = defaults.site(edition)
    host.colleague(
        "New-ReceiveConnector",
        {
            "Name": "Scanner, 2nd floor",
            "Bindings": ["0.0.0.0:26"],
            "RemoteIPRanges": ["10.20.5.7", "10.20.6.0/24"],
            "PermissionGroups": "AnonymousUsers",
        },
    )
    (scanner,) = [c for c in host.receive_connectors() if c.name.startswith("Scanner")]
    relay = "ms-Exch-SMTP-Accept-Any-Recipient"
    host.colleague(
        "Add-ADPermission",
        {
            "Identity": scanner.distinguished_name,
            "User": host.rights.anonymous,
            "ExtendedRights": [relay],
        },
    )
    host.directory.accepted_domains["*.other.example"] = "InternalRelay"
    first = read_host(host)
    # What has no secret is whole: a name that only sounds like one is not left out.
    assert first["left_out"] == []
    lab, told = played(first)
    assert but_iis(told) == []
    assert but_iis(unlike(first, read_host(lab))) == []
    # Not only its answers: who may do what on it, too.
    for sender in ("203.0.113.9", "10.20.5.7", "10.20.6.9", "192.0.2.9"):
        for port in host.ports():
            there, here = (each.admission(sender, None, port) for each in (host, lab))
            names = [each.connector and each.connector.name for each in (there, here)]
            assert names[0] == names[1]
            assert dataclasses.replace(here, connector=there.connector) == there


def test_rights_of_a_group_that_documentation_does_not_know_are_the_groups() -> None:
    """A real server gives its groups other rights than documentation says."""
    host = defaults.site("2019")
    first = read_host(host)
    for row in first["answers"]["rights"]["rows"]:
        if row["User"].endswith("Authenticated Users") and row["ExtendedRights"] == [
            "ms-Exch-Bypass-Anti-Spam"
        ]:
            row["ExtendedRights"] = ["ms-Exch-SMTP-Accept-XShadow"]
    lab, told = played(first)
    assert but_iis(told) == []
    assert but_iis(unlike(first, read_host(lab))) == []


def test_what_the_lab_cannot_carry_is_told_by_name() -> None:
    first = server()
    door = first["answers"]["receive"]["rows"][0]
    door["TarpitInterval"] = "00:20:00"
    door["NextYearsOption"] = True
    first["answers"]["commands"]["rows"][0]["Parameters.Keys"].append("NextYearsParameter")
    del first["answers"]["Get-MapiVirtualDirectory"]["rows"]
    _lab, told = played(first)
    sentences = "\n".join(told)
    assert f"'{door['Name']}': TarpitInterval is" in sentences or "TarpitInterval" in sentences
    assert "NextYearsOption is true on the site and null in the lab" in sentences
    assert "NextYearsParameter" in sentences
    assert "Get-MapiVirtualDirectory: it could not be read on the site" in sentences


@pytest.mark.parametrize("editions", [("2016", "2019"), ("2010", "edge-2010"), ("sbs-2011",)])
def test_servers_of_one_organization_are_played_together(editions: tuple[str, ...]) -> None:
    hosts: dict[str, t.Any] = {}
    directory = Directory("birke.example", ("dc1", "dc2"))
    for number, edition in enumerate(editions, 1):
        shared = None if EDITIONS[edition].edge else directory
        name, own = f"EX{number}", (f"10.20.1.{number}", f"2001:db8:20:1::{number}")
        hosts[f"birke-ex{number}"] = defaults.site(
            edition, name, "birke.example", directory=shared, addresses=own
        )
    rehearsal = Rehearsal(kept({name: read_host(host) for name, host in hosts.items()}), pwsh="")
    with rehearsal as lab:
        assert but_iis([text.partition(": ")[2] for text in rehearsal.told]) == []
        for name, host in hosts.items():
            assert lab.hosts[name].exchange.shown() == host.shown()
            assert lab.hosts[name].place.addresses == host.addresses


@pytest.mark.parametrize("version", ["v6.0.4", "v6.2.3", "v7.0.0", "v7.4.4", "v7.6.0"])
def test_a_fortigate_comes_back(version: str) -> None:
    device = Device(version=version, vdoms=("office",))
    device.seed_mail_site(vdom="office")
    config = device.configs["office"]
    config.create(
        "firewall/address", {"name": "Branch", "type": "iprange", "start-ip": "198.51.100.7"}
    )
    config.create("firewall/addrgrp", {"name": "Partners", "member": [{"name": "Branch"}]})
    config.update("firewall/policy", "1", {"srcaddr": [{"name": "Partners"}], "schedule": "night"})
    device.interfaces += ["wan2", "lan2"]
    device.zones["inside"] = ["lan2"]
    device.modes.cluster = "a-p"
    device.routing.connected.append(("192.168.7.0/24", "lan2"))
    first = read_device(device)
    whole = kept({"birke-ex1": server()}, first).firewall
    assert whole is not None
    again, told = device_of(whole, device.serial)
    assert told == []
    assert read_device(again) == first
    for source in ("198.51.100.7", "203.0.113.9"):
        for port in (25, 443):
            assert again.admits(source, "203.0.113.80", port) == device.admits(
                source, "203.0.113.80", port
            )


def test_of_a_fortigate_too_what_is_unknown_is_told() -> None:
    device = Device()
    device.seed_mail_site()
    first = read_device(device)
    policy = first["tables"]["firewall/policy"][0]
    policy["next-years-condition"] = "only-on-mondays"
    policy["next-years-list"] = [{"name": "x"}]
    first["tables"]["firewall/vip"][0]["arp-reply"] = "enable"
    first["tables"]["firewall/next-years-table"] = [{"name": "x"}]
    again, told = device_of(kept({"a": server()}, first).firewall, "FGT1")  # type: ignore[arg-type]
    assert read_device(again)["tables"]["firewall/policy"][0]["next-years-condition"]
    sentences = "\n".join(told)
    assert "no field 'next-years-list', which 1 set (1)" in sentences
    assert "firewall/vip: the lab has no field 'arp-reply'" in sentences
    assert "firewall/next-years-table: the lab has no such table" in sentences


def test_no_secret_is_in_the_file() -> None:
    host = defaults.site("2016")
    host.colleague(
        "Set-SendConnector",
        {
            "Identity": "Internet",
            "SmartHosts": ["out.filter.example"],
            "DNSRoutingEnabled": False,
            "SmartHostAuthMechanism": "BasicAuth",
            "AuthenticationCredential": ("relay-user", SECRETS[0]),
        },
    )
    key = f"-----BEGIN PRIVATE KEY-----\n{SECRETS[3]}\n-----END PRIVATE KEY-----"
    host.colleague("Set-SendConnector", {"Identity": "Internet", "Comment": key})
    iis = host.windows.iis
    iis.put_web_config(
        "/owa",
        '<connectionStrings><add name="x" connectionString="Password='
        f'{SECRETS[0]}"/></connectionStrings>'
        "<system.webServer><rewrite><rules><clear/></rules></rewrite></system.webServer>",
    )
    device = Device()
    device.seed_mail_site()
    config = device.configs["root"]
    config.create(
        "system/external-resource",
        {
            "name": "Feed",
            "type": "address",
            "resource": f"https://feed-user:{SECRETS[0]}@feeds.example/list?key={SECRETS[2]}",
            "username": "feed-user",
            "password": SECRETS[0],
        },
    )
    file = text({"birke-ex1": read_host(host)}, read_device(device))
    for secret in SECRETS:
        assert secret not in file
    told = json.loads(file)
    left_out = [*told["hosts"]["birke-ex1"]["left_out"], *told["firewall"]["left_out"]]
    assert "answers.send.rows.Comment" in left_out
    assert any(name.startswith("iis.web_config") for name in left_out)
    assert "tables.system/external-resource.password" in left_out
    # What is no secret is there for all that.
    assert "out.filter.example" in file
    assert "https://feeds.example/list" in file.replace("feed-user:@", "")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data.update(kind="something else"), "It is no reading"),
        (lambda data: data.update(format=99), "this lab knows 1"),
        (lambda data: data.update(hosts={}), "holds no server"),
        (lambda data: data["hosts"]["a"].pop("answers"), "tells neither its name"),
        (lambda data: data["hosts"]["a"]["host"].update(exchange=None), "tells neither its name"),
        (lambda data: data.update(firewall={"tables": {}}), "policies are not in it"),
    ],
)
def test_what_is_no_reading_is_refused_in_a_sentence(
    change: t.Callable[[t.Any], t.Any], why: str
) -> None:
    data = json.loads(text({"a": server()}))
    change(data)
    with pytest.raises(NoReading, match=why):
        understand(data)


def test_half_a_file_is_refused_in_a_sentence(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "half.json"
    path.write_text(text({"a": server()})[:5000], encoding="utf-8")
    with pytest.raises(NoReading, match="only a part of it"):
        load(path)
    path.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(NoReading):
        load(path)
    with pytest.raises(NoReading, match="could not be read"):
        load(tmp_path / "none.json")


def test_a_reading_makes_the_lab_do_nothing_but_read(tmp_path: pathlib.Path) -> None:
    """The file is foreign: what it says was asked is asked again, and may be anything."""
    first = server()
    evil = copy.deepcopy(first["steps"][0])
    evil.update(cmdlet="Remove-ReceiveConnector", id="evil", parameters={"Identity": "x"})
    file = {"op": "write_file", "id": "evil-file", "folder": str(tmp_path), "name": "x", "text": ""}
    first["steps"] += [evil, file]
    lab, _told = played(first)
    assert len(lab.receive_connectors()) == 5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
@settings(max_examples=100, deadline=None)
@given(
    policies=st.one_of(POLICIES, MISLEADING_POLICIES),
    around=SURROUNDINGS,
    version=st.sampled_from(["v6.2.3", "v6.4.0", "v7.4.4"]),
)
def test_any_fortigate_comes_back(
    policies: list[dict[str, t.Any]], around: Surroundings, version: str
) -> None:
    """All that it answers, and who gets through it."""
    device = Device(version=version)
    seed(device, policies, around)
    first = read_device(device)
    again, told = device_of(firewall_of(first), device.serial)
    assert told == []
    assert read_device(again) == first
    for source in SOURCES:
        for place in PLACES.values():
            for port in (25, 443):
                assert again.admits(source, place, port) == device.admits(source, place, port)


@settings(max_examples=15, deadline=None)
@given(firewall=random_windows_firewalls.firewalls())
def test_any_windows_firewall_comes_back(firewall: Firewall) -> None:
    """Its rules as they are stored, and who gets through."""
    first = [
        dict(row)
        for row in operations.read(random_windows_firewalls.host_of(firewall), {"id": "firewall"})
    ]
    again = Firewall()
    again.keywords = firewall.keywords
    told = windows_firewall.carry(again, json.loads(json.dumps(first)))
    host = random_windows_firewalls.host_of(again)
    assert [sentence for sentence in told if "LocalSubnet" not in sentence] == []
    assert compare.differences("firewall", first, operations.read(host, {"id": "firewall"})) == []
    for source in random_windows_firewalls.SOURCES:
        for packet in random_windows_firewalls.packets(source, 25, 1):
            assert admits(again, packet) == admits(firewall, packet)


def test_the_lab_of_a_reading_is_started_as_the_documentation_says(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device = Device()
    device.seed_mail_site()
    reading, inventory = tmp_path / "birke.reading.json", tmp_path / "rehearsal" / "inventory.yml"
    file = text({"birke-ex1": server()}, read_device(device))
    reading.write_text(file, encoding="utf-8")
    page = pathlib.Path(__file__).parents[2] / "docs" / "docsite" / "rst" / "discover.rst"
    command = page.read_text(encoding="utf-8").partition("tests.lab --from ")[2]
    options = command.partition("\n\n")[0].replace("\\\n", " ").split()
    options = ["--from", str(reading), *options[1:], "--pwsh", ""]
    options[options.index("--inventory") + 1] = str(inventory)
    options[options.index("--lifetime") + 1] = "0"
    assert main(options) == 0
    said = capsys.readouterr().out
    assert "The lab plays the site 'birke'" in said
    assert "LocalSubnet" in said
    place = inventory.parent / "group_vars" / "birke.yml"
    assert f"Copy the site's description to {place}, never give it with -e" in said
    assert not inventory.exists(), "it goes with the lab"
    with pytest.raises(SystemExit):
        main([*options, "--sites", "birke=2016"])
    assert "goes with no --sites" in capsys.readouterr().err
