# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole edge, held against what a probe finds: firewall, Windows Firewall, connectors, IIS and
a tenant made at random, all judged by the lab's own of them, and a look of each stranger at each
published door, at each path of the web, and at the tenant. MAILEDGE_EXAMPLES=500 tries as many.
"""

from __future__ import annotations

import contextlib
import functools
import pathlib
import re
import tempfile
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.plugins.module_utils._edge import fold, proof
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import edge as of_exchange
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.plan import SiteNetworks
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import edge as of_fortigate
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios import state as states
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.bounds import exactly
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.inbound_options import (
    InboundOptions,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis import edge as of_iis
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.recipes import Wish
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.schema import read_step
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.state import read_state
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe import published as doors_of
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.network import Egress
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import whole_result
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.smtp import (
    Question,
    look_at,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.web import (
    WebEgress,
    WebQuestion,
    look_at_web,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall import (
    edge as of_windows,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.recipe import Site
from ansible_collections.mailedge.lockdown.plugins.modules import exchange_online_lock
from ansible_collections.mailedge.lockdown.tests.lab import gate
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.lab import (
    STRANGER as TENANTS_STRANGER,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.lab import ExchangeOnline
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.front_end import FrontEnd
from ansible_collections.mailedge.lockdown.tests.lab.smtp import Mailbox
from ansible_collections.mailedge.lockdown.tests.lab.web import WebFrontEnd
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.packets import admits
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.store import Firewall
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.standin import OPERATIONS
from ansible_collections.mailedge.lockdown.tests.lab.wsman.certificate import (
    Certificate,
    make_certificate,
)
from ansible_collections.mailedge.lockdown.tests.machine.searching import examples
from ansible_collections.mailedge.lockdown.tests.support import (
    random_tenants,
    random_windows_firewalls,
)
from ansible_collections.mailedge.lockdown.tests.support.exchange_online_modules import (
    LOCK,
    Tenant,
)
from ansible_collections.mailedge.lockdown.tests.support.fortigate import refs
from ansible_collections.mailedge.lockdown.tests.support.probe_looks import door
from ansible_collections.mailedge.lockdown.tests.support.random_firewalls import (
    POLICIES,
    Direct,
    seed,
)
from ansible_collections.mailedge.lockdown.tests.support.random_tenants import Rows, fill
from ansible_collections.mailedge.lockdown.tests.support.reading import read

Found = t.TypeVar("Found")
SITE = "Default Web Site"
SERVER, SECOND = "10.20.1.11", 2525
PROVIDER, OWN = RangeSet.parse(["198.51.100.0/24"]), RangeSet.parse(["10.20.0.0/16"])
STRANGERS = {"127.0.2.1": "203.0.113.9", "127.0.3.1": "203.0.113.200", "127.0.4.1": "192.0.2.77"}

# Who gets through is as often everybody or nobody as it is some of them.
OPEN: dict[str, t.Any] = {
    "action": "accept",
    "status": "enable",
    "srcintf": refs("wan1"),
    "dstintf": refs("internal"),
    "srcaddr": refs("all"),
    "dstaddr": refs("VIP-mail", "VIP-both", "VIP-second"),
    "service": refs("ALL"),
}
DOORS = st.one_of(POLICIES, POLICIES.map(lambda rows: [*rows, OPEN]), st.just([OPEN]))
# A web is refused to everybody, to all but one stranger, or by a rule that is switched off.
PATHS = ("/ecp", "/owa", "/EWS", "/PowerShell", "/OAB")
BLOCKS = st.dictionaries(
    st.sampled_from(PATHS), st.sampled_from(("all", "all", "all but one", "off")), max_size=4
)
# Where the site of Exchange listens, and whether another site of the server does at that port.
NAME = "mail.site.example"
BINDINGS = st.sampled_from(
    (
        ("*:443:", ""),
        ("*:443:", "*:443:intranet.site.example"),
        ("*:443:", f"{SERVER}:443:"),
        (f"*:443:{NAME}", ""),
        (f"*:443:{NAME}", "*:443:"),
        (f"{SERVER}:443:", ""),
        ("10.20.1.12:443:", ""),
        ("*:8443:", ""),
        ("*:8443:", "*:443:"),
    )
)
RANGES = ("0.0.0.0-255.255.255.255", "203.0.113.0/24", "203.0.113.200", "198.51.100.0/24")
CONNECTORS = st.lists(
    st.fixed_dictionaries(
        {
            "RemoteIPRanges": st.lists(
                st.sampled_from(RANGES), min_size=1, max_size=2, unique=True
            ),
            "Bindings": st.sampled_from((["0.0.0.0:25"], [f"{SERVER}:25"], ["0.0.0.0:26"])),
            "PermissionGroups": st.sampled_from(("AnonymousUsers", "ExchangeUsers", "None")),
        }
    ),
    max_size=3,
)


def windows_firewalls() -> st.SearchStrategy[Firewall]:
    """One that lets all in as Exchange's set-up leaves it, or one of any kind."""
    return st.one_of(
        st.none(), random_windows_firewalls.firewalls(), random_windows_firewalls.firewalls()
    )


def server(folder: pathlib.Path, connectors: list[dict[str, t.Any]], setup: bool) -> ExchangeHost:
    host = defaults.site("2019", folder=folder, addresses=(SERVER,))
    if not setup:
        for connector in list(host.directory.view("")):
            if connector.name == "Default Frontend EX1":
                host.directory.drop(connector)
    for number, values in enumerate(connectors):
        defaults.add_receive(host, f"Connector {number}", values)
    return host


def firewall(policies: list[dict[str, t.Any]]) -> Device:
    """One with a second way to the server's port 25, by another port in front."""
    device = Device(version="v7.4.4")
    device.configs["root"].create(
        "firewall/vip",
        {
            "name": "VIP-second",
            "extip": "203.0.113.82",
            "extport": str(SECOND),
            "mappedport": "25",
            "mappedip": [{"range": SERVER}],
            "extintf": "wan1",
            "portforward": "enable",
        },
    )
    seed(device, policies)
    return device


def stages(
    device: Device, host: ExchangeHost, left_out: t.Collection[str]
) -> tuple[fold.Seen, ...]:
    """What a run would read and tell of each."""
    wanted = InboundOptions(
        "birke", 25, vips=("VIP-mail",), ranges=PROVIDER, own_networks=OWN, interfaces=("wan1",)
    )
    state = states.read(t.cast("t.Any", Direct(device)), wanted.tables)
    front = of_fortigate.of(state, wanted, {4: exactly(PROVIDER | OWN)})
    rules = of_windows.of(random_windows_firewalls.read(host.windows), Site((25,), PROVIDER, OWN))
    read_state = read(host)
    networks = SiteNetworks(provider=PROVIDER, own_networks=OWN, inbound_lock=True)
    connectors = of_exchange.of(read_state, networks.on(read_state.server))
    told = zip(fold.STAGES, (front, rules, connectors))
    return tuple(fold.Seen(name, None if name in left_out else stage) for name, stage in told)


def passes(device: Device, host: ExchangeHost, place: fold.Place, sender: str) -> bool:
    """Whether a sender reaches the server's port through both firewalls."""
    rules = host.windows.firewall
    if not device.admits(sender, place.address, place.port):
        return False
    profile = rules.current & -rules.current or 1
    # Which program listens is not asked by the product, nor by what interface somebody comes.
    packets = random_windows_firewalls.packets(sender, place.port_inside, profile)
    return any(admits(rules, packet) for packet in packets if not packet.authenticated)


@contextlib.contextmanager
def published(device: Device, host: ExchangeHost, place: fold.Place) -> t.Iterator[FrontEnd]:
    """A door on loopback, behind all that the lab has before it."""
    mailbox = Mailbox(
        fqdn=host.fqdn,
        accepts=host.directory.accepts,
        admission=lambda sender: host.admission(sender, SERVER, place.port_inside),
        listens=lambda version: version == 4 and host.listens_at(SERVER, place.port_inside),
    )
    front_end = FrontEnd(
        mailbox,
        "127.0.1.1",
        STRANGERS,
        "203.0.113.9",
        {},
        lambda sender: passes(device, host, place, sender),
    )
    front_end.start()
    try:
        yield front_end
    finally:
        front_end.close()


def look(front_end: FrontEnd, source: str, domain: str) -> str:
    question = Question(
        "probe@watchtower.example",
        f"postmaster@{domain}",
        "relay@watchtower.example",
        None,
        source=source,
        connect_seconds=0.15,
        reply_seconds=10.0,
    )
    egress = Egress(None, 25, None, 0.5, 0.5)
    result = whole_result([look_at(door(front_end.port, "127.0.1.1"), question, egress)], egress)
    return str(result["verdict"])


def block(host: ExchangeHost, blocks: t.Mapping[str, str]) -> None:
    """Refuse paths as a person does in the console of IIS."""
    spared = re.escape(STRANGERS["127.0.2.1"])
    for path, kind in blocks.items():
        condition = f'<add input="{{REMOTE_ADDR}}" pattern="^{spared}$" negate="true" />'
        conditions = f"<conditions>{condition}</conditions>" if kind == "all but one" else ""
        action = '<action type="CustomResponse" statusCode="403" />'
        enabled = "false" if kind == "off" else "true"
        rule = f'<rule name="{path}" enabled="{enabled}"><match url=".*" />{conditions}{action}'
        section = f"<rewrite><rules>{rule}</rule></rules></rewrite>"
        inner = f"<system.webServer>{section}</system.webServer>"
        host.windows.iis.add_location(f"{SITE}{path}", inner)


def bind(host: ExchangeHost, own: str, other: str) -> None:
    """Change where sites listen, as a person does in the console of IIS."""
    https = 'protocol="https" bindingInformation='
    host.windows.iis.replace(f'{https}"*:443:"', f'{https}"{own}"')
    if other:
        host.windows.iis.replace(f'{https}"*:444:"', f'{https}"{other}"')


def web_stage(host: ExchangeHost) -> dict[str, t.Any]:
    """What a run would read and tell of IIS."""
    rows = OPERATIONS["iis_read"](host.windows, {**read_step(SITE, list(PATHS)), "id": "iis"})
    state = read_state({"name": "EX1", "addresses": [SERVER]}, rows, SITE)
    return of_iis.of(state, Wish(SITE, own_networks=OWN))


@contextlib.contextmanager
def web(
    device: Device, host: ExchangeHost, place: fold.Place, certificate: Certificate
) -> t.Iterator[WebFrontEnd]:
    """The web of a server on loopback, behind all that the lab has before it."""
    admitted = {source: passes(device, host, place, sender) for source, sender in STRANGERS.items()}
    front_end = WebFrontEnd(
        host,
        "127.0.1.1",
        certificate,
        lambda peer: STRANGERS.get(peer, "203.0.113.9"),
        lambda listener: gate.guard(listener, admitted, False),
        (SERVER, place.port_inside),
    )
    front_end.start()
    try:
        yield front_end
    finally:
        front_end.close()


def look_at_paths(front_end: WebFrontEnd, source: str, paths: t.Sequence[str]) -> dict[str, str]:
    question = WebQuestion(
        dict.fromkeys(paths), source=source, connect_seconds=0.15, reply_seconds=10.0
    )
    egress = WebEgress(None, 443, None, 0.5, 0.5)
    # By its name, as somebody comes who has seen its certificate.
    named = replace(door(front_end.port, "127.0.1.1"), names=(NAME,))
    result = whole_result([look_at_web(named, question, egress)], egress)
    return dict(result["addresses"][0]["paths"])


def by_each(look_from: t.Callable[[str], Found]) -> list[tuple[str, Found]]:
    """What each stranger finds. Silence is waited for, so that they look at the same time."""
    with ThreadPoolExecutor(len(STRANGERS)) as pool:
        return list(zip(STRANGERS.values(), pool.map(look_from, STRANGERS)))


def agree(answer: fold.Answer, sender: str, verdict: str) -> None:
    """What a look found is what the model says, as far as it says anything."""
    said = answer.holds_for(sender)
    assert said in (None, verdict == "open"), (sender, verdict, answer)
    place = answer.place
    seen = proof.Looked(sender, place.address, place.port, verdict, answer.path)
    assert proof.contradicted([answer], [seen]) == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate("mail.site.example", tmp_path_factory.mktemp("web"))


@pytest.fixture(scope="module")
def online() -> t.Iterator[ExchangeOnline]:
    with ExchangeOnline() as running:
        yield running


def at_tenant(online: ExchangeOnline, folder: pathlib.Path, rows: Tenants) -> None:
    """Any tenant: what is said of its own name is what its servers say to a stranger."""
    connectors, rules, refuses = rows
    fill(online, connectors, rules, refuses=refuses)
    tenant = Tenant(online, folder / "snapshots")
    told = tenant.run(exchange_online_lock, check=True, **LOCK, accept_risks=["mx_unknown"])
    answers = fold.tenant_answers(fold.Seen(fold.TENANT, told.get("edge")))
    assert answers or told["failed"], told
    recipient = sorted(online.tenant.recipients)[0]
    for answer in answers:
        if answer.place.family == 6:
            continue
        event(f"the tenant: {answer.answer}")
        question = Question("probe@watchtower.example", recipient, None, None, connect_seconds=0.5)
        egress = Egress(None, 25, None, 0.5, 0.5)
        looks = [look_at(door(online.mail.port), question, egress)]
        agree(answer, TENANTS_STRANGER, str(whole_result(looks, egress)["verdict"]))


Tenants = tuple[Rows, Rows, bool]
ANY: dict[str, st.SearchStrategy[t.Any]] = {
    "policies": DOORS,
    "rules": windows_firewalls(),
    "connectors": CONNECTORS,
    "setup": st.booleans(),
    "left_out": st.sampled_from(((), (), (), (fold.WINDOWS_FIREWALL,), (fold.EXCHANGE,))),
    "blocks": BLOCKS,
    "bindings": BINDINGS,
    "rows": st.tuples(
        st.lists(
            st.one_of(random_tenants.CONNECTORS, st.sampled_from(random_tenants.LOCKS)), max_size=3
        ),
        st.lists(random_tenants.RULES, max_size=2),
        st.booleans(),
    ),
}


@examples(16)
@given(**ANY)
def test_what_a_probe_finds_is_what_the_whole_edge_says(
    online: ExchangeOnline, certificate: Certificate, **site: t.Any
) -> None:
    judge(online, certificate, **site)


@pytest.mark.long
@examples(120)
@given(**ANY)
def test_it_is_so_of_many_more_sites(
    online: ExchangeOnline, certificate: Certificate, **site: t.Any
) -> None:
    judge(online, certificate, **site)


def none_is_forgotten(front: fold.Seen, places: t.Sequence[fold.Place]) -> None:
    """Each door that the model knows is among those that a run looks at by itself."""
    for place in places:
        at = (place.address, place.port)
        if place.port_inside == proof.MAIL and place.inside and not place.direct:
            assert at in doors_of.mail_at(front.told)
        if place.port == place.port_inside == 443 and place.inside and not place.direct:
            assert place.address in doors_of.web_at(front.told)


def judge(
    online: ExchangeOnline,
    certificate: Certificate,
    policies: list[dict[str, t.Any]],
    rules: Firewall | None,
    connectors: list[dict[str, t.Any]],
    setup: bool,
    left_out: tuple[str, ...],
    blocks: dict[str, str],
    bindings: tuple[str, str],
    rows: Tenants,
) -> None:
    """One site, looked at by each stranger at each door."""
    device = firewall(policies)
    with tempfile.TemporaryDirectory() as folder:
        host = server(pathlib.Path(folder), connectors, setup)
        if rules is not None:
            host.windows.firewall = rules
        block(host, blocks)
        bind(host, *bindings)
        seen = stages(device, host, left_out)
        told = fold.answers(seen)
        at_web = fold.web_answers((*seen[:2], fold.Seen(fold.IIS, web_stage(host))))
        none_is_forgotten(seen[0], [answer.place for answer in (*told, *at_web)])
        for answer in told:
            event(answer.answer)
            assert not left_out or answer.answer in (fold.UNKNOWN, fold.REFUSED), answer
            with published(device, host, answer.place) as front_end:
                seen_by = functools.partial(look, front_end, domain=host.directory.domain)
                for sender, verdict in by_each(seen_by):
                    agree(answer, sender, verdict)
        for place in {answer.place for answer in at_web}:
            here = [answer for answer in at_web if answer.place == place and answer.path in PATHS]
            with web(device, host, place, certificate) as front_end:
                paths = [each.path for each in here]
                for sender, verdicts in by_each(
                    functools.partial(look_at_paths, front_end, paths=paths)
                ):
                    for answer in here:
                        event(f"the web: {answer.answer} {answer.how}".strip())
                        agree(answer, sender, verdicts[answer.path])
        at_tenant(online, pathlib.Path(folder), rows)
