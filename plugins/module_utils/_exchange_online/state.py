# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tenant is, as far as it decides who may deliver to it."""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.client import (
    Answer,
    Call,
    ExchangeOnline,
    Row,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.errors import (
    ExchangeOnlineError,
    Unreadable,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online.resources import (
    CONNECTOR,
    CONNECTOR_SOURCE,
    FURTHER,
    ORGANIZATION,
    RULE,
    STOPS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import Resource
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

Canonical = t.Mapping[str, t.Any]

ALL = {"ResultSize": "Unlimited"}
CONNECTORS = Call("Get-InboundConnector", ALL)
SETTINGS = Call("Get-OrganizationConfig")
RULES = Call("Get-TransportRule", ALL)
DOMAINS = Call("Get-AcceptedDomain", ALL)
CONNECTION_FILTER = Call("Get-HostedConnectionFilterPolicy")
PERIMETER = Call("Get-PerimeterConfig")
QUESTIONS = (CONNECTORS, SETTINGS, RULES, DOMAINS, CONNECTION_FILTER, PERIMETER)
_NEEDED = (CONNECTORS, SETTINGS)
# Who is let in is decided by these. That the settings tell when they were changed is unverified.
_DECIDING = (CONNECTORS, RULES, SETTINGS)

_MILLISECONDS = re.compile(r"/Date\((-?[0-9]{1,15})(?:[+-][0-9]{4})?\)/")
# Microsoft.Exchange.MessagingPolicies.Rules.Tasks.FromScopePredicate
_CLASS = re.compile(r"(?:\w+\.)*(?P<name>\w+?)(?:Predicate)?")


@dataclass(frozen=True)
class TenantState:
    """Objects by their names in lower case, canonical.

    `domains` are the accepted domains; `gateways` the perimeter's gateway addresses, `allowed` the
    connection filter's list, as texts. `unread` are sentences about what could not be read, or not
    in whole. `changed` is when an object of these was changed last, as far as that is told.
    `reading` is the answer in numbers, see _numbers().
    """

    connectors: t.Mapping[str, Canonical] = field(default_factory=dict)
    rules: t.Mapping[str, Canonical] = field(default_factory=dict)
    organization: Canonical = field(default_factory=dict)
    domains: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    changed: datetime.datetime | None = None
    reading: t.Mapping[str, t.Any] = field(default_factory=dict, compare=False)

    def rows(self, resource: Resource) -> t.Mapping[str, Canonical]:
        """The objects of a resource."""
        if resource is ORGANIZATION:
            return {ORGANIZATION.name: self.organization}
        return self.connectors if resource is CONNECTOR else self.rules

    def with_rows(self, resource: Resource, rows: t.Mapping[str, Canonical]) -> TenantState:
        """The same with other objects of a resource."""
        if resource is ORGANIZATION:
            return dataclasses.replace(self, organization=rows[ORGANIZATION.name])
        if resource is CONNECTOR:
            return dataclasses.replace(self, connectors=rows)
        return dataclasses.replace(self, rules=rows)


def read(client: ExchangeOnline) -> TenantState:
    """The tenant, by one request. Raises ExchangeOnlineError, and PlanError for what cannot be
    understood.
    """
    given = dict(zip((call.cmdlet for call in QUESTIONS), client.read(QUESTIONS)))
    unread: list[str] = []
    rows: dict[str, tuple[Row, ...]] = {}
    for call in QUESTIONS:
        answer = given[call.cmdlet]
        if isinstance(answer, ExchangeOnlineError):
            if call in _NEEDED:
                raise answer
            unread.append(f"{call.cmdlet} gave nothing. {answer}")
            continue
        unread += _incomplete(call, answer)
        rows[call.cmdlet] = answer.rows
    if len(rows[SETTINGS.cmdlet]) != 1:
        raise Unreadable(
            f"{client.where} answered {SETTINGS.cmdlet} with {len(rows[SETTINGS.cmdlet])} objects "
            "in place of one."
        )
    return TenantState(
        connectors=_objects(CONNECTOR, rows[CONNECTORS.cmdlet]),
        rules=_objects(RULE, rows.get(RULES.cmdlet, ())),
        organization=_one(ORGANIZATION, {"Name": "", **rows[SETTINGS.cmdlet][0]}),
        domains=tuple(
            str(row.get("DomainName") or row.get("Name") or "").lower()
            for row in rows.get(DOMAINS.cmdlet, ())
        ),
        gateways=_texts(rows.get(PERIMETER.cmdlet, ()), "GatewayIPAddresses"),
        allowed=_texts(rows.get(CONNECTION_FILTER.cmdlet, ()), "IPAllowList"),
        unread=tuple(unread),
        changed=_last_change([row for call in _DECIDING for row in rows.get(call.cmdlet, ())]),
        reading=_numbers(given, rows),
    )


def _numbers(
    given: t.Mapping[str, Answer | ExchangeOnlineError], rows: t.Mapping[str, tuple[Row, ...]]
) -> dict[str, t.Any]:
    """What was answered, in numbers and names of Exchange Online's own, for the self-test."""
    return {
        "objects": {name: len(held) for name, held in rows.items()},
        "unanswered": [name for name in given if name not in rows],
        "warnings": {
            name: len(answer.warnings)
            for name, answer in given.items()
            if isinstance(answer, Answer) and answer.warnings
        },
        "timed": {
            call.cmdlet: sum(1 for row in rows[call.cmdlet] if _last_change([row]))
            for call in _DECIDING
            if call.cmdlet in rows
        },
        "direct_send_told": all(
            isinstance(row.get("RejectDirectSend"), bool) for row in rows[SETTINGS.cmdlet]
        ),
        "rules_without_conditions": sum(
            1 for row in rows.get(RULES.cmdlet, ()) if not isinstance(row.get("Conditions"), list)
        ),
    }


def _incomplete(call: Call, answer: Answer) -> list[str]:
    """A warning beside an answer may say that it is cut (a client measured 2026-07)."""
    return [
        f"{call.cmdlet} gave a warning, so that it may not have given all: {warning}"
        for warning in answer.warnings
    ]


def _objects(resource: Resource, rows: t.Iterable[Row]) -> dict[str, Canonical]:
    return {str(row.get("Name", "")).casefold(): _one(resource, row) for row in rows}


def _one(resource: Resource, row: Row) -> Canonical:
    if "Name" not in row or (resource is not ORGANIZATION and not row["Name"]):
        raise PlanError(
            f"Exchange Online gave {resource.noun}s without a name. Nothing was changed."
        )
    canonical = resource.read(row, None)
    if resource is CONNECTOR:
        canonical[CONNECTOR_SOURCE] = str(row.get("ConnectorSource") or "")
    if resource is RULE:
        canonical[FURTHER] = _further(row)
        canonical[STOPS] = str(row.get("StopRuleProcessing")).lower() == "true"
        canonical["set_scl"] = row.get("SetSCL")
    return canonical


# What a rule that locks is made of, by its parameters and by the classes of its parts.
_KNOWN_EXCEPTIONS = frozenset(
    {
        "ExceptIfSenderIpRanges",
        "ExceptIfMessageTypeMatches",
        "ExceptIfHeaderContainsMessageHeader",
        "ExceptIfHeaderContainsWords",
    }
)


def _further(row: Row) -> frozenset[str]:
    """What narrows a rule beside its options: conditions other than where a sender is, and
    exceptions that no option holds. A rule that does not tell its conditions has one that is not
    known.
    """
    conditions = row.get("Conditions")
    if not isinstance(conditions, list):
        names = {"conditions that are not told"}
    else:
        names = {_name(condition) for condition in conditions} - {"FromScope"}
    names |= {
        name
        for name, value in row.items()
        # ExceptIfSenderIpRanges@odata.type says of what type the property is.
        if name.startswith("ExceptIf")
        and "@" not in name
        and value not in (None, False, "", [], {})
        and name not in _KNOWN_EXCEPTIONS
    }
    return frozenset(names)


def _name(condition: t.Any) -> str:
    match = _CLASS.fullmatch(str(condition))
    return match["name"] if match else str(condition)


def _texts(rows: t.Iterable[Row], name: str) -> tuple[str, ...]:
    texts: list[str] = []
    for row in rows:
        value = row.get(name)
        texts += map(str, value if isinstance(value, list) else [value] if value else [])
    return tuple(texts)


def _last_change(rows: t.Iterable[Row]) -> datetime.datetime | None:
    moments = [moment_of(row.get("WhenChangedUTC") or row.get("WhenChanged")) for row in rows]
    return max((moment for moment in moments if moment), default=None)


def moment_of(text: t.Any) -> datetime.datetime | None:
    """A time as these answers have it: ``/Date(1772500523000)/``, or ISO 8601."""
    match = _MILLISECONDS.fullmatch(str(text))
    try:
        if match:
            return datetime.datetime.fromtimestamp(int(match[1]) / 1000, datetime.timezone.utc)
        moment = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.timezone.utc)
