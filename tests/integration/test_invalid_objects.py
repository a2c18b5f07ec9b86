# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connector that Exchange calls invalid: whether it takes a change or not, no lock is left half
made.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.tests.integration.in_process import (
    BOTH,
    COLLEAGUE,
    PROVIDER,
    STRANGER,
    Wire,
    do,
)
from ansible_collections.mailedge.lockdown.tests.lab.exchange import defaults
from ansible_collections.mailedge.lockdown.tests.lab.exchange.host import ExchangeHost
from ansible_collections.mailedge.lockdown.tests.support.reading import read

WIDE = {
    "Bindings": ["192.0.2.25:25"],
    "RemoteIPRanges": ["0.0.0.0-255.255.255.255"],
    "TransportRole": "FrontendTransport",
}
HERE, ELSEWHERE = "192.0.2.25", "192.0.2.26"


def site(edition: str, folder: pathlib.Path, invalid: str) -> ExchangeHost:
    """A server with two wide connectors, of which the one or the other is invalid."""
    host = defaults.site(edition, folder=folder, addresses=(HERE, ELSEWHERE, "2001:db8::25"))
    defaults.add_receive(host, "A second door", {**WIDE, "PermissionGroups": "AnonymousUsers"})
    for connector in host.directory.view(""):
        connector.valid = invalid not in connector.name
    return host


def doors(host: ExchangeHost) -> list[bool]:
    return [
        host.admission(sender, local).submit
        for sender in (STRANGER, COLLEAGUE, PROVIDER)
        for local in (HERE, ELSEWHERE)
    ]


@pytest.mark.parametrize("invalid", ["Default", "second door", "Internet"])
@pytest.mark.parametrize("edition", ["2010", "2019", "se"])
def test_the_lock_is_made_or_nothing_is_closed(
    edition: str, invalid: str, tmp_path: pathlib.Path
) -> None:
    host = site(edition, tmp_path, invalid)
    before, start = doors(host), read(host).receive
    assert before == [True] * 6
    host.directory.refuses_invalid = True
    wire = Wire(host)

    checked = do(wire, BOTH, check=True)
    assert any("invalid" in text and "IsValid: False" in text for text in checked["warnings"])
    stopped = do(wire, BOTH)

    assert stopped["failed"]
    assert "has been corrupted" in stopped["msg"]
    if invalid == "Internet":
        # The way out comes after the way in, which is whole by then.
        assert doors(host) == [False] * 2 + [True] * 4
    else:
        assert doors(host) == before
        changed = {
            name for name, connector in read(host).receive.items() if connector != start.get(name)
        }
        assert changed <= {"mail from filter", "mail from filter (own networks)"}, changed
    assert "Create the receive connector 'Mail from filter'" in " ".join(stopped["done"])

    host.directory.refuses_invalid = False
    done = do(wire, BOTH)
    assert not done.get("failed"), done["msg"]
    assert doors(host) == [False] * 2 + [True] * 4
    again = do(wire, BOTH)
    assert (again["changed"], again["state"]) == (False, "in order")
    assert not any("IsValid" in text for text in again.get("warnings", []))
    given_back: dict[str, t.Any] = do(wire, {"snapshot": "original"})
    assert not given_back.get("failed"), given_back["msg"]
    assert read(host).receive == start
