# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change in a tenant is in force half an hour later: what is seen of the tenant until then is
neither open nor closed, and undoes nothing.
"""

from __future__ import annotations

import pathlib
import typing as t
import unittest.mock

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange_online import web
from ansible_collections.mailedge.lockdown.plugins.modules import exchange_online_info
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._controller_module import (
    ControllerModule,
)
from ansible_collections.mailedge.lockdown.tests.integration.playbook_runs import report
from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.tenant import LONG_AGO
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import play
from ansible_collections.mailedge.lockdown.tests.support.exchange_online_modules import (
    Tenant,
    described,
    running,
    state_of,
)
from ansible_collections.mailedge.lockdown.tests.support.fortigate import Result


@pytest.fixture
def tenant(tmp_path: pathlib.Path) -> t.Iterator[Tenant]:
    yield from running(tmp_path)


def looked_at(tenant: Tenant, **more: t.Any) -> dict[str, t.Any]:
    """A site whose tenant is managed, and looked at from outside by its own name."""
    return described(
        tenant,
        **{
            "mailedge_probe_targets": "127.0.0.1",
            "mailedge_probe_port": tenant.online.mail.port,
            "mailedge_probe_sender": "probe@watchtower.example",
            "mailedge_probe_recipient": "postmaster@hafen.example",
            "mailedge_probe_looks": "",
            "mailedge_probe_relay_recipient": "",
            "mailedge_probe_own_domain_sender": "",
            **more,
        },
    )


def test_what_is_not_in_force_yet_is_unknown_and_undoes_nothing(lab: Lab, tenant: Tenant) -> None:
    variables = looked_at(tenant)
    applied = play("apply", lab.inventory, variables=variables)
    assert [row["Name"] for row in tenant.dump()["InboundConnector"]], report(applied)
    assert (state_of(applied), state_of(applied, "outside")) == ("in order", "unknown")
    (line,) = [line for line in report(applied).splitlines() if line.startswith("birke")][:1]
    assert "may not be in force" in line
    assert applied.code != 0, "what nobody has seen is not green"

    drift = play("drift", lab.inventory, variables=variables)
    assert (state_of(drift), state_of(drift, "outside")) == ("in order", "unknown")
    tenant.online.clock.advance(1801)
    drift = play("drift", lab.inventory, variables=variables)
    assert (state_of(drift), state_of(drift, "outside")) == ("in order", "in order")
    assert drift.code == 0, drift.output


def test_it_is_waited_until_it_is_in_force_by_the_clock_of_the_service(tenant: Tenant) -> None:
    """Also where that clock is wrong, and where nothing in the tenant tells of the change."""
    clock, api = tenant.online.clock, tenant.online.api
    api.clock_ahead = 7200.0
    until = tenant.locked()["tenant"]["in_force_by"]
    for noun in ("InboundConnector", "OrganizationConfig"):
        for row in tenant.online.tenant.rows(noun):
            row["WhenChangedUTC"] = row["WhenChanged"] = LONG_AGO
    waited: list[float] = []

    def sleep(_web: web.Web, seconds: float) -> None:
        waited.append(seconds)
        clock.advance(seconds)

    def wait(minutes: int) -> Result:
        with unittest.mock.patch.object(web.Web, "sleep", sleep):
            return ControllerModule(
                tenant.login(wait_minutes=minutes, in_force_by=until), False, False
            ).result_of(exchange_online_info.main)

    assert wait(10)["tenant"]["in_force_by"] == until
    assert "in_force_by" not in wait(30)["tenant"]
    assert 1795 < sum(waited) < 1803, waited
    waited.clear()
    assert "in_force_by" not in wait(30)["tenant"]
    assert waited == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"wait_minutes": 241}, "between 0 and 240"),
        ({"in_force_by": "soon"}, "'soon', which is no"),
    ],
)
def test_what_cannot_be_waited_for_is_told(
    tenant: Tenant, options: dict[str, t.Any], words: str
) -> None:
    told = tenant.info(**options)
    assert told["failed"]
    assert words in told["msg"]
    assert tenant.online.requests == 0


@pytest.mark.parametrize("proven", [pytest.param(True, marks=pytest.mark.long), False])
def test_apply_waits_until_it_is_in_force_and_takes_back_what_is_not_proven(
    lab: Lab, tenant: Tenant, proven: bool
) -> None:
    """Nobody waits for a clock: it is moved on before the waiting begins."""
    start = tenant.dump()

    def half_an_hour_later() -> None:
        assert tenant.online.writes == 2, "it is locked"
        tenant.online.clock.advance(1801)
        if not proven:
            # A mail server of the tenant that goes by something else, whatever is configured.
            tenant.online.tenant.propagation = 1e6

    # A check of two requests, a lock of six, and the first of who waits.
    tenant.online.arm(colleague={9: half_an_hour_later})
    variables = looked_at(tenant, mailedge_exchange_online_wait_minutes=30)
    applied = play("apply", lab.inventory, variables=variables, timeout=100)
    assert (tenant.dump() == start) is not proven
    if proven:
        assert (state_of(applied), state_of(applied, "outside")) == ("in order", "in order")
        assert applied.code == 0, report(applied)
    else:
        assert "What this run had changed was undone." in report(applied)
        assert state_of(applied) == "open"
        assert applied.code != 0
