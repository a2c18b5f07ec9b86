# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs: the same as the documentation of the modules, and a check of connectors that are described in a list."""

from __future__ import annotations

import importlib
import typing as t

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mailedge.lockdown.plugins.doc_fragments import _common
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import argspec
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import Resource

# Argument specs are checked by ansible-core.
pytestmark = pytest.mark.core

MODULES = {
    "exchange_mail_flow": argspec.MAIL_FLOW_MODULE,
    "exchange_mail_flow_info": argspec.INFO_MODULE,
    "exchange_receive_connector": argspec.RECEIVE_MODULE,
    "exchange_send_connector": argspec.SEND_MODULE,
}


def documented(module: str) -> dict[str, t.Any]:
    """The options in the documentation of a module, those of its fragments included."""
    name = f"ansible_collections.mailedge.lockdown.plugins.modules.{module}"
    text = yaml.safe_load(importlib.import_module(name).DOCUMENTATION)
    options: dict[str, t.Any] = {}
    for fragment in text["extends_documentation_fragment"]:
        part = getattr(_common.ModuleDocFragment, fragment.rsplit(".", 1)[1].upper())
        options.update(yaml.safe_load(part).get("options") or {})
    return {**options, **(text.get("options") or {})}


def facts(options: t.Mapping[str, t.Any], inner: str) -> dict[str, t.Any]:
    """What documentation and spec both say of each option."""
    return {
        name: {
            "type": option.get("type", "str"),
            "elements": option.get("elements"),
            "choices": sorted(option.get("choices") or []),
            "default": option.get("default"),
            "required": bool(option.get("required")),
            "inner": facts(option.get(inner) or {}, inner),
        }
        for name, option in options.items()
    }


@pytest.mark.parametrize("module", MODULES)
def test_documentation_and_spec_say_the_same(module: str) -> None:
    said, spec = facts(documented(module), "suboptions"), facts(MODULES[module]["argument_spec"], "options")
    assert set(said) == set(spec)
    for option, expected in spec.items():
        assert said[option] == expected, option


def secrets(spec: t.Mapping[str, t.Any]) -> set[str]:
    found = {name for name, option in spec.items() if option.get("no_log")}
    for option in spec.values():
        found |= secrets(option.get("options") or {})
    return found


def test_passwords_are_secret() -> None:
    assert secrets(argspec.MAIL_FLOW_MODULE["argument_spec"]) == {"exchange_password", "password"}
    assert secrets(argspec.SEND_MODULE["argument_spec"]) == {"exchange_password", "password"}


@pytest.mark.parametrize("module", MODULES)
def test_a_spec_is_one_that_ansible_takes(module: str) -> None:
    result = ArgumentSpecValidator(**MODULES[module]).validate({"name": "Birke"} if "connector" in module else {})
    assert result.error_messages == []
    assert result.validated_parameters["time_limit"] == 300


def test_a_snapshot_and_a_lock_exclude_each_other() -> None:
    result = ArgumentSpecValidator(**argspec.MAIL_FLOW_MODULE).validate({"snapshot": "latest", "inbound_lock": {}})
    assert "mutually exclusive" in result.error_messages[0]


def test_a_described_connector_gets_its_defaults() -> None:
    checked = argspec.check_entries(
        SEND, [{"name": "Mail to filter", "smart_hosts": {"add": ["out.filter.example"]}, "port": "26"}]
    )
    assert checked.errors == []
    assert checked.entries[0]["state"] == "present"
    assert checked.entries[0]["update_credential"] == "on_create"
    assert checked.entries[0]["port"] == 26
    assert checked.entries[0]["enabled"] is None


@pytest.mark.parametrize(
    ("table", "entry", "said"),
    [
        (RECEIVE, {"remote_ip_ranges": ["192.0.2.0/24"]}, "without a name"),
        (RECEIVE, {"name": "Birke", "remote_ip_range": []}, "remote_ip_range"),
        (RECEIVE, {"name": "Birke", "enabled": "perhaps"}, "perhaps"),
        (RECEIVE, {"name": "Birke", "remote_ip_ranges": ["192.0.2.300"]}, "remote_ip_ranges cannot be used as given"),
        (RECEIVE, {"name": "Birke", "permission_groups": {"plus": []}}, "'plus' is none of add, remove and set"),
        (SEND, {"name": "Birke", "max_message_size": "large"}, "'large' is not a size"),
        (SEND, {"name": "Birke", "tls_auth_level": "Some"}, "tls_auth_level"),
    ],
)
def test_a_described_connector_that_is_not_usable_is_said_so_in_sentences(
    table: Resource, entry: dict[str, t.Any], said: str
) -> None:
    (sentence,) = argspec.check_entries(table, [entry]).errors
    assert said in sentence
    assert sentence.endswith("Nothing was changed.")


@pytest.mark.parametrize("more", [{}, {"port": "many"}])
def test_the_password_of_a_described_connector_is_handed_out_to_be_scrubbed(more: dict[str, t.Any]) -> None:
    login = {"username": "site", "password": "canary"}
    checked = argspec.check_entries(SEND, [{"name": "Birke", "authentication_credential": login, **more}])
    assert "canary" in checked.secrets
    assert not any("canary" in sentence for sentence in checked.errors)
