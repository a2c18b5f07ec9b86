# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tenant of Exchange Online in the description of a site."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online import module
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.options import options
from ansible_collections.mailedge.lockdown.tests.support.described import (
    SITE,
    described,
    parts,
)

GUID = "8f0f9b9e-0c2a-4a55-9d4b-6d1f8f1f2f10"
TENANT: dict[str, t.Any] = {
    **SITE,
    "mailedge_exchange_online_tenant_id": GUID,
    "mailedge_exchange_online_client_id": GUID,
    "mailedge_exchange_online_client_secret": "canary-secret",
    "mailedge_exchange_online_certificate_passphrase": "canary-passphrase",
}
LAYER = "exchange online"


def test_a_tenant_is_managed_where_it_is_named() -> None:
    assert LAYER not in parts(described(SITE))
    assert parts(described(TENANT))[LAYER] == "managed"
    off = {**TENANT, "mailedge_exchange_online_enabled": False}
    assert parts(described(off))[LAYER] == "not managed"


def test_one_host_of_the_site_does_it() -> None:
    other = described({**TENANT, "mailedge_exchange_online_owner": "ex2"})
    assert other.parts[LAYER].how == "left out"
    assert "The tenant belongs to the whole site" in other.parts[LAYER].why


def test_no_secret_is_in_the_description() -> None:
    description = described(TENANT)
    assert description.errors == []
    assert "canary" not in str(description)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"mailedge_exchange_online_client_secret": ""}, "needs one way to log in"),
        ({"mailedge_exchange_online_certificate": "/x.pem"}, "needs one way to log in"),
        (
            {"mailedge_exchange_online_tenant_id": "", "mailedge_exchange_online_enabled": True},
            "without mailedge_exchange_online_tenant_id",
        ),
        (
            {"mailedge_provider_ranges": "", "mailedge_exchange_inbound_enabled": False},
            "Nothing says who may deliver to the tenant",
        ),
        ({"mailedge_exchange_online_on_premises_ranges": "0.0.0.0/1"}, "cannot be used"),
        ({"mailedge_exchange_online_wait_minutes": 241}, "must be between 0 and 240"),
        ({"mailedge_exchange_online_method": "wall"}, "mailedge_exchange_online_method"),
    ],
)
def test_what_a_tenant_lacks_is_told(more: dict[str, t.Any], words: str) -> None:
    assert words in " ".join(described({**TENANT, **more}).errors)


def test_a_named_snapshot_is_given_back_alone() -> None:
    name = {"mailedge_exchange_online_snapshot": "latest"}
    states = parts(described({**TENANT, **name}, playbook="rollback"))
    assert (states[LAYER], states["exchange"]) == ("managed", "not managed")
    gone = parts(described({**SITE, **name}, playbook="rollback"))
    assert gone[LAYER] == "left out"


def test_a_role_takes_what_the_module_takes() -> None:
    known = options()
    prefix = "mailedge_exchange_online_"
    spec = module.LOCK["argument_spec"]
    ours = {name[len(prefix) :]: known[name] for name in known if name.startswith(prefix)}
    own = {"enabled", "from", "owner", "snapshot_content", "wait_minutes"}
    elsewhere = {"provider_ranges", "content", "keep_later_changes", "check_permissions", "run_id"}
    elsewhere |= {"approved_plan"}
    # Those of mailedge_dns_*.
    elsewhere |= {"resolver", "resolver_port"}
    assert set(ours) - own == set(spec) - elsewhere
    for name in set(ours) - own:
        assert ours[name].get("choices") == spec[name].get("choices"), name
        assert ours[name]["type"] == spec[name]["type"].replace("path", "str"), name
