# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of a lab: how its hosts are reached by winrm and by psrp, the sites described, and
who looks from where.
"""

from __future__ import annotations

import os
import pathlib
import typing as t

import yaml

from ansible_collections.mailedge.lockdown.tests.lab.site import PROVIDER_RANGES, ROLES, SOURCES

if t.TYPE_CHECKING:
    from ansible_collections.mailedge.lockdown.tests.lab.lab import LabHost

Variables = dict[str, t.Any]

# How the servers and the firewall of a site are reached, without which nobody can read them.
_REACHED = frozenset(
    {
        "mailedge_site",
        "mailedge_fortigate_host",
        "mailedge_fortigate_port",
        "mailedge_fortigate_token",
        "mailedge_fortigate_ca_path",
        "mailedge_fortigate_snapshot_folder",
    }
)


def _connection(host: LabHost) -> Variables:
    """Variables of both plugins. ``-e lab_connection=psrp`` chooses the other one.

    Not -e ansible_connection, which would count for tasks delegated to the controller as well.
    """
    return {
        "ansible_connection": "{{ lab_connection | default('winrm') }}",
        "ansible_host": "127.0.0.1",
        "ansible_port": host.http.port,
        "ansible_user": host.username,
        "ansible_password": host.password,
        "ansible_winrm_transport": "ntlm",
        "ansible_winrm_scheme": "http",
        "ansible_psrp_port": host.http.port,
        "ansible_psrp_protocol": "http",
        "ansible_psrp_auth": "negotiate",
    }


def _smtp(host: LabHost) -> Variables:
    front = host.front_end
    return {
        "address": front.address,
        "port": front.port,
        "sources": dict(SOURCES),
        "plays": host.place.players(4),
        "ipv6": {"address": "::1", "ports": dict(front.ipv6_ports), "plays": host.place.players(6)},
    }


def _probes(host: LabHost) -> list[Variables]:
    """What a locked site must look like from each side, over IPv6 too where the server listens
    there.
    """
    front = host.front_end
    stranger, provider = "a stranger on the internet", "the filtering provider"
    published = {"stands_for": f"{host.place.public_address}:25"} if host.firewall else {}
    probes: list[Variables] = [
        {
            "name": stranger,
            "source_address": SOURCES["internet"],
            "expect": "closed",
            **published,
        },
        {"name": provider, "source_address": SOURCES["provider"], "expect": "open"},
    ]
    if not host.exchange.edition.sbs:
        # A Small Business Server hears nobody on its own network who does not log in, before the
        # lock as after it.
        probes.append(
            {"name": "the site's own network", "source_address": SOURCES["lan"], "expect": "open"}
        )
    if front.ipv6_ports and front.mailbox.listens(6):
        for name, role, expect in (
            (stranger, "internet", "closed"),
            (provider, "provider", "open"),
        ):
            port = front.ipv6_ports[role]
            about = {
                "name": f"{name}, over IPv6",
                "targets": ["::1"],
                "port": port,
                "expect": expect,
                "stands_for": f"[{host.place.addresses[1]}]:25",
            }
            # A machine's localhost need not be ::1 as well.
            probes.append({**about, "control_host": "::1"})
    return probes


def _host(host: LabHost) -> Variables:
    return {
        **_connection(host),
        "mailedge_probe_targets": [host.front_end.address],
        "mailedge_probe_port": host.front_end.port,
        "mailedge_probe_looks": _probes(host),
        "lab_smtp": _smtp(host),
        "lab_web": {"address": host.web.address, "port": host.web.port} if host.web else {},
        "lab_https": {"port": host.https.port, "certificate": str(host.certificate.path)},
        "lab_edition": host.place.edition,
    }


def _firewall(hosts: t.Sequence[LabHost]) -> Variables:
    """How the site's firewall is reached, and what of it leads to the servers."""
    firewall = hosts[0].firewall
    if firewall is None:
        return {}
    places = [host.place for host in hosts]
    return {
        "mailedge_fortigate_host": "127.0.0.1",
        "mailedge_fortigate_port": firewall.port,
        "mailedge_fortigate_token": firewall.token,
        "mailedge_fortigate_ca_path": str(firewall.ca_path),
        "mailedge_fortigate_snapshot_folder": str(firewall.ca_path.parent / "snapshots"),
        "mailedge_fortigate_vips": [place.virtual_ip for place in places],
        "mailedge_fortigate_addresses": [place.addresses[1] for place in places],
        "mailedge_fortigate_interfaces": ["wan1"],
        # A packet that is dropped is waited for.
        "mailedge_probe_connect_timeout": 1,
    }


def _site(host: LabHost, control_port: int) -> Variables:
    place = host.place
    return {
        "mailedge_site": place.site.name,
        "mailedge_provider_ranges": list(PROVIDER_RANGES),
        "mailedge_own_networks": list(place.own_networks),
        "mailedge_exchange_servers": list(place.exchange_servers()),
        "mailedge_probe_sender": "probe@watchtower.example",
        "mailedge_probe_recipient": f"postmaster@{place.site.domain}",
        "mailedge_probe_relay_recipient": "relay-check@watchtower.example",
        "mailedge_probe_own_domain_sender": f"director@{place.site.domain}",
        "mailedge_probe_control_host": "localhost",
        "mailedge_probe_control_port": control_port,
    }


def build_inventory(hosts: t.Sequence[LabHost], control_port: int, access: Variables) -> Variables:
    """The inventory as data: the group mailedge, a group for each site in it, and `access` to the
    lab's control port.
    """
    sites: dict[str, Variables] = {}
    for host in hosts:
        name = host.place.site.name
        if name not in sites:
            together = [lab_host for lab_host in hosts if lab_host.place.site.name == name]
            sites[name] = {
                "hosts": {},
                "vars": {**_site(host, control_port), **_firewall(together)},
            }
        group = sites[name]
        group["hosts"][host.place.host] = _host(host)
    shared = {"lab_control": dict(access), "lab_roles": list(ROLES)}
    return {"mailedge": {"children": sites, "vars": shared}}


def undescribed(inventory: Variables) -> Variables:
    """The inventory of somebody who does not know the sites yet, only how they are reached."""
    for site in inventory["mailedge"]["children"].values():
        for variables in (site["vars"], *site["hosts"].values()):
            for name in [name for name in variables if name.startswith("mailedge_")]:
                if name not in _REACHED:
                    del variables[name]
    return inventory


def write_inventory(path: pathlib.Path, inventory: Variables) -> None:
    """Write the inventory; only its owner may read it, for it holds a password."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(inventory, sort_keys=False, allow_unicode=True)
    # At once and whole, since its appearance says that the lab is up.
    draft = path.with_name(f".{path.name}.new")
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(f"---\n{text}")
    draft.replace(path)


def read_access(path: str | os.PathLike[str]) -> dict[str, str]:
    """The access to the control port from an inventory."""
    data = yaml.safe_load(pathlib.Path(path).read_text(encoding="utf-8"))
    return dict(data["mailedge"]["vars"]["lab_control"])
