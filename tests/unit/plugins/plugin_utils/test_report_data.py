# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The revision of a site's repository, and the controls that findings are about."""

from __future__ import annotations

import pathlib
import subprocess

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.guards import GUARDS
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.guards import (
    GUARDS as OF_FIREWALLS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.catalogue import FINDINGS
from ansible_collections.mailedge.lockdown.plugins.plugin_utils import _report_data as data
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.host_layers import POSTURE
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.parts import TENANT
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._yaml import read_yaml

REVISION = "6095240b51faca20352b65219508a435db4ae337"
OPENINGS = {"strangers", "relay"}


def git(folder: pathlib.Path, *arguments: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@x.example", "-c", "init.defaultBranch=main")
    return subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_the_revision_is_that_of_the_repository_with_the_inventory(tmp_path: pathlib.Path) -> None:
    inventory = tmp_path / "inventory" / "production"
    inventory.mkdir(parents=True)
    variables = {"inventory_dir": str(inventory)}
    assert data.revision(variables) == ""
    git(tmp_path, "init", "-q")
    assert data.revision(variables) == "", "nothing is committed yet"
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    first = git(tmp_path, "rev-parse", "HEAD")
    assert data.revision(variables) == first
    git(tmp_path, "pack-refs", "--all")
    assert data.revision(variables) == first
    git(tmp_path, "worktree", "add", "-q", "-b", "other", str(tmp_path / "beside"))
    git(tmp_path / "beside", "commit", "-q", "--allow-empty", "-m", "second")
    assert data.of_folder(tmp_path / "beside") == git(tmp_path / "beside", "rev-parse", "HEAD")
    git(tmp_path, "checkout", "-q", "--detach", first)
    assert data.revision(variables) == first


def test_what_awx_tells_counts_more_and_what_is_no_revision_counts_nothing(
    tmp_path: pathlib.Path,
) -> None:
    assert data.revision({"awx_project_revision": REVISION}) == REVISION
    assert data.revision({"tower_project_revision": REVISION}) == REVISION
    assert data.revision({"awx_project_revision": "HEAD; rm -rf"}) == ""
    assert data.revision({}) == ""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/\x00", encoding="utf-8")
    assert data.of_folder(tmp_path) == ""
    (tmp_path / ".git" / "HEAD").write_bytes(b"\xff\xfe")
    assert data.of_folder(tmp_path) == ""


def test_controls_are_of_findings_that_there_can_be_and_say_where_they_are_from() -> None:
    document = read_yaml(data._CONTROLS)
    known = {
        "exchange": {*GUARDS, *OPENINGS},
        "fortigate way in": set(OF_FIREWALLS),
        "fortigate way out": set(OF_FIREWALLS),
        TENANT: OPENINGS,
        POSTURE: set(FINDINGS),
    }
    for layer, entries in document["findings"].items():
        assert set(entries) <= known[layer], layer
        for names in entries.values():
            assert set(names) <= set(document["controls"])
    named = {
        name for told in document["findings"].values() for each in told.values() for name in each
    }
    assert named == set(document["controls"]), "a control without a finding"
    for name, control in document["controls"].items():
        assert set(control) == {"title", "source", "date", "verified"}, name
        assert bool(control["date"]) == control["verified"], name


def test_what_nobody_has_verified_is_marked_in_every_report() -> None:
    told = data.controls()["exchange"]["relay"]
    assert told == ["DISA STIG V-259687", "BSI APP.5.2.A9", "BSI APP.5.3.A2"]
    assert data._words("BSI APP.5.2.A9", {"verified": False}) == "BSI APP.5.2.A9 (unverified)"
