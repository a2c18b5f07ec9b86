# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""fortios_inbound_lock on a FortiGate that lets both versions of IP in: no door of either stays
open, none that is needed closes.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_inbound_lock,
    fortios_rollback,
)
from ansible_collections.mailedge.lockdown.tests.support.fortigate import (
    LOCK,
    POLICY,
    PROVIDER,
    Firewall,
    locked,
    meets,
    policy,
    refs,
    running,
)

SERVER6 = "2001:db8:20::25"
STRANGER6, PROVIDER6 = "2001:db8:bad::1", "2001:db8:100::7"


@pytest.fixture
def dual(tmp_path: pathlib.Path) -> t.Iterator[Firewall]:
    yield from running(tmp_path, external6=SERVER6)


def test_both_versions_of_ip(dual: Firewall) -> None:
    before = dual.dump()
    wish = {**LOCK, "addresses": [SERVER6], "ranges": ["198.51.100.0/24", "2001:db8:100::/48"]}
    assert meets(dual, STRANGER6, to=SERVER6)
    dual.done(fortios_inbound_lock, **wish)
    assert locked(dual)
    assert meets(dual, PROVIDER6, to=SERVER6)
    assert not meets(dual, STRANGER6, to=SERVER6)
    assert not dual.done(fortios_inbound_lock, **wish)["changed"]
    dual.done(fortios_rollback)
    assert dual.dump() == before


def test_a_provider_without_ipv6_leaves_no_ipv6_open(dual: Firewall) -> None:
    dual.done(fortios_inbound_lock, **LOCK, addresses=[SERVER6])
    assert locked(dual)
    assert not meets(dual, STRANGER6, to=SERVER6)
    assert not dual.done(fortios_inbound_lock, **LOCK, addresses=[SERVER6])["changed"]


def test_a_service_for_everything_is_kept_over_ipv6(dual: Firewall) -> None:
    """The virtual IP forwards port 25 alone; the server's own IPv6 address has a web server as
    well.
    """
    config = dual.device.configs["root"]
    config.update(POLICY, "1", {"service": refs("ALL")})
    assert meets(dual, STRANGER6, 443, to=SERVER6)
    wish = {**LOCK, "addresses": [SERVER6], "ranges": ["198.51.100.0/24", "2001:db8:100::/48"]}
    dual.done(fortios_inbound_lock, **wish)
    assert locked(dual)
    assert meets(dual, STRANGER6, 443, to=SERVER6)
    assert not meets(dual, STRANGER6, to=SERVER6)
    assert meets(dual, PROVIDER6, to=SERVER6)
    assert not dual.done(fortios_inbound_lock, **wish)["changed"]


def test_a_provider_without_ipv4_would_stop_the_mail(dual: Firewall) -> None:
    before = dual.dump()
    wish: dict[str, t.Any] = {
        **LOCK,
        "addresses": [SERVER6],
        "ranges": ["2001:db8:100::/48"],
        "own_networks": [],
    }
    failed = dual.run(fortios_inbound_lock, **wish)
    assert failed["failed"]
    assert "no_source" in failed["msg"]
    assert dual.dump() == before
    assert dual.done(fortios_inbound_lock, **wish, accept_risks=["no_source"])["changed"]
    assert not meets(dual, PROVIDER)
    assert meets(dual, PROVIDER6, to=SERVER6)
    assert not dual.done(fortios_inbound_lock, **wish, accept_risks=["no_source"])["changed"]


def test_a_fence_for_both_versions_of_ip(dual: Firewall) -> None:
    before = dual.dump()
    policy(
        dual,
        "All in",
        top=True,
        dstaddr=refs("all"),
        srcaddr6=refs("all"),
        dstaddr6=refs("all"),
        service=refs("ALL"),
    )
    middle = dual.dump()
    for ranges in (["198.51.100.0/24"], ["198.51.100.0/24", "2001:db8:100::/48"]):
        wish = {**LOCK, "addresses": [SERVER6], "ranges": ranges}
        dual.done(fortios_inbound_lock, **wish)
        assert locked(dual)
        assert not meets(dual, STRANGER6, to=SERVER6)
        assert meets(dual, PROVIDER6, to=SERVER6) == (len(ranges) > 1)
        assert meets(dual, STRANGER6, 443, to=SERVER6)
        assert not dual.done(fortios_inbound_lock, **wish)["changed"]
    names = sorted(path.name for path in dual.snapshots.iterdir())
    for name in reversed(names):
        dual.done(fortios_rollback, snapshot=name)
    assert dual.dump() == middle != before
