# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reading whose names are replaced says nothing of whose it is, and means what it meant."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import random
import typing as t

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._discover.addresses import Addresses
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._discover.replaced import replaced
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import Ace
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.file import firewall_of, understand
from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.fortigate import device_of
from ansible_collections.mailedge.lockdown.tests.support.rehearsing import (
    played,
    read_device,
    read_host,
    text,
)

# As they stand in the site; none of it is anybody's.
TELLING = (
    "B2B2B2B2",
    "Authority, Kiel",
    "FGTLAB0000000001",
    "tannenhof",
    "weidner",
    "THFMAIL",
    "thf-intern",
    "198.18",
    "81.20",
    "m.petersen",
)
PROVIDER = "198.51.100.0/24"
SENDERS = ("81.20.5.70", "81.20.5.7", "198.51.100.7", "203.0.113.9", "10.20.5.7")


def site() -> tuple[ExchangeHost, Device, dict[str, t.Any]]:
    host = defaults.site("2016", "THFMAIL", "tannenhof-weidner.example")
    host.windows.certificates["my"][1] = dataclasses.replace(
        host.windows.certificates["my"][1],
        subject='CN=mail.thf-intern.example, O="Weidner, Authority, Kiel", L=Kiel',
    )
    host.directory.accepted_domains["thf-intern.example"] = "InternalRelay"
    host.colleague(
        "New-ReceiveConnector",
        {
            "Name": "Scanner, Frau Weidner",
            "Bindings": ["0.0.0.0:25"],
            "RemoteIPRanges": ["81.20.5.64/26", "81.20.5.1-81.20.5.9"],
            "PermissionGroups": "AnonymousUsers",
            "TransportRole": "FrontendTransport",
            "Comment": "Ask Weidner, 2nd floor",
        },
    )
    (scanner,) = [c for c in host.receive_connectors() if c.name.startswith("Scanner")]
    person = Ace("TANNENHOF-WEIDNER\\m.petersen", "ms-Exch-SMTP-Submit")
    host.directory.put(dataclasses.replace(scanner, rights=(*scanner.rights, person)))
    device = Device()
    device.seed_mail_site("81.20.5.80", host.addresses[0])
    config = device.configs["root"]
    config.create(
        "firewall/address",
        {"name": "Weidner at home", "subnet": "81.20.5.64/26", "comment": "Call first"},
    )
    config.update("firewall/policy", "1", {"srcaddr": [{"name": "Weidner at home"}]})
    file = text(
        {"tannenhof-mail": read_host(host)}, read_device(device), provider_ranges=[PROVIDER]
    )
    return host, device, {**json.loads(file), "site": "tannenhof"}


def test_nothing_says_whose_it_is_and_all_of_it_means_the_same() -> None:
    host, device, data = site()
    made, table = replaced(data)
    file = json.dumps(made)
    assert [name for name in TELLING if name.casefold() in file.casefold()] == []
    assert table["sites"] == {"tannenhof": "site"}
    assert table["hosts"] == {"tannenhof-mail": "site-srv1"}
    # It is a reading like any other, and the lab carries all of it.
    whole = understand(made)
    lab, told = played(made["hosts"]["site-srv1"])
    assert [text for text in told if not text.startswith("iis") and "LocalSubnet" not in text] == []
    again, unlike = device_of(firewall_of(made["firewall"]), "FGTLAB0000000001")
    assert unlike == []
    assert whole.described["provider_ranges"] == [PROVIDER]
    # Who is who has changed, and who may do what has not.
    networks = Addresses(SENDERS, RangeSet([]))
    networks._moved = moved(table["networks"])
    public = networks.address("81.20.5.80")
    for sender in SENDERS:
        other = networks.address(sender)
        assert (other == sender) == (not sender.startswith("81."))
        there, here = host.admission(sender), lab.admission(other)
        assert len(here.heard) == len(there.heard)
        assert dataclasses.replace(here, connector=there.connector, heard=there.heard) == there
        for port in (25, 443):
            assert again.admits(other, public, port) == device.admits(sender, "81.20.5.80", port)


def moved(table: t.Mapping[str, str]) -> list[tuple[tuple[int, int, int], int]]:
    """The table of networks as it is worked with."""
    pairs: list[tuple[tuple[int, int, int], int]] = []
    for old, new in table.items():
        first, second = (ipaddress.ip_network(text) for text in (old, new))
        pairs.append(((first.version, int(first[0]), int(first[-1])), int(second[0])))
    return pairs


NETWORKS = st.builds(
    lambda first, length: str(ipaddress.ip_network((first, length), strict=False)),
    st.integers(0x50000000, 0x50007FFF) | st.integers(0x0A000000, 0x0A00FFFF),
    st.integers(16, 32),
)
SPANS = st.builds(
    lambda first, more: f"{ipaddress.IPv4Address(first)}-{ipaddress.IPv4Address(first + more)}",
    st.integers(0x50000000, 0x50007FFF),
    st.integers(0, 700) | st.integers(1 << 24, 1 << 27),
)
SIX = st.builds(
    lambda first, length: str(ipaddress.ip_network((first << 64, length), strict=False)),
    st.integers(0x2A00_0000_0000_0000, 0x2A00_0000_0000_FFFF),
    st.integers(32, 128),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(NETWORKS | SPANS | SIX, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_what_overlapped_or_held_another_does_so_still(
    texts: list[str], chance: random.Random
) -> None:
    addresses = Addresses(texts, RangeSet.parse(["80.0.16.0/20"]), chance)
    made = [addresses.text(text) for text in texts]
    before, after = ([RangeSet.parse([text]) for text in side] for side in (texts, made))
    for number, first in enumerate(before):
        assert sum(i.size for i in first.intervals) == sum(i.size for i in after[number].intervals)
        for other, second in enumerate(before):
            assert (first <= second) == (after[number] <= after[other])
            assert bool((first & second).intervals) == bool(
                (after[number] & after[other]).intervals
            )
            assert (first == second) == (after[number] == after[other])


def test_a_version_is_no_address_and_what_is_private_stays() -> None:
    # Of Exchange 2010, whose build reads like an address.
    data = json.loads(text({"mail": read_host(defaults.site("2010"))}))
    made, _table = replaced(data)
    rows = made["hosts"]["site-srv1"]["answers"]["posture-files"]["rows"]
    assert "14.3.123.4" in [row["version"] for row in rows]
    private = ["10.20.0.0/16", "0.0.0.0-255.255.255.255", "fe80::/10", "::"]
    addresses = Addresses(private, RangeSet([]))
    assert [addresses.text(each) for each in private] == private
