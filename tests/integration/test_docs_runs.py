# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation shows is run: the tutorial word by word, the plays of the roles' READMEs
on a lab.
"""

from __future__ import annotations

import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import typing as t

import pytest
import yaml

from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import play
from ansible_collections.mailedge.lockdown.tests.lab.site import SOURCES, Site
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.server import Iis
from ansible_collections.mailedge.lockdown.tests.support.pages import (
    PAGES,
    READMES,
    Block,
    blocks,
)
from ansible_collections.mailedge.lockdown.tests.tools.documentation import REPOSITORY

(TUTORIAL,) = (path for path in PAGES if path.stem == "tutorial")
MARK = "@@ exit code "


def clone(folder: pathlib.Path) -> pathlib.Path:
    """A clone with caches of its own, and with the virtual environment that runs this test."""
    for path in REPOSITORY.iterdir():
        if not path.name.startswith("."):
            (folder / path.name).symlink_to(path)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def user() -> dict[str, str]:
    """The environment of somebody who has just cloned the repository."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANSIBLE_", "PYTHON", "MAKE", "MFLAGS", "VIRTUAL_ENV"))
    }


def wait_for(path: pathlib.Path, process: subprocess.Popen[str], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, f"{path} is not there after {seconds:g} seconds"
        time.sleep(0.2)


def shown(expected: str, output: str) -> None:
    """Every line of `expected` is in `output`, in this order; ``...`` stands for anything."""
    lines = iter(output.splitlines())
    for line in expected.splitlines():
        words = " ".join(line.split())
        pattern = re.escape(words).replace(re.escape("..."), ".*")
        assert any(re.search(pattern, " ".join(text.split())) for text in lines), (
            f"'{line}' is not shown:\n{output}"
        )


@pytest.mark.long
def test_the_tutorial_turns_out_as_it_says(tmp_path: pathlib.Path) -> None:
    """Typed as it stands, with ``make lab`` in one terminal and the rest in another."""
    first, *others = [block for block in blocks(TUTORIAL) if block.language in ("console", "text")]
    assert first.text == "make lab\n"
    here = clone(tmp_path)
    script = "".join(
        f'{block.text}echo "{MARK}$?"\n' for block in others if block.language == "console"
    )
    lab = subprocess.Popen(
        ["bash", "-c", first.text],
        cwd=here,
        env=user(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for(here / ".cache" / "lab" / "inventory.yml", lab)
        done = subprocess.run(
            ["bash"],
            input=script,
            cwd=here,
            env=user(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=400,
            check=False,
        )
    finally:
        os.killpg(lab.pid, signal.SIGTERM)
        lab.communicate(timeout=30)
    pieces = re.split(rf"^{MARK}(\d+)\n", done.stdout, flags=re.MULTILINE)
    outputs, codes = pieces[0::2], [int(code) for code in pieces[1::2]]
    number = -1
    for block in others:
        if block.language == "console":
            number += 1
            assert bool(codes[number]) is block.fails, f"{block}\n{outputs[number]}"
        else:
            shown(block.text, outputs[number])
    assert number == len(codes) - 1 > 6


# ---------------------------------------------------------------- the roles' READMEs

HOST = "birke-ex1"
# Role → what of its example is elsewhere on a lab. What an example only shows with names that no
# lab can have stays out, with its reason.
ON_THE_LAB: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "discover": {},
    "exchange": {},
    "fortigate": {},
    "hybrid": {},
    "iis": {},
    "probe": {
        "mailedge_probe_looks": [
            {
                "name": "a stranger on the internet",
                "source_address": SOURCES["internet"],
                "expect": "open",
            }
        ]
    },
    "published_ranges": {"mailedge_published_host": "localhost"},
    "windows": {},
    "windows_firewall": {},
}
ELSEWHERE = {
    "exchange_online": "a tenant by its ids; test_exchange_online_walk runs the role",
    "report": "it writes what a run has found, so that it is tried where one has",
    "site": "variables alone, which are described to site_description below",
}
# What a lab says of itself, which counts more than the invented names of an example.
OF_THE_LAB = re.compile(
    r"mailedge_(fortigate_(host|port|token|ca_path|vips|addresses|snapshot_folder)"
    r"|probe_(targets|port|control_host|control_port|connect_timeout))"
)
# A server without the Hybrid Agent, and one that is not kept as it should be.
TOLD = {"hybrid", "windows"}


def plays() -> dict[str, Block]:
    """Role → the first example of its README, which is a play where it has one."""
    return {
        path.parent.name: blocks(path)[0] for path in READMES if path.parent.parent.name == "roles"
    }


def test_every_role_shows_a_play_that_runs_or_says_why_not() -> None:
    assert set(plays()) == set(ON_THE_LAB) | set(ELSEWHERE)


@pytest.mark.long
def test_the_plays_of_the_roles_run_on_a_lab(tmp_path: pathlib.Path) -> None:
    """Each in check mode, as a user would copy it."""
    with Lab((Site("birke", ("2016",), "7.4.4"),)) as lab:
        lab.hosts[HOST].exchange.windows.add_iis(lambda: Iis("2016", ip_restrictions=True))
        inventory = yaml.safe_load(lab.inventory.read_text(encoding="utf-8"))
        group = inventory["mailedge"]["children"]["birke"]
        known = {**group["vars"], **group["hosts"][HOST]}
        own = {name: value for name, value in known.items() if OF_THE_LAB.fullmatch(name)}
        own["mailedge_published_folder"] = str(tmp_path)
        before = lab.client().ask("dump", host=HOST)
        for role, different in ON_THE_LAB.items():
            content = yaml.safe_load(plays()[role].text)
            run = play(content, lab.inventory, "--check", variables={**own, **different})
            assert run.tasks, role
            assert run.code == 0 or role in TOLD, f"{role}\n{run.output}"
            assert run.code != 0 or role not in TOLD, f"{role}: nothing is told\n{run.output}"
        assert lab.client().ask("dump", host=HOST) == before, "a check changed something"
