# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collect what the code marks as unverified, for the page of the documentation site about it.

``unverified.py PAGE`` appends the list to a page. A mark is the word in a comment, a docstring or a
text of documentation; what is told of it is its paragraph. unverified.yml says of each mark which
check of the self-test settles it, or why none can.
"""

from __future__ import annotations

import ast
import functools
import io
import re
import sys
import tokenize
import typing as t
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]

ROOMS: t.Mapping[str, str] = {
    "plugins/module_utils/_exchange/": "Exchange",
    "plugins/module_utils/_resource/": "Exchange",
    "plugins/module_utils/_exchange_online/": "Exchange Online",
    "plugins/module_utils/_fortios/": "FortiGate",
    "plugins/module_utils/_iis/": "IIS",
    "plugins/module_utils/_windows/": "Windows",
    "plugins/module_utils/_windows_firewall/": "Windows Firewall",
    "plugins/module_utils/_probe/": "What servers answer",
    "plugins/plugin_utils/_providers/": "Providers",
    "plugins/plugin_utils/agent": "The agent on the server",
    "plugins/modules/": "In the documentation of modules",
    "plugins/doc_fragments/": "In the documentation of modules",
}
ELSEWHERE = "Elsewhere"

_MARK = re.compile(r"\bunverified\b", re.IGNORECASE)
_YAML_KEY = re.compile(r"^\s*(?:description: +|[a-z_]+:(?: .*|$))")
_COMMENT = re.compile(r"^\s*#:? ?(.*)$")
# What a text of documentation has; others that have a name are data.
_KEY = "description:"
_SUFFIXES = {".py", ".ps1", ".yml"}


class Mark(t.NamedTuple):
    """A mark: where it stands, and the sentences around it."""

    path: str
    line: int
    text: str

    @property
    def room(self) -> str:
        """What it is about."""
        return next((name for start, name in ROOMS.items() if self.path.startswith(start)), "")


def _paragraphs(lines: t.Iterable[tuple[int, str]]) -> t.Iterator[tuple[int, str]]:
    """Lines that follow each other, joined, with the number of the first; a line without text ends
    a paragraph.
    """
    begin, last, words = 0, -1, list[str]()
    for number, text in lines:
        if words and (number != last + 1 or not text.strip() or re.match(r"\s*[-*] ", text)):
            yield begin, " ".join(words)
            words = []
        if text.strip():
            begin = number if not words else begin
            words.append(re.sub(r"^[-*] ", "", text.strip()))
        last = number
    if words:
        yield begin, " ".join(words)


def _of_python(text: str) -> list[tuple[int, str]]:
    """The lines of comments, docstrings and texts of documentation."""
    lines = [
        (token.start[0], token.string.lstrip("#: "))
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    ]
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, (ast.Expr, ast.Assign)) or not isinstance(node.value, ast.Constant):
            continue
        told = node.value.value
        if not isinstance(told, str) or (isinstance(node, ast.Assign) and _KEY not in told):
            continue
        begin = node.value.lineno
        for index, line in enumerate(told.splitlines()):
            # A key of YAML ends what was said of the one before.
            lines.append((begin + index, _YAML_KEY.sub("", line)))
    return sorted(lines)


def _of_comments(text: str) -> list[tuple[int, str]]:
    """The comments of PowerShell and YAML."""
    numbered = ((number, _COMMENT.match(line)) for number, line in enumerate(text.split("\n"), 1))
    return [(number, match[1]) for number, match in numbered if match]


def _sentences(text: str) -> str:
    """Of a paragraph, the sentence with the mark and the one before it, which says of what."""
    sentences = re.split(r"(?<=[.:!?])\s+(?=[A-Z`'\"(])", text)
    keep: list[str] = []
    for index, sentence in enumerate(sentences):
        if _MARK.search(sentence):
            keep += [each for each in sentences[max(0, index - 1) : index + 1] if each not in keep]
    return " ".join(keep)


@functools.lru_cache(maxsize=1)
def marks() -> tuple[Mark, ...]:
    """Every mark of the plugins, in the order of the files."""
    collected = []
    for path in sorted((REPOSITORY / "plugins").rglob("*")):
        if path.suffix not in _SUFFIXES:
            continue
        text = path.read_text(encoding="utf-8")
        if not _MARK.search(text):
            continue
        lines = _of_python(text) if path.suffix == ".py" else _of_comments(text)
        name = path.relative_to(REPOSITORY).as_posix()
        collected += [
            Mark(name, number, _sentences(paragraph))
            for number, paragraph in _paragraphs(lines)
            if _MARK.search(paragraph)
        ]
    return tuple(collected)


class Settling(t.NamedTuple):
    """What settles the mark of a file that has these words: a check, or a reason why none does."""

    path: str
    words: str
    by: str

    def is_of(self, mark: Mark) -> bool:
        """Whether it is about a mark."""
        return mark.path == self.path and self.words.casefold() in mark.text.casefold()


@functools.lru_cache(maxsize=1)
def reasons() -> t.Mapping[str, str]:
    """Word → why no check settles a mark."""
    return t.cast("t.Mapping[str, str]", _settled()["reasons"])


@functools.lru_cache(maxsize=1)
def settlings() -> tuple[Settling, ...]:
    """What unverified.yml says of every mark."""
    return tuple(
        Settling(path, words, by)
        for path, entries in _settled()["marks"].items()
        for words, by in entries.items()
    )


@functools.lru_cache(maxsize=1)
def _settled() -> t.Mapping[str, t.Any]:
    text = Path(__file__).with_suffix(".yml").read_text(encoding="utf-8")
    return t.cast("t.Mapping[str, t.Any]", yaml.safe_load(text))


def _told(mark: Mark) -> str:
    """How a mark can be settled, as a sentence of the page; empty where nobody has said it."""
    for settling in settlings():
        if settling.is_of(mark):
            reason = reasons().get(settling.by)
            return reason if reason else f"The self-test checks it: ``{settling.by}``."
    return ""


def _plain(text: str) -> str:
    """The text of a mark as reStructuredText has it: markup of documentation and code undone."""
    text = re.sub(r"\b[A-Z]{1,3}\(([^)]*)\)", r"\1", text)
    return re.sub(r"([\\*`|])|(?<=\w)_(?=\W|$)", lambda match: f"\\{match[0]}", text)


def page(collected: t.Sequence[Mark]) -> str:
    """The list as it is appended to the page."""
    lines: list[str] = []
    for room in dict.fromkeys([*ROOMS.values(), ""]):
        entries = [mark for mark in collected if mark.room == room]
        if not entries:
            continue
        title = room or ELSEWHERE
        lines += ["", title, "~" * len(title), ""]
        for mark in entries:
            told = f" {_told(mark)}" if _told(mark) else ""
            lines.append(f"- {_plain(mark.text)} (``{mark.path}``){told}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Append the list to the page that is named."""
    target = Path(sys.argv[1])
    text = target.read_text(encoding="utf-8")
    target.write_text(text + page(marks()), encoding="utf-8")


if __name__ == "__main__":
    main()
