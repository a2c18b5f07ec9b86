# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a report for the README: its page in the machine's Chromium.

``python -m ansible_collections.mailedge.lockdown.tests.tools.picture [PAGE.html] [PICTURE.png]``

Without a page, that of an invented fleet, which is the same every time. Where there is no Chromium,
the picture that is there stays, and that is said.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys
import tempfile

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render.as_html import render
from ansible_collections.mailedge.lockdown.tests.support import browser, reports

ROOT = next(
    folder for folder in pathlib.Path(__file__).parents if (folder / "galaxy.yml").is_file()
)
PICTURE = ROOT / "docs" / "docsite" / "rst" / "images" / "report.png"
LARGEST = 200_000
_SIZE = "1200,860"


def invented() -> str:
    """The page of an invented fleet."""
    whole = reports.small_fleet()
    return render(whole, reports.changes(whole))


def take(page: pathlib.Path, picture: pathlib.Path) -> None:
    """The top of a page, as a window of a desk shows it."""
    with tempfile.TemporaryDirectory() as folder:
        shot = pathlib.Path(folder) / "report.png"
        command = [
            browser.chromium(),
            *browser.arguments(),
            "--headless",
            "--hide-scrollbars",
            "--disable-gpu",
            "--force-color-profile=srgb",
            f"--user-data-dir={folder}/profile",
            f"--window-size={_SIZE}",
            f"--screenshot={shot}",
            page.absolute().as_uri(),
        ]
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if not shot.is_file():
            raise SystemExit(f"Chromium made no picture of {page}:\n{run.stderr}")
        content = shot.read_bytes()
    if len(content) > LARGEST:
        raise SystemExit(f"The picture of {page} has {len(content)} bytes, more than {LARGEST}.")
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_bytes(content)


def main(arguments: list[str]) -> int:
    """Take the picture."""
    pages = [pathlib.Path(each) for each in arguments if each.endswith(".html")]
    pictures = [pathlib.Path(each) for each in arguments if each.endswith(".png")]
    if len(pages) + len(pictures) != len(arguments) or len(pages) > 1 or len(pictures) > 1:
        print("Name a page that ends in .html, a picture that ends in .png, or neither.")
        return 2
    picture = next(iter(pictures), PICTURE)
    if not browser.chromium():
        print(f"{picture} stays as it is: {browser.NONE_HERE}.")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        page = next(iter(pages), pathlib.Path(folder) / "report.html")
        if not pages:
            page.write_text(invented(), encoding="utf-8")
        take(page, picture)
    print(f"{picture}: {picture.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
