# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers about connectors that were given before.

Guards, words and strangers fold the same two states again and again.
"""

from __future__ import annotations

import functools
import operator
import typing as t

_Connector = t.Mapping[str, t.Any]
_Answer = t.TypeVar("_Answer")
_Fold = t.Callable[..., _Answer]
_MOST = 64


class Same(tuple[_Connector, ...]):
    """Connectors as they were at one moment: copies that nobody changes. The very same values give
    the very same object.
    """

    __slots__ = ()
    # As fast as it can be, and all that is needed: others are of other values.
    __hash__ = object.__hash__
    __eq__ = object.__eq__
    __ne__ = object.__ne__


# By what they hold, and by the objects that were given: looking at all that connectors hold costs
# as much as a small answer.
_by_values: dict[t.Hashable, Same] = {}
_by_objects: dict[t.Hashable, tuple[tuple[_Connector, ...], Same]] = {}
_answers: list[dict[t.Hashable, t.Any]] = []


def same(connectors: t.Iterable[_Connector]) -> Same:
    """The connectors as they are now, for whoever asks about them more than once.

    The same connectors are those with the very same values: their objects are held, so that none
    can take the place of another one, and compared by identity, because comparing ranges would cost
    as much as the answer.
    """
    if isinstance(connectors, Same):
        return connectors
    given = tuple(connectors)
    objects = tuple(map(id, given))
    known = _by_objects.get(objects)
    if known is not None and all(map(_unchanged, given, known[1])):
        return known[1]
    values = tuple([(*connector, *map(id, connector.values())) for connector in given])
    held = _by_values.get(values)
    if held is None:
        if len(_by_values) >= _MOST:
            _by_values.clear()
        held = _by_values[values] = Same(map(dict, given))
    if len(_by_objects) >= _MOST:
        _by_objects.clear()
    # With the objects themselves, so that no other one gets the place of one of them.
    _by_objects[objects] = (given, held)
    return held


def _unchanged(connector: _Connector, held: _Connector) -> bool:
    return len(connector) == len(held) and all(
        map(operator.is_, (*connector, *connector.values()), (*held, *held.values()))
    )


def remembered(fold: _Fold[_Answer]) -> _Fold[_Answer]:
    """A pure function of connectors and hashable arguments that remembers its last answers about
    connectors that are the same().
    """
    answers: dict[t.Hashable, t.Any] = {}
    _answers.append(answers)
    nothing = object()

    @functools.wraps(fold)
    def wrapper(connectors: t.Iterable[_Connector], *more: t.Hashable) -> _Answer:
        held = same(connectors)
        answer = answers.get((held, more), nothing)
        if answer is nothing:
            if len(answers) >= _MOST:
                answers.clear()
            answer = answers[held, more] = fold(held, *more)
        return t.cast("_Answer", answer)

    return wrapper


def forget() -> None:
    """Remember nothing any more."""
    _by_values.clear()
    _by_objects.clear()
    for answers in _answers:
        answers.clear()
