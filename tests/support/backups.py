# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of the lab's FortiGate, with what real ones have besides: identifiers, masked secrets,
texts over several lines, values that are taken back, and vdoms.

Known from: public configurations.
"""

from __future__ import annotations

import ipaddress

from ansible_collections.mailedge.lockdown.tests.lab.fortigate import cli
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import (
    MATCH_VIP_BY_DEFAULT_AFTER,
    Device,
)

_NOISE = r"""config system admin
    edit "admin"
        set accprofile "super_admin"
        set password ENC SH2lab5Y0cE9vQqk3bqTz0w+end/next==
        config gui-dashboard
            edit 1
                set name "Status"
                config widget
                    edit 1
                        set type sysinfo
                    next
                end
            next
        end
    next
end
config vpn certificate local
    edit "lab"
        set private-key "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIIE
end
next
-----END ENCRYPTED PRIVATE KEY-----"
        set comments "He said \"end\" \\
 config firewall policy"
    next
end
config system replacemsg mail "email-block"
    set buffer "<p>{{ lookup('pipe', 'id') }}</p>"
end
"""
_SHARED = ("system global", "system interface", "system ha", "system admin")


def header(device: Device, vdoms: bool = False) -> str:
    version = ".".join(map(str, device.version))
    return (
        f"#config-version=FGT60F-{version}-FW-build2662-240514:opmode=0:vdom={int(vdoms)}:user=admin\n"
        "#conf_file_ver=1234567890\n#buildno=2662\n#global_vdom=1\n"
    )


def sections(text: str) -> list[str]:
    """The sections of a configuration, each as its text."""
    parts: list[str] = []
    for line in text.splitlines():
        if line.startswith("config "):
            parts.append("")
        if parts and not line.startswith("#"):
            parts[-1] += f"{line}\n"
    return parts


def around(device: Device) -> str:
    """Interfaces and routes of a device that was not read from a text."""
    lines = ["config system interface"]
    for name in device.interfaces:
        lines += [f'    edit "{name}"', '        set vdom "root"']
        for network, interface in device.routing.connected:
            if interface == name and ":" not in network:
                held = ipaddress.ip_network(network)
                lines.append(f"        set ip {held[1]} {held.netmask}")
        lines.append("    next")
    lines += ["end", "config router static"]
    for number, (network, name) in enumerate(device.routing.static, 1):
        if ":" not in network:
            held = ipaddress.ip_network(network)
            dst = [] if held.prefixlen == 0 else [f"        set dst {held[0]} {held.netmask}"]
            lines += [f"    edit {number}", *dst, f'        set device "{name}"', "    next"]
    return "\n".join([*lines, "end", ""])


def _as_a_device_shows_them(device: Device) -> str:
    """The tables with what a device shows in any case, and without what it leaves out."""
    shown = cli.show(device).replace("    next\n", "        set uuid 0a1b2c3d-lab\n    next\n")
    head, policies, rest = shown.partition("config firewall policy\n")
    entries = []
    for entry in rest.split("    next\n"):
        if "    edit " in entry and "set schedule " not in entry:
            entry += '        set schedule "always"\n'
        denies = "set action accept" not in entry and "set action ipsec" not in entry
        if denies and device.version > MATCH_VIP_BY_DEFAULT_AFTER and "    edit " in entry:
            said = "        set match-vip enable\n"
            entry = (
                entry.replace(said, "")
                if said in entry
                else f"{entry}        set match-vip disable\n"
            )
        entries.append(entry)
    return head + policies + "    next\n".join(entries)


def backup(device: Device, text: str = "", *, vdoms: bool = False) -> str:
    """A backup of a device as it is now; `text` is what its interfaces and routes came from."""
    parts = [
        part
        for part in sections(text or around(device))
        if part.startswith(("config system", "config router"))
    ]
    tables = _as_a_device_shows_them(device)
    parts += [*sections(_NOISE), *sections(tables)]
    if not vdoms:
        return header(device) + "".join(parts)
    shared = [
        part for part in parts if part.startswith(tuple(f"config {name}" for name in _SHARED))
    ]
    own = [part for part in parts if part not in shared]
    return "".join(
        [
            header(device, vdoms=True),
            "\nconfig vdom\nedit guests\nnext\nedit root\nnext\nend\n",
            "\nconfig global\n",
            *shared,
            "end\n\nconfig vdom\nedit guests\nconfig firewall policy\nend\nend\n",
            "\nconfig vdom\nedit root\n",
            *own,
            "end\n",
        ]
    )
