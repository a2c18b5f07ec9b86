# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that a site names no more: when they lose what the lock gave them, and who is told."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.integration.guard_words import FRONTEND, said
from ansible_collections.mailedge.lockdown.tests.integration.in_process import (
    COLLEAGUE,
    INBOUND,
    SITE,
    STRANGER,
    Wire,
    do,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.support.reading import read

BRANCH, BRANCH_HOST = "10.30.0.0/16", "10.30.0.5"
BOTH_NETWORKS: dict[str, t.Any] = {**SITE, "own_networks": [*SITE["own_networks"], BRANCH]}


def test_a_network_that_is_named_no_more_is_taken_out_and_told_before(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    wire = Wire(host)
    assert not do(wire, {**BOTH_NETWORKS, "inbound_lock": {}}).get("failed")
    assert host.admission(BRANCH_HOST).submit
    seen = do(wire, INBOUND, check=True)
    assert seen["plan"] == [
        (
            "Change the receive connector 'Mail from filter (own networks)': "
            "remote_ip_ranges loses 10.30.0.0/16."
        )
    ]
    assert seen["state"] == "drift"
    assert "10.30.0.0/16, could no longer send without a login" in said(
        seen, "unnamed_senders_shut_out"
    )
    done = do(wire, INBOUND)
    assert not done.get("failed"), done["msg"]
    assert not host.admission(BRANCH_HOST).submit
    assert all(
        host.admission(sender, local).submit
        for sender, local in ((COLLEAGUE, None), ("127.0.0.1", "127.0.0.1"))
    )
    assert (do(wire, INBOUND)["changed"], done["state"]) == (False, "in order")
    assert not do(wire, {"snapshot": "latest"}).get("failed")
    assert host.admission(BRANCH_HOST).submit


def test_the_site_gives_a_network_that_is_named_no_more_time(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    wire = Wire(host)
    assert not do(wire, {**BOTH_NETWORKS, "inbound_lock": {}}).get("failed")
    waiting = do(wire, {**SITE, "inbound_lock": {"keep_unnamed_until": "2999-12-31"}})
    assert (waiting["changed"], waiting["state"]) == (False, "in order")
    assert said(waiting, "no_longer_named") == (
        "The receive connector 'Mail from filter (own networks)' still hears 10.30.0.0/16, "
        "which the site does not name any more. The first lock after 2999-12-31 takes it out."
    )
    over = do(wire, {**SITE, "inbound_lock": {"keep_unnamed_until": "2026-01-31"}})
    assert not over.get("failed"), over["msg"]
    assert not host.admission(BRANCH_HOST).submit
    # A week date and a day without hyphens are days for Python 3.11, and for nobody else.
    for text in ("soon", "2999-W52-5", "29991231", "2999-1-1", "2999-12-31 "):
        wrong = do(wire, {**SITE, "inbound_lock": {"keep_unnamed_until": text}})
        assert wrong["failed"], text
        assert (
            f"keep_unnamed_until of inbound_lock is '{text}', which is not a day such as "
            "2027-01-31."
        ) in wrong["msg"]


NARROW = {**SITE, "inbound_lock": {"method": "narrow"}}


@pytest.mark.parametrize("edition", ["2010", "2019"])
@pytest.mark.parametrize("comment", ["", "Ask before you change this."])
def test_a_connector_that_a_lock_narrowed_is_narrowed_again_when_networks_leave(
    comment: str, edition: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site(edition, folder=tmp_path)
    name = FRONTEND if host.edition.frontend else "Default EX1"
    host.colleague("Set-ReceiveConnector", {"Identity": f"EX1\\{name}", "Comment": comment})
    start, wire = read(host), Wire(host)
    assert not do(wire, {**BOTH_NETWORKS, "inbound_lock": {"method": "narrow"}}).get("failed")
    assert host.admission(BRANCH_HOST).heard == (name,)
    waiting = do(
        wire, {**SITE, "inbound_lock": {"method": "narrow", "keep_unnamed_until": "2999-12-31"}}
    )
    assert (waiting["changed"], waiting["state"]) == (False, "in order")
    assert said(waiting, "no_longer_named") == (
        f"The receive connector '{name}' still hears {BRANCH}, which the site does not name any "
        "more. The first lock after 2999-12-31 takes it out."
    )
    # Whatever the method is by then: it was a lock that narrowed it.
    for lock in (INBOUND, NARROW):
        seen = do(wire, lock, check=True)
        assert seen["plan"] == [
            f"Change the receive connector '{name}': remote_ip_ranges loses {BRANCH}."
        ]
        assert seen["state"] == "drift"
    assert f"{BRANCH}, could no longer send without a login" in said(
        seen, "unnamed_senders_shut_out"
    )
    done = do(wire, NARROW)
    assert not done.get("failed"), done["msg"]
    assert not host.admission(BRANCH_HOST).submit
    assert all(
        host.admission(sender, local).submit
        for sender, local in ((COLLEAGUE, None), ("127.0.0.1", "127.0.0.1"))
    )
    assert (do(wire, NARROW)["changed"], done["state"]) == (False, "in order")
    [narrowed] = [connector for connector in host.receive_connectors() if connector.name == name]
    assert str(narrowed.values["Comment"]).startswith(comment)
    assert not do(wire, {"snapshot": "original"}).get("failed")
    assert read(host).receive == start.receive


def test_a_connector_that_somebody_narrowed_by_hand_keeps_its_networks(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    ranges = ["198.51.100.0/24", "10.20.0.0/16", BRANCH, "127.0.0.1"]
    host.colleague(
        "Set-ReceiveConnector", {"Identity": f"EX1\\{FRONTEND}", "RemoteIPRanges": ranges}
    )
    assert not do(Wire(host), NARROW)["changed"]
    assert host.admission(BRANCH_HOST).submit


def test_a_narrowed_connector_that_is_opened_again_is_closed_by_the_next_lock(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    wire = Wire(host)
    assert not do(wire, NARROW).get("failed")
    narrow = read(host).receive
    host.colleague(
        "Set-ReceiveConnector",
        {"Identity": f"EX1\\{FRONTEND}", "RemoteIPRanges": ["0.0.0.0-255.255.255.255"]},
    )
    assert host.admission(STRANGER).submit
    stripped = do(wire, INBOUND, check=True)
    assert (
        f"Change the receive connector '{FRONTEND}': permission_groups loses AnonymousUsers."
        in stripped["plan"]
    )
    assert not do(wire, NARROW).get("failed")
    assert not host.admission(STRANGER).submit
    assert {
        key: connector["remote_ip_ranges"].v4 for key, connector in read(host).receive.items()
    } == {key: connector["remote_ip_ranges"].v4 for key, connector in narrow.items()}
    assert not do(wire, NARROW)["changed"]
    # Without the right there is nothing to narrow.
    host.colleague(
        "Set-ReceiveConnector",
        {"Identity": f"EX1\\{FRONTEND}", "RemoteIPRanges": ["0.0.0.0-255.255.255.255"]},
    )
    assert not do(wire, INBOUND).get("failed")
    assert not do(wire, INBOUND)["changed"]


def test_all_networks_at_once_are_not_taken_out_by_an_empty_variable(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    wire = Wire(host)
    assert not do(wire, INBOUND).get("failed")
    stopped = do(wire, {**INBOUND, "own_networks": []})
    assert stopped["failed"]
    assert "No own_networks are named" in said(stopped, "own_networks_shut_out")
    assert host.admission(COLLEAGUE).submit


def test_ranges_of_exchange_online_leave_as_well(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    capability = ["mail.protection.outlook.com:AcceptCloudServicesMail"]
    host.colleague(
        "Set-ReceiveConnector",
        {"Identity": r"EX1\Default Frontend EX1", "TlsDomainCapabilities": capability},
    )
    wire = Wire(host)
    lock = {**INBOUND, "hybrid_ranges": ["203.0.113.0/26", "203.0.113.64/26"]}
    assert not do(wire, lock).get("failed")
    assert host.admission("203.0.113.70").submit
    fewer = {**lock, "hybrid_ranges": ["203.0.113.0/26"]}
    done = do(wire, fewer)
    assert not done.get("failed"), done["msg"]
    assert (host.admission("203.0.113.70").submit, host.admission("203.0.113.7").submit) == (
        False,
        True,
    )
    assert (done["state"], do(wire, fewer)["changed"]) == ("in order", False)
    # The whole of the hybrid path is another matter.
    gone = do(wire, INBOUND)
    assert "is the hybrid path from Exchange Online, which would be shut" in said(
        gone, "hybrid_shut_out"
    )
    done = do(wire, {**INBOUND, "accept_risks": ["hybrid_shut_out"]})
    assert not done.get("failed"), done["msg"]
    assert "Mail from filter (hybrid)" not in {
        connector.name for connector in host.receive_connectors()
    }
