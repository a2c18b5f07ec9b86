# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the YAML files of the collection itself."""

from __future__ import annotations

import pathlib
import typing as t

import yaml

try:
    # A tenth of the time, where PyYAML was built with it.
    from yaml import CSafeLoader as SafeLoader
except ImportError:
    from yaml import SafeLoader  # type: ignore[assignment]


def parse_yaml(text: str) -> t.Any:
    """The document that a text is."""
    return yaml.load(text, Loader=SafeLoader)


def read_yaml(path: pathlib.Path) -> t.Any:
    """The document in a file."""
    return parse_yaml(path.read_text(encoding="utf-8"))
