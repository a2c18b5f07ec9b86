# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody is told who starts the lab without all that it needs."""

from __future__ import annotations

import pytest

from ansible_collections.mailedge.lockdown.tests.lab.needs import missing


def test_a_missing_package_is_named_with_all_others() -> None:
    sentence = missing(ModuleNotFoundError("No module named 'spnego.x'", name="spnego.x"))
    assert sentence.startswith("The lab needs pyspnego, which is not installed here.")
    assert "pip install PyYAML aiosmtpd cryptography" in sentence


def test_a_mistake_of_the_lab_itself_is_none_of_the_user() -> None:
    with pytest.raises(ModuleNotFoundError):
        missing(ModuleNotFoundError("No module named 'ansible_collections.x'", name="x"))
