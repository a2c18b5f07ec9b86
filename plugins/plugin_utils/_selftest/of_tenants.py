# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of the self-test that are about Exchange Online."""

from __future__ import annotations

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.check import (
    Check,
    Evidence,
    Result,
    Status,
    Told,
    holds,
)

_NEVER_RAN = "docs/docsite/rst/unverified.rst"


class TenantIsReadWhole(Check):
    """Exchange Online answers each question of a read by all objects at once, to an app that may
    only read.

    Expected results:

    * Success: all questions were answered, none with a warning.
    * Failure: some were not, or may be cut; the cmdlets are named.

    Example: `tenant_whole: success, 6 cmdlets gave 9 objects.`
    """

    name = "tenant_whole"
    needs = "tenant"
    marked = _NEVER_RAN

    def judge(self, told: Told, evidence: Evidence) -> Result:
        objects = told["reading"]["objects"]
        strange = [*told["reading"]["unanswered"], *sorted(told["reading"]["warnings"])]
        if strange:
            return holds(False, f"not whole: {', '.join(strange)}.")
        return holds(bool(objects), f"{len(objects)} cmdlets gave {sum(objects.values())} objects.")


class TenantTellsDirectSend(Check):
    """The organization tells whether RejectDirectSend is set.

    Expected results:

    * Success: it tells it as true or false.
    * Failure: it does not, which counts as not set.

    Example: `tenant_direct_send: success, RejectDirectSend is told.`
    """

    name = "tenant_direct_send"
    needs = "tenant"
    marked = _NEVER_RAN

    def judge(self, told: Told, evidence: Evidence) -> Result:
        is_told = told["reading"]["direct_send_told"]
        return holds(is_told, f"RejectDirectSend is {'' if is_told else 'not '}told.")


class TenantTellsWhenItWasChanged(Check):
    """Connectors, rules and the organization's settings tell when they were changed last.

    Expected results:

    * Success: all of them do.
    * Failure: some do not; the cmdlets are named. A change of these is not waited for.

    Example: `tenant_changes: failure, no time: Get-OrganizationConfig.`
    """

    name = "tenant_changes"
    needs = "tenant"
    marked = "plugins/module_utils/_exchange_online/state.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        timed, objects = told["reading"]["timed"], told["reading"]["objects"]
        without = [name for name, count in timed.items() if count < objects[name]]
        count = sum(timed.values())
        if without:
            return holds(False, f"no time: {', '.join(sorted(without))}.")
        return holds(count > 0, f"{count} objects tell when they were changed.")


class TenantRulesTellTheirConditions(Check):
    """Each transport rule tells its conditions in a list.

    Expected results:

    * Success: every rule does.
    * Failure: one does not, and counts as one with a condition that nobody knows.
    * Skipped: the tenant has no rule.

    Example: `tenant_rules: success, 3 of 3 rules tell their conditions.`
    """

    name = "tenant_rules"
    needs = "tenant"
    marked = _NEVER_RAN

    def judge(self, told: Told, evidence: Evidence) -> Result:
        count = told["reading"]["objects"]["Get-TransportRule"]
        without = told["reading"]["rules_without_conditions"]
        if not count:
            return Result(Status.SKIPPED, "The tenant has no transport rule.")
        return holds(not without, f"{count - without} of {count} rules tell their conditions.")


OF_TENANTS: tuple[type[Check], ...] = (
    TenantIsReadWhole,
    TenantTellsDirectSend,
    TenantTellsWhenItWasChanged,
    TenantRulesTellTheirConditions,
)
