# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the repository where Ansible looks for collections:
``.../ansible_collections/mailedge/lockdown``.

``tree.py link ROOT`` makes that path under ROOT a symbolic link to the repository: for pytest, mypy
and ansible-playbook. ``tree.py copy ROOT`` makes it a git work tree with a copy of every file that
git tracks or would track: for ansible-test, which needs a real path inside a work tree, and for
what must not see caches and virtual environments.

Standard library only; run from anywhere.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
COLLECTION = Path("ansible_collections") / "mailedge" / "lockdown"


def link(root: Path) -> Path:
    """Make ROOT/ansible_collections/mailedge/lockdown a relative link to the repository; give the
    link's path.
    """
    place = root.resolve() / COLLECTION
    place.parent.mkdir(parents=True, exist_ok=True)
    target = os.path.relpath(REPOSITORY, place.parent)
    if place.is_symlink() and os.readlink(place) == target:
        return place
    if place.exists() and not place.is_symlink():
        sys.exit(
            f"{place} is in the way: it is no symbolic link. Nothing was changed. Remove it and "
            "run this again."
        )
    # Replaced in one step, so that a test run beside this one never finds the link missing.
    fresh = place.with_name(f".lockdown.{os.getpid()}")
    fresh.symlink_to(target)
    fresh.replace(place)
    return place


def tracked() -> list[Path]:
    """The files of the repository that git tracks, or would track after ``git add``; relative
    paths.
    """
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        check=False,
    )
    if listing.returncode != 0:
        sys.exit(
            f"{REPOSITORY} is no git work tree, so there is no telling which files belong to it. "
            "Clone it with git."
        )
    names = {Path(os.fsdecode(name)) for name in listing.stdout.split(b"\0") if name}
    return sorted(name for name in names if os.path.lexists(REPOSITORY / name))


def copy(root: Path) -> Path:
    """Bring ROOT/ansible_collections/mailedge/lockdown in step with the repository; give its path.

    Files that have not changed are left alone, so that the caches of the tools stay warm.
    """
    place = root.resolve() / COLLECTION
    place.mkdir(parents=True, exist_ok=True)
    wanted = tracked()
    for name in wanted:
        source, target = REPOSITORY / name, place / name
        if (
            target.is_file()
            and not target.is_symlink()
            and filecmp.cmp(source, target, shallow=False)
        ):
            shutil.copymode(source, target)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copy(source, target, follow_symlinks=False)
    keep = set(wanted)
    for path in sorted(place.rglob("*"), reverse=True):
        name = path.relative_to(place)
        if name.parts[0] == ".git" or name in keep:
            continue
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        else:
            path.unlink()
    git = ["git", "-C", str(place)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", "--all", "--force", "."], check=True, stderr=subprocess.DEVNULL)
    return place


def main() -> None:
    """Read the command line, do it, print the collection's path."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["link", "copy"])
    parser.add_argument("root", type=Path, help="the folder that is to hold ansible_collections/")
    given = parser.parse_args()
    print((link if given.what == "link" else copy)(given.root))


if __name__ == "__main__":
    main()
