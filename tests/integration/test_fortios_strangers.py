# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets through that nobody has named, and the state of the layer, in the results of the
FortiGate modules.
"""

from __future__ import annotations

import datetime
import typing as t
import unittest.mock

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import FortiOS
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.errors import FortiOSError
from ansible_collections.mailedge.lockdown.plugins.module_utils._report import acceptance, verdict
from ansible_collections.mailedge.lockdown.plugins.modules import (
    fortios_inbound_lock,
    fortios_outbound_lock,
    fortios_rollback,
)
from ansible_collections.mailedge.lockdown.tests.support.fortigate import (
    LOCK,
    OUT,
    PUBLIC,
    Firewall,
    policy,
    refs,
)


def test_strangers_and_state_before_and_after(firewall: Firewall) -> None:
    wide = "Everybody else can reach port 25 of the virtual IP 'VIP-mail' by policy 1 'Mail in'."
    checked = firewall.done(fortios_inbound_lock, **LOCK, check=True)
    assert (checked["strangers"], checked["state"]) == ({"before": [wide], "after": []}, "open")
    made = firewall.done(fortios_inbound_lock, **LOCK)
    assert (made["strangers"], made["state"]) == ({"before": [wide], "after": []}, "in order")
    more = firewall.done(
        fortios_inbound_lock,
        **{**LOCK, "own_networks": ["10.20.0.0/16", "10.30.0.0/16"]},
        check=True,
    )
    assert (more["strangers"], more["state"]) == ({"before": [], "after": []}, "drift")
    assert "state" not in firewall.done(fortios_rollback, check=True)


def test_a_guard_that_stops_leaves_state_and_a_short_result(firewall: Firewall) -> None:
    stopped = firewall.run(fortios_inbound_lock, **{**LOCK, "ranges": ["10.0.0.0/24"]}, diff=True)
    assert stopped["failed"]
    assert stopped["state"] == "open"
    assert stopped["plan"]
    assert set(stopped["exposure"]) == {"words"}
    assert "diff" not in stopped


def test_a_write_that_broke_says_nothing_of_the_state(firewall: Firewall) -> None:
    firewall.device.configs["root"].create(
        "firewall/address", {"name": "birke-provider", "subnet": "192.0.2.0/24"}
    )
    taken = firewall.run(fortios_inbound_lock, **LOCK)
    assert taken["failed"]
    assert taken["msg"].count("birke-provider")
    with unittest.mock.patch.object(
        FortiOS, "update", side_effect=FortiOSError("The line went dead.")
    ):
        firewall.device.configs["root"].delete("firewall/address", "birke-provider")
        broken = firewall.run(fortios_inbound_lock, **LOCK)
    assert broken["failed"]
    assert "The line went dead." in broken["msg"]
    assert not {"state", "strangers"} & set(broken)


def test_a_virtual_ip_that_goes_while_it_is_locked_is_told(firewall: Firewall) -> None:
    """A colleague removes it between the last write and the next read, or the answer lacks it."""
    answer = firewall.server.answer
    config = firewall.device.configs["root"]
    config.all("firewall/vip")["VIP-mail"]["extintf"] = "any"

    def removing(method: str, target: str, *more: t.Any) -> t.Any:
        given = answer(method, target, *more)
        if "transaction-commit" in target:
            firewall.device.configs["root"].all("firewall/vip").pop("VIP-mail")
        return given

    with unittest.mock.patch.object(firewall.server, "answer", removing):
        result = firewall.run(fortios_inbound_lock, **LOCK)
    assert result["failed"]
    assert "There is no virtual IP 'VIP-mail'" in result["msg"]
    assert "Every change was written." in result["msg"]
    assert "Nothing was changed" not in result["msg"]
    assert result["changed"]
    assert result["snapshot"]["name"] in result["msg"]
    assert "state" not in result


def test_what_cannot_be_known_and_another_virtual_ip_count_as_open(firewall: Firewall) -> None:
    config = firewall.device.configs["root"]
    firewall.done(fortios_inbound_lock, **LOCK)
    config.create(
        "firewall/address", {"name": "partner", "type": "fqdn", "fqdn": "mx.partner.example"}
    )
    policy(firewall, "Partner", srcaddr=refs("partner"))
    partner = firewall.done(fortios_inbound_lock, **LOCK, check=True)
    assert partner["strangers"]["before"] == [
        "FQDN 'partner' can reach port 25 of the virtual IP 'VIP-mail' by policy 4 'Partner'."
    ]
    assert partner["state"] == "open"
    firewall.done(fortios_inbound_lock, **LOCK)
    forward = {
        "extip": PUBLIC,
        "mappedip": [{"range": "10.20.1.11"}],
        "extintf": "wan1",
        "portforward": "enable",
    }
    config.create(
        "firewall/vip", {"name": "VIP-2525", "extport": "2525", "mappedport": "25", **forward}
    )
    policy(firewall, "Mail by another door", dstaddr=refs("VIP-2525"))
    other = firewall.done(fortios_inbound_lock, **LOCK)
    assert other["strangers"]["after"] == [
        (
            "Everybody else can reach the same server as port 25 of the virtual IP 'VIP-mail' "
            "through the virtual IP 'VIP-2525', by policy 5 'Mail by another door'."
        )
    ]
    assert other["state"] == "open"


def test_what_a_lock_leaves_open_is_open_in_drift_and_never_accepted(firewall: Firewall) -> None:
    """Inwards and outwards: the guard still_open alone, with nothing left to change."""
    config = firewall.device.configs["root"]
    config.update("firewall/policy", "1", {"service": refs("ALL"), "dstaddr": refs("all")})
    part = verdict.Part(verdict.MANAGED)
    entry = {"id": "*", "until": "9999-12-31", "reason": "They know."}
    accepted = acceptance.Acceptances("birke", [entry], datetime.date(2026, 1, 14))
    for lock, options, barrier in (
        (fortios_inbound_lock, LOCK, "birke-1-stop"),
        (fortios_outbound_lock, OUT, "birke-3-held"),
    ):
        assert firewall.done(lock, **options)["state"] == "in order"
        [key] = [
            number
            for number, row in config.all("firewall/policy").items()
            if row["name"] == barrier
        ]
        config.update("firewall/policy", str(key), {"groups": refs("staff")})
        told = firewall.done(lock, **options, check=True)
        assert [finding["id"] for finding in told["guards"]] == ["still_open"]
        assert (told["plan"], told["state"]) == ([], "open")
        assert told["strangers"]["before"]
        record = verdict.record(
            "fortigate", "fw", part, told, playbook="drift", acceptances=accepted
        )
        assert record is not None
        assert record.state == "open"
        assert record.stays_open
        config.update("firewall/policy", str(key), {"groups": []})
        assert firewall.done(lock, **options, check=True)["state"] == "in order"


def test_a_target_without_a_way_in_does_not_keep_the_others_open(firewall: Firewall) -> None:
    forward = {
        "extip": PUBLIC,
        "mappedip": [{"range": "10.20.1.11"}],
        "extintf": "wan1",
        "portforward": "enable",
    }
    config = firewall.device.configs["root"]
    config.create(
        "firewall/vip", {"name": "VIP-2525", "extport": "2525", "mappedport": "25", **forward}
    )
    made = firewall.done(fortios_inbound_lock, **{**LOCK, "vips": ["VIP-mail", "VIP-2525"]})
    assert (made["changed"], made["state"]) == (True, "in order")
    assert [(finding["id"], finding["severity"]) for finding in made["guards"]] == [
        ("no_way_in", "warn")
    ]
    failed = firewall.run(fortios_inbound_lock, **{**LOCK, "vips": ["VIP-2525"]})
    assert failed["failed"]
    assert "nothing to lock" in failed["msg"]
    assert "accept_risks" not in failed["msg"]
