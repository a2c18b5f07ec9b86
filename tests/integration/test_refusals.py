# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Exchange would refuse on this server is refused before anything is sent, and nothing else
is.
"""

from __future__ import annotations

import pathlib
import tempfile
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.tests.integration.in_process import Wire, do
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import EDITIONS
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.machine.samples import values

RISKS = [
    "own_networks_shut_out",
    "open_relay",
    "protected_send_connector",
    "send_leak",
    "no_provider_range",
]
CERTIFICATE = "<I>CN=Authority: first, O=Birke<S>CN=mail.birke.example"
NEW: dict[str, t.Any] = {
    "name": "New",
    "bindings": ["0.0.0.0:2599"],
    "remote_ip_ranges": ["10.20.9.9"],
}
WITH_SERVERS = {"auth_mechanism": ["Tls", "ExchangeServer"]}
# Options of a new connector → what is named in the refusal; "" where it is taken.
CASES: tuple[tuple[dict[str, t.Any], str], ...] = (
    ({"fqdn": "mail.birke.example", **WITH_SERVERS}, "Leave ExchangeServer out"),
    ({"fqdn": "mail.birke.example"}, ""),
    ({"fqdn": "EX1.site.example", **WITH_SERVERS}, ""),
    ({"fqdn": "ex1", **WITH_SERVERS}, ""),
    ({"default_domain": "elsewhere.example"}, "Those are site.example"),
    ({"default_domain": "SITE.example"}, ""),
    ({"connection_timeout": "00:00:30"}, "connection_inactivity_timeout of"),
    ({"connection_inactivity_timeout": "23:00:00"}, "less than its connection_timeout"),
    ({"connection_timeout": "00:00:30", "connection_inactivity_timeout": 20}, ""),
)
CAPABILITIES: tuple[tuple[str, str, str], ...] = (
    ("2010", "mail.birke.example:AcceptOorgProtocol,AcceptOorgHeader", ""),
    ("2010", "mail.birke.example:AcceptCloudServicesMail", "came with Exchange 2013"),
    ("2013", f"{CERTIFICATE}:AcceptCloudServicesMail", ""),
    ("se", "*.birke.example:AcceptCrossForestMail", ""),
    ("se", "mail.birke.example:AcceptEverything", "has the capability AcceptEverything"),
    (
        "2010",
        "mail.birke.example:AcceptEverything",
        "It is one of AcceptOorgHeader, AcceptOorgProtocol.",
    ),
)


def described(host: ExchangeHost, tmp: t.Mapping[str, t.Any], refusal: str) -> None:
    """Check mode and a run say the same, and the server has the last word."""
    before = host.shown()
    arguments = {"receive_connectors": [{**NEW, **tmp}]}
    wire = Wire(host)
    checked, done = do(wire, arguments, check=True), do(wire, arguments)
    for result in (checked, done):
        assert refusal in result.get("msg", ""), result["msg"]
        assert bool(result.get("failed")) is bool(refusal), result.get("msg")
    if refusal:
        assert host.shown() == before
    else:
        assert not do(wire, arguments)["changed"]


@pytest.mark.parametrize(("options", "refusal"), CASES)
@pytest.mark.parametrize("edition", ["2007", "2019", "edge"])
def test_what_the_server_refuses_is_refused_in_check_mode(
    edition: str, options: dict[str, t.Any], refusal: str, tmp_path: pathlib.Path
) -> None:
    described(defaults.site(edition, folder=tmp_path), options, refusal)


@pytest.mark.parametrize(("edition", "capability", "refusal"), CAPABILITIES)
def test_capabilities_go_by_the_version(
    edition: str, capability: str, refusal: str, tmp_path: pathlib.Path
) -> None:
    described(
        defaults.site(edition, folder=tmp_path), {"tls_domain_capabilities": [capability]}, refusal
    )


def test_a_capability_that_a_connector_of_the_server_has_is_known(tmp_path: pathlib.Path) -> None:
    host = defaults.site("se", folder=tmp_path)
    wish = {
        "receive_connectors": [
            {**NEW, "tls_domain_capabilities": ["mail.birke.example:AcceptLater"]}
        ]
    }
    assert "AcceptLater" in do(Wire(host), wish, check=True)["msg"]
    defaults.add_receive(
        host,
        "Held",
        {"TlsDomainCapabilities": ["a.example:AcceptLater"], "TransportRole": "HubTransport"},
    )
    assert not do(Wire(host), wish, check=True).get("failed")


@pytest.mark.parametrize("edition", EDITIONS)
def test_what_was_wrong_before_is_not_held_against_a_change(
    edition: str, tmp_path: pathlib.Path
) -> None:
    host = defaults.site(edition, folder=tmp_path)
    odd = {
        "Fqdn": "mail.birke.example",
        "AuthMechanism": "Tls, ExchangeServer",
        "PermissionGroups": "ExchangeServers",
    }
    defaults.add_receive(
        host, "Odd", {**odd, "Bindings": ["0.0.0.0:2599"], "RemoteIPRanges": ["10.20.9.9"]}
    )
    seen = do(
        Wire(host), {"receive_connectors": [{"name": "Odd", "comment": "as it was"}]}, check=True
    )
    assert not seen.get("failed"), seen["msg"]


def test_a_new_send_connector_is_judged_with_what_exchange_gives_it(tmp_path: pathlib.Path) -> None:
    host = defaults.site("se", folder=tmp_path)
    wish = {
        "send_connectors": [
            {"name": "New", "address_spaces": ["a.example"], "tls_auth_level": "EncryptionOnly"}
        ]
    }
    assert "needs require_tls" in do(Wire(host), wish, check=True)["msg"]


ODD: t.Mapping[str, tuple[t.Any, ...]] = {
    "fqdn": ("mail.birke.example", "ex1.site.example"),
    "default_domain": ("site.example", "elsewhere.example"),
    "auth_mechanism": (
        ["ExchangeServer"],
        ["Tls", "ExternalAuthoritative"],
        ["None"],
        ["BasicAuth", "BasicAuthRequireTLS"],
    ),
    "permission_groups": (
        ["ExchangeServers"],
        ["ExchangeLegacyServers"],
        ["Partners", "AnonymousUsers"],
    ),
    "usage": ("Client", "Internal", "Internet", "Partner"),
    "banner": ("250 no", "220 yes"),
    "tls_certificate_name": ("CN=mail.birke.example",),
    "tls_domain_capabilities": (
        [f"{CERTIFICATE}:AcceptCrossForestMail"],
        ["NO-TLS:AcceptOorgHeader"],
    ),
    "max_message_size": ("63KB", "64KB"),
    "remote_ip_ranges": (["10.20.9.9", "2001:db8::/64"],),
    "address_spaces": (["X400:c=de;a= ;p=birke;5"], ["smtp:*birke.example"], ["--"]),
    "smart_hosts": (["192.0.2.300"], ["mx.filter.example", "2001:db8::9"]),
    "tls_domain": ("filter.example",),
}
FOREIGN = (
    "state",
    "authentication_credential",
    "source_transport_servers",
    "anonymous_rights",
    "anonymous_relay",
)


@st.composite
def _described(draw: st.DrawFn) -> tuple[str, dict[str, t.Any]]:
    table = draw(st.sampled_from([RECEIVE, RECEIVE, SEND]))
    options = [name for name in table.properties if name not in FOREIGN]
    chosen = draw(st.lists(st.sampled_from(options), min_size=1, max_size=4, unique=True))
    entry: dict[str, t.Any] = (
        {**NEW} if table is RECEIVE else {"name": "New", "address_spaces": ["life.example"]}
    )
    for option in chosen:
        pool = (*ODD.get(option, ()), *values(table, table.properties[option]))
        entry[option] = draw(st.sampled_from(pool))
    return f"{table.name}s", entry


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(EDITIONS)), _described(), st.booleans())
def test_whatever_is_asked_a_run_refuses_what_check_mode_refuses_and_no_more(
    edition: str, wish: tuple[str, dict[str, t.Any]], later: bool
) -> None:
    section, entry = wish
    with tempfile.TemporaryDirectory() as folder:
        host = defaults.site(edition, folder=pathlib.Path(folder))
        wire = Wire(host)
        risks = {"accept_risks": RISKS}
        if later:
            # Not what a new connector takes, but what one takes that is there.
            plain = {
                key: entry[key]
                for key in ("name", "bindings", "remote_ip_ranges", "address_spaces")
                if key in entry
            }
            if do(wire, {section: [plain], **risks}).get("failed"):
                return
        before = host.shown()
        checked = do(wire, {section: [entry], **risks}, check=True)
        done = do(wire, {section: [entry], **risks})
        assert bool(checked.get("failed")) is bool(done.get("failed")), (
            checked.get("msg"),
            done.get("msg"),
        )
        if done.get("failed"):
            assert host.shown() == before
