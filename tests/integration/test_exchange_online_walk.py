# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks take care of a site's tenant of Exchange Online beside its servers: apply, drift,
rollback, snapshots.
"""

from __future__ import annotations

import copy
import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.integration.playbook_runs import (
    HOST,
    report,
)
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import play
from ansible_collections.mailedge.lockdown.tests.support.exchange_online_modules import (
    Tenant,
    described,
    running,
    state_of,
)

CANARY = "lab-secret-of-the-writer"


@pytest.fixture
def tenant(tmp_path: pathlib.Path) -> t.Iterator[Tenant]:
    yield from running(tmp_path)


def test_the_playbooks_walk_the_tenant(lab: Lab, tenant: Tenant) -> None:
    variables, start = described(tenant), tenant.dump()
    looked = play("apply", lab.inventory, "--check", variables=variables)
    assert tenant.dump() == start, looked.output
    assert "direct delivery" in report(looked)

    drift = play("drift", lab.inventory, variables=variables)
    assert drift.code != 0
    assert state_of(drift) == "open"

    # The playbook that only looks asks it as well.
    asks = {key: value for key, value in variables.items() if key != "mailedge_probe_targets"}
    probed = play("probe", lab.inventory, variables={**asks, "mailedge_probe_expect": "any"})
    assert probed.code == 0, probed.output
    assert state_of(probed) == "not judged"
    probed = play("probe", lab.inventory, variables=asks)
    assert probed.code != 0
    assert state_of(probed) == "open"
    assert "(direct delivery)" in report(probed)
    assert "a stranger at the tenant's own name for hafen.example gets: taken" in report(probed)
    assert tenant.dump() == start

    applied = play("apply", lab.inventory, variables=variables)
    assert applied.code == 0, applied.output
    assert state_of(applied) == "in order"
    assert tenant.dump() != start

    tenant.online.reset_counters()
    reader = {
        "mailedge_exchange_online_client_id": tenant.online.reader.client_id,
        "mailedge_exchange_online_client_secret": tenant.online.reader.secret,
    }
    drift = play("drift", lab.inventory, variables={**variables, **reader})
    assert drift.code == 0, drift.output
    assert state_of(drift) == "in order"
    assert tenant.online.requests + tenant.online.logins <= 4

    listed = play("snapshots", lab.inventory, variables=variables)
    assert listed.code == 0, listed.output
    assert "the inbound connector 'birke by certificate': gone, as it was" in report(listed)

    back = play("rollback", lab.inventory, variables=variables)
    assert back.code == 0, back.output
    assert tenant.dump() == start
    for run in (looked, drift, probed, applied, listed, back):
        assert CANARY not in run.output


@pytest.mark.long
def test_a_rollback_in_another_container_has_the_snapshot_of_the_apply(
    lab: Lab, tenant: Tenant
) -> None:
    variables, start = described(tenant), tenant.dump()
    applied = play("apply", lab.inventory, variables=variables)
    handed_on = applied.of("Say what was found")[-1].result["snapshots"]
    assert set(handed_on[HOST]) == {"exchange online"}
    for path in tenant.snapshots.iterdir():
        path.unlink()

    back = play("rollback", lab.inventory, variables={**variables, "mailedge_snapshots": handed_on})

    assert back.code == 0, back.output
    assert tenant.dump() == start


def test_what_fails_half_way_is_taken_back(lab: Lab, tenant: Tenant) -> None:
    variables, start = described(tenant), tenant.dump()
    tenant.online.arm(fail={"Set-OrganizationConfig": ("InvalidOperationException", "Not today.")})

    applied = play("apply", lab.inventory, variables=variables)

    assert applied.code != 0
    assert "Not today" in report(applied)
    assert "What this run had changed was undone." in report(applied)
    assert tenant.dump() == start


def test_a_tenant_that_is_refused_leaves_the_server_alone(lab: Lab, tenant: Tenant) -> None:
    before = copy.deepcopy(lab.client().dump(HOST)["receive_connectors"])
    variables = described(
        tenant, mailedge_exchange_enabled=True, mailedge_exchange_online_client_secret="wrong"
    )

    applied = play("apply", lab.inventory, variables=variables)

    assert applied.code != 0
    assert "gave no token" in report(applied)
    assert "This run had changed nothing" in report(applied)
    assert lab.client().dump(HOST)["receive_connectors"] == before
