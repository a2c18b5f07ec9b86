# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file that the playbook discover keeps of a site, understood. It is foreign text: nothing in
it is believed before it was looked at.
"""

from __future__ import annotations

import json
import pathlib
import typing as t
from dataclasses import dataclass, field

Row = dict[str, t.Any]

FORMAT = 1
_LARGEST = 64 << 20
_DEEPEST = 40
# What a lab may be asked for the sake of comparison: to read, and nothing that a reading names.
_READS = frozenset(
    {
        "firewall_read",
        "registry_read",
        "service_read",
        "file_versions",
        "wmi_read",
        "update_history",
        "certificate_read",
        "iis_read",
        "xml_read",
    }
)


class NoReading(ValueError):
    """What is no reading that a lab could be made from. The message is for the operator."""


@dataclass(frozen=True)
class HostReading:
    """One server: what is known of it, what was asked, and the rows of each step that answered.

    `errors`: step → why it gave none.
    """

    facts: Row
    steps: tuple[Row, ...]
    rows: t.Mapping[str, tuple[Row, ...]]
    errors: t.Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def of(self, step: str) -> tuple[Row, ...]:
        """The rows of a step; none where it gave none."""
        return self.rows.get(step, ())


@dataclass(frozen=True)
class FirewallReading:
    """A FortiGate: path → rows, or the one object of a setting."""

    version: str
    vdom: str
    tables: t.Mapping[str, t.Any]
    monitors: t.Mapping[str, t.Any]
    entries: t.Mapping[str, t.Any]
    untold: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def table(self, path: str) -> list[Row]:
        """The rows of a table; none where it was not told."""
        held = self.tables.get(path)
        return [row for row in held if isinstance(row, dict)] if isinstance(held, list) else []

    def setting(self, path: str) -> Row:
        """One object, empty where it was not told."""
        held = self.tables.get(path)
        return held if isinstance(held, dict) else {}


@dataclass(frozen=True)
class SiteReading:
    """A site: inventory name → server, its firewall, what its inventory said, what was not read."""

    site: str
    hosts: t.Mapping[str, HostReading]
    firewall: FirewallReading | None
    described: Row
    not_read: tuple[str, ...]


def load(path: str | pathlib.Path) -> SiteReading:
    """Read a file. Raises NoReading."""
    place = pathlib.Path(path)
    try:
        if place.stat().st_size > _LARGEST:
            raise NoReading(f"{place} is larger than {_LARGEST >> 20} MB, and was not read.")
        text = place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NoReading(f"{place} could not be read: {error}.") from None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NoReading(
            f"{place} is not JSON, or only a part of it: {error}. Let discover write it again."
        ) from None
    try:
        return understand(data)
    except NoReading as error:
        raise NoReading(f"{place}: {error}") from None


def understand(data: t.Any) -> SiteReading:
    """A file's content. Raises NoReading."""
    if not isinstance(data, dict) or data.get("kind") != "mailedge reading":
        raise NoReading("It is no reading of a site, which the playbook discover writes.")
    if data.get("format") != FORMAT:
        raise NoReading(
            f"It has the format {data.get('format')!r}, and this lab knows {FORMAT}. Take the lab "
            "of the version that wrote it."
        )
    if _depth(data) > _DEEPEST:
        raise NoReading("It is nested deeper than any reading.")
    site, hosts = data.get("site"), data.get("hosts")
    if not isinstance(site, str) or not site or not isinstance(hosts, dict):
        raise NoReading("It names no site, or has no table of hosts.")
    servers = {str(name): _host(str(name), told) for name, told in hosts.items()}
    if not servers:
        raise NoReading("It holds no server that was read, so that there is nothing to rehearse.")
    described = data.get("described")
    return SiteReading(
        site,
        servers,
        firewall_of(data["firewall"]) if data.get("firewall") else None,
        described if isinstance(described, dict) else {},
        _texts(data.get("not_read")),
    )


def _host(name: str, told: t.Any) -> HostReading:
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise NoReading(f"The server {name} is in no form that this lab knows.")
    facts, answers, steps = told.get("host"), told.get("answers"), told.get("steps")
    if (
        not isinstance(facts, dict)
        or not isinstance(answers, dict)
        or not isinstance(steps, list)
        or not isinstance(facts.get("exchange"), dict)
        or not str(facts.get("name") or "")
    ):
        raise NoReading(f"The server {name} tells neither its name nor its Exchange.")
    rows: dict[str, tuple[Row, ...]] = {}
    errors: dict[str, str] = {}
    for step, answer in answers.items():
        held = answer.get("rows") if isinstance(answer, dict) else None
        if isinstance(held, list) and all(isinstance(row, dict) for row in held):
            rows[str(step)] = tuple(held)
        else:
            error = answer.get("error") if isinstance(answer, dict) else None
            message = error.get("message") if isinstance(error, dict) else error
            errors[str(step)] = str(message or "It holds no rows.")
    return HostReading(
        facts,
        tuple(step for step in steps if isinstance(step, dict) and _only_reads(step)),
        rows,
        errors,
        _texts(told.get("left_out")),
    )


def _only_reads(step: Row) -> bool:
    if step.get("op") == "call":
        return str(step.get("cmdlet")).startswith("Get-")
    return step.get("op") in _READS


def firewall_of(told: t.Any) -> FirewallReading:
    """A firewall, of what is kept of one. Raises NoReading."""
    if not isinstance(told, dict) or not isinstance(told.get("tables"), dict):
        raise NoReading("The firewall is in no form that this lab knows.")
    if not isinstance(told["tables"].get("firewall/policy"), list):
        raise NoReading("The firewall's policies are not in it.")

    def table(name: str) -> t.Mapping[str, t.Any]:
        held = told.get(name)
        return held if isinstance(held, dict) else {}

    return FirewallReading(
        str(told.get("version") or ""),
        str(told.get("vdom") or "root"),
        told["tables"],
        table("monitors"),
        table("entries"),
        _texts(told.get("not_read")),
        _texts(told.get("left_out")),
    )


def _texts(value: t.Any) -> tuple[str, ...]:
    return tuple(str(text) for text in value) if isinstance(value, list) else ()


def _depth(value: t.Any) -> int:
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        inner, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(inner, dict):
            waiting += [(each, depth + 1) for each in inner.values()]
        elif isinstance(inner, list):
            waiting += [(each, depth + 1) for each in inner]
    return deepest
