# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HNetCfg.FwPolicy2 and HNetCfg.FWRule: a property set on a rule that is in the policy is verified,
and counts, at once (netfw.h).
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.windows.com import ComError, ComObject, Value
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall import addresses, store
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.addresses import refused
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.store import Firewall, Rule

# "There are no more endpoints available from the endpoint mapper": the service MpsSvc is not
# running.
_NO_ENDPOINTS = 0x800706D9
_PORTED = (6, 17)
_PROPERTIES = (
    *(
        "Name",
        "Description",
        "ApplicationName",
        "serviceName",
        "Protocol",
        "LocalPorts",
        "RemotePorts",
        "LocalAddresses",
    ),
    *(
        "RemoteAddresses",
        "IcmpTypesAndCodes",
        "Direction",
        "Interfaces",
        "InterfaceTypes",
        "Enabled",
        "Grouping",
        "Profiles",
    ),
    *("EdgeTraversal", "Action"),
)
# INetFwRule2 came with 2008 R2, INetFwRule3 with 2012.
_OF_2008R2 = ("EdgeTraversalOptions",)
_OF_2012 = (
    *(
        "SecureFlags",
        "LocalAppPackageId",
        "LocalUserOwner",
        "LocalUserAuthorizedList",
        "RemoteUserAuthorizedList",
    ),
    "RemoteMachineAuthorizedList",
)


def _text(value: Value) -> str:
    # The COM binder of PowerShell hands null to a BSTR as a type mismatch.
    if not isinstance(value, str):
        raise ComError(
            0x80020005, "Type mismatch. (Exception from HRESULT: 0x80020005 (DISP_E_TYPEMISMATCH))"
        )
    return value


class FwRule(ComObject):
    """A rule, in the policy or not yet. There is no property that tells one from its twin."""

    def __init__(self, firewall: Firewall, rule: Rule | None = None) -> None:
        self.firewall = firewall
        # A new one is disabled, inbound, for any protocol and profile (INetFwRule, "Remarks").
        self.rule = rule or Rule(protocol=store.ANY_PROTOCOL)
        later = (*_OF_2008R2, *(_OF_2012 if firewall.version >= (2, 20) else ()))
        self.properties = (*_PROPERTIES, *(later if firewall.version >= (2, 10) else ()))  # type: ignore[misc]

    def get(self, name: str) -> Value:
        self._running()
        if name.casefold() not in {known.casefold() for known in self.properties}:
            raise ComError(0x80020006, "Unknown name.")
        return super().get(name)

    def set(self, name: str, value: Value) -> None:
        self._running()
        super().set(name, value)

    def _running(self) -> None:
        if not self.firewall.running:
            raise ComError(_NO_ENDPOINTS, f"{self.firewall.no_endpoints} (0x800706D9)")

    # --- texts ---

    def get_name(self) -> Value:
        return self.rule.name

    def set_name(self, value: Value) -> None:
        self.rule.name = self._label(value)

    @staticmethod
    def _label(value: Value) -> str:
        text = _text(value)
        if not text or "|" in text or text.casefold() == "all":
            raise refused()
        return text

    def get_description(self) -> Value:
        return self.rule.description

    def set_description(self, value: Value) -> None:
        self.rule.description = self._label(value)

    def get_grouping(self) -> Value:
        return self.rule.grouping

    def set_grouping(self, value: Value) -> None:
        self.rule.grouping = self._label(value)

    def get_applicationname(self) -> Value:
        return self.rule.program

    def set_applicationname(self, value: Value) -> None:
        self.rule.program = self._label(value)

    def get_servicename(self) -> Value:
        return self.rule.service

    def set_servicename(self, value: Value) -> None:
        self.rule.service = self._label(value)

    # --- what it is about ---

    def get_protocol(self) -> Value:
        return self.rule.protocol

    def set_protocol(self, value: Value) -> None:
        if (
            not isinstance(value, int)
            or not 0 <= value <= 256
            or (self.rule.ports and value not in _PORTED)
        ):
            raise refused()
        self.rule.protocol = value

    def get_localports(self) -> Value:
        if self.rule.protocol not in _PORTED:
            return None
        return addresses.shown_ports(self.rule.ports) if self.rule.ports else "*"

    def set_localports(self, value: Value) -> None:
        # Ports before the protocol fail.
        if self.rule.protocol not in _PORTED:
            raise refused()
        self.rule.ports = addresses.parse_ports(
            _text(value), ranges=self.firewall.version >= (2, 1)
        )

    def get_remoteports(self) -> Value:
        if self.rule.protocol not in _PORTED:
            return None
        return addresses.shown_ports(self.rule.remote_ports) if self.rule.remote_ports else "*"

    def get_localaddresses(self) -> Value:
        return addresses.shown(self.rule.local_addresses)

    def get_remoteaddresses(self) -> Value:
        return addresses.shown(self.rule.remote)

    def set_remoteaddresses(self, value: Value) -> None:
        self.rule.remote = t.cast(
            "list[t.Any]", addresses.parse(_text(value), late=self.firewall.version >= (2, 20))
        )

    def get_icmptypesandcodes(self) -> Value:
        return None

    def get_direction(self) -> Value:
        return 1 if self.rule.inbound else 2

    def set_direction(self, value: Value) -> None:
        if value not in (1, 2):
            raise refused()
        self.rule.inbound = value == 1

    def get_interfaces(self) -> Value:
        return None

    def get_interfacetypes(self) -> Value:
        return self.rule.interface_types

    def get_profiles(self) -> Value:
        return self.rule.profiles

    def set_profiles(self, value: Value) -> None:
        if (
            isinstance(value, bool)
            or not isinstance(value, int)
            or not 0 < value <= store.EVERY_PROFILE
        ):
            raise refused()
        self.rule.profiles = value

    # --- what it does ---

    def get_enabled(self) -> Value:
        return self.rule.enabled

    def set_enabled(self, value: Value) -> None:
        self.rule.enabled = bool(value)

    def get_action(self) -> Value:
        # Whether COM tells a bypass rule from an allow rule is unverified; here it does not.
        return self.rule.action

    def set_action(self, value: Value) -> None:
        if not isinstance(value, int) or value not in (store.BLOCK, store.ALLOW):
            raise refused()
        self.rule.action = value

    def get_edgetraversal(self) -> Value:
        return self.rule.edge

    def get_edgetraversaloptions(self) -> Value:
        return int(self.rule.edge)

    def get_secureflags(self) -> Value:
        return self.rule.secure

    def get_localapppackageid(self) -> Value:
        return self.rule.package

    def get_localuserowner(self) -> Value:
        return None

    get_localuserauthorizedlist = get_localuserowner
    get_remoteuserauthorizedlist = get_remotemachineauthorizedlist = get_localuserowner


class FwRules(ComObject):
    """The collection of local rules. What group policy brings is not in it (unverified)."""

    properties = ("Count",)
    methods = ("Add", "Item", "Remove")
    enumerable = True

    def __init__(self, firewall: Firewall) -> None:
        self.firewall = firewall

    def items(self) -> list[ComObject]:
        policy = self.firewall.policy_rules if self.firewall.shows_policy else []
        return [FwRule(self.firewall, rule) for rule in [*self.firewall.rules, *policy]]

    def get_count(self) -> Value:
        return len(self.firewall.rules)

    def call_add(self, rule: Value) -> None:
        if not isinstance(rule, FwRule) or not rule.rule.name:
            raise refused()
        # Twins are legal, and what was added is another object than the one that was handed over.
        self.firewall.add(rule.rule.copy())

    def call_item(self, name: Value) -> Value:
        for rule in self.firewall.rules:
            if rule.name.casefold() == _text(name).casefold():
                return FwRule(self.firewall, rule)
        raise ComError(
            0x80070002,
            "The system cannot find the file specified. (0x80070002)",
            "FileNotFoundException",
        )

    def call_remove(self, name: Value) -> None:
        # Of several any; without one, nothing happens.
        for rule in self.firewall.rules:
            if rule.name.casefold() == _text(name).casefold():
                self.firewall.rules.remove(rule)
                return


class FwPolicy2(ComObject):
    """HNetCfg.FwPolicy2. What it says of a profile is what is set locally (netfw.h, "the effective
    result may differ").
    """

    properties = ("CurrentProfileTypes", "LocalPolicyModifyState", "Rules")
    methods = (
        "FirewallEnabled",
        "DefaultInboundAction",
        "BlockAllInboundTraffic",
        "ExcludedInterfaces",
    )

    def __init__(self, firewall: Firewall) -> None:
        self.firewall = firewall
        FwRule(firewall)._running()

    def _readable(self, name: str) -> None:
        if name in self.firewall.refused_properties:
            raise refused()

    def get_currentprofiletypes(self) -> Value:
        self._readable("CurrentProfileTypes")
        return self.firewall.current

    def get_localpolicymodifystate(self) -> Value:
        self._readable("LocalPolicyModifyState")
        return self.firewall.modify_state

    def get_rules(self) -> Value:
        return FwRules(self.firewall)

    def _of(self, bit: Value) -> store.Settings:
        # One profile at a time: a sum of bits is refused.
        if not isinstance(bit, int) or bit not in self.firewall.settings:
            raise refused()
        return self.firewall.settings[bit]

    def call_firewallenabled(self, bit: Value) -> Value:
        return self._of(bit).enabled

    def call_defaultinboundaction(self, bit: Value) -> Value:
        return self._of(bit).inbound

    def call_blockallinboundtraffic(self, bit: Value) -> Value:
        return self._of(bit).blocks_all

    def call_excludedinterfaces(self, bit: Value) -> Value:
        return t.cast("Value", list(self._of(bit).excluded) or None)
