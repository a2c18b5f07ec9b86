# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API of a controller: objects found, made, changed, linked, launched. Standard library only.

Not run against a real controller here; a test plays one, by what the API answers to OPTIONS.
"""

from __future__ import annotations

import json
import time
import typing as t
import urllib.error
import urllib.parse
import urllib.request

Object = dict[str, t.Any]

_OVER = frozenset({"successful", "failed", "error", "canceled"})


class ApiError(Exception):
    """What the controller refused, or why it could not be asked, in a sentence; never the token."""


class Api:
    """A controller. `pause` is how many seconds pass between two looks at something that runs."""

    def __init__(self, url: str, token: str, *, pause: float = 5.0, patience: float = 3600) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ApiError(f"{url} is no https address: the token would be sent in clear.")
        if not token:
            raise ApiError("There is no token: put it into the environment, as TOKEN.")
        self._base = f"{parts.scheme}://{parts.netloc}/api/v2/"
        self._token, self._pause, self._patience = token, pause, patience

    def ask(self, method: str, path: str, body: t.Mapping[str, t.Any] | None = None) -> Object:
        """One request; the answer's document, empty where it has none."""
        request = urllib.request.Request(
            self._base + path,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            told = error.read().decode(errors="replace")[:500]
            raise ApiError(
                f"{method} {path}: the controller answered {error.code}. {told}"
            ) from None
        except OSError as error:
            raise ApiError(f"{method} {path}: the controller did not answer: {error}.") from None
        return dict(json.loads(text)) if text.strip() else {}

    def find(self, endpoint: str, **by: t.Any) -> Object | None:
        """The object with these fields; None where there is none."""
        results = self.ask("GET", f"{endpoint}/?{urllib.parse.urlencode(by)}")["results"]
        if len(results) > 1:
            raise ApiError(f"There are {len(results)} of {endpoint} with {by}.")
        return dict(results[0]) if results else None

    def id_of(self, endpoint: str, name: str) -> int:
        """The id of an object that has to be there."""
        thing = self.find(endpoint, name=name)
        if thing is None:
            raise ApiError(f"There is no '{name}' among the {endpoint} of the controller.")
        return int(thing["id"])

    def brought(self, endpoint: str, by: t.Mapping[str, t.Any], fields: Object) -> tuple[int, bool]:
        """Make the object that has the fields `by`, or change it; its id, and whether anything was
        done.
        """
        there = self.find(endpoint, **by)
        if there is None:
            return int(self.ask("POST", f"{endpoint}/", {**by, **fields})["id"]), True
        differing = {name: value for name, value in fields.items() if not _same(there, name, value)}
        if differing:
            self.ask("PATCH", f"{endpoint}/{there['id']}/", differing)
        return int(there["id"]), bool(differing)

    def linked(self, path: str, wished: t.Collection[int]) -> bool:
        """Make the objects of a list those of `wished`; whether anything was done."""
        there = [int(thing["id"]) for thing in self.ask("GET", f"{path}/")["results"]]
        for number in wished:
            if number not in there:
                self.ask("POST", f"{path}/", {"id": number})
        for number in there:
            if number not in wished:
                self.ask("POST", f"{path}/", {"id": number, "disassociate": True})
        return sorted(there) != sorted(wished)

    def over(self, path: str) -> str:
        """The status of something that runs, when it is over."""
        until = time.monotonic() + self._patience
        while time.monotonic() < until:
            status = str(self.ask("GET", path).get("status"))
            if status in _OVER:
                return status
            time.sleep(self._pause)
        raise ApiError(f"{path} was not over after {self._patience:.0f} seconds.")


def _same(there: Object, name: str, value: t.Any) -> bool:
    held = there.get(name)
    if isinstance(value, dict):
        # Variables are kept as a text; of inputs, secrets are kept masked and not named here.
        held = _document(held) if isinstance(held, str) else held
        return isinstance(held, dict) and all(held.get(key) == value[key] for key in value)
    return bool(held == value)


def _document(text: str) -> t.Any:
    try:
        return json.loads(text or "{}")
    except ValueError:
        return None
