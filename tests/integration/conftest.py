# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab of one Exchange 2016 server, with the stand-in, for tests of a few seconds; and a FortiGate
of a mail site.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.control import LabClient
from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab, LabHost
from ansible_collections.mailedge.lockdown.tests.lab.site import Site
from ansible_collections.mailedge.lockdown.tests.support.fortigate import Firewall, running


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


@pytest.fixture
def firewall(tmp_path: pathlib.Path) -> t.Iterator[Firewall]:
    """One with nothing of its own; a file whose site is another one has its own fixture."""
    yield from running(tmp_path)
