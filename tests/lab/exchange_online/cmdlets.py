# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab's Exchange Online can do: cmdlets, their parameters, who may call them.

Known from: Microsoft's reference of each cmdlet for the names of parameters (facts exchange_online
§1.2 to §1.4); facts §1.7 (Global Reader and Security Reader suffice to read); facts proof_and_cloud
§3.2 (without any directory role, or for a cmdlet that there is not: 403). That
Get-OrganizationConfig, Get-PerimeterConfig and Get-HostedConnectionFilterPolicy take no ResultSize
is in their reference; that a tenant may not have RejectDirectSend yet is what "absent is not true"
in facts §3.1 stands for.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online import connectors, rules
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.authority import (
    EXCHANGE_ADMINISTRATOR,
    GLOBAL_READER,
    SECURITY_READER,
    App,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.objects import Row, stamp
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.parameters import (
    COMMON,
    Kind,
    Many,
    Values,
    boolean,
    bound,
    many,
    text,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.refusals import (
    BINDING,
    INVALID,
    CmdletError,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.tenant import Tenant

Run = t.Callable[[Tenant, Values, list[str]], list[Row]]
DIRECT_SEND = "RejectDirectSend"


@dataclass(frozen=True)
class Cmdlet:
    """One cmdlet. `writes`: whether it changes something, which a reader may not."""

    run: Run
    parameters: t.Mapping[str, Kind]
    mandatory: tuple[str, ...] = ()
    writes: bool = True


def _size(name: str, value: t.Any) -> str:
    """ResultSize: a number or Unlimited."""
    if isinstance(value, str) and value.casefold() == "unlimited":
        return "Unlimited"
    if isinstance(value, bool) or not str(value).isdigit():
        raise CmdletError(
            INVALID, f"The value '{value}' isn't valid for {name}: a number or Unlimited."
        )
    return str(int(value))


def _get(table: str) -> Run:
    def run(tenant: Tenant, values: Values, warnings: list[str]) -> list[Row]:
        if values.get("Identity") is not None:
            return [tenant.row_of(table, values["Identity"])]
        return list(tenant.rows(table))

    return run


def _rules(tenant: Tenant, values: Values, warnings: list[str]) -> list[Row]:
    held = _get("TransportRule")(tenant, values, warnings)
    state = values.get("State")
    return [row for row in held if state is None or row["State"].casefold() == state.casefold()]


def _set_organization(tenant: Tenant, values: Values, warnings: list[str]) -> list[Row]:
    row = tenant.organization
    for name, value in values.items():
        if name in COMMON:
            continue
        if name not in row:
            raise CmdletError(
                BINDING, f"A parameter cannot be found that matches parameter name '{name}'."
            )
        row[name] = value
    row["WhenChanged"] = row["WhenChangedUTC"] = stamp(tenant.clock.now())
    return []


def _set_filter(tenant: Tenant, values: Values, warnings: list[str]) -> list[Row]:
    row = tenant.row_of("HostedConnectionFilterPolicy", values["Identity"])
    for name in ("IPAllowList", "IPBlockList"):
        if name in values:
            row[name] = values[name].of(row[name])
            for address in row[name]:
                _allowed(address)
    if "EnableSafeList" in values:
        row["EnableSafeList"] = values["EnableSafeList"]
    return []


def _allowed(address: str) -> None:
    """One IPv4 address, a range or a CIDR of 24 to 32 bits."""
    first, dash, last = address.partition("-")
    try:
        ends = [ipaddress.IPv4Address(part) for part in (first, last)] if dash else []
        network = None if dash else ipaddress.IPv4Network(address, strict=False)
    except ValueError:
        raise CmdletError(INVALID, f"The IP address or range '{address}' isn't valid.") from None
    if (ends and ends[0] > ends[1]) or (network is not None and network.prefixlen < 24):
        raise CmdletError(INVALID, f"The IP address or range '{address}' isn't valid.")


def _set_perimeter(tenant: Tenant, values: Values, warnings: list[str]) -> list[Row]:
    row = tenant.rows("PerimeterConfig")[0]
    given = values.get("GatewayIPAddresses")
    if isinstance(given, Many):
        row["GatewayIPAddresses"] = given.of(row["GatewayIPAddresses"])
        for address in row["GatewayIPAddresses"]:
            try:
                ipaddress.IPv4Address(address)
            except ValueError:
                raise CmdletError(INVALID, f"'{address}' isn't a valid IPv4 address.") from None
    return []


_IDENTITY: t.Mapping[str, Kind] = {"Identity": text}
_LIST: t.Mapping[str, Kind] = {**_IDENTITY, "ResultSize": _size}
_ORGANIZATION: t.Mapping[str, Kind] = {
    **COMMON,
    DIRECT_SEND: boolean,
    "AuditDisabled": boolean,
    "CustomerLockboxEnabled": boolean,
    "OAuth2ClientProfileEnabled": boolean,
    "SendFromAliasEnabled": boolean,
}
CMDLETS: t.Mapping[str, Cmdlet] = {
    "Get-AcceptedDomain": Cmdlet(_get("AcceptedDomain"), _LIST, writes=False),
    "Get-HostedConnectionFilterPolicy": Cmdlet(
        _get("HostedConnectionFilterPolicy"), _IDENTITY, writes=False
    ),
    "Get-InboundConnector": Cmdlet(_get("InboundConnector"), _LIST, writes=False),
    "Get-OrganizationConfig": Cmdlet(_get("OrganizationConfig"), {}, writes=False),
    "Get-OutboundConnector": Cmdlet(
        _get("OutboundConnector"),
        {**_LIST, "IsTransportRuleScoped": boolean, "IncludeTestModeConnectors": boolean},
        writes=False,
    ),
    "Get-PerimeterConfig": Cmdlet(_get("PerimeterConfig"), _IDENTITY, writes=False),
    "Get-TransportConfig": Cmdlet(_get("TransportConfig"), _IDENTITY, writes=False),
    "Get-TransportRule": Cmdlet(
        _rules, {**_LIST, "State": text, "ExcludeConditionActionDetails": boolean}, writes=False
    ),
    "New-InboundConnector": Cmdlet(
        connectors.new_inbound, connectors.INBOUND, ("Name", "SenderDomains")
    ),
    "Set-InboundConnector": Cmdlet(
        connectors.set_inbound, {**connectors.INBOUND, **_IDENTITY}, ("Identity",)
    ),
    "Remove-InboundConnector": Cmdlet(
        connectors.remove("InboundConnector"), {**COMMON, **_IDENTITY}, ("Identity",)
    ),
    "New-OutboundConnector": Cmdlet(connectors.new_outbound, connectors.OUTBOUND, ("Name",)),
    "Set-OutboundConnector": Cmdlet(
        connectors.set_outbound, {**connectors.OUTBOUND, **_IDENTITY}, ("Identity",)
    ),
    "Remove-OutboundConnector": Cmdlet(
        connectors.remove("OutboundConnector"), {**COMMON, **_IDENTITY}, ("Identity",)
    ),
    "New-TransportRule": Cmdlet(
        rules.new_rule, {**rules.PARAMETERS, "Enabled": boolean}, ("Name",)
    ),
    "Set-TransportRule": Cmdlet(rules.set_rule, {**rules.PARAMETERS, **_IDENTITY}, ("Identity",)),
    "Enable-TransportRule": Cmdlet(
        rules.switch_rule("Enabled"),
        {**COMMON, **_IDENTITY, "Mode": rules.PARAMETERS["Mode"]},
        ("Identity",),
    ),
    "Disable-TransportRule": Cmdlet(
        rules.switch_rule("Disabled"), {**COMMON, **_IDENTITY}, ("Identity",)
    ),
    "Remove-TransportRule": Cmdlet(
        connectors.remove("TransportRule"), {**COMMON, **_IDENTITY}, ("Identity",)
    ),
    "Set-OrganizationConfig": Cmdlet(_set_organization, _ORGANIZATION),
    "Set-HostedConnectionFilterPolicy": Cmdlet(
        _set_filter,
        {
            **COMMON,
            **_IDENTITY,
            "EnableSafeList": boolean,
            "IPAllowList": many,
            "IPBlockList": many,
        },
        ("Identity",),
    ),
    "Set-PerimeterConfig": Cmdlet(
        _set_perimeter, {**COMMON, **_IDENTITY, "GatewayIPAddresses": many}
    ),
}


def allowed(app: App) -> list[str]:
    """The names of the cmdlets that an app may call."""
    if app.cmdlets is not None:
        return sorted(set(CMDLETS) & app.cmdlets)
    if EXCHANGE_ADMINISTRATOR in app.directory_roles:
        return sorted(CMDLETS)
    if app.directory_roles & {GLOBAL_READER, SECURITY_READER}:
        return sorted(name for name, cmdlet in CMDLETS.items() if not cmdlet.writes)
    return []


class Outcome(t.NamedTuple):
    """What a call of a cmdlet gives. `confirmation`: what it would do, and has not done."""

    rows: list[Row]
    warnings: list[str]
    size: str = ""
    confirmation: str = ""


def call(tenant: Tenant, name: str, given: t.Any) -> Outcome:
    """Run a cmdlet. What is refused changes nothing, and neither does what only asks `WhatIf`, or
    asks to be asked: Microsoft's module sends such a call first, shows what the service would do,
    and sends a second with `Confirm` false. Raises CmdletError.
    """
    cmdlet = CMDLETS[name]
    values = bound(given, cmdlet.parameters, cmdlet.mandatory)
    size = values.pop("ResultSize", "")
    warnings: list[str] = []
    if not cmdlet.writes:
        return Outcome(cmdlet.run(tenant, values, warnings), warnings, size)
    draft = tenant.draft()
    rows = cmdlet.run(draft, dict(values), warnings)
    asks = values.get("Confirm", name.startswith("Remove-"))
    if asks or values.get("WhatIf"):
        what = values.get("Identity") or values.get("Name") or tenant.initial
        return Outcome([], [], size, f"{name} on '{what}'")
    tenant.take(draft)
    return Outcome(rows, warnings, size)


def spelled(name: t.Any) -> str | None:
    """A cmdlet's name as it is written, whatever the letters' case."""
    for known in CMDLETS:
        if isinstance(name, str) and known.casefold() == name.casefold():
            return known
    return None
