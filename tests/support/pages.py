# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages of the documentation, as tests read them: blocks of code, labels, links, names."""

from __future__ import annotations

import re
import textwrap
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.mailedge.lockdown.tests.tools.documentation import REPOSITORY

SITE = REPOSITORY / "docs" / "docsite"
PAGES = sorted((SITE / "rst").glob("*.rst"))
READMES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("roles/*/README.md")])
LABEL = "ansible_collections.mailedge.lockdown.docsite."

# Where the project's own addresses lead to.
DOCUMENTATION = "https://docs.mailedge.example/lockdown/"
SOURCES = "https://git.mailedge.example/mailedge/lockdown/src/main/"


@dataclass(frozen=True)
class Block:
    """A block of code: its language, its text, the page and line where it begins, and whether its
    last command is said to fail (a comment ``.. fails`` before it).
    """

    language: str
    text: str
    path: Path
    line: int
    fails: bool = False

    def __str__(self) -> str:
        return f"{self.path.relative_to(REPOSITORY)}:{self.line}"

    def commands(self) -> list[str]:
        """Its commands, those of several lines whole."""
        joined = re.sub(r"\\\n\s*", "", self.text)
        return [
            line.split("  #")[0].strip()
            for line in joined.splitlines()
            if line.strip() and not line.startswith("#")
        ]


def blocks(path: Path) -> list[Block]:
    """The blocks of code of a page, in reStructuredText or Markdown."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return list((_of_rst if path.suffix == ".rst" else _of_markdown)(path, lines))


def _of_markdown(path: Path, lines: list[str]) -> t.Iterator[Block]:
    begin, language = 0, ""
    for number, line in enumerate(lines, 1):
        fence = re.fullmatch(r"\s*```(\w*)", line)
        if not fence:
            continue
        if begin:
            text = textwrap.dedent("\n".join(lines[begin : number - 1]))
            yield Block(language, f"{text}\n", path, begin)
            begin = 0
        else:
            begin, language = number, fence[1]
    assert not begin, f"{path}:{begin}: a block that does not end"


def _of_rst(path: Path, lines: list[str]) -> t.Iterator[Block]:
    for number, line in enumerate(lines):
        directive = re.fullmatch(r"( *)\.\. code-block:: (\w+)", line)
        if not directive:
            continue
        inside: list[str] = []
        for text in lines[number + 1 :]:
            if text.strip() and len(text) - len(text.lstrip()) <= len(directive[1]):
                break
            inside.append(text)
        text = textwrap.dedent("\n".join(inside)).strip("\n")
        fails = number > 0 and lines[number - 1].strip() == ".. fails"
        yield Block(directive[2], f"{text}\n", path, number + 1, fails)


def every_block(language: str) -> list[Block]:
    """The blocks of one language on all pages."""
    return [
        block for path in [*PAGES, *READMES] for block in blocks(path) if block.language == language
    ]


def prose(path: Path) -> str:
    """A page without its blocks of code."""
    text = path.read_text(encoding="utf-8")
    for block in blocks(path):
        for line in block.text.splitlines():
            if line.strip():
                text = text.replace(line, "", 1)
    return text


def section_of(title: str) -> str:
    """The anchor of a heading in Markdown, and in what Sphinx makes of a page."""
    kept = re.sub(r"[^\w\s-]", "", title.lower())
    return re.sub(r"[\s-]+", "-", kept).strip("-")


def sections(path: Path) -> set[str]:
    """The anchors of a page's headings."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".rst":
        titles = re.findall(r"^(\S.*)\n([=~-])\2{2,}$", text, re.MULTILINE)
        return {section_of(title) for title, _mark in titles}
    return {section_of(title) for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
