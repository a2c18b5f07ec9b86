# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of a site become for exchange_mail_flow."""

from __future__ import annotations

import datetime
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import (
    MAIL_FLOW_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.describe import describe
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.host import SiteOfHost
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.host_layers import HOST_LAYERS
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.parts import Surroundings

HOSTS = ("birke-ex1", "birke-ex2")
SITE: dict[str, t.Any] = {
    "mailedge_site": "birke",
    "mailedge_provider_ranges": ["198.51.100.0/24"],
    "mailedge_own_networks": "10.20.0.0/16, 10.21.0.0/16",
    "mailedge_exchange_outbound": {
        "smart_hosts": ["out.filter.example"],
        "authentication_credential": {"username": "birke", "password": "canary"},
    },
}


def options(host: str, **more: t.Any) -> dict[str, t.Any]:
    variables = {**SITE, **{f"mailedge_{name}": value for name, value in more.items()}}
    description = describe(
        variables, Surroundings(host, ("drift"), HOSTS, HOSTS), datetime.date(2026, 1, 14)
    )
    assert not description.errors
    described = {key: value for key, value in description.values.items() if value is not None}
    assert "canary" not in str(described)
    arguments = HOST_LAYERS[0].locking(SiteOfHost(host, described, variables.get))
    assert not ArgumentSpecValidator(**MAIL_FLOW_MODULE).validate(arguments).error_messages
    return arguments


def test_the_owner_locks_both_ways_and_the_other_servers_the_way_in() -> None:
    owner, other = (options(host, exchange_send_connectors=[{"name": "Partner"}]) for host in HOSTS)
    assert owner["own_networks"] == other["own_networks"] == ["10.20.0.0/16", "10.21.0.0/16"]
    assert owner["inbound_lock"] == other["inbound_lock"] == {}
    assert owner["outbound_lock"] == SITE["mailedge_exchange_outbound"]
    assert owner["send_connectors"] == [{"name": "Partner"}]
    assert not {"outbound_lock", "send_connectors"} & set(other)


def test_a_login_of_its_own_counts_more_than_the_one_in_the_description() -> None:
    login = {"username": "relay", "password": "canary"}
    assert (
        options(HOSTS[0], exchange_outbound_credential=login)[("outbound_lock")][
            "authentication_credential"
        ]
        == login
    )


def test_what_is_not_managed_or_left_empty_is_not_asked_for() -> None:
    asked = options(
        HOSTS[0],
        exchange_inbound_enabled=False,
        exchange_outbound_enabled=False,
        exchange_password="",
        exchange_domain_controller=" ",
    )
    assert not {
        ("inbound_lock"),
        "outbound_lock",
        "exchange_password",
        "domain_controller",
        "receive_connectors",
    } & set(asked)
