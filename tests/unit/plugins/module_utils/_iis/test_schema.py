# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of a section can be written: the order names all of it, and the agent leaves out the
rest.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.schema import (
    IP_SECURITY,
    ORDER,
    RULES,
    read_step,
)


def names(spec: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Attributes and elements of a spec, at any depth."""
    yield from spec.get("values", ())
    for name, inner in (spec.get("children") or {}).items():
        yield name
        yield from names(inner)
    yield from names(spec["items"]) if spec.get("items") else ()


def test_the_order_names_whatever_is_read_of_rules_and_lists() -> None:
    sections = {
        section["name"]: section["spec"]
        for section in read_step("Default Web Site", [])["sections"]
    }
    for section in (RULES, IP_SECURITY):
        wanted = set(names(sections[section])) - {"denyAction", "enableProxyMode"}
        assert wanted, section
        assert wanted <= set(ORDER)
    assert len(ORDER) == len(set(ORDER))
