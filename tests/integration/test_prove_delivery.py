# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""apply waits for the provider's next message, and undoes a change that shuts the provider out."""

from __future__ import annotations

import contextlib
import threading
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.integration.playbook_runs import (
    HOST,
    NO_LOOK,
    connectors,
    report,
    site,
)
from ansible_collections.mailedge.lockdown.tests.integration.sending import Sender
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab, LabHost
from ansible_collections.mailedge.lockdown.tests.lab.playing import play

pytestmark = pytest.mark.long

WAIT = {
    **NO_LOOK,
    "mailedge_prove_delivery_minutes": 1,
    "mailedge_prove_delivery_every": 10,
}
FILTER = "Mail from filter"


@contextlib.contextmanager
def provider_comes(lab: Lab, first: t.Callable[[], object]) -> t.Iterator[list[str]]:
    """The provider comes every second once the server was locked and read again; `first` happens
    before. Gives the answers.
    """
    host, over = lab.hosts[HOST], threading.Event()
    answers: list[str] = []
    host.mailbox.takes_mail = True

    def come() -> None:
        while not over.wait(1):
            # The run has read, has written, and looks.
            if host.exchange.counters["powershell_starts"] < 3:
                continue
            if not answers:
                first()
            answers.append(Sender(host, "provider").deliver())

    thread = threading.Thread(target=come, daemon=True)
    thread.start()
    yield answers
    over.set()
    thread.join(15)


def strangers_may(host: LabHost) -> bool:
    return host.exchange.admission(host.place.players(4)["internet"]).submit


def test_the_provider_s_message_is_the_proof() -> None:
    with site("2016") as lab, provider_comes(lab, lambda: None) as answers:
        run = play("apply", lab.inventory, variables=WAIT)
        assert run.code == 0, run.output
        assert set(answers) == {"250"}
        (proof,) = run.of("Wait for the provider's next message")
        assert proof.result["verdict"] == "delivered"
        assert not strangers_may(lab.hosts[HOST])
        # Where nothing is changed, nothing is waited for.
        again = play("apply", lab.inventory, variables=WAIT)
        assert again.of("Wait for the provider's next message") == []


def test_a_provider_that_is_refused_undoes_the_change() -> None:
    with site("2016") as lab:
        client = lab.client()

        def shut_out() -> None:
            identity = f"EX1\\{FILTER}"
            client.tamper(
                HOST, "Set-ReceiveConnector", Identity=identity, PermissionGroups="ExchangeServers"
            )

        with provider_comes(lab, shut_out) as answers:
            run = play("apply", lab.inventory, variables=WAIT)
        assert run.code != 0
        assert all(answer.startswith("530 ") for answer in answers[:3]), answers
        assert "The provider is shut out: " in report(run)
        assert strangers_may(lab.hosts[HOST]), "as it was before"


def test_a_provider_that_does_not_come_is_told_and_undoes_nothing_unless_the_site_says_so() -> None:
    with site("2016") as lab:
        start = connectors(lab)
        required = {**WAIT, "mailedge_prove_delivery_required": True}
        run = play("apply", lab.inventory, variables=required)
        assert run.code != 0
        assert "Whether the provider's mail comes in is unknown: " in report(run)
        assert connectors(lab) == start
        run = play("apply", lab.inventory, variables=WAIT)
        assert run.code == 0, run.output
        (proof,) = run.of("Wait for the provider's next message")
        assert proof.result["verdict"] == "unknown"
        assert "is unknown: 1 minute was waited" in " ".join(proof.result["warnings"])
        assert not strangers_may(lab.hosts[HOST])
