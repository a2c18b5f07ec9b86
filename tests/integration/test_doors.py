# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the model calls closed is closed at a server that judges by its own rights; what is open
is told, wherever it is.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.integration.in_process import (
    COLLEAGUE,
    INBOUND,
    PROVIDER,
    SITE,
    STRANGER,
    Wire,
    do,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange import (
    bridge,
    defaults,
    rights,
    transport,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.exchange.objects import ALL, FULL, Ace
from ansible_collections.mailedge.lockdown.tests.support.engine import in_a_runspace, needs_engine
from ansible_collections.mailedge.lockdown.tests.support.reading import read

EVERYBODY = ["0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]


def with_wide(host: ExchangeHost, port: int, **more: t.Any) -> None:
    """Put a connector for everybody on a port, as an administrator does beside those of setup."""
    wide = {
        "Bindings": [f"0.0.0.0:{port}", f"[::]:{port}"],
        "RemoteIPRanges": EVERYBODY,
        "PermissionGroups": "AnonymousUsers",
        "AuthMechanism": "Tls",
        "TransportRole": "FrontendTransport",
        **more,
    }
    defaults.add_receive(host, f"Port {port}", wide)


def told(result: dict[str, t.Any]) -> str:
    return " ".join(guard["sentence"] for guard in result["guards"])


@pytest.mark.parametrize("port", [26, 588, 2526])
def test_a_wide_connector_on_any_port_is_told_with_its_port(
    port: int, tmp_path: pathlib.Path
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    with_wide(host, port)
    wire = Wire(host)
    done = do(wire, INBOUND)
    assert not done.get("failed"), done["msg"]
    assert not host.admission(STRANGER).submit
    assert host.admission(STRANGER, port=port).submit

    seen = do(wire, INBOUND, check=True)
    for result in (done, seen):
        assert result["state"] == "open"
        assert result["strangers"]["after"] == [
            f"The internet may send without a login on port {port}, through 'Port {port}'."
        ]
        assert f"on port {port}, through 'Port {port}'" in told(result)
        words = result["exposure"]["words"]
        assert f"any internet address on port {port}: anonymous mail accepted" in words
        assert (
            result["exposure"]["after"][f"any internet address on port {port}"]
            == "anonymous mail accepted"
        )
    assert "name it in the bindings of inbound_lock" in told(seen)


def test_a_relay_on_another_port_is_told_with_its_port(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    with_wide(
        host, 2526, PermissionGroups="ExchangeServers", AuthMechanism="Tls, ExternalAuthoritative"
    )
    assert host.admission(STRANGER, port=2526).relays
    result = do(Wire(host), INBOUND)
    assert not result.get("failed"), result["msg"]
    assert result["state"] == "open"
    assert (
        "The internet may relay to any recipient on port 2526, through 'Port 2526'."
        in result["strangers"]["after"]
    )
    assert any(
        "on port 2526: trusted as an Exchange server" in line
        for line in result["exposure"]["words"]
    )


def test_a_port_that_is_named_is_closed_as_well(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    with_wide(host, 26)
    wire = Wire(host)
    start = read(host)
    lock = {
        **SITE,
        "inbound_lock": {"bindings": ["0.0.0.0:25", "[::]:25", "0.0.0.0:26", "[::]:26"]},
    }
    done = do(wire, lock)
    assert not done.get("failed"), done["msg"]
    for port in (25, 26):
        assert not host.admission(STRANGER, port=port).submit
        assert host.admission(PROVIDER, port=port).submit
        assert host.admission(COLLEAGUE, port=port).submit
    assert (
        "any internet address on port 26: anonymous mail accepted → refused"
        in done["exposure"]["words"]
    )
    again = do(wire, lock, check=True)
    assert not again["changed"], again["plan"]
    assert again["state"] == "in order"
    do(wire, {"snapshot": "latest"})
    assert read(host).receive == start.receive


def test_to_close_the_port_that_the_provider_comes_by_is_stopped(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    wire = Wire(host)
    with_wide(host, 26)
    shut = {**INBOUND, "receive_connectors": [{"name": "Port 26", "enabled": False}]}
    stopped = do(wire, shut)
    assert stopped["failed"]
    assert "The provider's 198.51.100.0/24 would no longer be accepted on port 26." in told(stopped)
    assert host.admission(PROVIDER, port=26).submit


def test_ports_where_nobody_is_let_in_without_a_login_make_no_noise(tmp_path: pathlib.Path) -> None:
    result = do(Wire(defaults.site("2019", folder=tmp_path)), INBOUND)
    assert not [line for line in result["exposure"]["words"] if "on port" in line]


LEFT_OVER = "Default Frontend EX1\nCNF:6f1c5a9e-0d2b-4c57-9a3e-8c1b2d3e4f50"
SHOWN = LEFT_OVER.replace("\n", "\\n")


def with_left_over(host: ExchangeHost, **more: t.Any) -> None:
    """Leave a second connector with the very claim of the default one, as a replication conflict
    does.
    """
    twin = {
        "Bindings": ["0.0.0.0:25", "[::]:25"],
        "RemoteIPRanges": EVERYBODY,
        "PermissionGroups": "AnonymousUsers, ExchangeServers",
        "AuthMechanism": "Tls, ExchangeServer",
        "TransportRole": "FrontendTransport",
        **more,
    }
    defaults.add_receive(host, LEFT_OVER, twin)


@pytest.mark.parametrize("edition", ["2010", "2019"])
def test_of_two_connectors_with_the_same_claim_both_are_open_and_both_are_closed(
    edition: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site(edition, folder=tmp_path)
    default = "Default EX1" if edition == "2010" else "Default Frontend EX1"
    with_left_over(host)
    wire = Wire(host)
    start = read(host)
    done = do(wire, INBOUND)
    assert not done.get("failed"), done["msg"]
    assert done["strangers"]["before"] == [
        f"The internet may send without a login on port 25, through '{default}' and '{SHOWN}'."
    ]
    assert not host.admission(STRANGER).submit
    assert host.admission(PROVIDER).submit
    assert host.admission(COLLEAGUE).submit
    assert f"The receive connectors '{default}' and '{SHOWN}' all hear" in told(done)
    assert "which of them answers is not known" in told(done)
    again = do(wire, INBOUND, check=True)
    assert not again["changed"], again["plan"]
    assert again["state"] == "in order"
    back = do(wire, {"snapshot": "latest"})
    assert not back.get("failed"), back["msg"]
    assert read(host).receive == start.receive


@pytest.mark.parametrize("closed", ["Default Frontend EX1", LEFT_OVER])
def test_the_name_does_not_decide_which_of_two_equal_connectors_is_open(
    closed: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    with_left_over(host)
    wire = Wire(host)
    assert not do(wire, INBOUND).get("failed")
    opened = SHOWN if closed == "Default Frontend EX1" else "Default Frontend EX1"
    for connector in host.directory.view(""):
        if connector.name != closed and connector.name in (LEFT_OVER, "Default Frontend EX1"):
            connector.rights = host.rights.regroup(
                connector.rights, ["AnonymousUsers", "ExchangeServers"]
            )
    assert host.admission(STRANGER).submit
    seen = do(wire, INBOUND, check=True)
    assert seen["state"] == "open"
    assert seen["strangers"]["before"] == [
        f"The internet may send without a login on port 25, through '{opened}'."
    ]
    assert any("refused by another" in line for line in seen["exposure"]["words"])
    done = do(wire, INBOUND)
    assert not done.get("failed"), done["msg"]
    assert done["state"] == "in order"
    assert not host.admission(STRANGER).submit


def test_what_exchange_refuses_of_connectors_that_conflict_is_told_before(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    with_left_over(
        host, PermissionGroups="ExchangeServers", AuthMechanism="Tls, ExternalAuthoritative"
    )
    wire = Wire(host)
    assert host.admission(STRANGER).relays
    stopped = do(wire, INBOUND)
    assert stopped["failed"]
    assert f"Exchange refuses to change auth_mechanism of the receive connector '{SHOWN}'" in told(
        stopped
    )
    assert host.counters["writes"] == 0
    removed = {**INBOUND, "receive_connectors": [{"name": SHOWN, "state": "absent"}]}
    # Through the one that is removed the own networks could relay, which is told.
    assert "The own networks 10.20.0.0/16 could no longer relay" in told(do(wire, removed))
    done = do(wire, {**removed, "accept_risks": ["own_networks_shut_out", "server_shut_out"]})
    assert not done.get("failed"), done["msg"]
    assert not host.admission(STRANGER).submit
    assert done["state"] == "in order"


def test_names_are_shown_escaped_and_no_line_is_forged(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    with_left_over(host)
    defaults.add_send(host, "Internet\nCNF:1b2c", {"AddressSpaces": ["SMTP:*;1"]})
    wire = Wire(host)
    both = {**INBOUND, "outbound_lock": {"smart_hosts": ["127.0.0.1"], "port": 9}}
    both["accept_risks"] = ["smart_host_unreachable"]
    done = do(wire, both)
    assert not done.get("failed"), done["msg"]
    texts = [
        *done["plan"],
        *done["exposure"]["words"],
        *(finding["sentence"] for finding in done["guards"]),
    ]
    assert any("Internet\\nCNF:1b2c" in text for text in texts)
    assert not [text for text in texts if not text.isprintable()]
    assert not do(wire, both)["changed"]


SUBMIT, ANY_SENDER, ANY_RECIPIENT = rights.SUBMIT, rights.ANY_SENDER, rights.ANY_RECIPIENT
DEFAULT = "Default Frontend EX1"
GERMAN = r"NT-AUTORITÄT\ANONYMOUS-ANMELDUNG"


def give(host: ExchangeHost, user: str, *names: str, take: bool = False, **more: t.Any) -> None:
    """Change rights on the default connector as an administrator does."""
    [default] = [connector for connector in host.directory.view("") if connector.name == DEFAULT]
    given = {
        "Identity": default.distinguished_name,
        "User": user,
        **({"ExtendedRights": [*names]} if names else {}),
        **more,
    }
    host.colleague("Remove-ADPermission" if take else "Add-ADPermission", given)


def inherit(host: ExchangeHost, *entries: Ace) -> None:
    [default] = [connector for connector in host.directory.view("") if connector.name == DEFAULT]
    default.inherited = entries


def test_rights_that_somebody_gives_after_the_lock_are_an_open_door_and_are_taken_back(
    tmp_path: pathlib.Path,
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    wire = Wire(host)
    do(wire, INBOUND)
    give(host, rights.ANONYMOUS, SUBMIT, ANY_SENDER, ANY_RECIPIENT)
    assert host.admission(STRANGER).relays
    seen = do(wire, INBOUND, check=True)
    assert seen["state"] == "open"
    assert seen["strangers"]["before"] == [
        f"The internet may send without a login on port 25, through '{DEFAULT}'.",
        f"The internet may relay to any recipient on port 25, through '{DEFAULT}'.",
    ]
    done = do(wire, INBOUND)
    assert not done.get("failed"), done["msg"]
    assert done["state"] == "in order"
    assert host.admission(STRANGER).heard == (DEFAULT,)
    assert not host.admission(STRANGER).submit
    assert not do(wire, INBOUND)["changed"]
    back = do(wire, {"snapshot": "latest", "accept_risks": ["open_relay"]})
    assert not back.get("failed"), back["msg"]
    assert host.admission(STRANGER).relays


HARDENED = "ms-Exch-SMTP-Accept-Authoritative-Domain-Sender"


@pytest.mark.parametrize("edition", ["2010", "2019"])
def test_a_connector_that_was_hardened_against_forged_senders_is_open_and_is_closed(
    edition: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site(edition, folder=tmp_path)
    wide = "Default EX1" if edition == "2010" else DEFAULT
    [opened] = [connector for connector in host.directory.view("") if connector.name == wide]
    opened.rights = tuple(
        ace for ace in opened.rights if (ace.user, ace.right) != (rights.ANONYMOUS, HARDENED)
    )
    assert host.admission(STRANGER).submit
    wire = Wire(host)
    start = read(host)
    done = do(wire, INBOUND)
    assert not done.get("failed"), done["msg"]
    assert done["strangers"]["before"] == [
        f"The internet may send without a login on port 25, through '{wide}'."
    ]
    assert done["state"] == "in order"
    assert not host.admission(STRANGER).submit
    assert host.admission(PROVIDER).submit
    own = host.admission(COLLEAGUE)
    assert own.submit
    [keeper] = [connector for connector in host.directory.view("") if connector.name in own.heard]
    assert not transport.may(keeper, host.rights.stranger, HARDENED), "what was hardened stays so"
    assert not do(wire, INBOUND)["changed"]
    back = do(wire, {"snapshot": "latest"})
    assert not back.get("failed"), back["msg"]
    assert read(host).receive == start.receive


@pytest.mark.parametrize(
    ("anonymous", "everyone"), [(rights.ANONYMOUS, "Everyone"), (GERMAN, "Jeder")]
)
def test_everyone_is_a_stranger_in_every_language(
    anonymous: str, everyone: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site(
        "2019", folder=tmp_path, anonymous_account=anonymous, everyone_account=everyone
    )
    wire = Wire(host)
    do(wire, INBOUND)
    give(host, rights.AUTHENTICATED, SUBMIT, ANY_RECIPIENT)
    assert do(wire, INBOUND, check=True)["state"] == "in order"
    give(host, everyone, SUBMIT)
    assert host.admission(STRANGER).submit
    assert do(wire, INBOUND, check=True)["state"] == "open"
    assert do(wire, INBOUND)["state"] == "in order"
    assert not host.admission(STRANGER).submit


@pytest.mark.parametrize(
    "entries",
    [
        (Ace("Everyone", SUBMIT),),
        (Ace(rights.ANONYMOUS, ALL),),
        (Ace("Everyone", FULL),),
    ],
)
def test_what_is_inherited_is_told_and_never_called_closed(
    entries: tuple[Ace, ...], tmp_path: pathlib.Path
) -> None:
    host = defaults.site("2019", folder=tmp_path)
    inherit(host, *entries)
    wire = Wire(host)
    stopped = do(wire, INBOUND)
    assert stopped["failed"]
    assert stopped["state"] == "open"
    assert f"'{DEFAULT}' has" in told(stopped)
    assert "inherited: this is not taken away here." in told(stopped)
    done = do(wire, {**INBOUND, "accept_risks": ["still_open", "open_relay"]})
    assert not done.get("failed"), done["msg"]
    assert done["state"] == "open"
    assert host.admission(STRANGER).submit


@pytest.mark.parametrize("access", [ALL, FULL])
def test_all_rights_at_once_are_all_rights(access: str, tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    wire = Wire(host)
    do(wire, INBOUND)
    give(host, rights.ANONYMOUS, AccessRights=[access])
    assert host.admission(STRANGER).relays
    seen = do(wire, INBOUND, check=True)
    assert seen["state"] == "open"
    assert "has all rights of NT AUTHORITY\\ANONYMOUS LOGON: this is not taken away here." in told(
        seen
    )


def test_what_is_denied_is_no_door(tmp_path: pathlib.Path) -> None:
    host = defaults.site("2019", folder=tmp_path)
    give(host, rights.ANONYMOUS, SUBMIT, Deny=True)
    assert not host.admission(STRANGER).submit
    seen = do(Wire(host), INBOUND, check=True)
    assert seen["strangers"] == {"before": [], "after": []}
    # What the provider would meet counts as much: it is not taken for granted that groups let it
    # in.
    wire = Wire(host)
    assert not do(wire, INBOUND).get("failed")
    [mine] = [
        connector for connector in host.directory.view("") if connector.name == "Mail from filter"
    ]
    mine.rights = (*mine.rights, Ace(rights.ANONYMOUS, SUBMIT, True))
    assert not host.admission(PROVIDER).submit
    shut = do(wire, INBOUND, check=True)
    assert "The provider's 198.51.100.0/24 would not be accepted on port 25." in told(shut)


class EngineWire(Wire):
    """The agent itself in a real engine in place of the stand-in."""

    def __call__(self, stdin: bytes) -> tuple[int, bytes, bytes]:
        self.starts += 1
        with bridge.Bridge(self.host) as served:
            return 0, in_a_runspace(bridge.prelude(), stdin, served.environment), b""


@pytest.mark.long
@needs_engine
def test_every_door_is_judged_with_a_real_engine_too(tmp_path: pathlib.Path) -> None:
    host = defaults.site(
        "2019", folder=tmp_path, anonymous_account=GERMAN, everyone_account="Jeder"
    )
    with_left_over(host)
    with_wide(host, 26)
    wire = EngineWire(host)
    done = do(wire, INBOUND)
    assert not done.get("failed"), done["msg"]
    assert done["strangers"]["before"] == [
        f"The internet may send without a login on port 25, through '{DEFAULT}' and '{SHOWN}'.",
        "The internet may send without a login on port 26, through 'Port 26'.",
    ]
    assert not host.admission(STRANGER).submit
    assert host.admission(PROVIDER).submit
    give(host, "Jeder", SUBMIT, ANY_RECIPIENT)
    give(host, GERMAN, AccessRights=[ALL])
    assert host.admission(STRANGER).relays
    seen = do(wire, INBOUND, check=True)
    assert (
        f"The internet may relay to any recipient on port 25, through '{DEFAULT}'."
        in seen["strangers"]["before"]
    )
    assert "has all rights of NT AUTHORITY\\ANONYMOUS LOGON" in told(seen)
    give(host, GERMAN, AccessRights=[ALL], take=True)
    assert not do(wire, INBOUND).get("failed")
    assert not host.admission(STRANGER).submit
