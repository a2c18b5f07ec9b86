# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transport rules: what New, Set, Enable, Disable and Remove take and refuse.

Known from: facts exchange_online §1.4 (the recipes of providers, modes, message types, headers),
the sample of a tenant that ScubaGear publishes (all 200 properties of a rule, TransportRuleLimit
300, TransportRuleSizeLimit 8 KB), Microsoft's documentation of New-TransportRule (status codes
5.7.1 and 5.7.900 to 5.7.999, SCL -1 to 9, `Enabled` of New alone). Unverified: the words and
classes of all refusals; how a rule's size is counted; the names in Conditions, Exceptions and
Actions, beside FromScopePredicate and PrependSubjectAction. The lab knows the parameters below, the
service more.
"""

from __future__ import annotations

import ipaddress
import json
import re
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online import objects
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.objects import Row
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.parameters import (
    COMMON,
    Kind,
    Many,
    Values,
    boolean,
    integer,
    many,
    one_of,
    text,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.refusals import (
    EXISTS,
    INVALID,
    RULES,
    CmdletError,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.rule_shape import SHAPE
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.tenant import Tenant

_TASKS = f"{RULES}"
_CONDITIONS: t.Mapping[str, Kind] = {
    "FromAddressContainsWords": many,
    "FromAddressMatchesPatterns": many,
    "FromScope": one_of(f"{_TASKS}FromUserScope", "InOrganization", "NotInOrganization"),
    "HasNoClassification": boolean,
    "HeaderContainsMessageHeader": text,
    "HeaderContainsWords": many,
    "HeaderMatchesMessageHeader": text,
    "HeaderMatchesPatterns": many,
    "MessageTypeMatches": one_of(
        f"{_TASKS}MessageType",
        "OOF",
        "AutoForward",
        "Encrypted",
        "Calendaring",
        "PermissionControlled",
        "Voicemail",
        "Signed",
        "ApprovalRequest",
        "ReadReceipt",
    ),
    "RecipientAddressContainsWords": many,
    "RecipientDomainIs": many,
    "SCLOver": integer,
    "SenderDomainIs": many,
    "SenderIpRanges": many,
    "SentTo": many,
    "SentToScope": one_of(
        f"{_TASKS}ToUserScope",
        "InOrganization",
        "NotInOrganization",
        "ExternalPartner",
        "ExternalNonPartner",
    ),
    "SubjectContainsWords": many,
}
_ACTIONS: t.Mapping[str, Kind] = {
    "ApplyHtmlDisclaimerText": text,
    "BlindCopyTo": many,
    "DeleteMessage": boolean,
    "GenerateIncidentReport": text,
    "ModerateMessageByUser": many,
    "PrependSubject": text,
    "Quarantine": boolean,
    "RedirectMessageTo": many,
    "RejectMessageEnhancedStatusCode": text,
    "RejectMessageReasonText": text,
    "RemoveHeader": text,
    "RouteMessageOutboundConnector": text,
    "SetHeaderName": text,
    "SetHeaderValue": text,
    "SetSCL": integer,
}
_PROPERTIES: t.Mapping[str, Kind] = {
    "Comments": text,
    "ExpiryDate": text,
    "ActivationDate": text,
    "Mode": one_of(f"{_TASKS}RuleMode", "Audit", "AuditAndNotify", "Enforce"),
    "Name": text,
    "Priority": integer,
    "RuleErrorAction": one_of(f"{_TASKS}RuleErrorAction", "Ignore", "Defer"),
    "SenderAddressLocation": one_of(
        f"{_TASKS}SenderAddressLocation", "Header", "Envelope", "HeaderOrEnvelope"
    ),
    "SetAuditSeverity": text,
    "StopRuleProcessing": boolean,
}
_EXCEPTIONS: t.Mapping[str, Kind] = {f"ExceptIf{name}": kind for name, kind in _CONDITIONS.items()}
PARAMETERS: t.Mapping[str, Kind] = {
    **COMMON,
    **_CONDITIONS,
    **_EXCEPTIONS,
    **_ACTIONS,
    **_PROPERTIES,
}
DEFAULTS: t.Mapping[str, t.Any] = {
    **SHAPE,
    **{
        name: False if kind is boolean else None
        for name, kind in {**_CONDITIONS, **_EXCEPTIONS, **_ACTIONS, **_PROPERTIES}.items()
    },
    "Actions": None,
    "Conditions": None,
    "CreatedBy": "Lab Administrator",
    "Description": "",
    "DlpPolicy": None,
    "DlpPolicyId": "00000000-0000-0000-0000-000000000000",
    "Exceptions": None,
    "IsRuleConfigurationSupported": True,
    "LastModifiedBy": "Lab Administrator",
    "ManuallyModified": False,
    "Mode": "Enforce",
    "Priority": 0,
    "RecipientAddressType": "Resolved",
    "RouteMessageOutboundRequireTls": False,
    "RuleConfigurationUnsupportedReason": "",
    "RuleErrorAction": "Ignore",
    "RuleSubType": "None",
    "SenderAddressLocation": "Header",
    "Size": 0,
    "State": "Enabled",
    "UseLegacyRegex": False,
}
# What comes with another property alone.
_COMPANIONS = {
    "HeaderContainsWords": "HeaderContainsMessageHeader",
    "HeaderMatchesPatterns": "HeaderMatchesMessageHeader",
    "SetHeaderValue": "SetHeaderName",
}
_NAMES = {
    "HeaderContainsMessageHeader": "HeaderContains",
    "HeaderMatchesMessageHeader": "HeaderMatches",
}
_STATUS = re.compile(r"5\.7\.(1|9\d\d)")
MOST_RULES, MOST_BYTES = 300, 8192


def _error(name: str, message: str) -> CmdletError:
    return CmdletError(f"{RULES}{name}", message)


def new_rule(tenant: Tenant, values: Values, warnings: list[str]) -> list[Row]:
    """New-TransportRule: the last in order, where no priority is given."""
    rules = tenant.rows("TransportRule")
    if len(rules) >= MOST_RULES:
        raise _error(
            "TransportRuleLimitExceededException",
            f"The number of rules has reached the limit of {MOST_RULES}.",
        )
    name = values["Name"]
    _free(rules, name)
    when = objects.stamp(tenant.clock.now())
    row = objects.made("TransportRule", tenant.initial, DEFAULTS, name, when)
    row["ImmutableId"] = row["Guid"]
    enabled = values.pop("Enabled", True)
    row["State"] = "Enabled" if enabled else "Disabled"
    wished = values.pop("Priority", None)
    _write(tenant, row, values)
    rules.append(row)
    _place(rules, row, len(rules) - 1 if wished is None else wished)
    return [row]


def set_rule(tenant: Tenant, values: Values, warnings: list[str]) -> list[Row]:
    """Set-TransportRule."""
    row = tenant.row_of("TransportRule", values["Identity"])
    rules = tenant.rows("TransportRule")
    if values.get("Name"):
        if values["Name"].casefold() != row["Name"].casefold():
            _free(rules, values["Name"])
        row["Name"] = row["Identity"] = values["Name"]
    wished = values.pop("Priority", None)
    _write(tenant, row, values)
    if wished is not None:
        _place(rules, row, wished)
    row["WhenChanged"] = objects.stamp(tenant.clock.now())
    return []


def switch_rule(state: str) -> t.Callable[[Tenant, Values, list[str]], list[Row]]:
    """Enable-TransportRule and Disable-TransportRule; Enable takes a mode."""

    def cmdlet(tenant: Tenant, values: Values, warnings: list[str]) -> list[Row]:
        row = tenant.row_of("TransportRule", values["Identity"])
        row["State"] = state
        if values.get("Mode"):
            row["Mode"] = values["Mode"]
        return []

    return cmdlet


def _free(rules: list[Row], name: str) -> None:
    if len(name) > 64:
        raise CmdletError(
            INVALID, "The length of the property Name is too long. The maximum is 64."
        )
    if any(row["Name"].casefold() == name.casefold() for row in rules):
        raise CmdletError(EXISTS, f"The name '{name}' is already being used by another rule.")


def _place(rules: list[Row], row: Row, position: int) -> None:
    if not 0 <= position < len(rules):
        raise _error(
            "InvalidPriorityException",
            f"The priority value '{position}' isn't valid. It must be between 0 and "
            f"{len(rules) - 1}.",
        )
    rules.remove(row)
    rules.insert(position, row)
    for number, rule in enumerate(rules):
        rule["Priority"] = number


def _write(tenant: Tenant, row: Row, values: Values) -> None:
    for name, value in values.items():
        if name in ("Identity", "Name", *COMMON):
            continue
        if isinstance(value, Many):
            row[name] = value.of(row[name] or []) or None
        else:
            row[name] = value
    row["Mode"] = row["Mode"] or "Enforce"
    _check(tenant, row)
    row["Conditions"] = _classes(row, _CONDITIONS, "", "Predicate")
    row["Exceptions"] = _classes(row, _EXCEPTIONS, "ExceptIf", "Predicate")
    row["Actions"] = _classes(row, _ACTIONS, "", "Action")
    if row["Actions"] is None:
        raise _error(
            "NoActionSpecifiedException", "You must specify at least one action for the rule."
        )
    configured = {name: row[name] for name in (*_CONDITIONS, *_EXCEPTIONS, *_ACTIONS) if row[name]}
    row["Size"] = len(json.dumps({"name": row["Name"], **configured}))
    if row["Size"] > MOST_BYTES:
        raise _error(
            "RuleSizeExceededException",
            f"The rule can't be created because it's too large. Its size is {row['Size']} and the "
            f"limit is {MOST_BYTES} bytes.",
        )


def _classes(row: Row, names: t.Mapping[str, Kind], prefix: str, suffix: str) -> list[str] | None:
    held = []
    for name in names:
        plain = name.removeprefix(prefix)
        if plain in _COMPANIONS or row[name] in (None, False, []):
            continue
        held.append(f"{RULES}{_NAMES.get(plain, plain)}{suffix}")
    return held or None


def _check(tenant: Tenant, row: Row) -> None:
    for prefix in ("", "ExceptIf"):
        for address in row[f"{prefix}SenderIpRanges"] or ():
            _ip_range(address)
    for words, header in _COMPANIONS.items():
        for prefix in ("", "ExceptIf") if words in _CONDITIONS else ("",):
            if bool(row[f"{prefix}{words}"]) != bool(row[f"{prefix}{header}"]):
                raise _error(
                    "MissingHeaderException",
                    f"You must specify {prefix}{header} and {prefix}{words} together.",
                )
    scl = row["SetSCL"]
    if scl is not None and not -1 <= scl <= 9:
        raise CmdletError(INVALID, f"The value '{scl}' isn't valid for SetSCL: -1 through 9.")
    status = row["RejectMessageEnhancedStatusCode"]
    if status is not None and not _STATUS.fullmatch(status):
        raise CmdletError(
            INVALID, f"The status code '{status}' isn't valid: 5.7.1, or 5.7.900 through 5.7.999."
        )
    if status is not None and row["RejectMessageReasonText"] is None:
        row["RejectMessageReasonText"] = "Delivery not authorized, message refused"
    if row["RouteMessageOutboundConnector"] is not None:
        tenant.row_of("OutboundConnector", row["RouteMessageOutboundConnector"])


def _ip_range(given: str) -> None:
    first, dash, last = given.partition("-")
    try:
        if dash:
            low, high = (ipaddress.ip_address(part.strip()) for part in (first, last))
            if low.version != high.version or int(low) > int(high):
                raise ValueError
        else:
            ipaddress.ip_network(given, strict=False)
    except ValueError:
        raise CmdletError(INVALID, f"The IP address or range '{given}' isn't valid.") from None
