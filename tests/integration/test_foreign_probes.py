# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two programs that know nothing of this collection say of the lab's port 25 what the probe says:
swaks, and nmap's smtp-open-relay, before a lock and after it.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.modules import mail_edge_probe
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._controller_module import (
    ControllerModule,
)
from ansible_collections.mailedge.lockdown.tests.integration.in_process import Wire, do
from ansible_collections.mailedge.lockdown.tests.integration.sending import Sender, change
from ansible_collections.mailedge.lockdown.tests.lab.control import LabClient
from ansible_collections.mailedge.lockdown.tests.lab.lab import LabHost
from ansible_collections.mailedge.lockdown.tests.lab.site import PROVIDER_RANGES, SOURCES
from ansible_collections.mailedge.lockdown.tests.lab.smtp import Conversation
from ansible_collections.mailedge.lockdown.tests.support.smtp_server import HARMLESS
from ansible_collections.mailedge.lockdown.tests.support.strangers import assert_harmless

STRANGER, OWN = "probe@watchtower.example", "postmaster@birke.example"
ROLES = ("internet", "provider")

# Question → sender and recipient.
QUESTIONS = {
    "delivery": (STRANGER, OWN),
    "relay": (STRANGER, "relaytest@watchtower.example"),
    "spoof": (OWN, OWN),
}

# What the front end connector is before the lock.
STARTS: dict[str, dict[str, t.Any]] = {
    "as installed": {},
    "an open relay": {
        "PermissionGroups": "ExchangeServers, AnonymousUsers",
        "AuthMechanism": "ExternalAuthoritative",
        "DomainSecureEnabled": False,
    },
}
# Who asks → question → what is right, so that the programs cannot agree on what is wrong.
Verdicts = dict[str, dict[str, str]]
OPEN = {"delivery": "open", "relay": "closed", "spoof": "open"}
BEFORE: dict[str, Verdicts] = {
    "as installed": dict.fromkeys(ROLES, OPEN),
    "an open relay": dict.fromkeys(ROLES, dict.fromkeys(QUESTIONS, "open")),
}
AFTER: Verdicts = {"internet": dict.fromkeys(QUESTIONS, "closed"), "provider": OPEN}

# How swaks ends where all was accepted, MAIL was refused, no recipient was accepted.
SWAKS = {0: "open", 23: "closed", 24: "closed"}
# The beginning of what nmap says.
NMAP = {
    "Server is an open relay (": "open",
    "Server doesn't seem to be an open relay, all tests failed": "closed",
    "Server isn't an open relay, authentication needed": "closed",
}


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        not shutil.which(program), reason=f"no {program}: install the package of that name"
    )


def prepared(host: LabHost, client: LabClient, start: str) -> None:
    if STARTS[start]:
        change(client, "Default Frontend EX1", **STARTS[start])


def lock(host: LabHost) -> None:
    host.exchange.sessions.accounts = None
    options = {
        "provider_ranges": list(PROVIDER_RANGES),
        "own_networks": list(host.place.own_networks),
        "inbound_lock": {},
    }
    result = do(Wire(host.exchange), options)
    assert (result.get("failed", False), result["state"]) == (False, "in order"), result["msg"]
    host.refresh()


def probed(host: LabHost) -> dict[str, dict[str, t.Any]]:
    """Who asks → question → what the probe found. It has asked nothing that does anything."""
    host.mailbox.conversations.clear()
    options = {
        "targets": host.front_end.address,
        "port": host.front_end.port,
        "sender": STRANGER,
        "recipient": OWN,
        "relay_recipient": QUESTIONS["relay"][1],
        "own_domain_sender": OWN,
        "timeout": 5,
        "connect_timeout": 5,
        "looks": [{"name": role, "source_address": SOURCES[role]} for role in ROLES],
    }
    result = ControllerModule(options, False, False).result_of(mail_edge_probe.main)
    played = host.place.players(4)
    asked = {conversation.sender for conversation in host.mailbox.conversations}
    assert asked == {played[role] for role in ROLES}
    assert_harmless(host)
    return {look["name"]: look["addresses"][0]["cases"] for look in result["looks"]}


def ran(
    host: LabHost, role: str, home: pathlib.Path, *command: str
) -> tuple[int, str, list[Conversation]]:
    """The end and output of a program without settings of its user, and what port 25 heard of it.
    Nor may it have sent a message.
    """
    host.mailbox.conversations.clear()
    done = subprocess.run(
        command,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
        env={"HOME": str(home), "PATH": os.environ["PATH"]},
    )
    said = host.mailbox.conversations[:]
    output = done.stdout + done.stderr
    assert {conversation.sender for conversation in said} == {host.place.players(4)[role]}, output
    commands = [command for conversation in said for command in conversation.commands]
    assert {command.split(" ")[0].upper() for command in commands} <= HARMLESS
    assert any(command.startswith("MAIL FROM:") for command in commands), output
    return done.returncode, output, said


def by_swaks(host: LabHost, role: str, question: str, home: pathlib.Path) -> tuple[str, str]:
    """What swaks finds, and the last answer before it says goodbye."""
    front, (sender, recipient) = host.front_end, QUESTIONS[question]
    where = ("--server", front.address, "--port", str(front.port))
    who = ("--local-interface", SOURCES[role], "--helo", "probe.watchtower.example")
    what = ("--from", sender, "--to", recipient, "--quit-after", "RCPT")
    code, output, _said = ran(host, role, home, "swaks", *where, *who, *what)
    assert code in SWAKS, output
    transcript, goodbye, _rest = output.partition("\n -> QUIT")
    assert goodbye, output
    return SWAKS[code], transcript.splitlines()[-1][4:]


def by_nmap(host: LabHost, role: str, home: pathlib.Path) -> str:
    """What nmap finds. It connects as everybody does, from the sender's address, to one port."""
    front = host.front_end
    how = ("-n", "-Pn", "-sT", "--unprivileged", "-e", "lo", "-S", SOURCES[role])
    script = ("--script", "+smtp-open-relay")
    domain = ("--script-args", "smtp-open-relay.domain=watchtower.example")
    where = ("-p", str(front.port), front.address)
    _code, output, _said = ran(host, role, home, "nmap", *how, *script, *domain, *where)
    _before, named, words = output.partition("|_smtp-open-relay: ")
    assert named, output
    verdicts = [verdict for text, verdict in NMAP.items() if words.startswith(text)]
    assert len(verdicts) == 1, output
    return verdicts[0]


def verdicts_of(cases: dict[str, dict[str, t.Any]]) -> Verdicts:
    return {
        role: {question: asked[question]["verdict"] for question in QUESTIONS}
        for role, asked in cases.items()
    }


@needs("swaks")
@pytest.mark.parametrize("start", STARTS)
def test_swaks_agrees_word_for_word_before_a_lock_and_after_it(
    start: str, host: LabHost, client: LabClient, tmp_path: pathlib.Path
) -> None:
    prepared(host, client, start)
    for right in (BEFORE[start], AFTER):
        cases = probed(host)
        assert verdicts_of(cases) == right
        for role in ROLES:
            for question in QUESTIONS:
                verdict, answer = by_swaks(host, role, question, tmp_path)
                case = cases[role][question]
                assert verdict == case["verdict"] == right[role][question], answer
                assert answer == f"{case['code']} {case['text']}"
        lock(host)


@needs("nmap")
@pytest.mark.parametrize("start", STARTS)
def test_nmap_agrees_on_relaying_before_a_lock_and_after_it(
    start: str, host: LabHost, client: LabClient, tmp_path: pathlib.Path
) -> None:
    prepared(host, client, start)
    for right in (BEFORE[start], AFTER):
        cases = probed(host)
        assert verdicts_of(cases) == right
        for role in ROLES:
            verdict = by_nmap(host, role, tmp_path)
            assert verdict == cases[role]["relay"]["verdict"] == right[role]["relay"]
        lock(host)


@pytest.mark.parametrize(
    "command", ["DATA", "BDAT 2 LAST", "VRFY postmaster", "EXPN staff", "AUTH NTLM"]
)
def test_port_25_hears_what_a_probe_must_never_send(command: str, host: LabHost) -> None:
    """That what is asserted of the probe can fail, whatever the server answers."""
    sender = Sender(host, "internet")
    sender.smtp.ehlo("probe.watchtower.example")
    assert_harmless(host)
    sender.smtp.docmd(command)
    with pytest.raises(AssertionError, match=f"The probe sent .*{command.split()[0]}"):
        assert_harmless(host)
