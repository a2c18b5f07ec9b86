# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of the self-test that are about IIS and Windows Firewall."""

from __future__ import annotations

import ipaddress

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._selftest.check import (
    Check,
    Evidence,
    Result,
    Status,
    Told,
    answered,
    holds,
)

_OLD = ("Exchange 2007", "Exchange 2010")
# Every version since 2007 has these where its clients come to.
_ALWAYS = ("/Autodiscover", "/EWS", "/Microsoft-Server-ActiveSync", "/OAB", "/owa")
_IPV6_BITS = 128


class IisSectionsAreReadable(Check):
    """The sections of IIS that decide who reaches a path can be read by its administration objects,
    bound late, wherever something is set.

    Expected results:

    * Success: all of them were read.
    * Failure: one of them was not; the section and the number of the error are named.
    * Error: the objects cannot be made, or do not show the sites.
    * Skipped: no IIS is installed.

    Example: `iis_sections: success, 22 sections of IIS 10.0 were read.`
    """

    name = "iis_sections"
    needs = "iis"
    marked = "plugins/modules/iis_path_blocks.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        # Where URL Rewrite is not installed, nothing declares its sections.
        unread = [name for name in told["unread"] if told["url_rewrite"] or "/rewrite/" not in name]
        if told["unread_files"]:
            unread.append(f"{told['unread_files']} folders")
        if unread:
            return holds(False, f"not read: {', '.join(unread)}.")
        seen = f"{told['sections']} sections of IIS {told['version']} were read."
        return holds(told["sections"] > 0, seen)


class IisTellsLevelsOfRules(Check):
    """IIS tells of each rewrite rule at which level of the configuration it stands.

    Expected results:

    * Success: it tells it of every rule.
    * Failure: it does not, so that rules of others may be taken for inherited.
    * Skipped: there is no rule.

    Example: `iis_levels: success, 4 of 4 rules tell their level.`
    """

    name = "iis_levels"
    needs = "iis"
    marked = "plugins/modules/iis_path_blocks.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        rules, without = told["rules"], told["rules_without_level"]
        if not rules:
            return Result(Status.SKIPPED, "There is no rewrite rule.")
        return holds(not without, f"{rules - without} of {rules} rules tell their level.")


class ExchangePathsAreKnown(Check):
    """The virtual directories of Exchange have the names that they are blocked by.

    Expected results:

    * Success: those that every version has are there.
    * Failure: some are not; they are named. What has another name is not blocked.
    * Skipped: no virtual directory of Exchange is on an old server, whose clients come to another
      one, or the version is not known.

    Example: `iis_paths: success, 12 virtual directories of Exchange are there.`
    """

    name = "iis_paths"
    needs = "iis"
    marked = "plugins/module_utils/_iis/publish.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        there, version = told["directories"], evidence.version
        if not version:
            return Result(Status.SKIPPED, "The version of Exchange is not known.")
        if not there and version.startswith(_OLD):
            return Result(Status.SKIPPED, "No virtual directory of Exchange is on the server.")
        missing = [path for path in _ALWAYS if path not in there]
        if missing:
            return holds(False, f"not there: {', '.join(missing)}.")
        return holds(True, f"{len(there)} virtual directories of Exchange are there.")


class Ipv6MasksArePrefixLengths(Check):
    """In the IP lists of IIS the mask of an IPv6 address is the length of its prefix.

    Expected results:

    * Success: every mask of an IPv6 entry is one.
    * Failure: one of them is something else, so that such entries are read wrongly.
    * Skipped: no list has an IPv6 entry.

    Example: `iis_ipv6_masks: success, 2 of 2 masks are lengths of a prefix.`
    """

    name = "iis_ipv6_masks"
    needs = "iis"
    marked = "plugins/module_utils/_iis/ip_list.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        masks = told["ipv6_masks"]
        if not masks:
            return Result(Status.SKIPPED, "No IP list has an IPv6 entry.")
        lengths = [mask for mask in masks if mask.isdecimal() and int(mask) <= _IPV6_BITS]
        # The default is written for IPv4, and says nothing of IPv6.
        others = [mask for mask in masks if mask not in lengths and not _is_default(mask)]
        if not lengths and not others:
            return Result(Status.SKIPPED, "No IPv6 entry has a mask of its own.")
        return holds(
            not others,
            f"{len(lengths)} of {len(lengths) + len(others)} masks are lengths of a prefix.",
        )


def _is_default(mask: str) -> bool:
    try:
        return int(ipaddress.ip_address(mask or "255.255.255.255")) == 0xFFFFFFFF
    except ValueError:
        return False


class FirewallRulesAgree(Check):
    """Windows Firewall shows by COM the same local rules as the registry holds, and no others:
    those of group policy are not among them, and one word for ports stands for two.

    Expected results:

    * Success: each rule of COM has its text, and each text its rule.
    * Failure: some have none; they are counted. What only one of the two tells is uncertain.
    * Error: the registry told of no rule, or the firewall did not answer.

    Example: `firewall_rules: success, 143 rules are the same by COM and in the registry.`
    """

    name = "firewall_rules"
    needs = "windows_firewall"
    marked = "plugins/module_utils/_windows_firewall/state.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        if not told["has_texts"] or not told["rules"]:
            return Result(Status.ERROR, "The registry told of no local rule.")
        without, hidden = told["without_text"], told["not_shown"]
        if without or hidden:
            return holds(
                False,
                f"{without} of {told['rules']} rules have no text, and COM does not show {hidden}.",
            )
        return holds(True, f"{told['rules']} rules are the same by COM and in the registry.")


class FirewallTextsAreUnderstood(Check):
    """Every word of the texts in which the registry holds rules is known.

    Expected results:

    * Success: there is no other.
    * Failure: there is; the words are named. A rule with such a word counts as uncertain.
    * Error: there is no rule.

    Example: `firewall_texts: failure, not known: Magic.`
    """

    name = "firewall_texts"
    needs = "windows_firewall"
    marked = "plugins/module_utils/_windows_firewall/texts.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        count, words = told["rules"] + told["policy_rules"], told["not_understood"]
        if not count:
            return Result(Status.ERROR, "There is no rule.")
        if words:
            return holds(False, f"not known: {', '.join(words)}.")
        return holds(True, f"{count} rules have known words alone.")


class IntuneRulesAreInTheirStore(Check):
    """Rules of Intune stand where they are looked for, beside those of group policy.

    Expected results:

    * Success: there are rules in that place, and they count as those of a policy.
    * Failure: there are texts in that place, and none of them is a rule for what comes in.
    * Skipped: nothing stands there, as on servers that Intune does not manage.

    Example: `firewall_intune: success, 7 rules of Intune were read.`
    """

    name = "firewall_intune"
    needs = "windows_firewall"
    marked = "plugins/plugin_utils/agent_firewall.ps1"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        count = told["mdm_rules"]
        if not count:
            return Result(Status.SKIPPED, "No rule of Intune is there.")
        return holds(told["policy_rules"] > 0, f"{count} rules of Intune were read.")


class ExchangeOpensPort25(Check):
    """Set-up of Exchange makes rules for its own programs, and one of them is for port 25.

    Expected results:

    * Success: at least one of its rules is for port 25.
    * Failure: none is, so that the rules that let mail in have other names than is thought.
    * Skipped: Exchange 2007, whose set-up makes no rules.

    Example: `firewall_exchange_rules: success, 3 of 21 rules of Exchange are for port 25.`
    """

    name = "firewall_exchange_rules"
    needs = "windows_firewall"
    marked = "tests/lab/windows/firewall/rules.py"

    def judge(self, told: Told, evidence: Evidence) -> Result:
        if evidence.version.startswith("Exchange 2007"):
            return Result(Status.SKIPPED, "Set-up of Exchange 2007 makes no rules.")
        count, of_25 = told["exchange_rules"], told["exchange_rules_for_25"]
        return holds(of_25 > 0, f"{of_25} of {count} rules of Exchange are for port 25.")


OF_WINDOWS: tuple[type[Check], ...] = (
    IisSectionsAreReadable,
    IisTellsLevelsOfRules,
    ExchangePathsAreKnown,
    Ipv6MasksArePrefixLengths,
    FirewallRulesAgree,
    FirewallTextsAreUnderstood,
    IntuneRulesAreInTheirStore,
    ExchangeOpensPort25,
)


def parts_of(reading: Told) -> tuple[Told, Told]:
    """What a reading has of IIS and of Windows Firewall: the whole answer of one that failed, and
    never nothing for one that was asked.
    """
    if not answered(reading):
        return reading, reading
    return (
        reading.get("iis") or {"failed": True},
        reading.get("windows_firewall") or {"failed": True},
    )
