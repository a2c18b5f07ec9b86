# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup is judged as its device is, where it tells as much, and is never greener where not."""

from __future__ import annotations

import os
import pathlib
import tempfile
import time
import typing as t

import pytest
from hypothesis import given, settings

from ansible_collections.mailedge.lockdown.plugins.modules import fortios_inbound_lock
from ansible_collections.mailedge.lockdown.tests.lab.fortigate import cli
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer
from ansible_collections.mailedge.lockdown.tests.support.backups import backup, sections
from ansible_collections.mailedge.lockdown.tests.support.fortigate import LOCK, Firewall, Result
from ansible_collections.mailedge.lockdown.tests.support.random_firewalls import POLICIES, seed

FOLDER = pathlib.Path(cli.__file__).parent / "configurations"
# Configuration → its virtual IPs for mail.
DOORS = {
    "sdwan": ["VIP-mail"],
    "two_isps": ["mail-1", "mail-2"],
    "hub": ["VIP-mail"],
    "virtual_server": ["VIP-mail"],
}
RANGES = {"ranges": ["198.51.100.0/24"], "own_networks": ["10.20.0.0/16", "10.30.0.0/16"]}
QUICK = ("sdwan",)
TOLD = ("state", "strangers", "plan", "guards", "differences", "exposure", "failed")


def offline(path: pathlib.Path, firewall: Firewall, **options: t.Any) -> Result:
    """What the module says of a backup; nobody is asked."""
    options = {"host": "backup", "token": None, "ca_path": None, "backup": str(path), **options}
    return firewall.run(fortios_inbound_lock, check=True, **options)


def told(result: Result) -> dict[str, t.Any]:
    return {name: result.get(name) for name in TOLD}


def assert_agree(firewall: Firewall, text: str, lock: dict[str, t.Any]) -> Result:
    live = firewall.run(fortios_inbound_lock, check=True, **lock)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "fw.conf")
        path.write_text(text, encoding="utf-8")
        by_backup = offline(path, firewall, **lock)
    assert told(by_backup) == told(live)
    assert "by the backup fw.conf" in by_backup["as_of"]
    return live


@pytest.mark.parametrize("vdoms", [False, True], ids=["one vdom", "several"])
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in QUICK else pytest.mark.long) for kind in DOORS]
)
def test_a_device_and_its_backup_are_told_of_alike(
    kind: str, vdoms: bool, tmp_path: pathlib.Path
) -> None:
    text = (FOLDER / f"{kind}.conf").read_text(encoding="utf-8")
    lock = {"name": "birke", "vips": DOORS[kind], **RANGES}
    with FortiGateServer(Device()) as server:
        firewall = Firewall(server, tmp_path / "snapshots")
        cli.load(server.device, text)
        wide = assert_agree(firewall, backup(server.device, text, vdoms=vdoms), lock)
        assert wide["state"] == "open"
        firewall.done(fortios_inbound_lock, **lock)
        locked = assert_agree(firewall, backup(server.device, text, vdoms=vdoms), lock)
        assert (locked["state"], locked["changed"]) == ("in order", False)


@settings(max_examples=6)
@given(policies=POLICIES)
def test_any_firewall_and_its_backup_are_told_of_alike(policies: list[dict[str, t.Any]]) -> None:
    device = Device()
    seed(device, policies)
    with FortiGateServer(device) as server, tempfile.TemporaryDirectory() as folder:
        firewall = Firewall(server, pathlib.Path(folder))
        with firewall.without_network():
            text = backup(device)
            if not policies:
                return
            assert_agree(firewall, text, LOCK)


@pytest.fixture
def sdwan(tmp_path: pathlib.Path) -> t.Iterator[tuple[Firewall, str, dict[str, t.Any]]]:
    text = (FOLDER / "sdwan.conf").read_text(encoding="utf-8")
    with FortiGateServer(Device()) as server:
        cli.load(server.device, text)
        lock = {"name": "birke", "vips": ["VIP-mail"], **RANGES}
        firewall = Firewall(server, tmp_path / "snapshots")
        firewall.done(fortios_inbound_lock, **lock)
        yield firewall, backup(server.device, text), lock


def _put(folder: pathlib.Path, text: str, name: str = "fw.conf") -> pathlib.Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_where_routes_are_learned_it_is_not_known_where_the_server_is(
    sdwan: tuple[Firewall, str, dict[str, t.Any]], tmp_path: pathlib.Path
) -> None:
    firewall, text, lock = sdwan
    learned = 'config router bgp\n config neighbor\n edit "192.0.2.9"\n next\n end\nend\n'
    overlapping = "config system settings\n set allow-subnet-overlap enable\nend\n"
    for more in (learned, overlapping):
        result = offline(_put(tmp_path, text + more), firewall, **lock)
        assert result["state"] != "in order"
        assert "server_not_found" in [guard["id"] for guard in result["guards"]]
    plain = "config router bgp\n config redistribute connected\n end\nend\n"
    assert offline(_put(tmp_path, text + plain), firewall, **lock)["state"] == "in order"


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ("config system settings\n set ngfw-mode policy-based\nend\n", None),
        ("config system settings\n set central-nat enable\nend\n", None),
        (
            'config firewall address\n edit "birke-provider-198.51.100.0_24"\n'
            "  unset subnet\n next\nend\n",
            "open",
        ),
    ],
)
def test_what_a_backup_tells_otherwise_is_seen(
    more: str,
    state: str | None,
    sdwan: tuple[Firewall, str, dict[str, t.Any]],
    tmp_path: pathlib.Path,
) -> None:
    firewall, text, lock = sdwan
    result = offline(_put(tmp_path, text + more), firewall, **lock)
    assert result.get("state") == state
    assert result["failed"] is (state is None)


def test_by_a_backup_without_the_network_nobody_knows_where_the_server_is(
    sdwan: tuple[Firewall, str, dict[str, t.Any]], tmp_path: pathlib.Path
) -> None:
    firewall, text, lock = sdwan
    parts = [part for part in sections(text) if not part.startswith("config system")]
    result = offline(
        _put(tmp_path, text[: text.index("config ")] + "".join(parts)), firewall, **lock
    )
    assert result["state"] != "in order"
    assert {"server_not_found", "unread_way"} <= {guard["id"] for guard in result["guards"]}


def test_a_backup_that_cannot_be_used_is_told_and_nothing_is_written(
    sdwan: tuple[Firewall, str, dict[str, t.Any]], tmp_path: pathlib.Path
) -> None:
    firewall, text, lock = sdwan
    lines = text.splitlines()
    at = lines.index("config firewall policy")
    for broken, words in (
        ("", "does not begin as the backup"),
        ("#FGBK|4|FGT60F|7|04|", "does not begin as the backup"),
        ("\n".join(lines[:at]), "holds no firewall policies"),
        ("\n".join(lines[: at + 2]), "was cut"),
        ("\n".join(lines[:-1]), "was cut"),
        (f"{text}\nhello\n", "has no place"),
        (f"{text}\nset x \\\n", "cannot be read"),
        (f'{text}\nconfig a\nset x "' + "y" * (1 << 20), "longer than any value"),
        (text[: text.index("MIIE")], "was cut"),
        (text + "config a\n" * 40, "more sections"),
    ):
        result = offline(_put(tmp_path, broken), firewall, **lock)
        assert result["failed"], words
        assert words in result["msg"]
        assert "state" not in result
    path = _put(tmp_path, text)
    assert "has no vdom 'guests'" in offline(path, firewall, **lock, vdom="guests")["msg"]
    missing = offline(tmp_path / "none.conf", firewall, **lock)
    assert "cannot be read: No such file" in missing["msg"]
    written = firewall.run(
        fortios_inbound_lock, **{**lock, "token": None, "ca_path": None, "backup": str(path)}
    )
    assert "Run the task in check mode" in written["msg"]


def test_how_old_a_backup_is_is_told_and_an_old_one_refused(
    sdwan: tuple[Firewall, str, dict[str, t.Any]], tmp_path: pathlib.Path
) -> None:
    firewall, text, lock = sdwan
    old = _put(tmp_path, text, "fw_7-4_2662_202401021530.conf")
    assert "It is as of 2024-01-02, and older than 30 days" in offline(old, firewall, **lock)["msg"]
    for name in ("fw_7-4_2662_202401021530 (1).conf", "fw_202401021530(12).conf"):
        again = offline(_put(tmp_path, text, name), firewall, **lock)
        assert "It is as of 2024-01-02" in again["msg"]
    result = offline(old, firewall, **lock, backup_days=99999)
    assert result["as_of"].startswith("2024-01-02 15:30 as the file is named, by the backup fw_7-4")
    path = _put(tmp_path, text)
    day = time.time() - 3 * 86400
    os.utime(path, (day, day))
    assert "when the file was last changed" in offline(path, firewall, **lock)["as_of"]
    assert "older than 2 days" in offline(path, firewall, **lock, backup_days=2)["msg"]
    os.utime(path, (day + 9 * 86400, day + 9 * 86400))
    assert "yet to come" in offline(path, firewall, **lock)["msg"]


def test_no_secret_of_a_backup_is_told(
    sdwan: tuple[Firewall, str, dict[str, t.Any]], tmp_path: pathlib.Path
) -> None:
    firewall, text, lock = sdwan
    assert "SH2lab5Y0cE9vQqk3bqTz0w" in text
    result = offline(_put(tmp_path, text), firewall, **lock)
    assert "SH2lab5Y0cE9vQqk3bqTz0w" not in str(result)
