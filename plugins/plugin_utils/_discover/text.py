# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A draft as a file of variables, with a comment for each guess."""

from __future__ import annotations

import textwrap
import typing as t

import yaml

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._discover.readings import (
    Draft,
    Entry,
)

_WIDTH = 96


class _Indented(yaml.SafeDumper):
    """Lists are indented, as ansible-lint wants them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _comment(text: str, mark: str = "#") -> list[str]:
    """A text of somebody else's server stays within its comment, whatever it holds."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return textwrap.wrap(
        plain,
        _WIDTH,
        initial_indent=f"{mark} ",
        subsequent_indent=f"{mark}   ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _unsafe(value: t.Any) -> t.Any:
    """What was read is data. Braces in a name would be a template in a file of variables."""
    if isinstance(value, dict):
        return {str(key): _unsafe(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_unsafe(inner) for inner in value]
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    text = str(value)
    return _Raw(text) if "{{" in text or "{%" in text or "{#" in text else text


class _Raw(str):
    """A text that is no template."""


def _represent_raw(dumper: yaml.SafeDumper, text: _Raw) -> yaml.Node:
    return dumper.represent_scalar("!unsafe", str(text), style="'")


_Indented.add_representer(_Raw, _represent_raw)


def _lines(entry: Entry) -> list[str]:
    lines = [line for why in entry.why for line in _comment(why)]
    text = yaml.dump(
        {entry.name: _unsafe(entry.value)},
        Dumper=_Indented,
        allow_unicode=True,
        default_flow_style=False,
        sort_keys=False,
        width=_WIDTH,
    )
    return lines + [f"# {line}" if entry.suggested else line for line in text.splitlines()]


def text_of(draft: Draft, made: str) -> str:
    """The file. `made` says when it was made, and by what."""
    head = [
        "---",
        *_comment(f"Draft of the description of site '{draft.site}', {made}"),
        "# Read it whole before it is applied. A line that is a comment is a suggestion.",
    ]
    if draft.servers:
        head += ["#", "# Servers"]
        head += [line for server in draft.servers for line in _comment(server, "#  ")]
    if draft.unread:
        head += ["#", "# Not read, so that nothing below speaks of it"]
        head += [line for sentence in draft.unread for line in _comment(f"- {sentence}")]
    if draft.questions:
        head += ["#", "# Questions that only a person can answer"]
        head += [
            line
            for number, question in enumerate(draft.questions, 1)
            for line in _comment(f"{number}. {question}")
        ]
    body = [line for entry in draft.entries for line in ("", *_lines(entry))]
    return "\n".join([*head, *body, ""])
