# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a rehearsal on the machine of its lab, whatever the description of the real site
says: variables of a host's own file, or extra variables, count more than the lab's inventory.
"""

from __future__ import annotations

import ipaddress
import typing as t

# Where the connection plugins find a host's address.
ADDRESSES = ("ansible_host", "ansible_winrm_host", "ansible_psrp_host", "ansible_ssh_host")
_HERE = "localhost"
_LOOKED_AT = ("targets", "control_host")
_NAMED = (
    "probe_targets",
    "probe_control_host",
    "probe_web_targets",
    "probe_web_control_host",
    "probe_hosts",
)


def wrong(addresses: t.Mapping[str, t.Any], values: t.Mapping[str, t.Any]) -> list[str]:
    """A sentence for each thing that a run would reach beyond this machine.

    `addresses`: the variables that say where the host is. `values`: the description, converted.
    """
    beyond = [
        f"{name} is {address}" for name, address in addresses.items() if not _is_here(address)
    ]
    beyond += [f"mailedge_{name} is {value}" for name, value in _described(values)]
    return [
        f"mailedge_rehearsal is true, and {what}, which is not the lab on this machine: take it "
        "from where it is set (host_vars and extra variables count more than the inventory of the "
        "lab)."
        for what in beyond
    ]


def _described(values: t.Mapping[str, t.Any]) -> t.Iterator[tuple[str, t.Any]]:
    """What the description would have somebody reach or ask elsewhere, by its variables."""
    if values.get("fortigate_enabled"):
        for name in ("fortigate_host", "fortigate_from"):
            if not _is_here(values.get(name) or _HERE):
                yield name, values[name]
    if values.get("exchange_online_enabled"):
        yield "exchange_online_enabled", "true"
    for name in _NAMED:
        elsewhere = [each for each in _listed(values.get(name)) if not _is_here(each)]
        if elsewhere:
            yield name, ", ".join(map(str, elsewhere))
    for number, look in enumerate(values.get("probe_looks") or (), 1):
        for name in _LOOKED_AT:
            elsewhere = [each for each in _listed(look.get(name)) if not _is_here(each)]
            if elsewhere:
                yield f"probe_looks, entry {number}, {name}", ", ".join(map(str, elsewhere))
    if values.get("domains"):
        # What DNS has for them is the real site.
        yield "domains", ", ".join(map(str, values["domains"]))


def _listed(value: t.Any) -> t.Sequence[t.Any]:
    if value is None or value == "":
        return ()
    return value if isinstance(value, (list, tuple)) else (value,)


def _is_here(address: t.Any) -> bool:
    """Whether an address is this machine's own, without asking DNS."""
    text = str(address).strip().strip("[]")
    if text.lower() == _HERE:
        return True
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False
