# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any tenant: what the model says of a sender is what the lab's mail servers do with its mail, and
a lock lets nobody in that is not named, and nobody down that is.

MAILEDGE_EXAMPLES=1000 tries as many tenants.
"""

from __future__ import annotations

import json
import pathlib
import tempfile
import typing as t

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.attribution import Hop
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.lab import ExchangeOnline
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.messages import (
    DELIVERED,
    Message,
)
from ansible_collections.mailedge.lockdown.tests.machine.searching import examples
from ansible_collections.mailedge.lockdown.tests.support.exchange_online_modules import (
    CERTIFICATE,
    OWN,
    RANGES,
    Tenant,
)
from ansible_collections.mailedge.lockdown.tests.support.random_tenants import (
    CONNECTORS,
    OWN_SERVER,
    RULES,
    Rows,
    fill,
)

Options = dict[str, t.Any]

STRANGER, PROVIDER = "192.0.2.77", "198.51.100.7"
RISKS = ["on_premises_shut_out", "no_safe_order", "mx_unknown", "not_all_read"]
HOPS = {
    "stranger": Hop(STRANGER, tls=True),
    "provider": Hop(PROVIDER, tls=True, subject="mx1.filter.example"),
    "own server": Hop(OWN_SERVER, tls=True, subject=OWN),
}

_LOCKS = st.sampled_from(
    [
        {"provider_certificate": CERTIFICATE},
        {"provider_certificate": CERTIFICATE, "on_premises_certificate": OWN},
        {"provider_certificate": None, "provider_ranges": RANGES},
        {
            "provider_certificate": None,
            "provider_ranges": RANGES,
            "on_premises_ranges": [OWN_SERVER],
        },
        {
            "provider_certificate": None,
            "provider_ranges": RANGES,
            "method": "rule",
            "rule_mode": "enforce",
        },
    ]
)


def delivered(online: ExchangeOnline, who: str, *, direct_send: bool = False) -> bool:
    """Whether mail of that server reaches any of the mailboxes, filtered or not."""
    tenant = online.tenant
    sender = "ceo@hafen.example" if direct_send else "somebody@sender.example"
    return any(
        online.deliver(HOPS[who], Message(sender, recipient)).end == DELIVERED
        for recipient in sorted(tenant.recipients)
    )


@pytest.fixture(scope="module")
def online() -> t.Iterator[ExchangeOnline]:
    """One for all: a new one takes longer than what is done with it."""
    with ExchangeOnline() as running:
        # It is about the end, when all is in force.
        running.tenant.propagation = 0.0
        yield running


ANY = (st.lists(CONNECTORS, max_size=3), st.lists(RULES, max_size=2), st.booleans(), _LOCKS)


@examples(30)
@given(*ANY)
def test_the_model_and_the_mail_servers_agree_and_a_lock_holds(
    online: ExchangeOnline, connectors: Rows, rules: Rows, refuses: bool, lock: Options
) -> None:
    judge(online, connectors, rules, refuses, lock)


@pytest.mark.long
@examples(120)
@given(*ANY)
def test_they_agree_on_many_more_tenants(
    online: ExchangeOnline, connectors: Rows, rules: Rows, refuses: bool, lock: Options
) -> None:
    judge(online, connectors, rules, refuses, lock)


def judge(
    online: ExchangeOnline, connectors: Rows, rules: Rows, refuses: bool, lock: Options
) -> None:
    """One tenant: looked at, locked, looked at again, given back."""
    with tempfile.TemporaryDirectory() as folder:
        tenant = Tenant(online, pathlib.Path(folder, "snapshots"))
        fill(online, connectors, rules, refuses=refuses)
        start = meaning(tenant)
        had = {who: delivered(online, who) for who in HOPS}

        looked = tenant.info(**lock_names(lock))
        assert not looked["failed"], looked["msg"]
        if delivered(online, "stranger") or delivered(online, "stranger", direct_send=True):
            assert looked["strangers"]["before"], "open, and not told"

        done = tenant.lock(**lock, accept_risks=RISKS)
        if done["failed"]:
            event("stopped")
            assert meaning(tenant) == start, done["msg"]
            return
        event(done["state"])
        open_now = [
            delivered(online, "stranger", direct_send=direct_send) for direct_send in (False, True)
        ]
        assert (done["state"] == "in order") <= (not any(open_now)), done["exposure"]
        assert had["provider"] <= delivered(online, "provider"), done["plan"]
        if "on_premises_shut_out" not in {finding["id"] for finding in done["guards"]}:
            named = "on_premises_ranges" in lock or "on_premises_certificate" in lock
            assert not named or had["own server"] <= delivered(online, "own server"), done["plan"]
        again = tenant.lock(**lock, accept_risks=RISKS)
        assert not again["failed"], again["msg"]
        assert not again["changed"], again["plan"]
        assert not tenant.rollback("original")["failed"]
        assert meaning(tenant) == start


def meaning(tenant: Tenant) -> str:
    """All that a lock may change; a network of one address is that address."""
    return json.dumps(tenant.dump(), sort_keys=True).replace('/32"', '"')


def lock_names(lock: dict[str, t.Any]) -> dict[str, t.Any]:
    """What of a lock says whom the site names."""
    return {name: value for name, value in lock.items() if name not in ("method", "rule_mode")}
