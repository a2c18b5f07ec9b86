# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of the self-test, each of an assumption that no document confirms."""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.check import (
    Check,
    Evidence,
    Result,
    Status,
    Told,
    holds,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.of_tenants import (
    OF_TENANTS,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.of_windows import (
    OF_WINDOWS,
)


class AcceptedDomainsAreReadable(Check):
    """An account that may read connectors may read accepted domains.

    Expected results:

    * Success: they were read.
    * Failure: the role of the account does not have C(Get-AcceptedDomain).

    Example: `accepted_domains: success, 3 domains were read.`
    """

    name = "accepted_domains"
    needs = "mail_flow"
    marked = "plugins/module_utils/_exchange/accepted.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        domains = told.get("accepted_domains")
        if domains is None:
            return holds(False, "The server did not tell them to this account.")
        return holds(True, f"{len(domains)} domains were read.")


class ConnectorValuesAreUnderstood(Check):
    """What a receive connector hears and where it listens arrives in a form that the collection
    knows, also in the language of the server.

    Expected results:

    * Success: each has addresses that it hears, and bindings.
    * Failure: one of them has none.
    * Error: the connectors could not be read, or a value of them was not understood.

    Example: `connector_values: success, 5 receive connectors hear somebody.`
    """

    name = "connector_values"
    needs = "mail_flow"
    marked = "plugins/module_utils/_resource/kinds.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        rows = told["receive_connectors"]
        strange = [
            row for row in rows if not row.get("remote_ip_ranges") or not row.get("bindings")
        ]
        if not rows:
            return Result(Status.SKIPPED, "The server has no receive connector.")
        if strange:
            return holds(False, f"{len(strange)} of {len(rows)} receive connectors hear nobody.")
        return holds(True, f"{len(rows)} receive connectors hear somebody.")


class DefaultConnectorsListenOnPort25(Check):
    """Set-up leaves a connector in service that listens on port 25, whatever it is called.

    Expected results:

    * Success: at least one connector in service listens on port 25.
    * Failure: none does, so that the collection may look at the wrong port.
    * Skipped: an Edge server or one without receive connectors.

    Example: `port_25: success, 1 connector listens on port 25.`
    """

    name = "port_25"
    needs = "mail_flow"
    marked = "plugins/module_utils/_exchange/builtin_connectors.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        rows = [row for row in told["receive_connectors"] if row.get("enabled", True)]
        if not rows:
            return Result(Status.SKIPPED, "No receive connector is in service.")
        listening = [
            row for row in rows if any(str(text).endswith(":25") for text in row["bindings"])
        ]
        return holds(bool(listening), f"{len(listening)} connectors listen on port 25.")


class ProtocolLogIsWhereItIsLookedFor(Check):
    """The protocol log of receive connectors lies where this version of Exchange is taken to keep
    it. For Exchange 2007 the place is unverified.

    Expected results:

    * Success: files of it were read.
    * Failure: connectors are to log, and no file is there.
    * Skipped: every connector in service has its log turned off.

    Example: `protocol_log_folder: success, 336 files and 220418 lines were read.`
    """

    name = "protocol_log_folder"
    needs = "senders"
    marked = "plugins/module_utils/_exchange/mail_logs.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        log = next((each for each in told["logs"] if each["name"] == "protocol log"), None)
        if log and log["files"]:
            return holds(True, f"{log['files']} files and {log['lines']} lines were read.")
        rows = list(evidence.mail_flow.get("receive_connectors") or ())
        logging = [
            row
            for row in rows
            if row.get("enabled", True)
            and str(row.get("protocol_logging_level", "None")).lower() == "verbose"
        ]
        if rows and not logging:
            return Result(Status.SKIPPED, "No connector in service keeps a protocol log.")
        return holds(False, f"{len(logging)} connectors keep a protocol log, and none was read.")


class MessagesAreSeenInTheProtocolLog(Check):
    """The reply that ends a message in the protocol log begins as it is taken to.

    Expected results:

    * Success: messages were counted.
    * Failure: many lines were read, and no message was recognized in them.
    * Skipped: there was no log, or too little of it.

    Example: `protocol_log_messages: success, 1825 messages in 220418 lines.`
    """

    name = "protocol_log_messages"
    needs = "senders"
    marked = "plugins/module_utils/_exchange/mail_logs.py"
    enough = 500

    def judge(self, told: Told, evidence: Evidence) -> Result:
        log = next((each for each in told["logs"] if each["name"] == "protocol log"), None)
        if not log or log["lines"] < self.enough:
            return Result(Status.SKIPPED, f"Fewer than {self.enough} lines were there.")
        seen = f"{log['messages']} messages in {log['lines']} lines."
        return holds(log["messages"] > 0, seen)


class CertificatesArriveWithTheirNames(Check):
    """The certificates that Exchange knows arrive from its shell with names that can be read.

    Expected results:

    * Success: at least one name is from a certificate.
    * Failure: Exchange was asked, and no certificate told a name.

    Example: `certificate_names: success, 4 names are from certificates.`
    """

    name = "certificate_names"
    needs = "names"
    marked = "plugins/modules/exchange_names_info.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        names = [
            name
            for name in told["names"]
            if any("certificate" in str(source).lower() for source in name["from"])
        ]
        names += told.get("wildcards") or ()
        return holds(bool(names), f"{len(names)} names are from certificates.")


class NamesAreReadWhole(Check):
    """What a server can be reached by is told by cmdlets that this version and role have, under the
    names by which they are called.

    Expected results:

    * Success: all that was asked for was told.
    * Failure: something was not; the run says what, and why.

    Example: `names_whole: success, all was told of 7 names.`
    """

    name = "names_whole"
    needs = "names"
    marked = "plugins/module_utils/_exchange/server_names.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        missing = len(told["not_read"])
        if missing:
            return holds(False, f"{missing} answers are missing.")
        return holds(True, f"all was told of {len(told['names'])} names.")


class PostureIsReadable(Check):
    """What the posture of a server is judged by can be read with the rights of the account, on this
    Windows.

    Expected results:

    * Success: nothing was unknown.
    * Failure: something was; its ids are named.

    Example: `posture: failure, unknown: pending_restart.`
    """

    name = "posture"
    needs = "posture"
    marked = "plugins/module_utils/_windows/reading.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        unknown = sorted(
            {str(each["id"]) for each in told["findings"] if each["severity"] == "unknown"}
        )
        return holds(not unknown, f"unknown: {', '.join(unknown) or 'nothing'}.")


class DeviceAgreesWithTheModel(Check):
    """The FortiGate's own policy lookup says of a source what the collection's model says, where
    the model is certain.

    Expected results:

    * Success: they agree on every source that both told of.
    * Failure: they do not, which means that the model is wrong about this device.
    * Error: no source got an answer. The device is asked where C(mailedge_fortigate_interfaces) is
      set, too.
    * Skipped: C(mailedge_selftest_sources) names nobody, or the model is certain of nobody.

    Example: `device_agrees: success, 4 of 4 answers agree.`
    """

    name = "device_agrees"
    needs = "firewall"
    marked = "plugins/module_utils/_fortios/model.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        sources = told.get("sources") or ()
        told_of = [source for source in sources if source.get("device_passes") is not None]
        both = [source for source in told_of if source.get("certain")]
        if not sources:
            return Result(Status.SKIPPED, "The device was not asked about any source.")
        if not told_of:
            return Result(Status.ERROR, "The device told of no source what it would meet.")
        if not both:
            return Result(Status.SKIPPED, "The model is not certain about any source.")
        agree = [source for source in both if source["passes"] == source["device_passes"]]
        return holds(len(agree) == len(both), f"{len(agree)} of {len(both)} answers agree.")


class PoliciesAreCounted(Check):
    """The device tells how often a policy was hit, and when.

    Expected results:

    * Success: it tells it of at least one policy for the port.
    * Failure: it tells it of none, though there are policies.
    * Skipped: no policy is for the port.

    Example: `policy_counters: success, 2 of 3 policies are counted.`
    """

    name = "policy_counters"
    needs = "firewall"
    marked = "plugins/module_utils/_fortios/usage.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        policies = told["policies"]
        if not policies:
            return Result(Status.SKIPPED, "No policy is for the port.")
        counted = [policy for policy in policies if policy["hit_count"] is not None]
        return holds(bool(counted), f"{len(counted)} of {len(policies)} policies are counted.")


class DeviceTellsWhereTheServerIs(Check):
    """The device tells, by its monitors of routes, behind which interface a server is.

    Expected results:

    * Success: it told it of each server that it was asked about.
    * Failure: it did not, or in another form, so that more policies count than need to. The API
      user may lack the right to read network settings (netgrp).
    * Skipped: it was not asked, because the policies leave nothing open.

    Example: `firewall_routes: success, the way to 1 of 1 servers was told.`
    """

    name = "firewall_routes"
    needs = "firewall"
    marked = "plugins/module_utils/_fortios/routes.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        ways = [target["way"] for target in told["targets"]]
        asked = [way for way in ways if way != "not asked"]
        if not asked:
            return Result(Status.SKIPPED, "The device was not asked about any way.")
        count = asked.count("told")
        return holds(count == len(asked), f"the way to {count} of {len(asked)} servers was told.")


class CentralNatHasNoMatchVip(Check):
    """With central NAT a policy has no field that says how virtual IPs are matched.

    Expected results:

    * Success: no policy has it.
    * Failure: some have it, and the collection takes it out of those that it writes.
    * Skipped: the device has no central NAT, or does not tell.

    Example: `firewall_central_nat: success, 0 policies have match-vip.`
    """

    name = "firewall_central_nat"
    needs = "firewall"
    marked = "plugins/module_utils/_fortios/modes.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        if not told["device"].get("central_nat"):
            return Result(Status.SKIPPED, "The device has no central NAT.")
        count = told["policies_with_match_vip"]
        return holds(count == 0, f"{count} policies have match-vip.")


CHECKS: tuple[type[Check], ...] = (
    AcceptedDomainsAreReadable,
    ConnectorValuesAreUnderstood,
    DefaultConnectorsListenOnPort25,
    ProtocolLogIsWhereItIsLookedFor,
    MessagesAreSeenInTheProtocolLog,
    CertificatesArriveWithTheirNames,
    NamesAreReadWhole,
    PostureIsReadable,
    DeviceAgreesWithTheModel,
    PoliciesAreCounted,
    DeviceTellsWhereTheServerIs,
    CentralNatHasNoMatchVip,
    *OF_WINDOWS,
    *OF_TENANTS,
)


def run_all(evidence: Evidence) -> dict[str, dict[str, t.Any]]:
    """Name → {status, seen}, of every check."""
    results = {check.name: check().run(evidence) for check in CHECKS}
    return {
        name: {"status": result.status.value, "seen": result.seen}
        for name, result in results.items()
    }
