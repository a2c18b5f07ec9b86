# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs: the same as the documentation of the modules, and a check of connectors that are
described in a list.
"""

from __future__ import annotations

import importlib
import typing as t

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.task import ARGUMENTS as NAMES
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import argspec
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.receive import RECEIVE
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.send import SEND
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.argspec import (
    PATH_BLOCKS_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.options import (
    ARGUMENTS as PROBE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._provider_argspec import (
    ARGUMENTS as PROVIDER_RANGES_LOCK,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import (
    HOST_LOCK,
    REPORT_FILES,
    RUN_REPORT,
    SELFTEST_REPORT,
    SITE_DESCRIPTION,
    SITE_DRAFT,
    SITE_HOSTS,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._resource.table import Resource
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.argspec import (
    POSTURE_MODULE,
    SELFTEST_MODULE,
    TLS_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows_firewall.argspec import (
    MODULE as FIREWALL_MODULE,
)
from ansible_collections.mailedge.lockdown.tests.tools.documentation import documentation, modules

# Argument specs are checked by ansible-core.
pytestmark = pytest.mark.core

MODULES = {
    "exchange_delivery_proof": argspec.DELIVERY_MODULE,
    "exchange_mail_flow": argspec.MAIL_FLOW_MODULE,
    "exchange_mail_flow_info": argspec.INFO_MODULE,
    "exchange_names_info": argspec.NAMES_MODULE,
    "exchange_receive_connector": argspec.RECEIVE_MODULE,
    "exchange_send_connector": argspec.SEND_MODULE,
    "exchange_senders_info": argspec.SENDERS_MODULE,
    "host_reading_info": argspec.READING_MODULE,
}


# Of a module that runs where its task runs, beside those whose action has the spec.
RUNNING = {
    name: importlib.import_module(
        f"ansible_collections.mailedge.lockdown.plugins.modules.{name}"
    ).ARGUMENTS
    for name in modules()
    if name.startswith(("fortios_", "exchange_online_"))
}
ALL = {
    **MODULES,
    **RUNNING,
    "mail_edge_names": {"argument_spec": NAMES},
    "mail_edge_probe": {"argument_spec": PROBE},
    "exchange_lease_end": argspec.LEASE_END_MODULE,
    "host_lock": HOST_LOCK,
    "exchange_snapshots_info": argspec.SNAPSHOTS_MODULE,
    "provider_ranges_lock": PROVIDER_RANGES_LOCK,
    "report_files": REPORT_FILES,
    "run_report": RUN_REPORT,
    "selftest_info": SELFTEST_MODULE,
    "selftest_report": SELFTEST_REPORT,
    "site_description": SITE_DESCRIPTION,
    "site_draft": SITE_DRAFT,
    "site_hosts": SITE_HOSTS,
    "iis_path_blocks": PATH_BLOCKS_MODULE,
    "windows_firewall_rules": FIREWALL_MODULE,
    "windows_posture_info": POSTURE_MODULE,
    "windows_tls": TLS_MODULE,
}


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


def test_no_module_is_left_out() -> None:
    assert sorted(ALL) == modules()


@pytest.mark.parametrize("module", ALL)
def test_documentation_and_spec_say_the_same(module: str) -> None:
    said = facts(documentation(module)["options"], "suboptions")
    spec = facts(ALL[module]["argument_spec"], "options")
    assert set(said) == set(spec)
    for option, expected in spec.items():
        assert said[option] == expected, option


def secrets(spec: t.Mapping[str, t.Any]) -> set[str]:
    names = {name for name, option in spec.items() if option.get("no_log")}
    for option in spec.values():
        names |= secrets(option.get("options") or {})
    return names


def test_passwords_are_secret() -> None:
    assert secrets(argspec.MAIL_FLOW_MODULE["argument_spec"]) == {"exchange_password", "password"}
    assert secrets(argspec.SEND_MODULE["argument_spec"]) == {"exchange_password", "password"}


@pytest.mark.parametrize("module", MODULES)
def test_a_spec_is_one_that_ansible_takes(module: str) -> None:
    given: dict[str, t.Any] = {"name": "Birke"} if "connector" in module else {}
    if "delivery" in module:
        given = {"provider_ranges": ["198.51.100.0/24"], "minutes": 5}
    result = ArgumentSpecValidator(**MODULES[module]).validate(given)
    assert result.error_messages == []
    assert result.validated_parameters["time_limit"] == 300


def test_a_snapshot_and_a_lock_exclude_each_other() -> None:
    result = ArgumentSpecValidator(**argspec.MAIL_FLOW_MODULE).validate(
        {("snapshot"): "latest", "inbound_lock": {}}
    )
    assert "mutually exclusive" in result.error_messages[0]


def test_a_described_connector_gets_its_defaults() -> None:
    checked = argspec.check_entries(
        SEND,
        [
            {
                ("name"): "Mail to filter",
                "smart_hosts": {"add": ["out.filter.example"]},
                "port": "26",
            }
        ],
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
        (
            RECEIVE,
            {("name"): ("Birke"), "remote_ip_ranges": ["192.0.2.300"]},
            "remote_ip_ranges cannot be used as given",
        ),
        (
            RECEIVE,
            {("name"): "Birke", "permission_groups": {"plus": []}},
            "'plus' is not one of add, remove and set",
        ),
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
def test_the_password_of_a_described_connector_is_handed_out_to_be_scrubbed(
    more: dict[str, t.Any],
) -> None:
    login = {"username": "site", "password": "canary"}
    checked = argspec.check_entries(
        SEND, [{("name"): "Birke", "authentication_credential": login, **more}]
    )
    assert "canary" in checked.secrets
    assert not any("canary" in sentence for sentence in checked.errors)
