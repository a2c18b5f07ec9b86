# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site answered, as a file from which a lab can be made: all of it, and no secret."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._discover.readings import (
    Readings,
    Told,
    read_well,
)

KIND, FORMAT = "mailedge reading", 1

# Of what the inventory says, who is who: the lab has somebody play them.
_DESCRIBED = (
    "provider_ranges",
    "own_networks",
    "exchange_servers",
    "hybrid_ranges",
    "domains",
    "fortigate_vips",
    "fortigate_addresses",
    "fortigate_interfaces",
)


def whole_of(
    readings: Readings, hosts: t.Mapping[str, Told | None], firewall: Told
) -> dict[str, t.Any]:
    """What is kept. `hosts` are the results of host_reading_info, `firewall` that of
    fortios_reading_info.
    """
    not_read = [
        f"{host}: {_why(result)}" for host, result in hosts.items() if not read_well(result)
    ]
    has_firewall = bool(readings.described.get("fortigate_host"))
    if has_firewall and not read_well(firewall):
        not_read.append(f"the firewall: {_why(firewall)}")
    data = {
        "kind": KIND,
        "format": FORMAT,
        "site": readings.site,
        "hosts": {
            host: result["reading"]
            for host, result in hosts.items()
            if result is not None and read_well(result)
        },
        "firewall": firewall["reading"] if read_well(firewall) else None,
        "described": {
            name: readings.described[name] for name in _DESCRIBED if readings.described.get(name)
        },
        "not_read": not_read,
    }
    return t.cast("dict[str, t.Any]", _plain(data))


def text_of(data: t.Mapping[str, t.Any]) -> str:
    """A file of it."""
    return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _why(result: Told | None) -> str:
    return str((result or {}).get("msg") or "It was not asked.").strip()


def _plain(value: t.Any) -> t.Any:
    """Values as JSON has them: what Ansible hands around only looks like that."""
    if isinstance(value, t.Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value
