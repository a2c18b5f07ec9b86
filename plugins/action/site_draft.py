# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site_draft: what the hosts of a run have read of their sites, as drafts of their descriptions."""

from __future__ import annotations

import datetime
import os
import pathlib
import re
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import SITE_DRAFT
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.files import (
    write_whole,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._discover import kept
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._discover.draft import draft_of
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._discover.readings import (
    Draft,
    Readings,
    read_well,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._discover.replaced import replaced
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._discover.text import text_of
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._site.description import DESCRIPTION
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._teller import (
    FAILURE,
    NEVER_RAN,
    RESULT,
    Teller,
    Variables,
    variables_of,
    why_undescribed,
)

_THERE = (
    "There is another draft at {} already, which somebody may have worked on. It was left as it "
    "is. Move it away, or set mailedge_discover_overwrite to true."
)
_UNFIT = re.compile(r"[^A-Za-z0-9._-]")


class ActionModule(Teller):
    """The action behind the module of the same name."""

    arguments = SITE_DRAFT

    def tell(self, params: dict[str, t.Any], variables: Variables) -> dict[str, t.Any]:
        """Write a draft for each site. Never fails a host by itself."""
        of_hosts = variables_of(params["hosts"], variables)
        failed: dict[str, str] = {}
        drafts: dict[str, dict[str, t.Any]] = {}
        lines: list[str] = []
        names: dict[str, str] = {}
        diffs: list[dict[str, str]] = []
        for site, members in _sites(of_hosts, failed).items():
            whole = {host: of_hosts[host] for host in members}
            readings = _readings(site, whole)
            draft, described = draft_of(readings), readings.described
            path, text = _place(described, site), text_of(draft, f"made {_today()}.")
            before, trouble = _held(path)
            trouble = trouble or _twin(names, path, site)
            if not trouble and before and before != text and not described["discover_overwrite"]:
                trouble = _THERE.format(path)
            if not trouble and before != text:
                diffs.append(_diff(path, before, text))
                trouble = "" if self._task.check_mode else _written(text, path)
            reading = ""
            if described.get("discover_reading") and not self._task.check_mode:
                # Nobody works on it, so that it is always the last one.
                reading, wrong = _keep(path, _reading(readings, whole), described)
                trouble = trouble or wrong
            drafts[site] = {
                "path": "" if trouble else str(path),
                "reading": reading,
                "text": text,
                "variables": draft.variables,
                "questions": draft.questions,
                "not_read": draft.unread,
            }
            lines += _lines(draft, path, trouble)
            lines += [f"  for a rehearsal: {reading}"] if reading else []
            for host in members:
                why = trouble or _unread(of_hosts[host])
                if why:
                    failed[host] = why
        lines += [f"{host}: {why}" for host, why in failed.items()]
        for line in lines:
            self._display.display(line)
        return {
            **({"diff": diffs} if self._task.diff else {}),
            "changed": bool(diffs),
            "msg": lines,
            "drafts": drafts,
            "failed_hosts": failed,
            "verdicts": {host: "unknown" if host in failed else "read" for host in of_hosts},
        }


def _sites(of_hosts: t.Mapping[str, Variables], failed: dict[str, str]) -> dict[str, list[str]]:
    """Site → its hosts that say which it is; the others are failed, with the reason."""
    sites: dict[str, list[str]] = {}
    for host, variables in of_hosts.items():
        about = variables.get(DESCRIPTION) or {}
        why = why_undescribed(variables, about)
        if why:
            failed[host] = why
        else:
            sites.setdefault(str(about["described"]["site"]), []).append(host)
    return sites


def _results(of_hosts: t.Mapping[str, Variables], name: str) -> dict[str, t.Any]:
    return {host: variables.get(RESULT + name) for host, variables in of_hosts.items()}


def _of_the_site(of_hosts: t.Mapping[str, Variables], name: str) -> dict[str, t.Any]:
    """What the owner of the site has asked, and the others have skipped."""
    told = [result for result in _results(of_hosts, name).values() if result]
    asked = [result for result in told if not result.get("skipped")]
    return next(iter([*filter(read_well, asked), *asked]), {})


def _readings(site: str, of_hosts: t.Mapping[str, Variables]) -> Readings:
    first = next(iter(of_hosts.values()))
    return Readings(
        site,
        tuple(of_hosts),
        described=first[DESCRIPTION]["described"],
        mail_flow=_results(of_hosts, "mail_flow"),
        senders=_results(of_hosts, "senders"),
        names=_results(of_hosts, "server_names"),
        firewall=_of_the_site(of_hosts, "fortigate"),
        dns=_of_the_site(of_hosts, "dns"),
    )


def _reading(readings: Readings, of_hosts: t.Mapping[str, Variables]) -> dict[str, t.Any]:
    """What a lab can be made from."""
    firewall = _of_the_site(of_hosts, "fortigate_reading")
    return kept.whole_of(readings, _results(of_hosts, "reading"), firewall)


def _keep(path: pathlib.Path, data: dict[str, t.Any], described: Variables) -> tuple[str, str]:
    """Write it beside the draft; where it is, empty where it is not, and why."""
    place = path.with_suffix(".reading.json")
    if described.get("discover_replace_names"):
        data, table = replaced(data)
        place = path.with_suffix(".replaced.json")
        # Apart, so that the one can be handed on without the other.
        wrong = _written(kept.text_of(table), path.with_suffix(".names.json"), "table of names")
        if wrong:
            return "", wrong
    wrong = _written(kept.text_of(data), place, "reading")
    return "" if wrong else str(place), wrong


def _place(described: Variables, site: str) -> pathlib.Path:
    folder = pathlib.Path(os.path.expanduser(str(described["discover_folder"])))
    return folder.absolute() / f"{_UNFIT.sub('-', site)}.yml"


def _twin(names: dict[str, str], path: pathlib.Path, site: str) -> str:
    """Two sites whose names differ in what no file name may hold."""
    other = names.setdefault(str(path).lower(), site)
    return "" if other == site else f"Its draft would be written over that of site '{other}'."


def _today() -> str:
    # The day alone, so that two readings of a site that is the same are the same draft.
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")


def _held(path: pathlib.Path) -> tuple[str, str]:
    """The draft that is there, empty where there is none, and why it could not be read."""
    try:
        return (path.read_text(encoding="utf-8"), "") if path.exists() else ("", "")
    except (OSError, UnicodeDecodeError) as error:
        return "", f"What is at {path} could not be read, and was left as it is: {error}."


def _diff(path: pathlib.Path, before: str, after: str) -> dict[str, str]:
    header = {"before_header": str(path), "after_header": str(path)}
    return {"before": before, "after": after, **header}


def _written(text: str, path: pathlib.Path, what: str = "draft") -> str:
    """Write it; why it could not be written, empty where it was."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    except OSError as error:
        return f"The {what} could not be written to {path}: {error.strerror}."
    return ""


def _unread(variables: Variables) -> str:
    """Why a host was not read, empty where its connectors were."""
    result = variables.get(f"{RESULT}mail_flow")
    if read_well(result):
        return ""
    why = str((result or {}).get("msg") or variables.get(FAILURE) or NEVER_RAN).strip()
    return f"Its connectors could not be read, so that the draft does not know them. {why}"


def _lines(draft: Draft, path: pathlib.Path, trouble: str) -> list[str]:
    if trouble:
        return [f"{draft.site}: no draft. {trouble}"]
    lines = [f"{draft.site}: {path}"]
    lines += [f"  {number}. {text}" for number, text in enumerate(draft.questions, 1)]
    return lines + [f"  not read: {sentence}" for sentence in draft.unread]
