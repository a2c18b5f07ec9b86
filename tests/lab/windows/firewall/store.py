# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall of a lab host: its rules, its profiles, and what group policy says."""

from __future__ import annotations

import dataclasses
import typing as t
import uuid
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall import addresses

DOMAIN, PRIVATE, PUBLIC = 1, 2, 4
NAMES = {DOMAIN: "Domain", PRIVATE: "Private", PUBLIC: "Public"}
EVERY_PROFILE = 0x7FFFFFFF
BLOCK, ALLOW = 0, 1
ANY_PROTOCOL = 256

_SHARED_ACCESS = "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\SharedAccess"
LOCAL_KEY = f"{_SHARED_ACCESS}\\Parameters\\FirewallPolicy\\FirewallRules"
MDM_KEY = f"{_SHARED_ACCESS}\\Parameters\\FirewallPolicy\\Mdm\\FirewallRules"
POLICY_KEY = "HKLM:\\SOFTWARE\\Policies\\Microsoft\\WindowsFirewall"

IGNORES_ADDRESSES = "LOM=TRUE"
MADE_UP = "NextYearsFlag=TRUE"
"""A token of a rule's text that no version has by now.

Here it does what LOM does, which was such a token once.
"""


@dataclass
class Rule:
    """A rule as the service holds it. `texts` is the name where the registry holds a reference to a
    resource.

    `bypass`: lets authenticated senders past block rules. `package`: for one app of the store
    alone. `tokens` are in its text only, and COM shows none of them. `original`: the text that one
    had which was read, and what it was then.
    """

    name: str = ""
    remote: list[t.Any] = field(default_factory=lambda: ["*"])
    ports: list[t.Any] | None = None
    protocol: int = 6
    enabled: bool = False
    action: int = BLOCK
    inbound: bool = True
    profiles: int = EVERY_PROFILE
    program: str | None = None
    service: str | None = None
    grouping: str | None = None
    description: str | None = None
    remote_ports: list[t.Any] | None = None
    local_addresses: list[t.Any] = field(default_factory=lambda: ["*"])
    interface_types: str = "All"
    edge: bool = False
    secure: int = 0
    bypass: bool = False
    package: str | None = None
    tokens: tuple[str, ...] = ()
    reference: str = ""
    id: str = ""
    original: tuple[str, Rule] | None = None

    def remember(self, text: str) -> None:
        """Keep the text that it was read from, for as long as nobody changes the rule."""
        self.original = (text, self.copy())

    def text(self, version: str = "v2.30") -> str:
        """The rule as the registry holds it."""
        if self.original and dataclasses.replace(self, original=None) == self.original[1]:
            return self.original[0]
        words = {DOMAIN: "Domain", PRIVATE: "Private", PUBLIC: "Public"}
        parts = [
            version,
            f"Action={'ByPass' if self.bypass else 'Allow' if self.action else 'Block'}",
        ]
        parts.append(f"Active={'TRUE' if self.enabled else 'FALSE'}")
        parts.append(f"Dir={'In' if self.inbound else 'Out'}")
        if self.protocol != ANY_PROTOCOL:
            parts.append(f"Protocol={self.protocol}")
        if self.profiles & 7 != 7:
            parts += [f"Profile={word}" for bit, word in words.items() if self.profiles & bit]
        parts += addresses.port_tokens(self.ports or [])
        parts += [
            token.replace("LPort", "RPort")
            for token in addresses.port_tokens(self.remote_ports or [])
        ]
        parts += [token.replace("RA", "LA", 1) for token in addresses.tokens(self.local_addresses)]
        parts += addresses.tokens(self.remote)
        parts += [f"IFType={self.interface_types}"] if self.interface_types != "All" else []
        parts += [f"App={self.program}"] if self.program else []
        parts += [f"Svc={self.service}"] if self.service else []
        parts.append(f"Name={self.reference or self.name}")
        parts += [f"Desc={self.description}"] if self.description else []
        parts += [f"EmbedCtxt={self.grouping}"] if self.grouping else []
        parts += ["Edge=TRUE"] if self.edge else []
        parts += (
            ["Security=Authenticate", "RMauth=O:LSD:(A;;CC;;;DC)"]
            if self.secure or self.bypass
            else []
        )
        parts += [f"AppPkgId={self.package}"] if self.package else []
        return "|".join([*parts, *self.tokens]) + "|"

    def copy(self) -> Rule:
        """One with the same content, and lists of its own."""
        return dataclasses.replace(
            self,
            remote=list(self.remote),
            ports=None if self.ports is None else list(self.ports),
            local_addresses=list(self.local_addresses),
        )


@dataclass
class Settings:
    """A profile as it is set locally."""

    enabled: bool = True
    inbound: int = BLOCK
    blocks_all: bool = False
    excluded: list[str] = field(default_factory=list)


class Firewall:
    """One host's firewall. `policy` are the values that group policy sets, by profile and name;
    `policy_rules` its rules, `mdm_rules` those of Intune.

    `version` is that of the rule texts: below 2.10 there are no ranges of ports. `keywords` say
    what a keyword stands for there, `rpc_ports` on which ports an RPC server listens. `running`:
    whether its service is. `lines` are what netstat says.
    """

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.policy_rules: list[Rule] = []
        # The rules of Intune; and whether COM shows those of policies among the local ones.
        self.mdm_rules: list[Rule] = []
        self.shows_policy = False
        self.settings = {bit: Settings() for bit in NAMES}
        self.policy: dict[int, dict[str, int]] = {bit: {} for bit in NAMES}
        self.current = DOMAIN
        self.modify_state = 0
        self.version = (2, 30)
        self.running = True
        # In the language of the server.
        self.no_endpoints = "There are no more endpoints available from the endpoint mapper."
        self.keywords: dict[str, list[str]] = {"LocalSubnet": ["10.20.0.0/16", "fe80::/10"]}
        self.rpc_ports: frozenset[int] = frozenset({6001, 6002, 59532})
        self.lines: list[str] = []
        self.texts_readable = True
        # Keys of the registry that cannot be read, whoever asks.
        self.refused_keys: set[str] = set()
        # Properties of the policy object that cannot be read.
        self.refused_properties: set[str] = set()
        # Group policy in the way of Windows XP, by the key below that of the policy; heeded, which
        # is the worse of what is possible (unverified).
        self.old_policy: dict[str, dict[str, t.Any]] = {}

    def add(self, rule: Rule) -> Rule:
        """Take a rule as the service does, and give it an id that COM does not show."""
        rule.id = rule.id or f"{{{str(uuid.uuid4()).upper()}}}"
        self.rules.append(rule)
        return rule

    def named(self, name: str) -> Rule:
        """The one rule of a name."""
        [match] = [rule for rule in self.rules if rule.name == name]
        return match

    def effective(self, bit: int, name: str) -> int | None:
        """What group policy sets; None where it leaves that alone."""
        return self.policy[bit].get(name)

    @property
    def text_version(self) -> str:
        """The version at the beginning of a rule's text."""
        return f"v{self.version[0]}.{self.version[1]:02}"

    def key(self, path: str) -> dict[str, t.Any] | None:
        """The values of a key of the registry; None where it is none of the firewall's, or not
        there. Raises ExchangeError.
        """
        wanted = path.casefold()
        if wanted in map(str.casefold, self.refused_keys):
            # As RegistryKey.OpenSubKey says it (learn.microsoft.com); the id is that of the
            # provider (unverified).
            raise ExchangeError(
                "SecurityException",
                "System.Security.SecurityException,Microsoft.PowerShell.Commands.GetItemPropertyCommand",
                "PermissionDenied",
                "Requested registry access is not allowed.",
                terminating=True,
            )
        if wanted == LOCAL_KEY.casefold() and self.texts_readable:
            return {rule.id: rule.text(self.text_version) for rule in self.rules}
        if wanted == f"{POLICY_KEY}\\FirewallRules".casefold() and self.policy_rules:
            return {
                f"{{policy-{at}}}": rule.text(self.text_version)
                for at, rule in enumerate(self.policy_rules)
            }
        if wanted == MDM_KEY.casefold() and self.mdm_rules:
            return {
                f"{{mdm-{at}}}": rule.text(self.text_version)
                for at, rule in enumerate(self.mdm_rules)
            }
        for bit, name in NAMES.items():
            if wanted == f"{POLICY_KEY}\\{name}Profile".casefold() and self.policy[bit]:
                return dict(self.policy[bit])
        for name, values in self.old_policy.items():
            if wanted == f"{POLICY_KEY}\\{name}".casefold():
                return dict(values)
        return None

    def shown(self) -> list[str]:
        """All that is stored, in order, for comparing before and after."""
        return sorted(f"{rule.id} {rule.text()}" for rule in self.rules)
