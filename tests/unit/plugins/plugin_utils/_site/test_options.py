# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of a site: what is given is checked, and nothing else costs a host anything."""

from __future__ import annotations

import typing as t

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.options import (
    checked,
    options,
    said,
)

_EXAMPLES: dict[str, t.Any] = {"int": "7", "bool": "no", "str": "text", "list": [], "dict": {}}


def whole(given: dict[str, t.Any]) -> tuple[dict[str, t.Any], list[str]]:
    """The same with every option checked anew, as Ansible does it for a module."""
    validation = ArgumentSpecValidator(dict(options())).validate(given)
    values = {}
    for name, spec in options().items():
        value = said(validation.validated_parameters.get(name))
        empty: dict[str, t.Any] = {"list": [], "dict": {}}
        values[name] = empty.get(str(spec.get("type"))) if value is None else value
    return values, [f"{message.rstrip('.')}." for message in validation.error_messages]


@pytest.mark.parametrize("wrong", [False, True])
def test_few_given_options_come_out_as_if_all_were_checked(wrong: bool) -> None:
    for name, spec in options().items():
        example = ["neither", "of", "them"] if wrong else _EXAMPLES.get(spec.get("type", "str"))
        if "choices" in spec and not wrong:
            example = spec["choices"][0]
        given = {name: example, "mailedge_site": "birke"}
        assert checked(given) == whole(given)
    assert checked({}) == whole({})


def test_what_one_host_does_with_a_default_is_not_seen_by_another() -> None:
    changed = 0
    for name, value in checked({})[0].items():
        if isinstance(value, list):
            value.append(name)
        elif isinstance(value, dict):
            value[name] = name
        changed += isinstance(value, (list, dict))
    assert changed
    assert checked({}) == whole({})
