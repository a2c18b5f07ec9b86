# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers about connectors that were given before.

Guards, words and strangers fold the same two states again and again.
"""

from __future__ import annotations

import functools
import typing as t

_Answer = t.TypeVar("_Answer")
_Fold = t.Callable[..., _Answer]
_MOST = 64


def remembered(fold: _Fold[_Answer]) -> _Fold[_Answer]:
    """A pure function of connectors and hashable arguments that remembers its last answers.

    The same connectors are those with the very same values: their objects are held, so that none
    can take the place of
    another one, and compared by identity, because comparing ranges would cost as much as the
    answer.
    """
    answers: dict[t.Hashable, tuple[t.Any, _Answer]] = {}

    @functools.wraps(fold)
    def wrapper(connectors: t.Iterable[t.Mapping[str, t.Any]], *more: t.Hashable) -> _Answer:
        given = tuple(connectors)
        key = (tuple([(*connector, *map(id, connector.values())) for connector in given]), more)
        known = answers.get(key)
        if known is None:
            if len(answers) >= _MOST:
                answers.clear()
            held = tuple(map(dict, given))
            known = answers[key] = (held, fold(held, *more))
        return known[1]

    return wrapper
