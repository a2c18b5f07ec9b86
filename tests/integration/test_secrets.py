# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canaries: passwords that must appear nowhere but on their way into a PSCredential."""

from __future__ import annotations

import json
import pathlib
import tempfile
import threading
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import play
from ansible_collections.mailedge.lockdown.tests.lab.runner import find_pwsh
from ansible_collections.mailedge.lockdown.tests.lab.site import Site

LOGIN, SMART_HOST = "canary-Login-91!", "canary-Smart$Host'92\""
HOST = "birke-ex1"


class Watch:
    """Looks at every command line and at new files of the machine while something runs."""

    def __init__(self, *folders: pathlib.Path) -> None:
        self._folders = folders
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
                for path in folder.rglob("*"):
                    if path.is_file():
                        self._look(path, str(path))

    def _look(self, path: pathlib.Path, name: str) -> None:
        try:
            data = path.read_bytes()
        except OSError:
            return
        for canary in (LOGIN, SMART_HOST):
            if canary.encode() in data or canary.encode("utf-16-le") in data:
                self.seen.add(name)


@pytest.fixture
def short_path() -> t.Iterator[pathlib.Path]:
    """A folder for TMPDIR: ansible-core 2.21 puts a Unix socket there, whose path may have about 100 characters."""
    with tempfile.TemporaryDirectory(prefix="mailedge-") as folder:
        yield pathlib.Path(folder)


@pytest.mark.skipif(not pathlib.Path("/proc/self/cmdline").exists(), reason="this system has no /proc to watch")
@pytest.mark.parametrize("connection", ["winrm", "psrp"])
def test_no_password_appears_anywhere(connection: str, tmp_path: pathlib.Path, short_path: pathlib.Path) -> None:
    copies, temporary, home = tmp_path / "copies", short_path, tmp_path / "home"
    for folder in (copies, home):
        folder.mkdir()
    with Lab([Site("birke", ("2016",))], password=LOGIN, pwsh=find_pwsh() or "") as lab:
        secrets = tmp_path / "secrets.json"
        login = {"username": "birke@filter.example", "password": SMART_HOST}
        secrets.write_text(json.dumps({"mailedge_outbound_credential": login}), encoding="utf-8")
        variables: dict[str, t.Any] = {
            "mailedge_lab_connection": connection,
            "mailedge_outbound": {"smart_hosts": ["127.0.0.1"], "port": 9, "smart_host_auth_mechanism": "BasicAuth"},
            "mailedge_accept_risks": ["smart_host_unreachable"],
            "mailedge_snapshot_copy": str(copies),
        }
        env = {"TMPDIR": str(temporary), "ANSIBLE_HOME": str(home), "ANSIBLE_LOCAL_TEMP": str(home / "tmp")}
        with Watch(temporary, home, copies) as watch:
            run = play("apply", lab.inventory, "-vvvvv", "--diff", "-e", f"@{secrets}", variables=variables, env=env)
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


def test_the_canary_would_be_seen(tmp_path: pathlib.Path) -> None:
    with Watch(tmp_path) as watch:
        (tmp_path / "leak").write_text(f"password={LOGIN}", encoding="utf-8")
        for _wait in range(100):
            if watch.seen:
                break
            threading.Event().wait(0.05)
    assert watch.seen == {str(tmp_path / "leak")}
