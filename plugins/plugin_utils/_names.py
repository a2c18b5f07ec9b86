# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What DNS said of a site, in the report of a run."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._dns import identity
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.control import Sought
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.verdict import Record
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.result import (
    OPEN,
    UNKNOWN,
)

Plain = t.Mapping[str, t.Any]
_GOOD = "ok"
_NAME = "name_unknown"


def told_of_dns(result: Plain | None, looks: t.Sequence[Sought]) -> Plain | None:
    """The result of mail_edge_names with what is to be told, and with what the looks add to it."""
    if not result or not result.get("findings"):
        return result
    accepted = {each["id"] for each in result["findings"] if each["accepted"]}
    seen = [address for look in looks for address in look.result.get("addresses") or ()]
    added = identity.findings(result.get("pointers") or {}, seen)
    findings = [*result["findings"], *(each.as_dict(accepted) for each in added)]
    return {**result, "findings": [each for each in findings if each["severity"] != _GOOD]}


def with_unknown_names(seen: Record, result: Plain | None) -> Record:
    """The record of the looks: where a name leads that DNS does not tell, nobody has looked."""
    told = (result or {}).get("findings") or ()
    unknown = [
        str(each["sentence"]) for each in told if each["id"] == _NAME and not each["accepted"]
    ]
    if not unknown:
        return seen
    state = seen.state if seen.state == OPEN else UNKNOWN
    return dataclasses.replace(seen, state=state, findings=(*seen.findings, *unknown))
