# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of every test: how hypothesis searches, and that a file says which markers it has.

The default gives every run the same examples. HYPOTHESIS_PROFILE=quick, which `make test` takes,
tries two fifths of them, HYPOTHESIS_PROFILE=thorough twenty times as many, and others every time.
"""

from __future__ import annotations

import os
import re
import typing as t

import pytest
from hypothesis import HealthCheck, settings

# A deadline would measure how busy the machine is. Examples that failed are printed, so that they
# can become tests.
settings.register_profile(
    "default",
    max_examples=50,
    deadline=None,
    print_blob=True,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough", settings.get_profile("default"), derandomize=False, max_examples=1000
)
settings.register_profile("quick", settings.get_profile("default"), max_examples=20)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# Those that .ci/run looks for in the files (`marked`), to import no others.
_MARKERS = ("core", "forks", "long")


def pytest_collection_modifyitems(items: t.Sequence[pytest.Item]) -> None:
    """A marker that comes from a helper stands in the file as well, by the name of the helper."""
    texts = {path: path.read_text(encoding="utf-8") for path in {item.path for item in items}}
    for marker in _MARKERS:
        says = re.compile(rf"mark\.{marker}\b|\b{marker}_after\b|\b{marker.upper()}_[A-Z]+\b")
        silent = sorted(
            {
                str(item.path)
                for item in items
                if item.get_closest_marker(marker) and not says.search(texts[item.path])
            }
        )
        if silent:
            raise pytest.UsageError(
                f"Tests in {', '.join(silent)} have the marker '{marker}' from elsewhere, under a "
                f"name that does not say so, and .ci/run would pass them over: name what gives it "
                f"{marker.upper()}_SOMETHING or {marker}_after."
            )
