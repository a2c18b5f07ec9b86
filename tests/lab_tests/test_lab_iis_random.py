# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random changes of the lab's IIS: what a writer sees is what a list would be, and what a reader
sees afterwards.
"""

from __future__ import annotations

import os
import typing as t

import hypothesis
from hypothesis import strategies as st

from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.markup import Document
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.server import Iis
from ansible_collections.mailedge.lockdown.tests.support.iis import (
    APPHOST,
    RULES,
    SITE,
    collection,
    items,
    names,
    put,
    reader,
    rule,
    section,
    value,
    writer,
)

EXAMPLES = int(os.environ.get("MAILEDGE_EXAMPLES") or 10)

# At which level somebody works: the section's path, and the file that takes the change.
LEVELS = (
    (APPHOST, APPHOST),
    (SITE, APPHOST),
    (SITE, SITE),
    (f"{SITE}/owa", APPHOST),
    (f"{SITE}/owa", SITE),
    (f"{SITE}/owa", f"{SITE}/owa"),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(LEVELS),
        st.sampled_from(("insert", "insert", "delete", "set")),
        st.integers(0, 5),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@hypothesis.settings(max_examples=EXAMPLES, deadline=None)
@hypothesis.given(steps=STEPS)
def test_a_collection_is_a_list(steps: t.Sequence[tuple[tuple[str, str], str, int, bool]]) -> None:
    iis = Iis("2019")
    for number, ((path, commit), kind, place, enabled) in enumerate(steps):
        manager = writer(iis, commit)
        held = section(manager, RULES, path)
        before = names(held)
        expected = list(before)
        index = min(place, len(before))
        if kind == "insert":
            rule(held, f"rule {number}", f"^{number}", index=index, enabled=enabled)
            expected.insert(index, f"rule {number}")
        elif index < len(before):
            if kind == "delete":
                collection(held).call("DeleteElement", index)
                del expected[index]
            else:
                put(items(held)[index], enabled=enabled)
        else:
            continue
        told = [(value(item, "name"), value(item, "enabled")) for item in items(held)]
        # An inherited item that is changed stands behind those that are inherited unchanged.
        assert sorted(str(name) for name, _rest in told) == sorted(map(str, expected))
        assert kind == "set" or [name for name, _rest in told] == expected
        if kind == "set":
            assert (before[index], enabled) in told
        manager.call("CommitChanges")
        # The same for the next writer there, and for a reader where no file comes behind.
        managers = [writer(iis, commit), *([reader(iis)] if commit == path else [])]
        for other in managers:
            read = items(section(other, RULES, path))
            assert [(value(item, "name"), value(item, "enabled")) for item in read] == told
        # The file is one that every other reader understands, byte for byte.
        assert Document(iis.text.encode()).content() == iis.text.encode()
