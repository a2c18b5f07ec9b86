# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of every test: how hypothesis searches.

The default gives every run the same examples. HYPOTHESIS_PROFILE=quick, which `make test` takes,
tries two fifths of them, HYPOTHESIS_PROFILE=thorough twenty times as many, and others every time.
"""

from __future__ import annotations

import os

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
