# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specs of the Exchange modules, built from the tables of the connectors.

``*_OPTIONS`` are parts of a spec, ``*_MODULE`` are keyword arguments for AnsibleModule and for
ArgumentSpecValidator alike.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.limits import OVERRIDABLE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import (
    SEND,
    SMART_HOST_AUTH_MECHANISMS,
    TLS_AUTH_LEVELS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._host_options import (
    RUN_OPTIONS,
    TIME_LIMIT,
    WRITE_OPTIONS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import (
    OptionError,
    Resource,
)

Spec = dict[str, dict[str, t.Any]]


def connector_options(resource: Resource) -> Spec:
    """The spec of one connector: its name, its state, and each property of the table by its kind.

    Kinds of lists are ``raw``, since a list and a table of add, remove and set are both taken;
    check_entry() looks at them.
    """
    return {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        **{prop.option: prop.kind.argument() for prop in resource.properties.values()},
    }


def _texts(**more: t.Any) -> dict[str, t.Any]:
    return {"type": "list", "elements": "str", **more}


_UPDATE_CREDENTIAL: dict[str, t.Any] = {
    "type": "str",
    "choices": ["always", "on_create"],
    "default": "on_create",
    # The name has the word in it, but its value is no secret.
    "no_log": False,
}

RECEIVE_OPTIONS: Spec = connector_options(RECEIVE)
SEND_OPTIONS: Spec = {**connector_options(SEND), "update_credential": _UPDATE_CREDENTIAL}

CONNECTION_OPTIONS: Spec = {
    "exchange_shell": {
        "type": "str",
        "choices": ["auto", "remote_session", "snapin", "edge"],
        "default": "auto",
    },
    "exchange_username": {"type": "str"},
    "exchange_password": {"type": "str", "no_log": True},
    "exchange_fqdn": {"type": "str"},
    "domain_controller": {"type": "str"},
    **TIME_LIMIT,
}

NETWORK_OPTIONS: Spec = {
    name: _texts(default=[])
    for name in ("provider_ranges", "own_networks", "exchange_servers", "hybrid_ranges")
}

SITE_OPTIONS: Spec = {**NETWORK_OPTIONS, **WRITE_OPTIONS}

INBOUND_LOCK_OPTIONS: Spec = {
    "name": {"type": "str", "default": "Mail from filter"},
    "method": {
        "type": "str",
        "choices": ["auto", "strip_anonymous", "narrow", "disable"],
        "default": "auto",
    },
    "fqdn": {"type": "str"},
    "banner": {"type": "str"},
    "bindings": _texts(),
    "auth_mechanism": _texts(),
    "require_tls": {"type": "bool"},
    "tls_certificate_name": {"type": "str"},
    # Without defaults, which the recipe knows: what a site has not said is no reason to leave a
    # connector that somebody made for the provider.
    "max_inbound_connection_per_source": {"type": "str"},
    "max_inbound_connection_percentage_per_source": {"type": "int"},
    "protocol_logging_level": {"type": "str", "choices": ["None", "Verbose"]},
    "keep_unnamed_until": {"type": "str"},
    **{option: RECEIVE.properties[option].kind.argument() for option in OVERRIDABLE},
}

OUTBOUND_LOCK_OPTIONS: Spec = {
    "name": {"type": "str", "default": "Mail to filter"},
    "smart_hosts": _texts(required=True),
    "port": {"type": "int"},
    "address_spaces": _texts(default=["SMTP:*;1"]),
    "source_transport_servers": _texts(),
    "smart_host_auth_mechanism": {"type": "str", "choices": list(SMART_HOST_AUTH_MECHANISMS)},
    "authentication_credential": SEND.properties["authentication_credential"].kind.argument(),
    "update_credential": _UPDATE_CREDENTIAL,
    "require_tls": {"type": "bool"},
    "tls_auth_level": {"type": "str", "choices": list(TLS_AUTH_LEVELS)},
    "tls_domain": {"type": "str"},
    "fqdn": {"type": "str"},
    "max_message_size": SEND.properties["max_message_size"].kind.argument(),
    "frontend_proxy_enabled": {"type": "bool"},
    "close": {"type": "str", "choices": ["disable", "keep"], "default": "disable"},
}

LOG_OPTIONS: Spec = {
    "days": {"type": "int", "default": 14},
    "megabytes": {"type": "int", "default": 256},
    "seconds": {"type": "int", "default": 30},
}

RECENT_SENDERS_OPTIONS: Spec = {
    **LOG_OPTIONS,
    "messages": {"type": "int", "default": 1},
    "addresses": {"type": "bool", "default": True},
}

RECEIVE_MODULE: dict[str, t.Any] = {
    "argument_spec": {**RECEIVE_OPTIONS, **CONNECTION_OPTIONS, **SITE_OPTIONS}
}
SEND_MODULE: dict[str, t.Any] = {
    "argument_spec": {**SEND_OPTIONS, **CONNECTION_OPTIONS, **SITE_OPTIONS}
}
INFO_MODULE: dict[str, t.Any] = {
    "argument_spec": {
        **CONNECTION_OPTIONS,
        **NETWORK_OPTIONS,
        "messages_since": {"type": "str"},
    }
}
DELIVERY_MODULE: dict[str, t.Any] = {
    "argument_spec": {
        **CONNECTION_OPTIONS,
        "provider_ranges": {"type": "list", "elements": "str", "required": True},
        "minutes": {"type": "int", "required": True},
        "every": {"type": "int", "default": 60},
        "required": {"type": "bool", "default": False},
    }
}
SENDERS_MODULE: dict[str, t.Any] = {
    "argument_spec": {
        **CONNECTION_OPTIONS,
        **NETWORK_OPTIONS,
        **LOG_OPTIONS,
        "addresses": {"type": "bool", "default": False},
    }
}
NAMES_MODULE: dict[str, t.Any] = {"argument_spec": {**CONNECTION_OPTIONS}}
READING_MODULE: dict[str, t.Any] = {
    "argument_spec": {
        **CONNECTION_OPTIONS,
        "iis_site": {"type": "str", "default": "Default Web Site"},
    }
}
SNAPSHOTS_MODULE: dict[str, t.Any] = {
    "argument_spec": {"time_limit": CONNECTION_OPTIONS["time_limit"]}
}
LEASE_END_MODULE: dict[str, t.Any] = {
    "argument_spec": {
        "lease": {"type": "dict", "required": True},
        "time_limit": {"type": "int", "default": 120},
    }
}
MAIL_FLOW_MODULE: dict[str, t.Any] = {
    "argument_spec": {
        **CONNECTION_OPTIONS,
        **SITE_OPTIONS,
        "inbound_lock": {"type": "dict", "options": INBOUND_LOCK_OPTIONS},
        "outbound_lock": {"type": "dict", "options": OUTBOUND_LOCK_OPTIONS},
        # Their options stand in the documentation of the modules for one connector; check_entries()
        # checks them.
        "receive_connectors": {"type": "list", "elements": "dict", "default": []},
        "send_connectors": {"type": "list", "elements": "dict", "default": []},
        "recent_senders": {"type": "dict", "options": RECENT_SENDERS_OPTIONS},
        **RUN_OPTIONS,
    },
    "mutually_exclusive": [("snapshot", "inbound_lock"), ("snapshot", "outbound_lock")],
}


class Checked(t.NamedTuple):
    """Described connectors after the check: with their defaults, what is wrong with them, and the
    secrets in them.
    """

    entries: list[dict[str, t.Any]]
    errors: list[str]
    secrets: frozenset[str]


def check_entries(resource: Resource, entries: t.Iterable[t.Mapping[str, t.Any]]) -> Checked:
    """Check described connectors as their own module checks its options, values of lists included.

    The secrets are those found even where something is wrong, so that an error can be scrubbed of
    them.
    """
    spec = RECEIVE_OPTIONS if resource is RECEIVE else SEND_OPTIONS
    validator = ArgumentSpecValidator(spec)
    checked: list[dict[str, t.Any]] = []
    errors: list[str] = []
    secrets: set[str] = set()
    for entry in entries:
        result = validator.validate(dict(entry))
        secrets.update(str(value) for value in result._no_log_values)
        named = result.validated_parameters
        checked.append(named)
        where = (
            f"The description of the {resource.noun} '{named.get('name') or 'without a name'}' is "
            "not usable: "
        )
        messages = [str(message).rstrip(".") + "." for message in result.error_messages]
        errors.extend(f"{where}{message} Nothing was changed." for message in messages)
        if not messages:
            errors.extend(check_entry(resource, named))
    return Checked(checked, errors, frozenset(secrets))


def check_entry(resource: Resource, entry: t.Mapping[str, t.Any]) -> list[str]:
    """One sentence for each option of a described connector whose value is not of its kind."""
    sentences: list[str] = []
    for option, value in entry.items():
        prop = resource.properties.get(option)
        # A login is checked by the spec itself, and here its password could get into a sentence.
        if prop is None or option == "authentication_credential":
            continue
        try:
            # Against nothing, which shows the form; against what is there it is the plan's
            # business.
            prop.resolve(prop.parse(""), value)
        except OptionError as error:
            sentences.append(
                f"In the description of the {resource.noun} '{entry.get('name')}': {error}"
            )
    return sentences
