# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Port 25 of the lab: who meets what follows the connectors, at once."""

from __future__ import annotations

import asyncio
import smtplib
import time
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.integration.sending import Sender, change
from ansible_collections.mailedge.lockdown.tests.lab.control import DOOR, LabClient
from ansible_collections.mailedge.lockdown.tests.lab.exchange import rights
from ansible_collections.mailedge.lockdown.tests.lab.front_end import Greeter
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab, LabHost
from ansible_collections.mailedge.lockdown.tests.lab.site import SOURCES, Site


@pytest.mark.parametrize("version", [4, 6])
def test_an_open_server_takes_mail_from_everybody_for_its_own_domain_only(
    host: LabHost, version: int
) -> None:
    for role in SOURCES:
        sender = Sender(host, role, version)
        assert sender.greeting[0] == 220
        assert sender.mail() == ("250 2.1.0 Sender OK", "250 2.1.5 Recipient OK")
        refusal = "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain"
        assert sender.mail("a@watchtower.example")[1] == refusal
    said = host.mailbox.conversations
    assert [statement.sender for statement in said] == list(host.place.players(version).values())
    assert said[0].commands[:3] == [
        "EHLO probe.watchtower.example",
        "MAIL FROM:<probe@watchtower.example>",
        "RCPT TO:<postmaster@birke.example>",
    ]


def test_what_senders_meet_follows_the_connectors_at_once(host: LabHost, client: LabClient) -> None:
    change(client, "Default Frontend EX1", PermissionGroups="ExchangeServers")
    mail, rcpt = Sender(host, "internet").mail()
    assert mail.startswith("530 5.7.57 ")
    assert rcpt.startswith("503 ")
    ranges = ["198.51.100.0/24"]
    change(client, "Default Frontend EX1", PermissionGroups="AnonymousUsers", RemoteIPRanges=ranges)
    assert Sender(host, "provider").mail()[1].startswith("250 2.1.5")
    stranger = Sender(host, "internet")
    assert stranger.greeting == (421, b"4.3.2 Service not available")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        stranger.smtp.ehlo()
    assert client.open_door("birke-ex1").endswith("for everybody.")
    assert Sender(host, "internet").mail()[1].startswith("250 2.1.5")
    assert DOOR in client.dump("birke-ex1")["receive_connectors"]


def test_without_a_binding_nobody_answers_and_with_one_again(
    host: LabHost, client: LabClient
) -> None:
    change(client, "Default Frontend EX1", Enabled=False)
    for version in (4, 6):
        with pytest.raises(ConnectionRefusedError):
            Sender(host, "internet", version)
    assert (
        client.open_door("birke-ex1")
        == "Somebody has let anonymous senders use 'EX1\\Default Frontend EX1' again."
    )
    for version in (4, 6):
        assert Sender(host, "internet", version).greeting[0] == 220
    change(client, "Default Frontend EX1", Bindings=["0.0.0.0:25"])
    with pytest.raises(ConnectionRefusedError):
        Sender(host, "internet", 6)


def test_tls_is_offered_and_can_be_asked_for(host: LabHost, client: LabClient) -> None:
    change(client, "Default Frontend EX1", RequireTLS=True)
    sender = Sender(host, "internet")
    assert sender.mail()[0] == "451 5.7.3 Must issue a STARTTLS command first"
    assert sender.smtp.has_extn("starttls")
    # Else left empty by connect().
    sender.smtp._host = "localhost"  # type: ignore[attr-defined]
    sender.smtp.starttls()
    assert sender.mail()[1].startswith("250 2.1.5")
    assert client.conversations("birke-ex1")[0]["tls"] is True
    change(
        client,
        "Default Frontend EX1",
        AuthMechanism="None",
        RequireTLS=False,
        DomainSecureEnabled=False,
    )
    sender = Sender(host, "internet")
    sender.smtp.ehlo()
    assert not sender.smtp.has_extn("starttls")


def test_a_reply_of_several_lines_is_sent_in_one_write(
    host: LabHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = asyncio.StreamWriter.write, list[str]()

    def remember(writer: asyncio.StreamWriter, data: bytes) -> None:
        written.append(data.decode("ascii"))
        write(writer, data)

    monkeypatch.setattr(asyncio.StreamWriter, "write", remember)
    Sender(host, "internet").smtp.ehlo("probe.watchtower.example")
    greeter = Greeter()
    smtplib.SMTP("127.0.0.1", greeter.port, timeout=10).ehlo("probe.watchtower.example")
    greeter.close()
    replies = [text.splitlines() for text in written]
    assert [len(lines) > 1 for lines in replies] == [False, True, False, True]
    assert all(
        line[3] == ("-" if number else " ")
        for lines in replies
        for number, line in enumerate(lines[::-1])
    )


def test_banner_and_name_are_those_of_the_connector(host: LabHost, client: LabClient) -> None:
    assert (
        Sender(host, "internet")
        .greeting[1]
        .startswith(b"ex1.birke.example Microsoft ESMTP MAIL Service ready at ")
    )
    change(client, "Default Frontend EX1", Banner="220 mail.birke.example at your service")
    assert Sender(host, "internet").greeting == (220, b"mail.birke.example at your service")


def test_an_open_relay_relays_and_reserved_domains_can_be_refused(
    host: LabHost, client: LabClient
) -> None:
    external: dict[str, t.Any] = {
        "AuthMechanism": "ExternalAuthoritative",
        "DomainSecureEnabled": False,
    }
    change(
        client,
        "Default Frontend EX1",
        PermissionGroups="ExchangeServers, AnonymousUsers",
        **external,
    )
    sender = Sender(host, "internet")
    assert sender.mail("a@watchtower.example")[1].startswith("250 2.1.5")
    change(client, "Default Frontend EX1", RejectReservedTopLevelRecipientDomains=True)
    assert Sender(host, "internet").mail()[1].startswith("550 5.1.4")


def test_rights_decide_and_groups_do_not(host: LabHost, client: LabClient) -> None:
    """A right of its own opens a door that no group opens; without another right of its group a
    sender may not forge.
    """
    front = {"Identity": "Default Frontend EX1", "User": rights.ANONYMOUS}
    change(client, "Default Frontend EX1", PermissionGroups="ExchangeServers")
    assert Sender(host, "internet").mail()[0].startswith("530 5.7.57 ")
    client.tamper("birke-ex1", "Add-ADPermission", **front, ExtendedRights=[rights.SUBMIT])
    assert (
        Sender(host, "internet").mail()[0]
        == "550 5.7.1 Client does not have permissions to send as this sender"
    )
    client.tamper("birke-ex1", "Add-ADPermission", **front, ExtendedRights=[rights.ANY_SENDER])
    assert Sender(host, "internet").mail()[1].startswith("250 2.1.5")
    forged = Sender(host, "internet")
    forged.smtp.ehlo("probe.watchtower.example")
    assert forged.smtp.mail("boss@birke.example")[0] == 550
    assert Sender(host, "internet").mail("a@watchtower.example")[1].startswith("550 5.7.54")
    client.tamper("birke-ex1", "Add-ADPermission", **front, ExtendedRights=[rights.ANY_RECIPIENT])
    assert Sender(host, "internet").mail("a@watchtower.example")[1].startswith("250 2.1.5")
    assert (
        client.dump("birke-ex1")["meets"]["internet 203.0.113.9"]
        == "relayed by Default Frontend EX1"
    )


def test_the_refusal_to_relay_is_that_of_the_version() -> None:
    with Lab([Site("birke", ("2010",))], pwsh="") as lab:
        sender = Sender(lab.hosts["birke-ex1"], "internet")
        assert sender.mail("a@watchtower.example")[1] == "550 5.7.1 Unable to relay"


def test_too_many_connections_of_one_source_are_turned_away(
    host: LabHost, client: LabClient
) -> None:
    change(client, "Default Frontend EX1", MaxInboundConnectionPerSource="2")
    held = [Sender(host, "internet") for _number in range(3)]
    assert [sender.greeting[0] for sender in held] == [220, 220, 421]
    assert Sender(host, "provider").greeting[0] == 220
    held[0].smtp.quit()
    time.sleep(0.2)
    assert Sender(host, "internet").greeting[0] == 220


def test_a_message_is_seen_and_not_taken(host: LabHost, client: LabClient) -> None:
    sender = Sender(host, "internet")
    with pytest.raises(smtplib.SMTPDataError):
        sender.smtp.sendmail(
            "a@watchtower.example", ["postmaster@birke.example"], "Subject: no\r\n\r\nno"
        )
    assert "DATA" in client.conversations("birke-ex1")[0]["commands"]


def test_the_tarpit_delays_refusals_only(host: LabHost, client: LabClient) -> None:
    client.latency("birke-ex1", tarpit=0.6)
    sender = Sender(host, "internet")
    started = time.monotonic()
    sender.mail()
    quick = time.monotonic() - started
    sender.mail("a@watchtower.example")
    assert quick < 0.5 <= time.monotonic() - started - quick
