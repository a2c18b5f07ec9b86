# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of an event, nothing is kept but which site it is about; of the site, what the inventory says.

For ansible-rulebook, which runs this file by itself: it may need nothing beside the standard
library.
"""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import time
import typing as t
from pathlib import Path

DOCUMENTATION = r"""
---
short_description: Of an event, keep which site of the inventory it is about, and nothing else
description:
  - An event says that something has happened at a site, and is not believed any further. What goes
    on to a rule is the site's name and its hosts as the inventory has them. No text of the event is
    among it.
  - The event has to have an object at C(payload), with the name of a site (C(mailedge_site)) at
    C(site), the name of a host in the inventory at C(host), or both. Whatever else is in it is
    dropped.
  - An event that names no site of the inventory is dropped whole, and a line of the log says why.
options:
  sites:
    description:
      - The sites, each with the names of its hosts. Where it is not set, the inventory is asked
        (C(ansible-inventory --list)), which is the one that Ansible is configured with, as by
        C(ANSIBLE_INVENTORY).
    type: dict
  group:
    description: The group of the inventory that holds the hosts of all sites.
    type: str
    default: mailedge
  fresh_seconds:
    description: For how long what the inventory has said counts, in seconds.
    type: float
    default: 300
"""

EXAMPLES = r"""
- name: What a firewall, a log or a server tells
  eda.builtin.webhook:
    port: 5000
    token: "{{ events_token | string }}"
    certfile: "{{ events_certificate }}"
    keyfile: "{{ events_key }}"
  filters:
    - mailedge.lockdown.site_of_event: {}
"""

Sites = dict[str, tuple[str, ...]]

_LOG = logging.getLogger(__name__)
_SECONDS_OF_INVENTORY = 60
# Of refusals for the same reason, one line in this many seconds: who floods us fills no disk.
_SECONDS_OF_A_REASON = 60.0
_LONGEST_NAME = 253
_NOWHERE = "No site was looked at for it."


class Refused(ValueError):
    """The event is about no site that we know. The text says so in a sentence; `kind` is without
    what the event says.
    """

    def __init__(self, sentence: str, kind: str = "") -> None:
        super().__init__(sentence)
        self.kind = kind or sentence


class NoInventory(RuntimeError):
    """The inventory could not be read. The text says so in a sentence."""


_read: dict[str, tuple[float, Sites]] = {}
_told: dict[str, float] = {}


def main(
    event: t.Any,
    sites: t.Mapping[str, t.Sequence[str]] | None = None,
    group: str = "mailedge",
    fresh_seconds: float = 300,
) -> t.Any:
    """The event that a rule sees: {look: {site}, meta: {hosts}}; an empty list where there is none.

    The hosts are what the run is limited to.
    """
    try:
        known = (
            {name: tuple(hosts) for name, hosts in sites.items()}
            if sites is not None
            else _sites_of(group, float(fresh_seconds))
        )
        site = site_of(event, known)
    except Refused as error:
        _tell(f"{error} {_NOWHERE}", error.kind)
        return []
    except NoInventory as error:
        _tell(f"{error} {_NOWHERE}")
        return []
    return {"look": {"site": site}, "meta": {"hosts": list(known[site])}}


def site_of(event: t.Any, sites: t.Mapping[str, t.Sequence[str]]) -> str:
    """The site that an event is about, as `sites` spells it. Raises Refused."""
    payload = event.get("payload") if isinstance(event, dict) else None
    if not isinstance(payload, dict):
        raise Refused("An event is no object with the name of a site or a host.")
    named = {key: payload[key] for key in ("site", "host") if payload.get(key) not in (None, "")}
    if not named:
        raise Refused("An event names neither a site nor a host.")
    for key, value in named.items():
        if not isinstance(value, str) or len(value) > _LONGEST_NAME:
            raise Refused(f"What an event names as its {key} is no name.")
    of_host = {host: site for site, hosts in sites.items() for host in hosts}
    told = {
        key: {"site": {site: site for site in sites}, "host": of_host}[key].get(value)
        for key, value in named.items()
    }
    for key, site in told.items():
        if site is None:
            name = _shown(named[key])
            raise Refused(f"An event names the {key} {name}, which nobody knows.", f"no {key}")
    if len(set(told.values())) > 1:
        name = _shown(named["site"])
        raise Refused(f"An event names a host of another site than {name}.", "another site")
    return str(next(iter(told.values()), ""))


def _sites_of(group: str, fresh_seconds: float) -> Sites:
    """What the inventory says, asked again when that is old; the last that it said where it cannot
    be read any more.
    """
    now = time.monotonic()
    at, before = _read.get(group, (0.0, {}))
    if before and now - at < fresh_seconds:
        return before
    try:
        sites = sites_in(_inventory(), group)
    except NoInventory as error:
        if not before:
            raise
        _tell(f"{error} What it said before is taken.")
        sites = before
    _read[group] = (now, sites)
    return sites


def sites_in(inventory: t.Any, group: str) -> Sites:
    """Site → its hosts, of what ansible-inventory --list says. Raises NoInventory."""
    if not isinstance(inventory, dict) or group not in inventory:
        raise NoInventory(f"The inventory has no group '{group}'. Look at ANSIBLE_INVENTORY.")
    hosts: set[str] = set()
    waiting, seen = [group], set()
    while waiting:
        name = waiting.pop()
        members = inventory.get(name) or {}
        hosts.update(members.get("hosts") or ())
        seen.add(name)
        waiting += [child for child in members.get("children") or () if child not in seen]
    variables = (inventory.get("_meta") or {}).get("hostvars") or {}
    sites: dict[str, list[str]] = {}
    for host in sorted(hosts):
        site = (variables.get(host) or {}).get("mailedge_site")
        # A template is not rendered here: such a host is known by its own name.
        plain = isinstance(site, str) and site.strip() and "{{" not in site
        sites.setdefault(str(site).strip() if plain else host, []).append(host)
    if not sites:
        raise NoInventory(f"The group '{group}' of the inventory has no host.")
    return {site: tuple(members) for site, members in sites.items()}


def _inventory() -> t.Any:
    beside = Path(sys.executable).with_name("ansible-inventory")
    program = str(beside) if beside.exists() else shutil.which("ansible-inventory")
    if program is None:
        raise NoInventory("ansible-inventory is not installed beside ansible-rulebook.")
    try:
        done = subprocess.run(  # noqa: S603 -- no text of an event is among the arguments
            [program, "--list"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS_OF_INVENTORY,
            check=False,
        )
        if done.returncode == 0:
            return json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        pass
    raise NoInventory("The inventory could not be read: try `ansible-inventory --list` here.")


def _shown(name: str) -> str:
    """A text of an event, as it may stand in a log: short, on one line, in plain characters."""
    return ascii(name if len(name) <= 64 else f"{name[:60]}...")


def _tell(sentence: str, kind: str = "") -> None:
    now, kind = time.monotonic(), kind or sentence
    if kind not in _told or now - _told[kind] >= _SECONDS_OF_A_REASON:
        _told[kind] = now
        _LOG.warning("mailedge: %s", sentence)
