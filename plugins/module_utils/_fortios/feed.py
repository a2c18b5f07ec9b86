# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Range feeds: external resources of the type `address`, which the device polls or which are pushed
to it.

What a push feed still holds after a reboot or a failover of a cluster is unverified; a run pushes
it again where it differs.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.client import (
    FortiOS,
    Key,
    Row,
    Version,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.errors import DeviceError
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.plan import Change
from ansible_collections.mailedge.lockdown.plugins.module_utils._fortios.state import (
    FEED,
    FEED_ENTRIES,
    DeviceState,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._ranges import RangeError, RangeSet
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.change import (
    Action,
    Desired,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.errors import PlanError

ENTRIES = FEED_ENTRIES
PUSH, POLL = "push", "poll"
ON_CREATE = "on_create"

SOURCE_SINCE: Version = (6, 2, 0)
PUSH_SINCE: Version = (7, 2, 1)
MOST_ENTRIES = 131072
"""Of one list before 7.4.4; later FortiOS counts all lists of a model together."""

_LONGEST_NAME, _LONGEST_URL = 35, 511


def check_options(params: t.Mapping[str, t.Any], ranges: RangeSet | None) -> None:
    """Refuse what cannot be meant, before anything is sent. Raises PlanError."""
    name, url, mode = params["name"], params.get("url"), params["mode"]
    problem = ""
    if (
        not 1 <= len(name) <= _LONGEST_NAME
        or "/" in name
        or not name.isprintable()
        or name != name.strip()
    ):
        problem = (
            f"{name!r} cannot be the name of a feed: 1 to {_LONGEST_NAME} characters without a "
            "slash, a line break, and a blank at either end"
        )
    elif params["state"] == "absent":
        return
    elif mode == POLL and not url:
        problem = "a feed that is polled needs the url of its list"
    elif url and not url.lower().startswith(("https://", "http://")):
        problem = f"'{url}' is not an http or https address"
    elif url and (not url.isprintable() or " " in url):
        problem = f"the url {url!r} holds a blank or a line break"
    elif url and "@" in url.partition("://")[2].partition("/")[0]:
        # It is not shown, because plans and snapshots show urls.
        problem = (
            "the url holds a user, whose password everybody could read in plans and snapshots; "
            "name username and password"
        )
    elif url and len(url) > _LONGEST_URL:
        problem = f"the url is longer than the {_LONGEST_URL} characters that FortiOS takes"
    elif mode == PUSH and not ranges:
        problem = "a feed that is pushed needs ranges; an empty one would let nobody through"
    elif mode == PUSH and ranges is not None and len(ranges.to_cidrs()) > MOST_ENTRIES:
        problem = (
            f"a feed of {len(ranges.to_cidrs())} ranges is more than the {MOST_ENTRIES} that "
            "FortiOS takes"
        )
    elif not 1 <= params["refresh_rate"] <= 43200:
        minutes = params["refresh_rate"]
        problem = f"the refresh_rate {minutes} must be between 1 and 43200 minutes"
    if problem:
        raise PlanError(f"{problem[0].upper()}{problem[1:]}. Nothing was sent to the device.")


def check_version(version: Version, params: t.Mapping[str, t.Any]) -> None:
    """Refuse what this FortiOS does not have. Raises PlanError."""
    shown = ".".join(map(str, version))
    if version < SOURCE_SINCE:
        raise PlanError(
            f"FortiOS {shown} cannot use a feed as the source of a policy; 6.2 can. Nothing was "
            "changed."
        )
    if params["mode"] == PUSH and version < PUSH_SINCE:
        raise PlanError(
            f"FortiOS {shown} cannot be pushed a feed; 7.2.1 can. Nothing was changed. Let it poll "
            "a published list (mode: poll), or use address objects."
        )
    identity = params.get("server_identity_check")
    if identity and not (version >= (7, 2, 4) or (7, 0, 8) <= version < (7, 2, 0)):
        raise PlanError(
            f"FortiOS {shown} does not know server_identity_check; 7.0.8 and 7.2.4 do. Nothing was "
            "changed. Leave it out."
        )


def wishes(
    params: t.Mapping[str, t.Any], ranges: RangeSet | None, state: DeviceState, comment: str
) -> list[Desired[Key]]:
    """What there shall be of a feed."""
    name = params["name"]
    if params["state"] == "absent":
        held = state.find(FEED, name)
        pushed = held is not None and held[1].get("update-method") == "push"
        # What was pushed is saved for the way back; what is polled comes back by itself.
        return [Desired(FEED, name, None), *([Desired(ENTRIES, name, None)] if pushed else [])]
    fields: Row = {
        "type": "address",
        "status": "enable",
        "refresh-rate": params["refresh_rate"],
        "comments": comment,
    }
    if state.version >= PUSH_SINCE:
        fields["update-method"] = "push" if params["mode"] == PUSH else "feed"
    if params["mode"] == POLL:
        fields["resource"] = params["url"]
    for option, field in (
        ("username", "username"),
        ("server_identity_check", "server-identity-check"),
    ):
        if params.get(option):
            fields[field] = params[option]
    exists = state.find(FEED, name) is not None
    if params.get("password") and (not exists or params["update_password"] != ON_CREATE):
        fields["password"] = params["password"]
    wished = [Desired(FEED, name, fields)]
    if params["mode"] == PUSH and ranges:
        wished.append(Desired(ENTRIES, name, {"entries": ranges.to_cidrs()}))
    return wished


def read_entries(client: FortiOS, state: DeviceState, names: t.Iterable[str]) -> dict[Key, Row]:
    """Name → what the feed holds, for those feeds that exist, where the device tells it. One
    request each.
    """
    held: dict[Key, Row] = {}
    for name in names:
        if state.find(FEED, name) is None:
            continue
        try:
            answer = client.monitor("system/external-resource/entry-list", mkey=name)
        except DeviceError as error:
            if error.status != 404 or not error.enveloped:
                raise
            continue  # Before 7.2.1 the device does not tell.
        entries = _entries(answer)
        if entries is None:
            raise client.unreadable(
                ENTRIES, f"a content of the feed '{name}' that is not a list of ranges"
            )
        held[name] = {"name": name, "entries": entries}
    return held


def _entries(answer: t.Any) -> list[str] | None:
    """The ranges of an entry list; the shape of its rows is not documented, so texts and tables are
    both read. None for what cannot be read.

    A line that the device calls invalid is in no range.
    """
    if isinstance(answer, t.Mapping):
        answer = answer.get("entries", [])
    if answer is None:
        return []
    if not isinstance(answer, list):
        return None
    told = [
        line for line in answer if not (isinstance(line, t.Mapping) and line.get("valid") is False)
    ]
    texts = [line.get("entry", "") if isinstance(line, t.Mapping) else line for line in told]
    if not all(isinstance(text, str) for text in texts):
        return None
    entries = [text for text in texts if text]
    try:
        RangeSet.parse(entries)
    except RangeError:
        return None
    return entries


def push(client: FortiOS, change: Change) -> None:
    """Replace what a feed holds. What is removed goes with its feed."""
    if change.action == Action.REMOVE:
        return
    command = {
        "name": str(change.key),
        "command": "snapshot",
        "entries": list(change.after["entries"]),
    }
    client.post_monitor("system/external-resource/dynamic", {"commands": [command]})
