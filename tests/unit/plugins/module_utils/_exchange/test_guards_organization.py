# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards about what else there is: accepted domains, source servers, invalid objects, limits of
others' connectors.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.accepted import (
    AcceptedDomain,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.layer import ExchangeLayer
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import (
    SiteNetworks,
    apply_all,
    desired,
    plan,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.routing import Claim
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import (
    INVALID,
    State,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import Finding
from ansible_collections.mailedge.lockdown.tests.support import connectors as sites

DEFAULT, HUB = f"Default Frontend {sites.NAME}", f"Default {sites.NAME}"
NAMED = SiteNetworks(provider=RangeSet.parse([sites.PROVIDER]))


def _findings(
    state: State, networks: SiteNetworks, *receive: dict[str, t.Any], send: t.Sequence[t.Any] = ()
) -> dict[str, Finding]:
    changes = plan(state, desired(receive=receive, send=send))
    return {
        finding.id: finding
        for finding in guards.findings(state, apply_all(changes, state), networks, changes)
    }


def test_guard_every_domain_accepted() -> None:
    everything = AcceptedDomain("All", "*", "ExternalRelay")
    state = dataclasses.replace(sites.modern(), accepted_domains=(everything,))
    assert _findings(state, NAMED)["every_domain_accepted"].severity == "warn"
    assert "every_domain_accepted" not in _findings(state, SiteNetworks())


def test_guard_accepted_domains_unread() -> None:
    state = dataclasses.replace(sites.modern(), accepted_domains=None)
    assert _findings(state, NAMED)["accepted_domains_unread"].severity == "warn"
    assert "accepted_domains_unread" not in _findings(state, SiteNetworks())
    # Not drift, which a site may accept.
    assert "accepted_domains_unread" in ExchangeLayer.unread


def test_guard_invalid_connector() -> None:
    modern = sites.modern(comment="")
    invalid = {
        **modern.receive,
        DEFAULT.casefold(): {**modern.receive[DEFAULT.casefold()], INVALID: True},
    }
    state = dataclasses.replace(modern, receive=invalid)
    assert (
        _findings(state, NAMED, {"name": DEFAULT, "comment": "seen"})["invalid_connector"].severity
        == "warn"
    )
    assert "invalid_connector" not in _findings(state, NAMED, {"name": HUB, "comment": "seen"})


def test_guard_source_servers_lost() -> None:
    state = sites.site(
        Version.E2019, [], [sites.send("Internet", source_transport_servers=["EX1", "EX2"])]
    )
    wish: dict[str, t.Any] = {
        "name": "Filter",
        "address_spaces": ["*"],
        "smart_hosts": ["out.filter.example"],
    }
    closed = {"name": "Internet", "enabled": False}
    finding = _findings(state, SiteNetworks(), send=[wish, closed])["source_servers_lost"]
    assert finding.severity == "stop"
    assert "The server EX2 sends mail" in finding.sentence
    both = {**wish, "source_transport_servers": ["EX2", "EX1"]}
    assert "source_servers_lost" not in _findings(state, SiteNetworks(), send=[both, closed])


def test_source_servers_come_back_by_whoever_keeps_the_connector() -> None:
    def remedy(name: str, claim: Claim | None = None, **options: t.Any) -> str:
        theirs = sites.send(name, address_spaces=["SMTP:*;5"], **options)
        internet = sites.send("Internet", source_transport_servers=["EX1", "EX2"])
        state = sites.site(Version.E2019, [], [internet, theirs])
        closed = {"name": "Internet", "enabled": False}
        networks = SiteNetworks(outbound_lock=claim)
        return _findings(state, networks, send=[closed])["source_servers_lost"].sentence

    keep = "keep the connector in service that carries this mail today"
    hybrid = remedy("Outbound to Office 365 - 1", smart_hosts=["birke.mail.example"])
    assert "choose it in the wizard as well" in hybrid
    assert keep in hybrid
    assert "source_transport_servers" not in hybrid
    edge = remedy("EdgeSync - Default to Internet", smart_hosts=["--"])
    assert "EdgeSync writes it and would overwrite the change: keep the connector" in edge
    assert "source_transport_servers" not in edge
    own = remedy("Another")
    assert own.endswith("Name it in source_transport_servers of 'Another' as well.")
    locked = remedy("Another", Claim("Another", frozenset()))
    assert locked.endswith("Name it in source_transport_servers of outbound_lock as well.")


def test_guard_mail_stranded() -> None:
    both = sites.send("Internet", address_spaces=["*", "*.com;5"], max_message_size="unlimited")
    state = sites.site(Version.E2019, [], [both])

    def stranded(spaces: list[str], **options: t.Any) -> Finding | None:
        wish = {
            "name": "Filter",
            "address_spaces": spaces,
            "smart_hosts": ["out.filter.example"],
            **options,
        }
        claim = Claim("Filter", frozenset(SEND.properties["address_spaces"].parse(spaces)))
        closed = {"name": "Internet", "enabled": False}
        return _findings(state, SiteNetworks(outbound_lock=claim), send=[wish, closed]).get(
            "mail_stranded"
        )

    some = stranded(["*.com"])
    assert some is not None
    assert some.severity == "stop"
    assert (
        "Mail to SMTP:*;1 goes through the send connector 'Internet' today, "
        "and no send connector would"
    ) in some.sentence
    big = stranded(["*"], max_message_size="20MB")
    assert big is not None
    assert big.severity == "warn"
    assert "Mail of more than 20480 KB to SMTP:*.com;5 and SMTP:*;1 goes" in big.sentence
    assert stranded(["*"], max_message_size="unlimited") is None


def test_guard_provider_starved() -> None:
    state = sites.modern(max_message_size="36MB", max_hop_count=60)
    hand: dict[str, t.Any] = {
        "remote_ip_ranges": [sites.PROVIDER],
        "permission_groups": ["AnonymousUsers"],
    }
    made = sites.receive(
        "By hand",
        **hand,
        transport_role="FrontendTransport",
        max_message_size="64KB",
        max_hop_count=60,
    )
    starving = dataclasses.replace(state, receive={**state.receive, "by hand": made})
    locked = dataclasses.replace(NAMED, inbound_lock=True)
    finding = _findings(starving, locked)["provider_starved"]
    assert finding.severity == "warn"
    assert (
        f"'By hand' lets less of the provider's mail through than '{DEFAULT}' would: "
        "max_message_size 64KB"
    ) in finding.sentence
    assert "provider_starved" not in _findings(starving, NAMED)
    roomy = {**made, "max_message_size": 100 << 20}
    assert "provider_starved" not in _findings(
        dataclasses.replace(state, receive={**state.receive, "by hand": roomy}), locked
    )
