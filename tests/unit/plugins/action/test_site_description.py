# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of a site: what is refused, what is converted, what follows from it, and who does
what.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import argspec
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.convert import (
    convert,
    is_unset,
    split,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.options import (
    options,
    unknown,
)
from ansible_collections.mailedge.lockdown.tests.support.described import (
    SITE,
    WHOLE,
    described,
    parts,
)


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("mailedge_own_network", "mailedge_own_networks"),
        ("mailedge_fortigate_hosts", "mailedge_fortigate_host"),
        ("mailedge_probe_target", "mailedge_probe_targets"),
    ],
)
def test_a_misspelt_variable_is_refused_and_the_nearest_is_named(misspelt: str, meant: str) -> None:
    errors = described({**SITE, misspelt: ["10.0.0.0/8"]}).errors
    assert errors == [f"No role knows the variable {misspelt}. Is {meant} meant?"]


def test_a_variable_that_resembles_none_is_refused_without_a_guess() -> None:
    assert unknown(["mailedge_zzzzzz", "ansible_host", "__mailedge"]) == [
        "No role knows the variable mailedge_zzzzzz."
    ]


def test_all_problems_are_told_at_once() -> None:
    wrong = {
        **SITE,
        "mailedge_own_network": "x",
        "mailedge_exchange_time_limit": "soon",
        "mailedge_exchange_inbound": {"method": "nope"},
    }
    errors = " ".join(described(wrong).errors)
    for part in ("mailedge_own_network.", "mailedge_exchange_time_limit", "nope"):
        assert part in errors


# Without the one that approves something: an empty text approves nothing.
@pytest.mark.parametrize("name", sorted(set(options()) - {"mailedge_approved_plan"}))
@pytest.mark.parametrize("empty", ["", "  \n", None])
def test_what_is_empty_counts_as_not_set(name: str, empty: str | None) -> None:
    without = {key: value for key, value in WHOLE.items() if key != name}
    for playbook in ("apply", "rollback"):
        assert described({**without, name: empty}, playbook=playbook) == described(
            without, playbook=playbook
        )


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("198.51.100.0/24, 203.0.113.0/28", ["198.51.100.0/24", "203.0.113.0/28"]),
        ("198.51.100.0/24\r\n203.0.113.0/28\n\n", ["198.51.100.0/24", "203.0.113.0/28"]),
        ("  198.51.100.0/24   2001:db8::/48 ;", ["198.51.100.0/24", "2001:db8::/48"]),
        ("198.51.100.1 - 198.51.100.9,", ["198.51.100.1-198.51.100.9"]),
        ("198.51.100.0 / 24 203.0.113.7", ["198.51.100.0/24", "203.0.113.7"]),
        ("198.51.100.1", ["198.51.100.1"]),
    ],
)
def test_a_text_of_a_survey_becomes_a_list(text: str, entries: list[str]) -> None:
    assert split(text) == entries
    spec = {"type": "list", "elements": "str"}
    assert convert("mailedge_own_networks", text, spec) == entries
    assert convert("mailedge_own_networks", [text, "192.0.2.7"], spec) == [*entries, "192.0.2.7"]


def test_names_of_firewall_objects_keep_their_blanks() -> None:
    description = described(
        {**WHOLE, "mailedge_fortigate_vips": "VIP mail 1, VIP mail 2\nVIP mail 3"}
    )
    assert description.values["fortigate_vips"] == ["VIP mail 1", "VIP mail 2", "VIP mail 3"]


def test_lists_inside_of_dictionaries_are_converted_too() -> None:
    description = described(
        {
            **SITE,
            "mailedge_exchange_outbound": {
                "smart_hosts": "out1.filter.example out2.filter.example"
            },
        }
    )
    assert description.values["exchange_outbound"] == {
        "smart_hosts": ["out1.filter.example", "out2.filter.example"]
    }
    assert description.values["exchange_outbound_enabled"] is True


def test_numbers_and_truths_of_a_survey_are_converted() -> None:
    description = described(
        {**WHOLE, "mailedge_exchange_time_limit": "60", "mailedge_exchange_enabled": "no"}
    )
    assert (description.values["exchange_time_limit"], description.values["exchange_enabled"]) == (
        60,
        False,
    )


@pytest.mark.parametrize("value", ["198.51.100.0/33", "198.51.100.9-198.51.100.1", "nonsense"])
def test_a_range_that_is_none_is_refused_with_its_variable(value: str) -> None:
    errors = described({**SITE, "mailedge_own_networks": value}).errors
    assert len(errors) == 1
    assert errors[0].startswith("mailedge_own_networks cannot be used: ")


@pytest.mark.parametrize(
    "option", ["own_networks", "exchange_servers", "hybrid_ranges", "provider_ranges"]
)
@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("10.20.0.0-255.255.0.0", "Write 10.20.0.0/16."),
        ("10.20.0.0 - 255.255.0.0", "Write 10.20.0.0/16."),
        ("10.20.0.0 255.255.0.0", "Write 10.20.0.0/16 for '10.20.0.0 255.255.0.0'."),
        ("10.20.0.0 / 255.255.0.0", "Write 10.20.0.0/16."),
        (["10.20.0.0 255.255.0.0"], "Write 10.20.0.0/16 for '10.20.0.0 255.255.0.0'."),
        ("198.51.100.0/8", "Write 198.51.100.0/24, or 198.0.0.0/8 if that is meant."),
    ],
)
def test_a_mistake_in_a_range_is_told_with_what_was_meant(
    option: str, value: t.Any, meant: str
) -> None:
    errors = described({**SITE, f"mailedge_{option}": value}).errors
    assert len(errors) == 1
    assert errors[0].startswith(f"mailedge_{option} cannot be used: ")
    assert meant in errors[0]


def test_the_networks_of_a_site_are_not_the_internet() -> None:
    for name in ("own_networks", "exchange_servers", "hybrid_ranges"):
        (error,) = described({**SITE, f"mailedge_{name}": ["0.0.0.0/0"]}).errors
        assert "Name the networks alone." in error
    outbound = {
        "mail_servers": ["10.20.1.0/1"],
        "smart_hosts": ["out.filter.example"],
        "interfaces": ["wan1"],
    }
    errors = described({**WHOLE, "mailedge_fortigate_outbound": outbound}).errors
    assert [
        error
        for error in errors
        if error.startswith("mailedge_fortigate_outbound.mail_servers cannot be used: ")
    ]


@pytest.mark.parametrize(
    ("wrong", "clause"),
    [
        ({"mailedge_fortigate_token": ""}, "without mailedge_fortigate_token"),
        ({"mailedge_fortigate_vips": []}, "Nothing says what leads to the mail server"),
        ({"mailedge_fortigate_port": "https"}, "mailedge_fortigate_port"),
        ({"mailedge_fortigate_host": ""}, "no firewall is named"),
        ({"mailedge_provider_ranges": ""}, "names no provider range"),
        (
            {"mailedge_fortigate_outbound": {"mail_servers": ["10.0.0.1"]}},
            "lacks smart_hosts and interfaces",
        ),
        ({"mailedge_probe_sender": ""}, "mailedge_probe_sender"),
        ({"mailedge_probe_looks": [{"from": "watchtower"}]}, "has no name"),
        (
            {"mailedge_accepted_drift": [{"id": "x", "reason": "y", "until": "soon"}]},
            "Entry 1 of mailedge_accepted_drift has the until 'soon', which is not a day such as",
        ),
        (
            {"mailedge_accepted_drift": [{"id": "x", "reason": "y", "until": "2027-W04-7"}]},
            "not a day such as",
        ),
        (
            {
                "mailedge_accepted_drift": [
                    {"id": "x", "reason": "y", "until": "2027-01-31", "due": "May"}
                ]
            },
            "has the due 'May', which is not a day such as",
        ),
        (
            {"mailedge_accepted_drift": [{"by": "Eva"}]},
            "Entry 1 of mailedge_accepted_drift has no id and no until and no reason",
        ),
        ({"mailedge_accepted_drift": [{"ids": "x"}]}, "ids"),
        ({"mailedge_fail_on": "driff"}, "driff"),
        ({"mailedge_exchange_outbound_enabled": True}, "names no smart_hosts"),
        (
            {"mailedge_prove_delivery_minutes": 61},
            "no more than mailedge_exchange_lease_minutes and mailedge_fortigate_lease_minutes",
        ),
        (
            {"mailedge_prove_delivery_minutes": 61, "mailedge_exchange_lease_minutes": 90},
            "mailedge_prove_delivery_minutes is 61",
        ),
        ({"mailedge_prove_delivery_minutes": -1}, "must be between 0 and 240"),
        ({"mailedge_prove_delivery_every": 9}, "must be between 10 and 600"),
    ],
)
def test_what_a_layer_needs_is_asked_for_before_anything_is_sent(
    wrong: dict[str, t.Any], clause: str
) -> None:
    assert clause in " ".join(described({**WHOLE, **wrong}).errors)


def test_who_waits_for_the_provider_s_mail_says_who_that_is() -> None:
    out = {
        "mailedge_site": "birke",
        "mailedge_prove_delivery_minutes": 15,
        "mailedge_exchange_inbound_enabled": False,
        "mailedge_exchange_outbound": {"smart_hosts": ["out.filter.example"]},
    }
    assert "nothing names the provider" in " ".join(described(out).errors)
    assert not described(out, playbook="drift").errors
    assert not described({**out, **SITE}).errors
    assert not described({**out, "mailedge_prove_delivery_minutes": 0}).errors
    # No server of Exchange, no mail to wait for.
    assert not described({**out, "mailedge_exchange_enabled": False}).errors


def test_a_rollback_asks_for_nothing_that_it_does_not_need() -> None:
    assert not described(
        {**SITE, "mailedge_provider_ranges": [], "mailedge_ranges_lock": "/no/such"},
        playbook="rollback",
    ).errors


def test_a_site_may_name_its_provider_and_no_lock_file() -> None:
    description = described(
        {
            "mailedge_site": "birke",
            "mailedge_provider": "mimecast",
            "mailedge_provider_region": "us",
        }
    )
    assert not description.errors
    assert len(description.values["provider_ranges"]) > 1


def test_a_lock_file_that_is_not_there_stops_the_run() -> None:
    variables = {
        "mailedge_site": "birke",
        "mailedge_provider": "hornetsecurity",
        "mailedge_ranges_lock": "/no/such/lock.yml",
    }
    errors = described(variables).errors
    assert len(errors) == 1
    assert "/no/such/lock.yml" in errors[0]
    assert not described(variables, playbook="refresh_ranges").errors


def test_what_is_handed_around_has_no_place_for_what_nobody_knows() -> None:
    """It is not masked, so that every table in it is checked as a whole; those that are not stay
    out of it.
    """
    unchecked = {
        name
        for name, spec in options().items()
        if "dict" in (spec.get("type"), spec.get("elements")) and not spec.get("options")
    }
    assert unchecked == {
        "mailedge_exchange_receive_connectors",
        "mailedge_exchange_send_connectors",
        "mailedge_snapshots",
    }
    entry = {"name": "x", "pasword": "canary"}
    given = {
        name: {"ex1": entry} if options()[name]["type"] == "dict" else [entry] for name in unchecked
    }
    description = described({**WHOLE, **given})
    assert not description.errors
    assert "canary" not in repr(description.values)


def test_no_secret_is_in_what_is_handed_around() -> None:
    secret = "canary-Secret-7"
    login = {"username": "u", "password": secret}
    description = described(
        {
            **WHOLE,
            "mailedge_fortigate_token": secret,
            "mailedge_exchange_password": secret,
            "mailedge_exchange_outbound_credential": login,
            "mailedge_exchange_outbound": {
                "smart_hosts": ["out.filter.example"],
                "authentication_credential": login,
            },
            "mailedge_exchange_send_connectors": [
                {"name": "x", "authentication_credential": login}
            ],
        }
    )
    assert not description.errors
    assert secret not in repr(description.values)


def test_who_does_what() -> None:
    assert parts(described(WHOLE)) == {
        "exchange": "managed",
        "fortigate way in": "managed",
        "outside": "managed",
    }
    assert parts(described(WHOLE, host="birke-ex2")) == {
        "exchange": "managed",
        "fortigate": "elsewhere",
        "outside": "managed",
    }
    assert parts(described(SITE)) == {
        "exchange": "managed",
        "fortigate": "not managed",
        "outside": "not looked at",
    }


def test_what_belongs_to_the_site_is_left_out_where_its_host_was_not_selected() -> None:
    outbound = {**WHOLE, "mailedge_exchange_outbound": {"smart_hosts": ["out.filter.example"]}}
    description = described(outbound, host="birke-ex2", selected=["birke-ex2"])
    assert parts(description) == {
        "exchange": "managed",
        "exchange way out": "left out",
        "fortigate": "left out",
        "outside": "managed",
        "birke-ex1": "not looked at",
    }
    assert description.parts["fortigate"].why == (
        "The firewall belongs to the whole site and is managed through birke-ex1, "
        "which was not selected."
    )


def test_every_slice_of_a_job_takes_the_same_host_for_the_owner() -> None:
    """A slice has its own hosts in its inventory, and no others."""
    outbound = {**WHOLE, "mailedge_exchange_outbound": {"smart_hosts": ["out.filter.example"]}}
    variables = {"mailedge_site": "birke", **outbound}
    alone: dict[str, t.Any] = {
        "host": "birke-ex2",
        "selected": ["birke-ex2"],
        "site_hosts": ["birke-ex2"],
    }
    assert parts(described(variables, **alone))["fortigate way in"] == "managed", (
        "it seems to be the only host"
    )
    named = {**variables, "mailedge_site_hosts": "birke-ex1, birke-ex2"}
    description = described(named, **alone)
    assert not description.errors
    assert parts(description)["fortigate"] == parts(description)["exchange way out"] == "left out"
    assert "managed through birke-ex1" in description.parts["fortigate"].why
    owner = described(named, host="birke-ex1", selected=["birke-ex1"], site_hosts=["birke-ex1"])
    assert parts(owner)["fortigate way in"] == "managed"


HOSTS = {"mailedge_site_hosts": ["birke-ex1", "birke-ex2"]}


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"mailedge_site_hosts": ["birke-ex2"]}, "This host, birke-ex1, is not among the hosts"),
        (
            {"mailedge_site_hosts": ["birke-ex1"], "mailedge_site_owner": "birke-ex9"},
            "mailedge_site_owner is 'birke-ex9'",
        ),
        ({**HOSTS, "mailedge_fortigate_owner": "ex1"}, "mailedge_fortigate_owner is 'ex1'"),
        (
            {**HOSTS, "mailedge_exchange_outbound_owner": "EX1"},
            "mailedge_exchange_outbound_owner is 'EX1'",
        ),
    ],
)
def test_an_owner_that_is_no_host_of_the_site_is_refused(
    variables: dict[str, t.Any], told: str
) -> None:
    errors = described({**WHOLE, **variables}).errors
    assert any(told in error for error in errors), errors


@pytest.mark.parametrize("name", ["ha\nfen: in order", "ha\x1b[2Jfen", "ha\u202efen"])
def test_a_name_that_would_forge_a_line_of_the_report_is_refused(name: str) -> None:
    assert any(
        "cannot be printed" in error for error in described({**SITE, "mailedge_site": name}).errors
    )
    probes = {"mailedge_probe_looks": [{"name": name}]}
    assert any(
        "Entry 1 of mailedge_probe_looks" in error
        for error in described({**WHOLE, **probes}).errors
    )


def test_layers_that_are_switched_off_are_not_managed() -> None:
    off = {**WHOLE, "mailedge_exchange_enabled": False, "mailedge_fortigate_enabled": False}
    assert parts(described(off)) == {
        "exchange": "not managed",
        "fortigate": "not managed",
        "outside": "managed",
    }
    outward = {
        **SITE,
        "mailedge_exchange_inbound_enabled": False,
        "mailedge_exchange_outbound": {"smart_hosts": ["o.filter.example"]},
    }
    assert parts(described(outward))["exchange way in"] == "not managed"


def test_a_named_snapshot_is_of_one_layer() -> None:
    assert parts(
        described({**WHOLE, "mailedge_exchange_snapshot": "latest"}, playbook="rollback")
    ) == {
        "exchange": "managed",
        "fortigate": "not managed",
    }
    assert parts(
        described({**WHOLE, "mailedge_fortigate_snapshot": "latest"}, playbook="rollback")
    ) == {
        "exchange": "not managed",
        "fortigate": "managed",
    }


def test_the_roles_take_the_options_of_the_modules() -> None:
    """What a dictionary of a role takes is what its module takes, by name, type and choices."""
    fields = ("type", "elements", "choices")
    for name, spec in (
        ("mailedge_exchange_inbound", argspec.INBOUND_LOCK_OPTIONS),
        ("mailedge_exchange_outbound", argspec.OUTBOUND_LOCK_OPTIONS),
    ):
        ours = {
            key: {field: option.get(field) for field in fields}
            for key, option in options()[name]["options"].items()
        }
        theirs = {
            key: {field: option.get(field) for field in fields} for key, option in spec.items()
        }
        assert ours == theirs


def test_no_role_has_a_variable_twice_with_two_meanings() -> None:
    roles = pathlib.Path(__file__).parents[4] / "roles"
    seen: dict[str, t.Any] = {}
    for path in sorted(roles.glob("*/meta/argument_specs.yml")):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            for name, spec in (entry.get("options") or {}).items():
                about = {key: spec.get(key) for key in ("type", "elements", "default", "choices")}
                assert seen.setdefault(name, about) == about, name


def test_blanks_are_nothing() -> None:
    assert is_unset(" \r\n")
    assert not is_unset(0)
    assert not is_unset([])
