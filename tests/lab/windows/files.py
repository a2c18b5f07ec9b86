# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a lab host that scripts look at: versions of programs, texts of configuration.

A program's version stands in numbers and in texts, which may differ: ``15.02.0986.005``
(learn.microsoft.com, "Exchange Server build numbers and release dates").
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError

_VARIABLES = {
    "windir": r"C:\Windows",
    "systemroot": r"C:\Windows",
    "programfiles": r"C:\Program Files",
}


@dataclass
class File:
    """One file: the four numbers of its version, the text of its product version, its content."""

    numbers: tuple[int, int, int, int] = (0, 0, 0, 0)
    product: str = ""
    text: str = ""

    def shown(self) -> dict[str, t.Any]:
        """As Get-Item tells it."""
        names = ("FileMajorPart", "FileMinorPart", "FileBuildPart", "FilePrivatePart")
        return {
            **dict(zip(names, self.numbers, strict=True)),
            "ProductVersion": self.product,
            "text": self.text,
        }


class Files:
    """Casefolded path → file."""

    def __init__(self) -> None:
        self.held: dict[str, File] = {}

    def put(self, path: str, file: File) -> None:
        """Put a file there."""
        self.held[path.casefold()] = file

    def get(self, path: str) -> File:
        """A file; variables of the environment are those of a Windows in C:.

        Raises ExchangeError.
        """
        whole = re.sub(
            "%([^%]+)%", lambda match: _VARIABLES.get(match[1].casefold(), match[0]), path
        )
        file = self.held.get(whole.casefold())
        if file is None:
            raise ExchangeError(
                "ItemNotFoundException",
                "PathNotFound,Microsoft.PowerShell.Commands.GetItemCommand",
                "ObjectNotFound",
                f"Cannot find path '{whole}' because it does not exist.",
                terminating=True,
            )
        return file
