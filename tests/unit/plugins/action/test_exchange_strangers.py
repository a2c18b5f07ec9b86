# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strangers and the state of a layer in the result of the Exchange actions: what is said, and when
nothing may be said.
"""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import strangers
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import SiteNetworks
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import (
    result as outcome,
)
from ansible_collections.mailedge.lockdown.tests.support import connectors as sites
from ansible_collections.mailedge.lockdown.tests.support.scripted_server import (
    EVERYTHING,
    FRONTEND,
    LOCK,
    Server,
    run,
)

OPEN = "The internet may send without a login on port 25, through 'Default Frontend EX1'."
UNNAMED = {**LOCK, "own_networks": []}
FAULT = {"class": "ADTransientException", "id": "x", "message": "No domain controller."}


@pytest.fixture
def server() -> Server:
    return Server()


def _named(**named: t.Any) -> SiteNetworks:
    given = {"provider": [sites.PROVIDER], "own_networks": [sites.LAN], **named}
    sets: dict[str, t.Any] = {name: RangeSet.parse(texts) for name, texts in given.items()}
    return SiteNetworks(inbound_lock=False, **sets)


def _told(*connectors: t.Mapping[str, t.Any], **named: t.Any) -> list[str] | None:
    return strangers.sentences(connectors, _named(**named))


def test_a_lock_is_open_before_and_in_order_after(server: Server) -> None:
    checked = run(server, LOCK, check=True)
    assert checked["strangers"] == {"before": [OPEN], "after": []}
    assert checked["state"] == "open"
    done = run(server, LOCK)
    assert done["strangers"] == {"before": [OPEN], "after": []}
    assert done["state"] == "in order"
    again = run(server, LOCK, check=True)
    assert again["strangers"] == {"before": [], "after": []}
    assert again["state"] == "in order"


def test_what_is_not_as_described_and_lets_nobody_in_is_drift(server: Server) -> None:
    run(server, LOCK)
    renamed = {**LOCK, "inbound_lock": {"banner": "220 mail.birke.example"}}
    assert run(server, renamed, check=True)["state"] == "drift"
    assert run(server, renamed)["state"] == "in order"


def test_a_guard_that_stops_leaves_the_state_as_it_was_read(server: Server) -> None:
    stopped = run(server, UNNAMED)
    assert stopped["failed"]
    assert stopped["state"] == "open"
    assert stopped["strangers"] == {"before": [OPEN], "after": []}
    assert server.written == []
    server.rows[0]["PermissionGroups"] = "ExchangeServers"
    stopped = run(server, {**LOCK, "provider_ranges": ["10.9.9.9"]})
    assert stopped["failed"]
    assert stopped["state"] == "drift"


def test_a_partner_that_only_a_guard_warns_about_is_not_green(server: Server) -> None:
    partner = {
        **FRONTEND,
        "Name": "Partner",
        "RemoteIPRanges": ["203.0.113.77"],
        "PermissionGroups": "AnonymousUsers",
    }
    server.rows.append(partner)
    done = run(server, LOCK)
    assert not done.get("failed"), done
    assert done["strangers"]["after"] == [
        "203.0.113.77 may send without a login on port 25, through 'Partner'."
    ]
    assert done["state"] == "open"


def test_who_says_nothing_of_the_way_in_is_told_nothing_of_strangers(server: Server) -> None:
    banner = {
        "receive_connectors": [{"name": "Default Frontend EX1", "banner": "220 mail.birke.example"}]
    }
    checked = run(server, banner, check=True)
    assert "strangers" not in checked
    assert checked["state"] == "drift"
    assert run(server, banner)["state"] == "in order"


def test_what_a_snapshot_gives_back_is_never_called_in_order_unseen(server: Server) -> None:
    run(server, LOCK)
    assert "state" not in run(server, {"snapshot": "latest"}, check=True)
    seen = run(server, {"snapshot": "latest", "provider_ranges": LOCK["provider_ranges"]})
    assert not seen.get("failed"), seen
    assert seen["strangers"] == {"before": [], "after": [OPEN]}
    assert seen["state"] == "open"


def test_after_a_write_that_broke_nothing_is_said(server: Server) -> None:
    server.fail["Set-ReceiveConnector"] = FAULT
    result = run(server, LOCK)
    assert result["failed"]
    assert result["changed"]
    assert "state" not in result
    assert "strangers" not in result


def test_what_is_re_read_and_not_as_wished_is_said_as_it_is(server: Server) -> None:
    server.ignore_writes = True
    result = run(server, LOCK)
    assert result["failed"]
    assert result["strangers"] == {"before": [OPEN], "after": [OPEN]}
    assert result["state"] == "open"


def test_a_server_that_could_not_be_read_has_no_state(server: Server) -> None:
    server.fail["Get-ReceiveConnector"] = FAULT
    result = run(server, LOCK)
    assert result["failed"]
    assert "state" not in result
    assert "strangers" not in result


def test_nothing_was_written_where_somebody_else_was_first(server: Server) -> None:
    server.changed_by_somebody = True
    assert run(server, LOCK)["state"] == "open"


def test_a_failure_repeats_no_trees(server: Server) -> None:
    stopped = run(server, UNNAMED)
    assert set(stopped["exposure"]) == {"words"}
    assert not {"before", "after", "diff"} & set(stopped)
    assert stopped["plan"]
    assert stopped["guards"]
    assert {"before", "after", "diff"} <= set(run(server, LOCK, check=True))


def test_a_lost_connection_stays_one(server: Server) -> None:
    server.break_on_write = True
    with pytest.raises(AnsibleConnectionFailure):
        run(server, LOCK)


def test_every_port_and_both_families_count() -> None:
    lan = sites.receive("LAN", permission_groups=["AnonymousUsers"], remote_ip_ranges=[sites.LAN])
    six = sites.receive(
        "Six",
        permission_groups=["AnonymousUsers"],
        bindings=["[::]:25"],
        remote_ip_ranges=[EVERYTHING[1]],
    )
    other = sites.receive("Other", permission_groups=["AnonymousUsers"], bindings=["0.0.0.0:2500"])
    assert _told(lan) == []
    assert _told(six) == [
        "Every IPv6 internet address may send without a login on port 25, through 'Six'."
    ]
    assert _told(other) == ["The internet may send without a login on port 2500, through 'Other'."]
    assert _told({**other, "enabled": False}) == []
    assert (
        _told(
            sites.receive("Itself", permission_groups=["AnonymousUsers"], bindings=["127.0.0.1:25"])
        )
        == []
    )


def test_whoever_is_named_is_no_stranger_and_nobody_but_the_site_relays() -> None:
    def heard(address: str, **more: t.Any) -> dict[str, t.Any]:
        return sites.receive(
            "One", permission_groups=["AnonymousUsers"], remote_ip_ranges=[address], **more
        )

    assert _told(heard(sites.STRANGER), hybrid=[sites.STRANGER]) == []
    assert _told(heard(sites.STRANGER), exchange_servers=[sites.STRANGER]) == []
    assert _told(heard(sites.PROVIDER)) == []
    relay = "198.51.100.0/24 may relay to any recipient on port 25, through 'One'."
    assert _told(heard(sites.PROVIDER, anonymous_relay=True)) == [relay]
    assert _told(heard(sites.LAN, anonymous_relay=True)) == []
    assert (
        _told(heard(sites.STRANGER, anonymous_relay=True), exchange_servers=[sites.STRANGER]) == []
    )
    assert (
        len(_told(heard(sites.STRANGER, auth_mechanism=["Tls", "ExternalAuthoritative"])) or ())
        == 2
    )


def test_who_names_neither_provider_nor_lock_is_not_judged() -> None:
    assert (
        strangers.sentences(
            [sites.receive("One", permission_groups=["AnonymousUsers"])], SiteNetworks()
        )
        is None
    )
    assert strangers.sentences([], SiteNetworks(inbound_lock=True)) == []


def test_the_state_in_one_word() -> None:
    assert outcome.verdict(["somebody"], unfinished=True) == "open"
    assert outcome.verdict([], unfinished=True) == "drift"
    assert outcome.verdict([], unfinished=False) == "in order"
    assert outcome.verdict(None, unfinished=True) == "drift"
