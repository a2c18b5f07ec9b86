# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab of one Exchange 2016 server, with the stand-in, for tests of a few seconds."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.control import LabClient
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab, LabHost
from ansible_collections.mailedge.lockdown.tests.lab.site import Site


@pytest.fixture
def lab() -> t.Iterator[Lab]:
    with Lab([Site("birke", ("2016",))], pwsh="") as running:
        yield running


@pytest.fixture
def host(lab: Lab) -> LabHost:
    return lab.hosts["birke-ex1"]


@pytest.fixture
def client(lab: Lab) -> LabClient:
    return LabClient.of(lab.inventory)
