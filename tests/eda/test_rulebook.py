# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rulebook in a real ansible-rulebook, which needs a Java: events come by HTTPS, and what runs
for them is seen.
"""

from __future__ import annotations

import contextlib
import datetime
import http.client
import ipaddress
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import time
import typing as t

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import COLLECTIONS
from ansible_collections.mailedge.lockdown.tests.lab.site import Site
from ansible_collections.mailedge.lockdown.tests.support.pages import PAGES, blocks

PROGRAM = pathlib.Path(sys.executable).with_name("ansible-rulebook")
pytestmark = [
    pytest.mark.skipif(not PROGRAM.exists(), reason="ansible-rulebook is not installed"),
    pytest.mark.skipif(not shutil.which("java"), reason="no Java here"),
]
REPOSITORY = next(
    folder for folder in pathlib.Path(__file__).parents if (folder / "galaxy.yml").is_file()
)
TOKEN = "canary-token-of-events"
PATIENCE = 120
WINDOW = 4
HOSTS = {
    "mailedge": {
        "children": {
            "birke": {"hosts": {"birke-ex1": {}, "birke-ex2": {}}},
            "hafen": {"hosts": {"hafen-ex1": {"mailedge_site": "hafen"}}},
        },
        "vars": {"mailedge_site": "birke"},
    },
    "others": {"hosts": {"other": {}}},
}
# Notes whom it was to look at, and all that it was told, one file a run.
NOTES = [
    {
        "hosts": "mailedge",
        "gather_facts": False,
        "connection": "local",
        "tasks": [
            {
                "run_once": True,
                "delegate_to": "localhost",
                "ansible.builtin.tempfile": {"path": "{{ folder }}", "prefix": "run-"},
                "register": "file",
            },
            {
                "run_once": True,
                "delegate_to": "localhost",
                "ansible.builtin.copy": {
                    "dest": "{{ file.path }}",
                    "content": "{{ {'hosts': ansible_play_hosts_all, 'eda': ansible_eda, "
                    "'limit': ansible_limit, 'partial': mailedge_report_partial} | to_json }}",
                },
            },
        ],
    }
]


def certificate(folder: pathlib.Path) -> None:
    """cert.pem and key.pem for 127.0.0.1."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "events")])
    day = datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def environment(inventory: pathlib.Path) -> dict[str, str]:
    return {
        "PATH": os.pathsep.join([str(PROGRAM.parent), os.environ["PATH"]]),
        "HOME": os.environ["HOME"],
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_INVENTORY": str(inventory),
        "ANSIBLE_NOCOLOR": "true",
    }


class Rulebook:
    """One that listens, in a folder that is the repository of some sites."""

    def __init__(self, folder: pathlib.Path, inventory: pathlib.Path) -> None:
        self.folder, self.log = folder, folder / "log"
        certificate(folder)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        given = {
            "events_token": TOKEN,
            "events_address": "127.0.0.1",
            "events_port": self.port,
            "events_certificate": str(folder / "cert.pem"),
            "events_key": str(folder / "key.pem"),
        }
        (folder / "events.yml").write_text(yaml.safe_dump(given), encoding="utf-8")
        ours = (REPOSITORY / "extensions/eda/rulebooks/drift.yml").read_text(encoding="utf-8")
        assert "2 minutes" in ours
        # The same, with less patience.
        (folder / "rules.yml").write_text(
            ours.replace("2 minutes", f"{WINDOW} seconds"), encoding="utf-8"
        )
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                [PROGRAM, "-r", "rules.yml", "-i", str(inventory), "--vars", "events.yml"],
                cwd=folder,
                env=environment(inventory),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._context = ssl.create_default_context(cafile=str(folder / "cert.pem"))

    def __enter__(self) -> Rulebook:
        self.wait(self._listens)
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listens(self) -> bool:
        assert self._process.poll() is None, self.text()
        with contextlib.suppress(OSError):
            return self.post(b"{}", token="none") == 401
        return False

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    @staticmethod
    def wait(holds: t.Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, "it takes too long"
            time.sleep(0.2)

    def post(self, body: bytes | dict[str, t.Any], token: str | None = TOKEN) -> int:
        text = json.dumps(body).encode() if isinstance(body, dict) else body
        link = http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=self._context, timeout=30
        )
        try:
            headers = {"Content-Type": "application/json"}
            if token is not None:
                headers["Authorization"] = f"Bearer {token}"
            link.request("POST", "/events", text, headers)
            return link.getresponse().status
        finally:
            link.close()

    def runs(self) -> list[dict[str, t.Any]]:
        """What has run so far, in order."""
        files = sorted(self.folder.glob("run-*"), key=lambda path: path.stat().st_mtime)
        return [json.loads(text) for text in (path.read_text("utf-8") for path in files) if text]


@pytest.fixture
def rulebook(tmp_path: pathlib.Path) -> t.Iterator[Rulebook]:
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump(HOSTS), encoding="utf-8")
    book = yaml.safe_dump(NOTES).replace("{{ folder }}", str(tmp_path))
    (tmp_path / "drift.yml").write_text(book, encoding="utf-8")
    with Rulebook(tmp_path, tmp_path / "inventory.yml") as running:
        yield running


def test_it_is_a_rulebook_and_so_is_the_documented_copy_for_a_controller() -> None:
    ours = yaml.safe_load(
        (REPOSITORY / "extensions/eda/rulebooks/drift.yml").read_text(encoding="utf-8")
    )
    (page,) = (path for path in PAGES if path.stem == "events")
    (action,) = (block.text for block in blocks(page) if "run_job_template" in block.text)
    copy = json.loads(json.dumps(ours))
    copy[0]["rules"][0]["action"] = yaml.safe_load(action)
    judge = (
        "import json, sys; from ansible_rulebook.validators import Validate; "
        "[Validate.rulebook(rulebook) for rulebook in json.load(sys.stdin)]"
    )
    wrong = json.loads(json.dumps(copy))
    wrong[0]["rules"][0]["throttle"] = {"once": "daily"}
    for rulebooks, code in (([ours, copy], 0), ([wrong], 1)):
        done = subprocess.run(
            [PROGRAM.with_name("python"), "-c", judge],
            input=json.dumps(rulebooks),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr


def test_an_event_only_says_where_to_look(rulebook: Rulebook) -> None:
    refused = {
        401: [
            rulebook.post({"site": "birke"}, token=given)
            for given in (None, "", "x", TOKEN.upper(), f"{TOKEN} x")
        ],
        400: [rulebook.post(b'{"site": "birke"')],
        413: [rulebook.post(b'{"site": "birke", "x": "' + b"x" * 3_000_000 + b'"}')],
        500: [rulebook.post(b'{"site": "\xff"}'), rulebook.post(b"[" * 200_000 + b"]" * 200_000)],
    }
    for status, answers in refused.items():
        assert set(answers) == {status}
    # What is JSON is taken, and looked at afterwards.
    for body in (b"[]", b'"birke"', b"null", b"7"):
        assert rulebook.post(body) == 200
    for name in ("all", "mailedge", "other", "birke:hafen", "{{ 1 }}", ["birke"]):
        assert rulebook.post({"site": name, "host": name}) == 200
    time.sleep(WINDOW + 2)
    assert rulebook.runs() == []

    canary = "canary {{ 1 }}"
    sent = {
        "host": "birke-ex2",
        "meta": {"limit": canary, "hosts": [canary]},
        "mailedge_fail_on": canary,
        "limit": canary,
        canary: canary,
    }
    assert rulebook.post(sent) == 200
    rulebook.wait(lambda: bool(rulebook.runs()))
    (run,) = rulebook.runs()
    assert run["hosts"] == ["birke-ex1", "birke-ex2"]
    assert run["limit"] == "birke-ex1,birke-ex2"
    assert run["partial"] is True
    assert run["eda"]["event"]["look"] == {"site": "birke"}
    assert "canary" not in json.dumps(run)
    # A second of an event is another look, not a part of the first.
    assert rulebook.post({"site": "hafen"}) == 200
    rulebook.wait(lambda: len(rulebook.runs()) == 2)
    assert rulebook.runs()[1]["limit"] == "hafen-ex1"
    text = rulebook.text()
    assert "canary" not in text
    assert text.count("which nobody knows") == 1, "a line a minute for each reason"


def test_a_flood_is_a_look(rulebook: Rulebook) -> None:
    begun = time.monotonic()
    for number in range(300):
        assert rulebook.post({"site": ("birke", "hafen")[number % 2], "number": number}) == 200
    lasted = time.monotonic() - begun
    most = int(lasted // WINDOW) + 1
    rulebook.wait(lambda: bool(rulebook.runs()))
    # The last of them is not forgotten.
    time.sleep(2 * WINDOW)
    rulebook.wait(
        lambda: (
            {host for run in rulebook.runs()[-2:] for host in run["hosts"]}
            == {"birke-ex1", "birke-ex2", "hafen-ex1"}
        )
    )
    assert len(rulebook.runs()) <= most, (lasted, len(rulebook.runs()))


@pytest.mark.parametrize("missing", ["events_token", "events_certificate", "events_key"])
def test_it_does_not_listen_without_a_token_or_in_clear(
    tmp_path: pathlib.Path, missing: str
) -> None:
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump(HOSTS), encoding="utf-8")
    certificate(tmp_path)
    given = {
        "events_token": TOKEN,
        "events_address": "127.0.0.1",
        "events_port": 0,
        "events_certificate": str(tmp_path / "cert.pem"),
        "events_key": str(tmp_path / "key.pem"),
    }
    del given[missing]
    (tmp_path / "events.yml").write_text(yaml.safe_dump(given), encoding="utf-8")
    # By its name, as it is documented.
    done = subprocess.run(
        [PROGRAM, "-r", "mailedge.lockdown.drift", "-i", "inventory.yml", "--vars", "events.yml"],
        cwd=tmp_path,
        env=environment(tmp_path / "inventory.yml"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode != 0
    assert "Terminating: One of the source plugins failed" in done.stdout


def test_a_door_that_somebody_opened_is_in_the_report(tmp_path: pathlib.Path) -> None:
    """The real thing: the playbook of the sites' repository, on the lab."""
    with Lab([Site("birke", ("2016",)), Site("hafen", ("2016",))], pwsh="") as lab:
        folder = tmp_path / "sites"
        folder.mkdir()
        shutil.copy(REPOSITORY / "docs/awx/site-repository/drift.yml", folder)
        (folder / "inventory").mkdir()
        shutil.copy(lab.inventory, folder / "inventory" / "hosts.yml")
        reports = tmp_path / "reports"
        for_all = {"mailedge_report_folder": str(reports), "mailedge_report_formats": ["json"]}
        (folder / "inventory" / "group_vars").mkdir()
        (folder / "inventory" / "group_vars" / "mailedge.yml").write_text(
            yaml.safe_dump(for_all), encoding="utf-8"
        )
        with Rulebook(folder, folder / "inventory") as rulebook:
            assert rulebook.post({"site": "birke", "state": "in order"}) == 200
            rulebook.wait((reports / "latest.json").exists)
            report = json.loads((reports / "latest.json").read_text(encoding="utf-8"))
            assert {name: site["state"] for name, site in report["sites"].items()} == {
                "birke": "open"
            }
        assert lab.password not in rulebook.text()
