# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state that is read, and the guards about it, on a firewall of the lab."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import Desired
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import Finding
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall import (
    guards,
    recipe,
    tables,
    words,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.recipe import Site
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.state import (
    State,
    read_state,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall import (
    operations,
    rules,
    store,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.packets import Packet, admits
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.store import (
    ALLOW,
    BLOCK,
    Firewall,
    Rule,
)
from ansible_collections.mailedge.lockdown.tests.support.random_windows_firewalls import host_of

PROVIDER = RangeSet.parse(["198.51.100.0/24"])
OWN = RangeSet.parse(["10.20.0.0/16"])
NONE = RangeSet()


def site(**more: t.Any) -> Site:
    return Site(
        **{
            "ports": (25,),
            "remote": PROVIDER,
            "own_networks": OWN,
            "exchange_servers": NONE,
            "domain_controllers": NONE,
            **more,
        }
    )


@pytest.fixture
def firewall() -> Firewall:
    made = Firewall()
    rules.install(made, "E2016")
    return made


def state_of(firewall: Firewall) -> State:
    return read_state(
        {"name": "EX1"}, operations.read(host_of(firewall), {"id": "x"}), firewall.lines
    )


def judged(
    firewall: Firewall, wished: Site | None = None, came_by: int = 5986
) -> dict[str, Finding]:
    before = state_of(firewall)
    wished = wished or site()
    changes = tables.TABLES.plan(before, recipe.lock(before, wished))
    after = tables.TABLES.apply_all(changes, before)
    return {
        finding.id: finding for finding in guards.findings(before, after, wished, changes, came_by)
    }


def stops(firewall: Firewall, wished: Site | None = None, came_by: int = 5986) -> set[str]:
    return {
        name
        for name, finding in judged(firewall, wished, came_by).items()
        if finding.severity == "stop"
    }


def extra(firewall: Firewall, **more: t.Any) -> Rule:
    given = {"name": "Extra", "ports": [(25, 25)], "enabled": True, "action": ALLOW, **more}
    return firewall.add(Rule(**given))


def test_a_server_as_it_is_set_up_is_locked_without_a_stop(firewall: Firewall) -> None:
    assert stops(firewall) == set()
    assert set(judged(firewall)) == {"unnamed_private_shut_out"}


def test_every_guard_has_a_sentence_of_its_own() -> None:
    assert all(sentence.endswith(".") for sentence in guards.GUARDS.values())
    assert len(set(guards.GUARDS.values())) == len(guards.GUARDS)


def test_who_has_not_said_which_servers_there_are_is_asked(firewall: Firewall) -> None:
    asked = stops(firewall, site(exchange_servers=None, domain_controllers=None))
    assert asked == {"exchange_servers_unnamed", "domain_controllers_unnamed"}


def test_without_own_networks_private_senders_are_not_shut_out_unasked(firewall: Firewall) -> None:
    assert stops(firewall, site(own_networks=NONE)) == {"own_networks_shut_out"}


def test_a_profile_that_is_off_or_lets_everybody_in_is_told(firewall: Firewall) -> None:
    firewall.settings[store.DOMAIN].enabled = False
    firewall.settings[store.PUBLIC].enabled = False
    findings = judged(firewall)
    assert findings["firewall_off"].severity == "stop"
    assert findings["inactive_profile_open"].severity == "warn"
    state = state_of(firewall)
    assert words.stranger_sentences(state, (25,), site().named) == [
        "Everybody can reach port 25: Windows Firewall is off in the domain profile."
    ]
    # Group policy wins, both ways.
    firewall.policy[store.DOMAIN]["EnableFirewall"] = 1
    assert "firewall_off" not in judged(firewall)
    firewall.policy[store.DOMAIN]["DefaultInboundAction"] = 0
    assert "everything_let_in" in stops(firewall)


def test_an_interface_that_is_left_out_is_open(firewall: Firewall) -> None:
    firewall.settings[store.DOMAIN].excluded = ["Backup"]
    assert "interface_excluded" in stops(firewall)


def test_a_profile_that_blocks_everything_lets_nobody_in(firewall: Firewall) -> None:
    firewall.settings[store.DOMAIN].blocks_all = True
    assert "everything_blocked" in judged(firewall)
    assert words.stranger_sentences(state_of(firewall), (25,), site().named) == []
    firewall.policy[store.DOMAIN]["DoNotAllowExceptions"] = 0
    assert "everything_blocked" not in judged(firewall)


def test_a_rule_of_group_policy_wins(firewall: Firewall) -> None:
    firewall.policy_rules.append(
        Rule(name="Mail for all", ports=[(25, 25)], enabled=True, action=ALLOW)
    )
    findings = judged(firewall)
    assert findings["policy_rule"].severity == "stop"
    assert "'Mail for all' of group policy" in findings["policy_rule"].sentence
    # A block rule of group policy wins over it.
    firewall.policy_rules.append(Rule(name="No mail", ports=[(25, 25)], enabled=True, action=BLOCK))
    assert words.stranger_sentences(state_of(firewall), (25,), site().named) == []


def test_where_local_rules_are_ignored_nothing_is_changed(firewall: Firewall) -> None:
    firewall.policy[store.DOMAIN]["AllowLocalPolicyMerge"] = 0
    finding = judged(firewall)["local_rules_ignored"]
    assert finding.final
    assert "AllowLocalPolicyMerge" in finding.sentence
    firewall.current = store.DOMAIN | store.PUBLIC
    assert not judged(firewall)["local_rules_ignored"].final
    firewall.policy[store.DOMAIN].clear()
    firewall.modify_state = 1
    assert stops(firewall) == {"local_rules_ignored"}


def test_a_rule_whose_addresses_do_not_count_is_disabled(firewall: Firewall) -> None:
    rule = extra(firewall, remote=[(4, 0xC6336400, 0xC63364FF)], tokens=(store.IGNORES_ADDRESSES,))
    desired = {wish.key: wish.options for wish in recipe.lock(state_of(firewall), site())}
    assert desired[f"Extra [{rule.id}]"] == {"enabled": False}


def test_a_rule_that_is_narrow_enough_is_left_alone(firewall: Firewall) -> None:
    rule = extra(firewall, remote=[(4, 0x0A140005, 0x0A140005)])
    assert f"Extra [{rule.id}]" not in {
        wish.key for wish in recipe.lock(state_of(firewall), site())
    }


def test_the_registry_tells_of_a_rule_that_com_does_not_show(
    firewall: Firewall, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = Rule(name="Hidden", ports=[(25, 25)], enabled=True, action=ALLOW, id="{hidden}")
    texts = firewall.key

    def key(path: str) -> dict[str, t.Any] | None:
        values = texts(path)
        if values is not None and path.casefold() == store.LOCAL_KEY.casefold():
            values["{hidden}"] = hidden.text()
        return values

    monkeypatch.setattr(firewall, "key", key)
    finding = judged(firewall)["uncertain_rule"]
    assert "'Hidden'" in finding.sentence
    assert "COM does not show it" in finding.sentence
    assert "uncertain_rule" in guards.UNREAD


def test_without_texts_nothing_is_certain(firewall: Firewall) -> None:
    firewall.texts_readable = False
    assert "uncertain_rule" in judged(firewall)


def test_a_rule_for_ipsec_is_told_and_left(firewall: Firewall) -> None:
    rule = extra(firewall, secure=1)
    assert judged(firewall)["ipsec_rule"].severity == "warn"
    assert f"Extra [{rule.id}]" not in {
        wish.key for wish in recipe.lock(state_of(firewall), site())
    }


def test_who_manages_the_server_is_not_shut_out(firewall: Firewall) -> None:
    wished = site(ports=(25, 5986))
    assert "management_shut_out" in stops(firewall, wished)
    firewall.lines = [
        "  TCP    10.20.1.11:5986    10.20.0.5:50123    HERGESTELLT",
        "  TCP  0.0.0.0:5986  0.0.0.0:0  ABHOEREN",
    ]
    assert "management_shut_out" not in stops(firewall, wished)
    firewall.lines.append("  TCP    10.20.1.11:5986    203.0.113.77:50124    ESTABLISHED")
    finding = judged(firewall, wished)["management_shut_out"]
    assert finding.sentence.startswith("203.0.113.77 is connected to port 5986")
    # Also at a port that is not the one that this task came by.
    firewall.lines = ["  TCP    10.20.1.11:5985    203.0.113.77:50124    ESTABLISHED"]
    assert "management_shut_out" in stops(firewall, site(ports=(25, 5985)))
    assert "management_shut_out" not in stops(firewall)


def test_other_ports_of_a_rule_are_told(firewall: Firewall) -> None:
    assert "other_ports_shut_out" in stops(firewall, site(other_ports="narrow"))
    extra(firewall, protocol=store.ANY_PROTOCOL, ports=None)
    finding = judged(firewall)["other_ports_shut_out"]
    assert "all other ports and protocols" in finding.sentence


def test_a_port_that_nobody_opened_stays_shut(firewall: Firewall) -> None:
    wished = site(ports=(99,), other_ports="keep")
    for rule in list(firewall.rules):
        if rule.ports is None:
            firewall.rules.remove(rule)
    findings = judged(firewall, wished)
    assert findings["unreached"].severity == "warn"
    assert recipe.lock(state_of(firewall), wished) == []


def test_twins_are_told_apart_by_what_they_show_and_keep_their_ids(firewall: Firewall) -> None:
    for _each in range(3):
        extra(firewall, name="Twin", remote=["*"])
    extra(firewall, name="Twin", remote=[(4, 0x0A140005, 0x0A140005)])
    held = [
        held_rule
        for held_rule in state_of(firewall).rules.values()
        if held_rule.rule.name == "Twin"
    ]
    assert len({held_rule.key for held_rule in held}) == 4
    assert sorted(held_rule.number for held_rule in held) == [0, 0, 1, 2]


def test_a_rule_whose_name_is_a_reference_is_found_by_its_content(firewall: Firewall) -> None:
    keys = [key for key in state_of(firewall).rules if "without text" in key]
    assert keys == []
    firewall.named("Remotedesktop (TCP eingehend)").reference = "something else"
    assert any("without text" in key for key in state_of(firewall).rules)


def test_a_rule_that_the_server_has_no_more_is_told_by_its_name() -> None:
    with pytest.raises(PlanError, match="There is no firewall rule 'Gone"):
        tables.TABLES.plan(
            state_of(Firewall()), [Desired("rules", "Gone [{1}]", {"enabled": True})]
        )


def test_a_rule_for_a_program_that_does_not_listen_there_is_left_alone(firewall: Firewall) -> None:
    rule = extra(firewall, protocol=store.ANY_PROTOCOL, ports=None, program="C:\\Backup\\Agent.exe")
    assert "other_ports_shut_out" in stops(firewall)
    wished = site(ignore_programs=frozenset({"agent.exe"}))
    before = recipe.ignoring(state_of(firewall), wished)
    assert f"Extra [{rule.id}]" not in {wish.key for wish in recipe.lock(before, wished)}


def test_a_rule_for_a_keyword_of_ports_keeps_443_uncertain(firewall: Firewall) -> None:
    findings = judged(firewall, site(ports=(443,)))
    assert "IPHTTPS may stand for that port" in findings["uncertain_rule"].sentence


@pytest.mark.parametrize(
    ("key", "values", "profile"),
    [
        ("StandardProfile", {"EnableFirewall": 0}, store.PUBLIC),
        ("DomainProfile\\GloballyOpenPorts\\List", {"x": "25:TCP:*:enabled:SMTP"}, store.DOMAIN),
        (
            "StandardProfile\\GloballyOpenPorts\\List",
            {"x": "25:TCP:203.0.113.0/24:enabled:SMTP"},
            store.PRIVATE,
        ),
        (
            "DomainProfile\\AuthorizedApplications\\List",
            {"x": "C:\\Exchange\\MSExchangeFrontendTransport.exe:*:enabled:Mail"},
            store.DOMAIN,
        ),
    ],
)
def test_policies_in_the_way_of_windows_xp_are_never_called_in_order(
    firewall: Firewall, key: str, values: dict[str, t.Any], profile: int
) -> None:
    firewall.current = profile
    firewall.old_policy[key] = values
    listener = "MSExchangeFrontendTransport.exe"
    packet = Packet("203.0.113.9", 25, profile=profile, listener=listener)
    assert firewall.rules
    firewall.rules.clear()
    assert admits(firewall, packet), "the lab heeds it"
    (finding,) = [finding for name, finding in judged(firewall).items() if name == "policy_unread"]
    assert finding.severity == "warn"
    assert "in the way of Windows XP" in finding.sentence


@pytest.mark.parametrize(
    ("key", "values", "profile"),
    [
        ("StandardProfile", {"EnableFirewall": 0}, store.DOMAIN),
        ("StandardProfile", {"EnableFirewall": 1, "DoNotAllowExceptions": 1}, store.PUBLIC),
        ("DomainProfile\\GloballyOpenPorts\\List", {"x": "25:TCP:*:disabled:S"}, store.DOMAIN),
        ("DomainProfile\\GloballyOpenPorts\\List", {"x": "80:TCP:*:enabled:S"}, store.DOMAIN),
        ("DomainProfile\\GloballyOpenPorts\\List", {"x": "25:UDP:*:enabled:S"}, store.DOMAIN),
        (
            "DomainProfile\\GloballyOpenPorts\\List",
            {"x": "25:TCP:10.20.0.0/16:enabled:S"},
            store.DOMAIN,
        ),
        (
            "DomainProfile\\AuthorizedApplications\\List",
            {"x": "C:\\Backup\\backup-agent.exe:*:enabled:Backup"},
            store.DOMAIN,
        ),
    ],
)
def test_what_such_a_policy_says_of_others_is_no_doubt(
    firewall: Firewall, key: str, values: dict[str, t.Any], profile: int
) -> None:
    firewall.current = profile
    firewall.old_policy[key] = values
    wished = site(ignore_programs=frozenset({"backup-agent.exe"}))
    assert "policy_unread" not in judged(firewall, wished)


def test_an_exception_that_is_not_understood_may_be_any(firewall: Firewall) -> None:
    firewall.old_policy["DomainProfile\\GloballyOpenPorts\\List"] = {"x": "smtp, whoever asks"}
    assert "'smtp, whoever asks'" in judged(firewall)["policy_unread"].sentence


def test_what_policy_does_to_a_change_is_unknown_where_it_cannot_be_read(
    firewall: Firewall,
) -> None:
    firewall.refused_properties.add("LocalPolicyModifyState")
    assert "could not be read" in judged(firewall)["policy_unread"].sentence
    # All profiles are judged where nobody tells which one counts.
    firewall.refused_properties.add("CurrentProfileTypes")
    assert state_of(firewall).current == (1, 2, 4)


def test_a_port_that_the_internet_uses_is_not_taken_from_it(firewall: Firewall) -> None:
    extra(firewall, name="HTTPS", ports=[(443, 443)])
    closing = site(ports=(25, 443), in_use=frozenset({443}))
    assert "client_access_shut_out" in stops(firewall, closing)
    assert "client_access_shut_out" not in stops(firewall, site(ports=(25, 443)))
    assert "client_access_shut_out" not in stops(firewall, site(in_use=frozenset({443})))
