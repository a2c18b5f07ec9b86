# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of the FortiOS REST API against the lab's FortiGate."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.errors import (
    DeviceError,
    DeviceUnreachable,
)
from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_address_group,
    fortios_info,
    fortios_range_feed,
)
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer
from ansible_collections.mailedge.lockdown.tests.support.fortigate import Firewall

ADDRESS, POLICY = "firewall/address", "firewall/policy"


@pytest.fixture
def firewall(tmp_path: pathlib.Path) -> t.Iterator[Firewall]:
    with FortiGateServer(Device(vdoms=("root", "a b&x=1"))) as server:
        server.device.seed_mail_site()
        yield Firewall(server, tmp_path)


def test_one_connection_and_one_request_for_a_table(firewall: Firewall) -> None:
    with firewall.client() as client:
        assert [row["name"] for row in client.table(POLICY)] == ["Mail in", "Web in", "LAN out"]
        assert client.requests == 1
        assert (client.version, client.serial) == ((7, 4, 4), "FGTLAB0000000001")


def test_a_table_that_comes_in_pages_is_read_whole(firewall: Firewall) -> None:
    firewall.device.page = 2
    with firewall.client() as client:
        assert [row["policyid"] for row in client.table(POLICY)] == [1, 2, 3]
        assert client.requests == 2


def test_names_with_anything_in_them(firewall: Firewall) -> None:
    name = "10.0.0.0/8 ünd \"x\" & 'y' ?z=1#%2F"
    with firewall.client() as client:
        assert client.create(ADDRESS, {"name": name, "subnet": "10.0.0.0/8"}) == name
        client.update(ADDRESS, name, {"comment": "ö"})
        assert firewall.device.rows("root", ADDRESS)[name]["comment"] == "ö"
        client.delete(ADDRESS, name)
    assert name not in firewall.device.rows("root", ADDRESS)


def test_the_name_of_a_vdom_cannot_add_to_the_query(firewall: Firewall) -> None:
    with firewall.client(vdom="a b&x=1") as client:
        client.create(ADDRESS, {"name": "there", "subnet": "10.0.0.0/8"})
    assert "there" in firewall.device.rows("a b&x=1", ADDRESS)
    assert "there" not in firewall.device.rows("root", ADDRESS)


def test_the_token_is_in_no_url(firewall: Firewall) -> None:
    with firewall.client() as client:
        client.table(ADDRESS)
    assert all(firewall.server.token not in path for _method, path, _status in firewall.server.log)


def test_a_list_of_envelopes_is_read_for_our_vdom(firewall: Firewall) -> None:
    with firewall.client(vdom="*") as client:
        client.vdom = "*"
        with pytest.raises(DeviceError, match="refused GET"):
            client.table(POLICY)
    # As a device answers where a vdom is asked for that it takes as all of them.
    told = {"status": "success", "version": "v7.4.4"}
    answer = json.dumps(
        [{"vdom": "other", "results": [], **told}, {"vdom": "root", "results": [1], **told}]
    )
    with firewall.client() as client:
        envelope = client._envelope(answer)
        assert envelope is not None
        assert envelope["results"] == [1]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"html": 401}, "does not accept the token"),
        ({"html": 429}, "locked out our address"),
        ({"html": 503}, "no reason that we know"),
        ({"redirect": 1}, "not followed.*elsewhere.example"),
        ({"fail": {"GET firewall/address": -14}}, "accprofile"),
    ],
)
def test_what_is_no_success_is_told(
    firewall: Firewall, fault: dict[str, t.Any], words: str
) -> None:
    firewall.server.arm(**fault)
    with firewall.client() as client, pytest.raises(DeviceError, match=words):
        client.table(ADDRESS)


def test_a_wrong_token_is_tried_once(firewall: Firewall) -> None:
    with firewall.client(token="canary-of-a-token") as client:
        with pytest.raises(DeviceError, match="does not accept the token") as refused:
            client.table(ADDRESS)
        assert refused.value.refuses_us
        assert "canary" not in f"{refused.value} {client!r}"
    assert firewall.server.requests == 1


def test_a_token_that_may_only_read(firewall: Firewall) -> None:
    with firewall.client(token="lab-token-read-only") as client:
        assert client.table(POLICY)
        with pytest.raises(DeviceError, match="may not do that"):
            client.create(ADDRESS, {"name": "x", "subnet": "10.0.0.0/8"})


@pytest.mark.parametrize("version", ["v6.4.14", "v7.4.4"])
def test_success_is_read_from_the_body_whatever_the_status_says(version: str) -> None:
    with (
        FortiGateServer(Device(version=version)) as server,
        Firewall(server, pathlib.Path()).client() as client,
    ):
        client.create(ADDRESS, {"name": "x", "subnet": "10.0.0.0/8"})
        with pytest.raises(DeviceError) as refused:
            client.create(ADDRESS, {"name": "x", "subnet": "10.0.0.0/8"})
        assert refused.value.code == -5
        assert refused.value.status == (500 if version == "v6.4.14" else 424)


def test_a_kept_connection_that_the_device_has_closed_is_opened_again_for_reading(
    firewall: Firewall,
) -> None:
    with firewall.client() as client:
        client.table(ADDRESS)
        firewall.server.arm(cut_before=1)
        assert client.table(POLICY)


def test_a_write_is_never_sent_twice(firewall: Firewall) -> None:
    with firewall.client() as client:
        client.table(ADDRESS)
        firewall.server.reset_counters()
        firewall.server.arm(cut_after=1)
        with pytest.raises(DeviceUnreachable, match="last write may have arrived") as gone:
            client.create(ADDRESS, {"name": "x", "subnet": "10.0.0.0/8"})
        assert gone.value.sent
    assert firewall.server.requests == 1
    assert "x" in firewall.device.rows("root", ADDRESS)


def test_a_device_that_is_slow_is_given_up(firewall: Firewall) -> None:
    firewall.server.arm(slow=2.0)
    with (
        firewall.client(timeout=0.3) as client,
        pytest.raises(DeviceUnreachable, match="cannot be reached"),
    ):
        client.table(ADDRESS)


def test_a_certificate_of_nobody_gets_no_token(firewall: Firewall) -> None:
    with (
        firewall.client(ca_path=None) as client,
        pytest.raises(DeviceUnreachable, match="cannot be trusted.*ca_path"),
    ):
        client.table(ADDRESS)
    assert firewall.server.requests == 0
    with firewall.client(ca_path=None, validate_certs=False) as client:
        assert client.table(ADDRESS)


def test_a_transaction_is_all_or_nothing(firewall: Firewall) -> None:
    with firewall.client() as client:
        client.table(POLICY)
        with client.transaction():
            client.create(ADDRESS, {"name": "one", "subnet": "10.0.0.0/8"})
            assert "one" not in firewall.device.rows("root", ADDRESS)
        assert "one" in firewall.device.rows("root", ADDRESS)

        def taken() -> None:
            with client.transaction():
                client.create(ADDRESS, {"name": "two", "subnet": "10.0.0.0/8"})
                client.create(ADDRESS, {"name": "one", "subnet": "10.0.0.0/8"})

        with pytest.raises(DeviceError):
            taken()
        assert "two" not in firewall.device.rows("root", ADDRESS)
    assert not firewall.device.transactions


def test_a_fortios_without_transactions_takes_each_write_by_itself() -> None:
    with (
        FortiGateServer(Device(version="v6.2.16")) as server,
        Firewall(server, pathlib.Path()).client() as client,
    ):
        client.table(ADDRESS)
        with client.transaction():
            client.create(ADDRESS, {"name": "one", "subnet": "10.0.0.0/8"})
            assert "one" in server.device.rows("root", ADDRESS)


def test_nobody_listens(firewall: Firewall) -> None:
    with (
        firewall.client(port=1) as client,
        pytest.raises(DeviceUnreachable, match="cannot be reached"),
    ):
        client.table(ADDRESS)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"token": "abc-secret\n"}, "The token is empty, or holds"),
        ({"token": "abc-secret \u201cx\u201d"}, "The token is empty, or holds"),
        ({"token": ""}, "The token is empty, or holds"),
        ({"host": "https://fw.birke.example"}, "without https://"),
        ({"host": "a" * 300}, "neither a host name"),
        ({"host": "a\nb"}, "neither a host name"),
        ({"host": ""}, "neither a host name"),
        ({"vdom": "*"}, "'*' is not a vdom"),
        ({"vdom": "root,guest"}, "is not a vdom"),
        ({"api_port": 99999}, "api_port is "),
        ({"timeout": 0}, "timeout is "),
        ({"timeout": -1}, "timeout is "),
        ({"ca_path": "/nowhere/ca.pem"}, "no ca_path '/nowhere/ca.pem'"),
    ],
)
def test_options_that_name_no_device_are_told_before_anything_is_sent(
    tmp_path: pathlib.Path, options: dict[str, t.Any], words: str
) -> None:
    with FortiGateServer() as server:
        firewall = Firewall(server, tmp_path)
        group: dict[str, t.Any] = {"name": "g", "ranges": ["192.0.2.0/25"]}
        for result in (
            firewall.run(fortios_info, **options),
            firewall.run(fortios_address_group, **group, **options),
        ):
            assert result["failed"]
            assert words in result["msg"]
            assert "Nothing was sent" in result["msg"]
            assert "secret" not in json.dumps(result)
        assert not server.requests


def test_ports_and_ranges_that_are_none_are_no_empty_answer(tmp_path: pathlib.Path) -> None:
    with FortiGateServer() as server:
        firewall = Firewall(server, tmp_path)
        assert "0 is not a TCP port" in firewall.run(fortios_info, port=0)["msg"]
        assert "holds a range" in firewall.run(fortios_info, addresses=["10.20.0.0/16"])["msg"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "https://reader:hunter2@ranges.example/list"}, "name username and password"),
        ({"url": "https://ranges.example/list\n"}, "line break"),
        ({"name": "a\nb", "url": "https://ranges.example/list"}, "cannot be the name of a feed"),
        ({"name": " ", "url": "https://ranges.example/list"}, "cannot be the name of a feed"),
    ],
)
def test_a_feed_that_could_not_be_meant(
    tmp_path: pathlib.Path, options: dict[str, t.Any], words: str
) -> None:
    with FortiGateServer() as server:
        result = Firewall(server, tmp_path).run(fortios_range_feed, **{"name": "fd", **options})
        assert result["failed"]
        assert words in result["msg"]
        assert "hunter2" not in json.dumps(result)
