# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of a site: its variables checked as a whole and converted.

Pure functions on templated values; the action site_description brings them.
"""

from __future__ import annotations

import datetime
import re
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import (
    RangeError,
    parse_address,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import (
    DESCRIBED,
    MANAGED,
    NOT_LOOKED_AT,
    OFFLINE,
    Part,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.lease import (
    check_minutes,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._day import day
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.catalogue import (
    ProviderError,
    mx_suffixes,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.ranges import details_of
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site import offline
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.approved import (
    approved_for,
    no_text,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.convert import convert
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.host_layers import HOST_LAYERS
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.options import (
    PREFIX,
    checked,
    options,
    unknown,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.outside import (
    points_of,
    unnamed,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.parts import (
    BACK,
    DNS,
    OF_THE_SITE,
    WAYS_IN,
    Surroundings,
    Values,
    named_snapshots,
    needs_ranges,
    parts_of,
)

# Never in the description, which is handed around: the roles take them from the variables
# themselves.
SECRETS = frozenset(
    {
        "mailedge_fortigate_token",
        "mailedge_exchange_online_client_secret",
        "mailedge_exchange_online_certificate_passphrase",
        "mailedge_exchange_password",
        "mailedge_exchange_outbound_credential",
    }
)
_CREDENTIAL = "authentication_credential"
# Connectors in full may hold a login; their own module checks them, before it writes anything.
_CONNECTORS = frozenset(
    {"mailedge_exchange_receive_connectors", "mailedge_exchange_send_connectors"}
)

_RANGES = (
    "provider_ranges",
    "own_networks",
    "exchange_servers",
    "hybrid_ranges",
    "exchange_online_on_premises_ranges",
)
# What an earlier job of a workflow hands on as extra variables: it speaks of every host, and the
# part of one host is taken out.
HANDED_ON = frozenset({"mailedge_report", "mailedge_snapshots", "mailedge_plan"})
_NOT_PUBLIC = frozenset(name[len(PREFIX) :] for name in HANDED_ON | SECRETS | _CONNECTORS)
_UNFIT = re.compile(r"[^A-Za-z0-9._-]")


@dataclass
class Description:
    """The site as the roles read it: `values` by option without its prefix, `parts` by layer."""

    values: Values = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def describe(
    variables: t.Mapping[str, t.Any], around: Surroundings, today: datetime.date
) -> Description:
    """Check and convert the variables of a host with our prefix; all problems at once."""
    known = options()
    description = Description(errors=unknown(variables))
    given = {}
    for name, spec in known.items():
        value = convert(name, variables[name], spec) if name in variables else None
        if value is not None:
            given[name] = value
    of_variables, problems = checked(given)
    description.errors += problems
    values = {name[len(PREFIX) :]: value for name, value in of_variables.items()}
    if description.errors:
        return description
    _complete(values, around)
    if around.playbook == "rollback":
        _take_handed_on(values, around, description)
    if not values["site"].isprintable():
        description.errors.append(
            "mailedge_site has a character that cannot be printed, such as a line break."
        )
    _check_owners(values, around, description)
    _accepted(values, description)
    _check_ranges(values, description)
    description.parts = parts_of(values, around)
    if needs_ranges(around.playbook, description.parts):
        _provider(values, today, description)
    plan = values["approved_plan"] if around.playbook == "apply" else None
    if around.playbook == "apply":
        description.errors += no_text(variables.get("mailedge_approved_plan"))
    values["approved_plan"] = None
    if plan is not None:
        values["approved_plan"], wrong_plan = approved_for(plan, around.host, description.parts)
        description.errors += wrong_plan
    for name in ("exchange_lease_minutes", "fortigate_lease_minutes"):
        wrong = check_minutes(values[name])
        if wrong:
            description.errors.append(f"{wrong} In the site's description it is mailedge_{name}.")
    live = around.playbook in DESCRIBED and around.playbook != OFFLINE
    if around.playbook in DESCRIBED:
        _check_exchange(values, description)
    if live or values["fortigate_backup"]:
        _check_fortigate(values, description)
    if live:  # A dump needs no login.
        _check_tenant(values, description)
    _check_delivery(values, around, description)
    if description.parts.get("fortigate", Part(MANAGED)).how == MANAGED and around.playbook in BACK:
        _check_token(values, description)
    if (
        around.playbook == "probe"
        or description.parts.get("outside", Part(NOT_LOOKED_AT)).how == MANAGED
    ):
        _check_probe(values, description)
    description.errors += unnamed(values["probe_looks"])
    if around.playbook == OFFLINE:
        description.errors += offline.wrong(values)
    if around.playbook == "publish_ranges" and not values["published_folder"]:
        description.errors.append(
            "mailedge_published_folder is not set: name the folder that the web server shows."
        )
    names_of = values["site_hosts"] or around.site_hosts or (around.host,)
    values["selected_hosts"] = [host for host in names_of if host in around.selected]
    values["names_from"] = values["selected_hosts"] if values["names_from_server"] else []
    by_names = description.parts.get(DNS, Part(NOT_LOOKED_AT)).how == MANAGED
    values["vantage_points"] = points_of(values, around.playbook, by_names=by_names)
    description.values = _public(values)
    return description


def _check_delivery(values: Values, around: Surroundings, description: Description) -> None:
    """Whether the provider's mail can be waited for as the site asks for it."""
    minutes = values["prove_delivery_minutes"]
    # Another run may work on the server, or on the firewall, when the lease is over.
    leases = ["exchange", *(["fortigate"] if values["fortigate_enabled"] else [])]
    longest = min(240, *(values[f"{layer}_lease_minutes"] for layer in leases))
    if not 0 <= minutes <= longest:
        names = " and ".join(f"mailedge_{layer}_lease_minutes" for layer in leases)
        description.errors.append(
            f"mailedge_prove_delivery_minutes is {minutes}: it must be between 0 and 240, and no "
            f"more than {names}."
        )
    if not 10 <= values["prove_delivery_every"] <= 600:
        description.errors.append("mailedge_prove_delivery_every must be between 10 and 600.")
    waits = around.playbook == "apply" and minutes > 0
    if (
        waits
        and description.parts.get("exchange", Part(NOT_LOOKED_AT)).how == MANAGED
        and not values["provider_ranges"]
        and not description.errors
    ):
        description.errors.append(
            "mailedge_prove_delivery_minutes waits for the provider's mail, and nothing names the "
            "provider: set mailedge_provider_ranges or mailedge_provider, or no minutes."
        )


def _complete(values: Values, around: Surroundings) -> None:
    """What follows from the rest where it is not said."""
    offline.complete(values, offline=around.playbook == OFFLINE)
    values["site"] = values["site"] or around.host
    hosts = values["site_hosts"] or around.site_hosts
    values["site_owner"] = values["site_owner"] or next(iter(hosts), around.host)
    values["exchange_outbound_owner"] = values["exchange_outbound_owner"] or values["site_owner"]
    values["fortigate_owner"] = values["fortigate_owner"] or values["site_owner"]
    values["exchange_online_owner"] = values["exchange_online_owner"] or values["site_owner"]
    short = _UNFIT.sub("-", values["site"])
    values["published_name"] = values["published_name"] or short
    values["fortigate_name"] = values["fortigate_name"] or short[:15]
    values["mx_suffixes"] = values["mx_suffixes"] or mx_suffixes(values["provider"])
    if values["exchange_outbound_enabled"] is None:
        values["exchange_outbound_enabled"] = bool(values["exchange_outbound"].get("smart_hosts"))
    if values["iis_enabled"] is None:
        values["iis_enabled"] = bool(values["exchange_publish"] or values["iis_blocks"])
    if values["windows_firewall_enabled"] is None:
        values["windows_firewall_enabled"] = bool(values["windows_firewall_ports"])
    values["exchange_online_name"] = values["exchange_online_name"] or values["site"][:40]
    if values["exchange_online_enabled"] is None:
        values["exchange_online_enabled"] = bool(values["exchange_online_tenant_id"])
    if values["fortigate_enabled"] is None:
        values["fortigate_enabled"] = bool(values["fortigate_host"])
    if values["fortigate_inbound_enabled"] is None:
        values["fortigate_inbound_enabled"] = bool(
            values["fortigate_vips"] or values["fortigate_addresses"]
        )
    if values["fortigate_outbound_enabled"] is None:
        values["fortigate_outbound_enabled"] = bool(values["fortigate_outbound"])


def _take_handed_on(values: Values, around: Surroundings, description: Description) -> None:
    """The snapshots of this host that an earlier run has handed on, where none is named."""
    entry = values["snapshots"].get(around.host) or {}
    own = {layer.name: layer.prefix for layer in HOST_LAYERS}
    fits = isinstance(entry, dict) and all(
        isinstance(entry.get(layer) or {}, dict) for layer in OF_THE_SITE
    )
    texts = [*map(entry.get, own)] if fits else []
    for layer in OF_THE_SITE if fits else ():
        texts += (entry.get(layer) or {}).values()
    contents = [f"{prefix}_snapshot_content" for prefix in OF_THE_SITE.values()]
    if not fits or not all(text is None or isinstance(text, str) for text in texts):
        description.errors.append(
            f"mailedge_snapshots has something else for {around.host} than what a run hands on."
        )
    elif not named_snapshots(values) and not any(values[name] for name in contents):
        for layer, prefix in own.items():
            values[f"{prefix}_snapshot"] = entry.get(layer)
        for layer, prefix in OF_THE_SITE.items():
            kept = entry.get(layer) or {}
            values[f"{prefix}_snapshot"] = kept.get("name")
            values[f"{prefix}_snapshot_content"] = kept.get("content")


def _check_owners(values: Values, around: Surroundings, description: Description) -> None:
    """Where the site names its hosts, everything that names one of them is held against that.

    What the inventory shows is no measure: a slice of a job shows a part of the site. But one that
    was selected, and is of another site, does nothing for this one.
    """
    hosts = values["site_hosts"]
    strangers = set(around.selected) - set(around.site_hosts) if around.site_hosts else set()
    for name, host in (
        ("", around.host),
        *(
            (f"mailedge_{name}", values[name])
            for name in (
                "site_owner",
                "exchange_outbound_owner",
                "fortigate_owner",
                "exchange_online_owner",
            )
        ),
    ):
        if hosts and host not in hosts:
            what = f"{name} is '{host}', which" if name else f"This host, {host},"
            description.errors.append(
                f"{what} is not among the hosts of site '{values['site']}': {', '.join(hosts)}."
            )
        elif name and host in strangers:
            description.errors.append(
                f"{name} is '{host}', which is of another site than '{values['site']}', so that "
                "nobody would do here what is left to it."
            )


def _accepted(values: Values, description: Description) -> None:
    """The findings that the site accepts: each with an id, a reason, and a last day."""
    for number, entry in enumerate(values["accepted_drift"], 1):
        where = f"Entry {number} of mailedge_accepted_drift"
        lacking = [name for name in ("id", "until", "reason") if not str(entry.get(name) or "")]
        if lacking:
            description.errors.append(
                f"{where} has no {' and no '.join(lacking)}: say which finding of the report is "
                "accepted, until which day, and why."
            )
        for name in ("until", "due"):
            text = entry.get(name)
            try:
                if text:
                    entry[name] = day(text).isoformat()
            except ValueError:
                description.errors.append(
                    f"{where} has the {name} '{text}', which is not a day such as 2027-01-31."
                )


def _check_ranges(values: Values, description: Description) -> None:
    for name in _RANGES:
        _understood(
            f"mailedge_{name}", values[name], description, provider=name == "provider_ranges"
        )
    _understood(
        "mailedge_fortigate_outbound.mail_servers",
        values["fortigate_outbound"].get("mail_servers"),
        description,
    )
    for address in values["fortigate_addresses"]:
        try:
            parse_address(address)
        except RangeError as error:
            description.errors.append(f"mailedge_fortigate_addresses cannot be used: {error}")


def _understood(
    name: str, texts: t.Any, description: Description, *, provider: bool = False
) -> None:
    try:
        (_ranges_guards.named if provider else _ranges_guards.friends)(texts or [])
    except RangeError as error:
        description.errors.append(f"{name} cannot be used: {error}")


def _provider(values: Values, today: datetime.date, description: Description) -> None:
    """The ranges of the provider that the site names, where it does not name them itself."""
    if values["provider_ranges"] or not values["provider"]:
        return
    try:
        details = details_of(
            values["provider"],
            values["provider_region"] or "",
            values["ranges_lock"] or "",
            values["provider_grade"],
            today,
        )
    except ProviderError as error:
        description.errors.append(str(error))
        return
    values["provider_ranges"] = details["ranges"]
    description.warnings += details.get("warnings") or []


def _inbound(values: Values) -> bool:
    return bool(values["exchange_enabled"] and values["exchange_inbound_enabled"])


def _check_exchange(values: Values, description: Description) -> None:
    if _inbound(values) and not values["provider_ranges"] and not description.errors:
        description.errors.append(
            f"Site '{values['site']}' names no provider range (mailedge_provider_ranges, or "
            "mailedge_provider). A lock without one would shut out all mail. Name the ranges from "
            "which the filtering provider delivers, or set mailedge_exchange_inbound_enabled to "
            "false."
        )

    if (
        values["exchange_enabled"]
        and values["exchange_outbound_enabled"]
        and not values["exchange_outbound"].get("smart_hosts")
    ):
        description.errors.append(
            "mailedge_exchange_outbound_enabled is true, but mailedge_exchange_outbound names no "
            "smart_hosts."
        )


def _check_token(values: Values, description: Description) -> None:
    if values["fortigate_enabled"] and not values["fortigate_token"]:
        description.errors.append(
            f"Site '{values['site']}' names the firewall {values['fortigate_host'] or ''} without "
            "mailedge_fortigate_token, the token of an API user of its own."
        )


def _check_fortigate(values: Values, description: Description) -> None:
    """What a firewall that is named needs to be locked."""
    if not values["fortigate_enabled"]:
        set_anyway = [
            f"mailedge_{name}"
            for name in (
                "fortigate_vips",
                "fortigate_addresses",
                "fortigate_outbound",
                "fortigate_feed",
            )
            if values[name]
        ]
        if set_anyway and not values["fortigate_host"]:
            description.errors.append(
                f"{set_anyway[0]} is set, but no firewall is named: set mailedge_fortigate_host, "
                "or remove it."
            )
        return
    if not values["fortigate_backup"]:
        _check_token(values, description)
    where = f"the firewall {values['fortigate_host']} of site '{values['site']}'"
    if not values["fortigate_host"]:
        description.errors.append(
            "mailedge_fortigate_enabled is true without mailedge_fortigate_host."
        )
    if not values["fortigate_inbound_enabled"] and not values["fortigate_outbound_enabled"]:
        description.errors.append(
            f"Nothing says what leads to the mail server through {where}: name "
            "mailedge_fortigate_vips or mailedge_fortigate_addresses, or "
            "mailedge_fortigate_outbound for the way out."
        )
    sources = (
        values["provider_ranges"]
        or values["fortigate_internet_services"]
        or values["fortigate_feed"]
    )
    if values["fortigate_inbound_enabled"] and not sources and not description.errors:
        description.errors.append(
            f"Site '{values['site']}' names no provider range (mailedge_provider_ranges), so that "
            f"nobody would get through {where}."
        )
    if values["fortigate_outbound_enabled"]:
        missing = [
            name
            for name in ("mail_servers", "smart_hosts", "interfaces")
            if not values["fortigate_outbound"].get(name)
        ]
        if missing:
            description.errors.append(f"mailedge_fortigate_outbound lacks {' and '.join(missing)}.")


def _check_tenant(values: Values, description: Description) -> None:
    """What a tenant that is managed needs to be locked; the module checks the rest."""
    if not values["exchange_online_enabled"]:
        return
    if not values["exchange_online_tenant_id"]:
        description.errors.append(
            "mailedge_exchange_online_enabled is true without mailedge_exchange_online_tenant_id."
        )
    if sum(bool(values[f"exchange_online_{way}"]) for way in WAYS_IN) != 1:
        description.errors.append(
            f"The tenant of site '{values['site']}' needs one way to log in: one of "
            + ", ".join(f"mailedge_exchange_online_{way}" for way in WAYS_IN)
            + "."
        )
    if not 0 <= values["exchange_online_wait_minutes"] <= 240:
        description.errors.append(
            "mailedge_exchange_online_wait_minutes must be between 0 and 240."
        )
    named = values["exchange_online_provider_certificate"] or values["provider_ranges"]
    if not named and values["exchange_online_method"] != "none" and not description.errors:
        description.errors.append(
            f"Nothing says who may deliver to the tenant of site '{values['site']}': name "
            "mailedge_exchange_online_provider_certificate, or mailedge_provider_ranges."
        )


def _check_probe(values: Values, description: Description) -> None:
    missing = [
        f"mailedge_{name} ({what})"
        for name, what in (
            ("probe_targets", "host names or addresses of the mail server, or mailedge_domains"),
            ("probe_sender", "an address of your own, outside the site"),
            ("probe_recipient", "a mailbox at the site"),
        )
        if not values[name] and not (name == "probe_targets" and DNS in description.parts)
    ]
    if missing:
        description.errors.append(
            f"Site '{values['site']}' cannot be looked at from outside without "
            f"{' and '.join(missing)}."
        )


def _public(values: Values) -> Values:
    """The values without anything that may hold a secret."""
    public = {}
    for name, value in values.items():
        if name in _NOT_PUBLIC:
            continue
        public[name] = (
            {key: inner for key, inner in value.items() if key != _CREDENTIAL}
            if isinstance(value, dict)
            else value
        )
    return public
