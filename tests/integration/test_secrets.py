# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canaries: passwords that must appear nowhere but on their way into a PSCredential."""

from __future__ import annotations

import json
import os
import pathlib
import sys
import tempfile
import threading
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import play
from ansible_collections.mailedge.lockdown.tests.lab.runner import find_pwsh
from ansible_collections.mailedge.lockdown.tests.lab.site import Site
from ansible_collections.mailedge.lockdown.tests.support.marking import long_after

LOGIN, SMART_HOST = "canary-Login-91!", "canary-Smart$Host'92\""
HOST = "birke-ex1"


class Watch:
    """Looks at every command line and at new files of the machine while something runs."""

    def __init__(
        self, *folders: pathlib.Path, canaries: t.Collection[str] = (LOGIN, SMART_HOST)
    ) -> None:
        self._folders, self._canaries = folders, canaries
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.seen: set[str] = set()

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ending.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._ending.wait(0.05):
            for process in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                self._look(process, str(process))
            for folder in self._folders:
                # Not rglob(), which gives up where a folder goes away under it.
                for place, _folders, names in os.walk(folder):
                    for name in names:
                        self._look(pathlib.Path(place, name), str(pathlib.Path(place, name)))

    def _look(self, path: pathlib.Path, name: str) -> None:
        try:
            data = path.read_bytes()
        except OSError:
            return
        for canary in self._canaries:
            if canary.encode() in data or canary.encode("utf-16-le") in data:
                self.seen.add(name)


@pytest.fixture
def short_path() -> t.Iterator[pathlib.Path]:
    """A folder for TMPDIR: ansible-core 2.21 puts a Unix socket there, whose path may have about
    100 characters.
    """
    with tempfile.TemporaryDirectory(prefix="mailedge-") as folder:
        yield pathlib.Path(folder)


@pytest.mark.skipif(
    not pathlib.Path("/proc/self/cmdline").exists(), reason="this system has no /proc to watch"
)
@pytest.mark.core
@pytest.mark.parametrize(
    ("connection", "real"), [pytest.param("winrm", True, marks=pytest.mark.long), ("psrp", False)]
)
def test_no_password_appears_anywhere(
    connection: str, real: bool, tmp_path: pathlib.Path, short_path: pathlib.Path
) -> None:
    copies, temporary, home = tmp_path / "copies", short_path, tmp_path / "home"
    for folder in (copies, home):
        folder.mkdir()
    with Lab(
        [Site("birke", ("2016",))], password=LOGIN, pwsh=(find_pwsh() or "") if real else ""
    ) as lab:
        secrets = tmp_path / "secrets.json"
        login = {"username": "birke@filter.example", "password": SMART_HOST}
        secrets.write_text(
            json.dumps({"mailedge_exchange_outbound_credential": login}), encoding="utf-8"
        )
        variables: dict[str, t.Any] = {
            "lab_connection": connection,
            "mailedge_exchange_outbound": {
                "smart_hosts": ["127.0.0.1"],
                "port": 9,
                "smart_host_auth_mechanism": "BasicAuth",
            },
            "mailedge_exchange_accept_risks": ["smart_host_unreachable"],
            "mailedge_exchange_snapshot_copy": str(copies),
        }
        env = {
            "TMPDIR": str(temporary),
            "ANSIBLE_HOME": str(home),
            "ANSIBLE_LOCAL_TEMP": str(home / "tmp"),
        }
        with Watch(temporary, home, copies) as watch:
            run = play(
                "apply",
                lab.inventory,
                "-vvvvv",
                "--diff",
                "-e",
                f"@{secrets}",
                variables=variables,
                env=env,
            )
        assert run.code == 0, run.output[-5000:]
        created = run.mail_flow()
        assert any("Mail to filter" in line for line in created["plan"])
        told = [run.output, json.dumps([task.result for task in run.tasks])]
        told += lab.client().ask("files", host=HOST).values()
        told += [path.read_text(encoding="utf-8") for path in copies.iterdir()]
        assert len(told) >= 4, "there should be a snapshot on the server and a copy of it"
        for canary in (LOGIN, SMART_HOST):
            for text in told:
                assert canary not in text
                assert json.dumps(canary)[1:-1] not in text
        assert watch.seen == set()


@pytest.mark.long
@pytest.mark.skipif(
    not pathlib.Path("/proc/self/cmdline").exists(), reason="this system has no /proc to watch"
)
def test_the_token_of_a_firewall_appears_nowhere(
    tmp_path: pathlib.Path, short_path: pathlib.Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with Lab([Site("birke", ("2016",), "7.4.4")], pwsh="") as lab:
        firewall = lab.firewalls["birke"]
        own = firewall.ca_path.parent / "snapshots"
        variables = {"mailedge_exchange_enabled": False, "ansible_remote_tmp": str(home / "remote")}
        env = {
            "TMPDIR": str(short_path),
            "ANSIBLE_HOME": str(home),
            "ANSIBLE_LOCAL_TEMP": str(home / "tmp"),
        }
        told = []
        with Watch(short_path, home, own, canaries=[firewall.token]) as watch:
            for playbook, code in (("apply", 0), ("rollback", 0)):
                run = play(
                    playbook, lab.inventory, "-vvvvv", "--diff", variables=variables, env=env
                )
                assert run.code == code, run.output[-5000:]
                told += [run.output, json.dumps([task.result for task in run.tasks])]
            lab.client().firewall_fault(HOST, html=401)
            run = play("drift", lab.inventory, "-vvvvv", variables=variables, env=env)
            assert run.code != 0
            told += [run.output, json.dumps([task.result for task in run.tasks])]
        told += [path.read_text(encoding="utf-8") for path in own.iterdir()]
        assert len(told) >= 8, "there should be snapshots"
        assert not any(firewall.token in text for text in told)
        assert watch.seen == set()


@pytest.mark.core
def test_no_error_in_the_options_prints_a_login() -> None:
    """At -vvv, through the playbook as it is used; each option error and place by itself is in
    tests/unit/plugins/action/test_exchange_mail_flow.py.
    """
    login = {"username": "birke@filter.example", "password": SMART_HOST}
    out = {"smart_hosts": ["127.0.0.1"], "port": 9}
    wrongs: list[dict[str, t.Any]] = [
        {
            "mailedge_exchange_inbound": {"method": "nope"},
            "mailedge_exchange_send_connectors": [
                {"name": "x", "authentication_credential": login}
            ],
        },
        {
            "mailedge_exchange_send_connectors": [
                {"name": "x", "authentication_credential": {"username": "u", "pasword": SMART_HOST}}
            ]
        },
        {
            "mailedge_exchange_receive_connectors": [
                {"name": "x", "authentication_credential": login}
            ]
        },
        {"mailedge_exchange_outbound": {**out, "authentication_credential": f"site:{SMART_HOST}"}},
        {"mailedge_exchange_outbound": {**out, "authentication_credental": login}},
        {
            "mailedge_exchange_outbound": out,
            "mailedge_exchange_outbound_credential": f"site {SMART_HOST}",
        },
        {"mailedge_exchange_password": SMART_HOST, "mailedge_exchange_time_limit": "soon"},
    ]
    with Lab([Site("birke", ("2016",))], password=LOGIN, pwsh="") as lab:
        for wrong in wrongs:
            variables = {"mailedge_probe_targets": "", **wrong}
            run = play("apply", lab.inventory, "-vvv", "--diff", variables=variables)
            assert run.code != 0, wrong
            told = run.output + json.dumps([task.result for task in run.tasks])
            for canary in (LOGIN, SMART_HOST):
                for form in (canary, json.dumps(canary)[1:-1], repr(canary)[1:-1]):
                    assert form not in told, wrong
        assert lab.client().counters(HOST)["writes"] == 0


def test_a_password_that_is_a_word_of_the_description_changes_nothing() -> None:
    """The mask belongs into what is printed, and not into what is written or looked for."""
    login = {"username": "birke@filter.example", "password": "relay"}
    wish = {
        "mailedge_probe_targets": "",
        "mailedge_exchange_outbound_credential": login,
        "mailedge_exchange_outbound": {
            "smart_hosts": ["relay.filter.example"],
            "smart_host_auth_mechanism": "BasicAuthRequireTLS",
        },
        "mailedge_exchange_accept_risks": ["smart_host_unreachable"],
    }
    with Lab([Site("birke", ("2016",))], password=LOGIN, pwsh="") as lab:
        run = play("apply", lab.inventory, variables=wish)
        assert run.code == 0, run.output
        made = lab.client().dump(HOST)["send_connectors"]["Mail to filter"]
        assert made["SmartHosts"] == ["relay.filter.example"]


@pytest.mark.core
@pytest.mark.parametrize("own_process", long_after(1, [False, True]))
def test_a_module_that_does_not_know_an_option_does_not_print_its_secret(
    own_process: bool, tmp_path: pathlib.Path
) -> None:
    inventory = tmp_path / "hosts.yml"
    python = "{{ ansible_playbook_python }}"
    if own_process:
        (tmp_path / "python3").symlink_to(sys.executable)
        python = str(tmp_path / "python3")
    here = {"ansible_connection": "local", "ansible_python_interpreter": python}
    inventory.write_text(json.dumps({"all": {"hosts": {"localhost": here}}}), encoding="utf-8")
    device = {"host": "127.0.0.1", "api_port": 9, "token": "canary-token-1"}
    feed = {**device, "name": "f", "username": "lists", "pasword": SMART_HOST}
    wrongs: list[tuple[str, dict[str, t.Any]]] = [
        ("fortios_info", {"host": "127.0.0.1", "tokn": SMART_HOST}),
        ("fortios_range_feed", feed),
        ("fortios_range_feed", {**feed, "password": {"is": SMART_HOST}, "mode": "nope"}),
        ("fortios_inbound_lock", {**device, "token": SMART_HOST, "port": "smtp"}),
        ("exchange_online_info", {"tenant_id": "hafen.example", "client_secrt": SMART_HOST}),
    ]
    tasks = [
        {"name": f"Call {name}", f"mailedge.lockdown.{name}": options, "ignore_errors": True}
        for name, options in wrongs
    ]
    book = [{"name": "Wrong", "hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    # The options reach Python by its standard input; -vvv shows what the module gives back.
    run = play(book, inventory, "-vvv", variables={"ansible_pipelining": True})
    assert [task.status for task in run.tasks] == ["failed"] * len(wrongs), run.output
    told = run.output + json.dumps([task.result for task in run.tasks])
    assert "Unsupported parameters" in told
    assert "value of mode must be one of" in told
    for form in (
        SMART_HOST,
        json.dumps(SMART_HOST)[1:-1],
        repr(SMART_HOST)[1:-1],
        "canary-token-1",
    ):
        assert form not in told


def test_the_canary_would_be_seen(tmp_path: pathlib.Path) -> None:
    with Watch(tmp_path) as watch:
        (tmp_path / "leak").write_text(f"password={LOGIN}", encoding="utf-8")
        for _wait in range(100):
            if watch.seen:
                break
            threading.Event().wait(0.05)
    assert watch.seen == {str(tmp_path / "leak")}
