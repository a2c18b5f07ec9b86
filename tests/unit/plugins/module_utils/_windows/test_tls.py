# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What values of TLS mean: missing, 0, 1, other numbers, other kinds, and Windows of every age."""

from __future__ import annotations

import itertools
import typing as t

import pytest

from ansible_collections.mailedge.lockdown.plugins.module_utils._windows import tls
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.registry import (
    DWORD,
    Key,
    Value,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.systems import (
    SYSTEMS,
    Default,
    default_of,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.tls import DotNet, Protocol


def key(enabled: t.Any = None, disabled: t.Any = None) -> Key:
    values = {}
    for name, data in (("enabled", enabled), ("disabledbydefault", disabled)):
        if data is not None:
            values[name] = Value(DWORD if isinstance(data, int) else "String", data)
    return Key(True, values)


@pytest.mark.parametrize(
    ("enabled", "disabled", "default", "protocol"),
    [
        (None, None, Default.ON, Protocol.ON),
        (None, None, Default.OFF, Protocol.OFF),
        (None, None, Default.UNKNOWN, Protocol.UNKNOWN),
        (None, None, Default.UNSUPPORTED, Protocol.UNSUPPORTED),
        (1, 0, Default.UNSUPPORTED, Protocol.UNSUPPORTED),
        (1, 0, Default.OFF, Protocol.ON),
        (1, 0, Default.UNKNOWN, Protocol.ON),
        # As .NET hands 0xFFFFFFFF on.
        (-1, 0, Default.OFF, Protocol.ON),
        (0, None, Default.ON, Protocol.OFF),
        (0, 0, Default.ON, Protocol.OFF),
        (0, 1, Default.ON, Protocol.OFF),
        (1, 1, Default.ON, Protocol.ON_REQUEST),
        (None, 1, Default.ON, Protocol.ON_REQUEST),
        (1, None, Default.ON, Protocol.ON),
        (None, 0, Default.ON, Protocol.ON),
        (1, None, Default.OFF, Protocol.ON_REQUEST),
        (None, 0, Default.OFF, Protocol.OFF),
        ("1", 0, Default.ON, Protocol.UNKNOWN),
        (1, "0", Default.ON, Protocol.UNKNOWN),
    ],
)
def test_missing_is_what_this_windows_makes_of_it(
    enabled: t.Any, disabled: t.Any, default: Default, protocol: Protocol
) -> None:
    state, why = tls.protocol(key(enabled, disabled), default)
    assert state is protocol
    assert why


def test_a_key_that_is_missing_is_one_without_values() -> None:
    for default in Default:
        assert tls.protocol(Key(False), default) == tls.protocol(key(), default)


def test_a_key_that_could_not_be_read_is_unknown_on_every_windows() -> None:
    assert {tls.protocol(None, default)[0] for default in Default} == {Protocol.UNKNOWN}


def test_off_is_never_called_on() -> None:
    """Whatever else is set, and wherever."""
    for disabled, default in itertools.product((None, 0, 1, "x"), Default):
        assert tls.protocol(key(0, disabled), default)[0] is not Protocol.ON


@pytest.mark.parametrize(
    ("build", "default"),
    [
        (6001, Default.UNSUPPORTED),
        (6002, Default.OFF),
        (7601, Default.OFF),
        (9200, Default.ON),
        (26100, Default.ON),
        (29000, Default.ON),
        (5000, Default.UNKNOWN),
        (None, Default.UNKNOWN),
    ],
)
def test_the_default_goes_by_the_version_of_windows(build: int | None, default: Default) -> None:
    assert default_of(build) is default


def test_paid_updates_end_after_the_others() -> None:
    for system in SYSTEMS.values():
        assert system.paid_end is None or system.paid_end > system.end


SETTING = tls.DOTNET_SETTINGS["4"][0]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, DotNet.MISSING),
        (Value(DWORD, 1), DotNet.SET),
        (Value(DWORD, 0), DotNet.OFF),
        (Value(DWORD, 2), DotNet.OFF),
        (Value(DWORD, -1), DotNet.OFF),
        (Value("String", "1"), DotNet.UNKNOWN),
    ],
)
def test_of_net_exactly_1_counts(value: Value | None, said: DotNet) -> None:
    values = {SETTING.name.casefold(): value} if value else {}
    assert tls.dotnet({SETTING.key: Key(True, values)}, SETTING) is said


def test_of_net_what_could_not_be_read_is_unknown() -> None:
    assert tls.dotnet({SETTING.key: None}, SETTING) is DotNet.UNKNOWN
    assert tls.dotnet({}, SETTING) is DotNet.UNKNOWN


def test_a_number_is_read_without_its_sign() -> None:
    assert Value(DWORD, -1).number == 0xFFFFFFFF
    assert Value("QWord", 1).number is None
    assert Value(DWORD, True).number is None


def test_every_key_that_is_managed_is_read_with_those_above_it() -> None:
    keys = tls.keys_to_read()
    assert len(tls.SETTINGS) == 12
    for setting in tls.SETTINGS.values():
        assert setting.name in keys[setting.key]
        assert set(tls.chain(setting.key)) <= set(keys)
