# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the tests of this folder, and random sites elsewhere, search.

They try what a single run cannot show: long stories, two runs at once, every property on every
edition. A few examples keep `make test` short; MAILEDGE_EXAMPLES=200 searches as many stories,
elsewhere every time. MAILEDGE_SHRINK=1 shortens a story that failed, which takes minutes.
"""

from __future__ import annotations

import os
import typing as t

from hypothesis import HealthCheck, Phase, settings

MORE = int(os.environ.get("MAILEDGE_EXAMPLES", "0"))


def share(usual: int) -> int:
    """As many of the usual examples as the profile of this run takes."""
    return max(
        1, round(usual * settings().max_examples / settings.get_profile("default").max_examples)
    )


def examples(usual: int, **more: t.Any) -> settings:
    """Settings of a test: `usual` examples, or as many as MAILEDGE_EXAMPLES says. `make test` tries
    two fifths of the usual ones (tests/conftest.py).
    """
    phases = [
        Phase.explicit,
        Phase.generate,
        *([Phase.shrink] if os.environ.get("MAILEDGE_SHRINK") else []),
    ]
    return settings(
        max_examples=MORE or share(usual),
        derandomize=not MORE,
        database=None,
        phases=phases,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        **more,
    )
