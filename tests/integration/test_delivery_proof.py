# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a lock: whether the provider's mail comes in, told by what its sessions leave in the logs
of a server whose port 25 answers by its own rights.
"""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.mailedge.lockdown.plugins.action.exchange_delivery_proof import (
    ActionModule as Proof,
)
from ansible_collections.mailedge.lockdown.plugins.action.exchange_mail_flow_info import (
    ActionModule as Info,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._agent import AgentTimeout
from ansible_collections.mailedge.lockdown.tests.integration.in_process import SITE, Wire
from ansible_collections.mailedge.lockdown.tests.integration.sending import Sender, change
from ansible_collections.mailedge.lockdown.tests.lab.control import LabClient
from ansible_collections.mailedge.lockdown.tests.lab.lab import LabHost
from ansible_collections.mailedge.lockdown.tests.support.mail_logs import writer
from ansible_collections.mailedge.lockdown.tests.support.scripted_server import Connection, Task

FRONT_END = "Default Frontend EX1"
Result = dict[str, t.Any]


def asked(action: t.Any, host: LabHost, **options: t.Any) -> tuple[Result, int]:
    """The result of an action at the lab's server, and how many PowerShells it started."""
    host.exchange.sessions.accounts = None
    wire = Wire(host.exchange)
    run = action(
        task=Task(options, False),
        connection=Connection(t.cast("t.Any", wire)),
        play_context=None,
        loader=None,
        templar=None,
        shared_loader_obj=None,
    )
    result: Result = run.run(task_vars={})
    return result, wire.starts


def proof(
    host: LabHost,
    monkeypatch: pytest.MonkeyPatch,
    *meanwhile: t.Callable[[], object],
    **options: t.Any,
) -> tuple[Result, int, list[float]]:
    """Wait five minutes, while these things happen before one look after the other."""
    waited: list[float] = []
    happenings = list(meanwhile)

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        # A look sees what came in the second after the last one as well.
        if happenings:
            happenings.pop(0)()

    monkeypatch.setattr(Proof, "sleep", staticmethod(sleep))
    provider = [host.place.players(4)["provider"]]
    told = {"provider_ranges": provider, "minutes": 5, **options}
    return (*asked(Proof, host, **told), waited)


def test_the_provider_s_next_message_ends_the_waiting(
    host: LabHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.mailbox.takes_mail = True

    def others() -> None:
        Sender(host, "internet").deliver()

    def delivers() -> None:
        assert Sender(host, "provider").deliver() == "250"

    result, starts, waited = proof(host, monkeypatch, others, delivers)
    assert not result.get("failed"), result["msg"]
    assert (result["verdict"], result["messages"]) == ("delivered", 1)
    assert waited == [60.0, 60.0]
    assert starts == 3
    assert "warnings" not in result


def test_a_provider_that_is_shut_out_fails_when_it_was_seen_twice(
    host: LabHost, client: LabClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(client, FRONT_END, PermissionGroups="ExchangeServers")

    def comes() -> None:
        assert Sender(host, "provider").deliver().startswith("530")

    result, starts, _waited = proof(host, monkeypatch, comes, comes)
    assert result["failed"]
    assert result["verdict"] == "refused"
    assert "The provider is shut out: " in result["msg"]
    assert starts == 3


def test_a_refusal_that_passes_is_none(
    host: LabHost, client: LabClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.mailbox.takes_mail = True
    change(client, FRONT_END, PermissionGroups="ExchangeServers")

    def comes() -> None:
        assert Sender(host, "provider").deliver().startswith("530")

    def comes_again() -> None:
        change(client, FRONT_END, PermissionGroups="AnonymousUsers")
        assert Sender(host, "provider").deliver() == "250"

    result, _starts, _waited = proof(host, monkeypatch, comes, comes_again)
    assert not result.get("failed"), result["msg"]
    assert result["verdict"] == "delivered"


def test_one_line_of_a_log_is_no_refusal_that_was_seen_twice(
    host: LabHost, client: LabClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look reads from the same time on, and sees it again."""
    host.mailbox.takes_mail = True
    change(client, FRONT_END, PermissionGroups="ExchangeServers")

    def comes() -> None:
        assert Sender(host, "provider").deliver().startswith("530")

    def delivers() -> None:
        change(client, FRONT_END, PermissionGroups="AnonymousUsers")
        assert Sender(host, "provider").deliver() == "250"

    idle = (lambda: None,) * 2
    result, _starts, waited = proof(host, monkeypatch, comes, *idle, delivers)
    assert not result.get("failed"), result["msg"]
    assert (result["verdict"], len(waited)) == ("delivered", 4)


def test_a_refusal_alone_in_the_time_is_told_when_the_time_is_over(
    host: LabHost, client: LabClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(client, FRONT_END, PermissionGroups="ExchangeServers")

    def comes() -> None:
        assert Sender(host, "provider").deliver().startswith("530")

    result, starts, waited = proof(host, monkeypatch, lambda: None, comes)
    assert (result["failed"], result["verdict"]) == (True, "refused")
    assert (starts, len(waited)) == (6, 5), "it was not new to the last look"


def comes_from(host: LabHost, sender: str, name: str, **session: t.Any) -> None:
    """A session of an address that the lab cannot send from, written by a colleague's hand."""
    log = writer(host.exchange.logs)
    log.session(host.exchange.logs.now(), sender, FRONT_END, spread=0.001, **session)
    log.save(name=lambda at: f"RECV{at:%Y%m%d%H}-{name}.LOG")


@pytest.mark.parametrize("other", ["203.0.113.77", "2001:db8:77::9"])
def test_an_address_of_the_provider_that_is_refused_is_told_though_another_one_delivers(
    host: LabHost, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    host.mailbox.takes_mail = True
    ranges = [host.place.players(4)["provider"], other]

    def come() -> None:
        assert Sender(host, "provider").deliver() == "250"
        comes_from(host, other, "99", refused="530 5.7.57 Client not authenticated to send mail")

    def come_again() -> None:
        comes_from(host, other, "97", refused="530 5.7.57 Client not authenticated to send mail")

    result, starts, _waited = proof(host, monkeypatch, come, come_again, provider_ranges=ranges)
    assert not result.get("failed"), result["msg"]
    assert (result["verdict"], result["refused"]) == ("partly", [other])
    (warning,) = result["warnings"]
    assert f"but {other} was told not to send, and delivered nothing" in warning
    assert starts == 3, "seen twice"
    result, _starts, _waited = proof(host, monkeypatch, come, provider_ranges=ranges, required=True)
    assert result["failed"]
    assert result["verdict"] == "partly"

    result, _starts, _waited = proof(
        host,
        monkeypatch,
        come,
        lambda: comes_from(host, other, "98"),
        provider_ranges=ranges,
        required=True,
    )
    assert not result.get("failed"), result["msg"]
    assert (result["verdict"], result["refused"]) == ("delivered", [])
    assert "warnings" not in result


def test_a_refusal_that_the_last_look_is_the_first_to_see_is_looked_at_once_more(
    host: LabHost, client: LabClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.mailbox.takes_mail = True
    change(client, FRONT_END, PermissionGroups="ExchangeServers")

    def comes() -> None:
        assert Sender(host, "provider").deliver().startswith("530")

    def delivers() -> None:
        change(client, FRONT_END, PermissionGroups="AnonymousUsers")
        assert Sender(host, "provider").deliver() == "250"

    result, _starts, waited = proof(host, monkeypatch, comes, delivers, minutes=1)
    assert waited == [60.0, 60.0]
    assert result["verdict"] == "delivered"


def test_a_look_that_cannot_be_taken_proves_nothing(
    host: LabHost, client: LabClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.mailbox.takes_mail = True
    read = Proof._read
    reasons = [AgentTimeout("The server did not answer."), AnsibleConnectionFailure("No route.")]

    def cut(*arguments: t.Any) -> t.Any:
        if broken and arguments[-1]:
            raise broken.pop(0)
        return read(*arguments)

    monkeypatch.setattr(Proof, "_read", cut)
    broken = list(reasons)
    result, _starts, _waited = proof(
        host, monkeypatch, lambda: None, lambda: None, lambda: Sender(host, "provider").deliver()
    )
    assert (result["verdict"], broken) == ("delivered", [])

    change(client, FRONT_END, PermissionGroups="ExchangeServers")
    broken = reasons * 9
    result, _starts, _waited = proof(host, monkeypatch, lambda: Sender(host, "provider").deliver())
    assert not result.get("failed"), result["msg"]
    assert result["verdict"] == "unknown"
    assert "The last look could not be taken: The server did not answer." in result["msg"]


def test_nothing_in_the_time_is_unknown_and_fails_only_where_a_message_is_required(
    host: LabHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, starts, waited = proof(host, monkeypatch)
    assert not result.get("failed")
    assert result["verdict"] == "unknown"
    assert "Nothing of it was seen." in " ".join(result["warnings"])
    assert starts == 6
    assert sum(waited) == 300
    failed, _starts, _waited = proof(host, monkeypatch, required=True)
    assert failed["failed"]
    assert failed["verdict"] == "unknown"


def test_a_recipient_that_is_refused_shuts_nobody_out(
    host: LabHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def comes() -> None:
        Sender(host, "provider").deliver("nobody@elsewhere.example")

    result, _starts, _waited = proof(host, monkeypatch, comes)
    assert result["verdict"] == "unknown"
    assert result["sessions"] == 1


def test_a_connector_without_a_log_is_named(
    host: LabHost, client: LabClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(client, FRONT_END, ProtocolLoggingLevel="None", PermissionGroups="ExchangeServers")

    def comes() -> None:
        assert Sender(host, "provider").deliver().startswith("530")

    result, _starts, _waited = proof(host, monkeypatch, comes)
    assert result["verdict"] == "unknown"
    assert f"The provider meets '{FRONT_END}', of which no protocol is logged" in " ".join(
        result["warnings"]
    )


@pytest.mark.parametrize("wrong", [{"minutes": 0}, {"minutes": 241}, {"every": 9}])
def test_bounds_are_checked_before_anything_is_sent(
    host: LabHost, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, int]
) -> None:
    result, starts, _waited = proof(host, monkeypatch, **wrong)
    assert result["failed"]
    assert "must be between" in result["msg"]
    assert starts == 0


def test_messages_since_a_time_are_counted_by_connector_in_the_same_call(host: LabHost) -> None:
    host.mailbox.takes_mail = True
    before = host.exchange.logs.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    for _number in range(3):
        assert Sender(host, "provider").deliver() == "250"
    Sender(host, "internet").deliver("nobody@elsewhere.example")
    result, starts = asked(Info, host, **SITE, messages_since=before)
    assert not result.get("failed"), result["msg"]
    assert starts == 1
    (connector,) = result["messages"]["connectors"]
    assert (connector["name"], connector["messages"], connector["sessions"]) == (FRONT_END, 3, 4)
    assert connector["refused"] == 1
    later, _starts = asked(Info, host, **SITE, messages_since="2100-01-01T00:00:00Z")
    assert later["messages"]["connectors"] == []
    wrong, starts = asked(Info, host, **SITE, messages_since="yesterday")
    assert wrong["failed"]
    assert "'yesterday' is not a time in UTC" in wrong["msg"]
    assert starts == 0
