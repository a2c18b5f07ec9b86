# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report says beside what was found: the revision of the site's repository, and the controls
of frameworks that a finding is about.
"""

from __future__ import annotations

import functools
import pathlib
import re
import typing as t

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._yaml import read_yaml

_CONTROLS = pathlib.Path(__file__).with_name("_controls.yml")
# What AWX and Automation Platform tell each job.
_TOLD = ("awx_project_revision", "tower_project_revision")
_REVISION = re.compile(r"[0-9a-f]{40,64}")


@functools.lru_cache(maxsize=1)
def controls() -> dict[str, dict[str, list[str]]]:
    """Layer → what was found, or `*` → the controls that it is about, in words."""
    document = read_yaml(_CONTROLS)
    words = {name: _words(name, control) for name, control in document["controls"].items()}
    return {
        layer: {what: [words[name] for name in names] for what, names in entries.items()}
        for layer, entries in document["findings"].items()
    }


def _words(name: str, control: t.Mapping[str, t.Any]) -> str:
    return name if control["verified"] else f"{name} (unverified)"


def revision(variables: t.Mapping[str, t.Any]) -> str:
    """The git revision of the repository that holds the inventory; empty where there is none."""
    for name in _TOLD:
        text = variables.get(name)
        if isinstance(text, str) and _REVISION.fullmatch(text):
            return text
    folder = variables.get("inventory_dir")
    return of_folder(pathlib.Path(folder)) if isinstance(folder, str) and folder else ""


def of_folder(folder: pathlib.Path) -> str:
    """The revision that is checked out in a folder or above it. Starts no program."""
    for above in (folder, *folder.parents):
        git = above / ".git"
        try:
            if git.is_file():
                # A work tree of its own, or a submodule.
                git = above / git.read_text(encoding="utf-8").partition("gitdir:")[2].strip()
            if git.is_dir():
                return _head(git)
        except (OSError, ValueError):
            return ""
    return ""


def _head(git: pathlib.Path) -> str:
    head = (git / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref:"):
        return head if _REVISION.fullmatch(head) else ""
    reference = head[len("ref:") :].strip()
    common = git / "commondir"
    places = [git]
    if common.is_file():
        places.append(git / common.read_text(encoding="utf-8").strip())
    for place in places:
        loose = place / reference
        if loose.is_file():
            text = loose.read_text(encoding="utf-8").strip()
            return text if _REVISION.fullmatch(text) else ""
        packed = place / "packed-refs"
        for line in packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else ():
            text, _blank, name = line.partition(" ")
            if name == reference and _REVISION.fullmatch(text):
                return text
    return ""
