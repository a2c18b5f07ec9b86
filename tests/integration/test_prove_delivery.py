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
    summary,
)
from ansible_collections.mailedge.lockdown.tests.integration.sending import Sender
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab, LabHost
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, play
from ansible_collections.mailedge.lockdown.tests.lab.site import Site

pytestmark = pytest.mark.long

WAIT = {
    **NO_LOOK,
    "mailedge_prove_delivery_minutes": 1,
    "mailedge_prove_delivery_every": 20,
}
FILTER = "Mail from filter"


def apply(lab: Lab, **variables: t.Any) -> Run:
    """A run whose minute has a second."""
    return play("apply", lab.inventory, variables={**WAIT, **variables}, faster=60)


@contextlib.contextmanager
def provider_comes(lab: Lab, first: t.Callable[[], object]) -> t.Iterator[list[str]]:
    """The provider comes again and again once the server was locked and read again; `first` happens
    before. Gives the answers.
    """
    host, over = lab.hosts[HOST], threading.Event()
    answers: list[str] = []
    host.mailbox.takes_mail = True

    def come() -> None:
        while not over.wait(0.1):
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
        run = apply(lab)
        assert run.code == 0, run.output
        assert set(answers) == {"250"}
        (proof,) = run.of("Wait for the provider's next message")
        assert proof.result["verdict"] == "delivered"
        assert not strangers_may(lab.hosts[HOST])
        assert "Looked at: exchange, delivery." in summary(run)[0]
        # Where nothing is changed, nothing is waited for, and nobody says that mail comes.
        again = apply(lab)
        assert again.code == 0, again.output
        assert again.of("Wait for the provider's next message") == []
        assert "); delivery (nothing was changed that it comes by)." in (summary(again)[0])


def test_a_provider_that_is_refused_undoes_the_change() -> None:
    with site("2016") as lab:
        client = lab.client()

        def shut_out() -> None:
            identity = f"EX1\\{FILTER}"
            client.tamper(
                HOST, "Set-ReceiveConnector", Identity=identity, PermissionGroups="ExchangeServers"
            )

        with provider_comes(lab, shut_out) as answers:
            run = apply(lab)
        assert run.code != 0
        assert all(answer.startswith("530 ") for answer in answers[:3]), answers
        assert "The provider is shut out: " in report(run)
        assert strangers_may(lab.hosts[HOST]), "as it was before"


def test_a_provider_that_does_not_come_is_told_and_undoes_nothing_unless_the_site_says_so() -> None:
    with site("2016") as lab:
        start = connectors(lab)
        run = apply(lab, mailedge_prove_delivery_required=True)
        assert run.code != 0
        assert "Whether the provider's mail comes in is unknown: " in report(run)
        assert connectors(lab) == start
        run = apply(lab)
        # What was locked stays so; nobody calls it done.
        assert run.code != 0
        assert not strangers_may(lab.hosts[HOST])
        assert summary(run)[0].startswith("birke: unknown. birke-ex1, delivery: Whether the ")
        assert "is unknown: 1 minute was waited" in summary(run)[0]
        layers = run.of("Say what was found")[-1].result["report"]["sites"]["birke"]["hosts"][HOST][
            "layers"
        ]
        (delivery,) = [layer for layer in layers if layer["layer"] == "delivery"]
        assert delivery["state"] == "unknown"


def test_a_change_of_the_firewall_alone_is_waited_after_as_well() -> None:
    with Lab([Site("birke", ("2016",), "7.4.4")], pwsh="") as lab:
        server = {"mailedge_fortigate_enabled": False, "mailedge_prove_delivery_minutes": 0}
        assert apply(lab, **server).code == 0
        run = apply(lab)
        assert run.of("Lock the layers of the server")[-1].result["changed"] is False
        (proof,) = run.of("Wait for the provider's next message")
        assert proof.result["verdict"] == "unknown"
        assert summary(run)[0].startswith("birke: unknown. birke-ex1, delivery: ")
