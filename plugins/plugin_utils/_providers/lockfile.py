# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site's lock file of provider ranges: a provider's change is a diff that a person reads."""

from __future__ import annotations

import contextlib
import datetime
import os
import pathlib
import stat
import typing as t
from dataclasses import dataclass

import yaml

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeError, RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.files import (
    write_whole,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._day import day
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.catalogue import (
    ProviderError,
)

FORMAT = 1
_HEAD = """---
# Where the site's filtering provider delivers from. Written by
# mailedge.lockdown.provider_ranges_lock; read a change before it is used.
# Ranges under "leaving" are gone from the provider's list and are let through until the date
# beside them.
"""


@dataclass(frozen=True)
class Locked:
    """What is locked of one region of a provider.

    `leaving`: what is gone from the list, with the last day on which it still counts.
    """

    mechanism: str
    source: str
    retrieved: datetime.date
    ranges: RangeSet
    leaving: tuple[tuple[RangeSet, datetime.date], ...] = ()

    def counting(self, today: datetime.date) -> RangeSet:
        """The ranges that count on a day."""
        counting = self.ranges
        for ranges, until in self.leaving:
            if today <= until:
                counting |= ranges
        return counting


Lock = dict[str, Locked]


def key(provider: str, region: str) -> str:
    """How an entry is called in the file."""
    return f"{provider}/{region}" if region else provider


def parse(text: str, path: str) -> Lock:
    """The entries of a lock file. Raises ProviderError."""
    try:
        document = yaml.safe_load(text)
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError(f"it has no 'format: {FORMAT}'")
        return {
            str(name): _locked(entry) for name, entry in (document.get("providers") or {}).items()
        }
    except (yaml.YAMLError, RangeError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = " ".join(f"{type(error).__name__} {error}".split())
        raise ProviderError(
            f"The lock file {path} cannot be read: {reason}. Take it back from the site's "
            "repository."
        ) from None


def _locked(entry: t.Mapping[str, t.Any]) -> Locked:
    ranges = RangeSet.parse([str(text) for text in entry["ranges"]])
    if not ranges:
        raise ValueError("an entry without ranges would let nobody through")
    leaving = [
        (RangeSet.parse([str(each["range"])]), _date(each["until"]))
        for each in entry.get("leaving") or []
    ]
    return Locked(
        str(entry["mechanism"]),
        str(entry["source"]),
        _date(entry["retrieved"]),
        ranges,
        tuple(leaving),
    )


def _date(value: t.Any) -> datetime.date:
    # YAML reads a day as a date, and a day with a time as its heir, which compares with no date.
    is_day = isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)
    return t.cast(datetime.date, value) if is_day else day(str(value))


def render(lock: Lock) -> str:
    """The text of a lock file."""
    providers: dict[str, t.Any] = {}
    for name in sorted(lock):
        locked = lock[name]
        shown: dict[str, t.Any] = {
            # Texts from a playbook are of a class of Ansible's own, which YAML does not know.
            "mechanism": str(locked.mechanism),
            "source": str(locked.source),
            "retrieved": locked.retrieved.isoformat(),
            "ranges": locked.ranges.to_cidrs(),
        }
        leaving = [
            {"range": cidr, "until": until.isoformat()}
            for ranges, until in locked.leaving
            for cidr in ranges.to_cidrs()
        ]
        if leaving:
            shown["leaving"] = leaving
        providers[str(name)] = shown
    return _HEAD + yaml.safe_dump(
        {"format": FORMAT, "providers": providers}, sort_keys=False, allow_unicode=True
    )


def file_of(path: str) -> pathlib.Path:
    """Where the file lies; `~` and environment variables mean what they do in a path option."""
    return pathlib.Path(os.path.expandvars(path)).expanduser()


def read(path: str) -> Lock:
    """The lock file; nothing where there is none yet. Raises ProviderError.

    For who writes it. Who only uses it calls read_written().
    """
    text = _text(path)
    return {} if text is None else parse(text, path)


def read_written(path: str) -> Lock:
    """The lock file, which must be there. Raises ProviderError."""
    text = _text(path)
    if text is None:
        raise ProviderError(
            f"The lock file {path} is not there, and nothing was used instead. "
            "Run the playbook refresh_ranges, which writes it, and read it before it is used."
        )
    return parse(text, path)


def _text(path: str) -> str | None:
    try:
        return file_of(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ProviderError(f"The lock file {path} cannot be read: {error}.") from None


def write(path: str, text: str) -> None:
    """Write the file whole or not at all; one that is there keeps its mode.

    Raises ProviderError.
    """
    target = file_of(path)
    mode = 0o644
    with contextlib.suppress(OSError):
        mode = stat.S_IMODE(target.stat().st_mode)
    try:
        write_whole(target, text, mode)
    except OSError as error:
        raise ProviderError(
            f"The lock file {path} cannot be written: {error.strerror}. It is as it was."
        ) from None
