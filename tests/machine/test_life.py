# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of every property on every edition.

Applied, read, described again, deleted by a colleague, made anew, given back.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import detect
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import Resource
from ansible_collections.mailedge.lockdown.tests.lab.exchange import receive, send
from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import EDITIONS, Edition
from ansible_collections.mailedge.lockdown.tests.machine import judge
from ansible_collections.mailedge.lockdown.tests.machine.samples import (
    TOGETHER,
    Values,
    beside,
    values,
)
from ansible_collections.mailedge.lockdown.tests.machine.searching import MORE
from ansible_collections.mailedge.lockdown.tests.machine.server import ExchangeServer, Result

NAME = "Life"
SECTIONS = {RECEIVE.name: "receive_connectors", SEND.name: "send_connectors"}
# What a connector cannot be made without.
BASIS: t.Mapping[str, Values] = {
    RECEIVE.name: {"bindings": ["0.0.0.0:2599"], "remote_ip_ranges": ["10.20.9.9"]},
    SEND.name: {"address_spaces": ["SMTP:life.example;7"]},
}
TABLES = {RECEIVE.name: RECEIVE, SEND.name: SEND}
# A value is tried whatever it means for those who send. What the guards say of that is expected.
RISKS = [
    "own_networks_shut_out",
    "open_relay",
    "protected_send_connector",
    "send_leak",
    "no_provider_range",
]
EXPECTED_WARNINGS = tuple(f"(guard {risk})" for risk in (*RISKS, "exchange_servers_shut_out"))


def exists(table: Resource, option: str, edition: Edition) -> bool:
    """Whether the lab's server has the parameter, by its own tables."""
    settings = (receive if table is RECEIVE else send).settings(edition)
    prop = table.properties[option]
    if not prop.parameter or option in ("usage", "is_scoped_connector"):
        return True
    setting = settings.get(prop.parameter)
    return setting is not None and setting.edge in (None, edition.edge)


def clean(result: Result) -> Result:
    """A result that did not fail, and warns of nothing that is not expected."""
    assert not result["failed"], result["msg"]
    unexpected = [
        text for text in result["warnings"] if not any(known in text for known in EXPECTED_WARNINGS)
    ]
    assert not unexpected, unexpected
    return result


def live(edition: str, lives: t.Sequence[t.Mapping[str, Values]]) -> None:
    """Lead one connector of each table through the given descriptions, and back to the start."""
    server = ExchangeServer(edition)
    server.host.directory.accepted_domains["site.example"] = "Authoritative"
    start = judge.configuration(server.host)
    described: dict[str, t.Any] = {}
    for life in lives:
        described = {
            SECTIONS[name]: [{"name": NAME, **BASIS[name], **options}]
            for name, options in life.items()
        }
        described["accept_risks"] = RISKS
        checked = clean(server.run(check=True, **described))
        done = clean(server.run(**described))
        assert checked["plan"] == done["plan"]
        again = clean(server.run(check=True, **described))
        assert not again["changed"], again["plan"]
        itself = clean(server.run("exchange_mail_flow_info"))
        told: dict[str, t.Any] = {
            section: [_as_input(row) for row in itself[section] if row["name"] == NAME]
            for section in SECTIONS.values()
        }
        same = clean(server.run(check=True, **told))
        assert not same["changed"], same["plan"]
    for name in lives[-1]:
        noun = TABLES[name].verbs["remove"]
        identity = f"{server.host.name}\\{NAME}" if name == RECEIVE.name else NAME
        server.host.colleague(noun, {"Identity": identity})
    clean(server.run(**described))
    again = clean(server.run(check=True, **described))
    assert not again["changed"], again["plan"]
    clean(server.run(snapshot="original"))
    assert judge.configuration(server.host) == start


def _as_input(connector: t.Mapping[str, t.Any]) -> Values:
    """What info tells of a connector, without the login, whose password nobody can read."""
    return {
        option: value
        for option, value in connector.items()
        if option != "authentication_credential"
    }


def test_every_property_has_a_value_and_an_edition() -> None:
    for table in TABLES.values():
        for prop in table.properties.values():
            assert values(table, prop), f"{table.name}.{prop.option}: name a value in samples.py"
            assert any(
                prop.exists(version_of(edition), edition.edge) for edition in EDITIONS.values()
            ), prop.option


def version_of(edition: Edition) -> t.Any:
    """The product's version of an edition of the lab."""
    return detect(*edition.build)


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_tables_know_what_the_edition_has(edition: str) -> None:
    about = EDITIONS[edition]
    for table in TABLES.values():
        for prop in table.properties.values():
            product, lab = (
                prop.exists(version_of(about), about.edge),
                exists(table, prop.option, about),
            )
            assert product == lab, (
                f"{table.name}.{prop.option}: the table says {product}, the server {lab}"
            )


def singles(edition: str) -> t.Iterator[tuple[str, str, tuple[Values, ...]]]:
    """Table, option, and the options of a connector for each of its values, on this edition."""
    about = EDITIONS[edition]
    for table in TABLES.values():
        for prop in table.properties.values():
            if not prop.exists(version_of(about), about.edge):
                continue
            lives = tuple(
                {
                    key: changed
                    for key, changed in beside(table, prop.option, value).items()
                    if exists(table, key, about)
                }
                for value in values(table, prop)
            )
            yield table.name, prop.option, lives


def batches(edition: str) -> list[dict[str, Values]]:
    """All properties at once, with their first values and with their last."""
    shared: list[dict[str, Values]] = []
    for at, together in zip((0, -1), TOGETHER):
        life: dict[str, Values] = {name: {} for name in TABLES}
        for name, option, lives in singles(edition):
            life[name][option] = together[name].get(option, lives[at][option])
        shared.append(life)
    return shared


# A Small Business Server has the Exchange of another edition.
@pytest.mark.parametrize(
    "edition", [edition for edition in EDITIONS if MORE or not EDITIONS[edition].sbs]
)
def test_the_life_of_all_properties_at_once(edition: str) -> None:
    live(edition, batches(edition))


# One property at a time takes minutes.
if MORE:

    @pytest.mark.parametrize("edition", EDITIONS)
    def test_the_life_of_every_property(edition: str) -> None:
        failures = []
        for name, option, lives in singles(edition):
            try:
                live(edition, [{name: life} for life in lives])
            except AssertionError as error:
                failures.append(f"{name}.{option}: {str(error).splitlines()[0]}")
        assert not failures, "\n".join(failures)
