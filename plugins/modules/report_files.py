#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report_files: documentation and options; module_utils/_report/folder.py does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: report_files
short_description: Keep the report of a run as dated files, and say what changed
version_added: 0.1.0
description:
  - Writes the report of M(mailedge.lockdown.run_report) into a folder of the host that the task
    runs on or is delegated to, in one or more formats, all files or none.
  - C(report-TIME-PLAYBOOK.EXT) are the history, C(latest.EXT) is the last of them again.
    C(mailedge.prom) has the metrics of all sites for the textfile collector of node_exporter.
    C(state.json) has what is known of every site, by which each finding gets the time since when it
    is there.
  - Reports of C(apply) and C(drift) are compared with that. A run with a limit takes nothing from
    what is known of the sites and hosts that it was not to see. A finding is gone when its layer
    was looked at on its host and does not have it any more, and stays known until then.
  - A folder that cannot be written is told. It fails no run, and takes nothing from its verdicts.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._attributes
attributes:
  check_mode:
    support: full
    details:
      - Compares, and writes nothing.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each run has files of its own.
  platform:
    platforms: posix
    support: full
options:
  folder:
    description: The folder. It is made where it is not there.
    type: path
    required: true
  formats:
    description: What is written.
    type: list
    elements: str
    choices: [json, html, markdown, csv, junit, prometheus]
    default: [json, html, markdown]
  mode:
    description: The mode of the files. A report says who could get in where.
    type: str
    default: "0640"
  partial:
    description:
      - Whether the run was to see some of the sites, or of the hosts of a site, only, so that none
        is missing. A run with a limit is one of these in any case.
      - Where not set, what was known and the report does not have stays known, and is told. With
        V(false) it is forgotten, and a C(state.json) that cannot be read is kept under another name
        and written anew.
    type: bool
  keep_days:
    description:
      - For how many days the dated files are kept, counted back from the time of the report.
        Everything is kept where it is not set.
      - Older ones are removed once the report is written, those of a run all or none, if their name
        and the time of their last write both say that they are old. No other file is touched.
    type: int
  report:
    description: The report. That of the run where not set.
    type: json
"""

EXAMPLES = r"""
- name: Say what was found
  mailedge.lockdown.run_report:
    playbook: drift
    hosts: "{{ ansible_play_hosts_all }}"
  register: __mailedge_report
  run_once: true

- name: Keep it
  mailedge.lockdown.report_files:
    folder: /srv/reports
    formats: [json, html, prometheus]
  delegate_to: reports.example
  run_once: true
"""

RETURN = r"""
files:
  description: The files that were written.
  returned: when they could be written
  type: list
  elements: str
  sample: ["/srv/reports/report-20261130T100000Z-drift.json", "/srv/reports/latest.json"]
removed:
  description: The dated files that were removed, because they were old (O(keep_days)).
  returned: when it could be written
  type: list
  elements: str
  sample: []
changes:
  description:
    - What is another than before, with the time of the report before (C(since)), the findings that
      C(appeared) and those that are C(gone), each with its C(site), the C(states) of sites as they
      were and are, C(new_sites) and C(missing_sites).
    - Null where there is nothing to compare with.
  returned: when they could be written
  type: dict
msg:
  description: Why the report was not written.
  returned: when it was not
  type: str
"""

import json
import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._module import made
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.argspec import REPORT_FILES
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.changes import (
    ReportError,
    checked,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.dated import check_days
from ansible_collections.mailedge.lockdown.plugins.module_utils._report.folder import (
    FolderError,
    ReportFolder,
)


def main() -> None:
    """The module."""
    module = made(**REPORT_FILES, supports_check_mode=True)
    asked = module.params
    wrong = check_days(asked["keep_days"])
    if wrong:
        module.fail_json(msg=wrong)
    try:
        folder = ReportFolder(asked["folder"], int(asked["mode"], 8), keep_days=asked["keep_days"])
    except ValueError:
        module.fail_json(msg=f"The mode '{asked['mode']}' is not one such as 0640.")
    try:
        report = checked(json.loads(asked["report"] or "null"))
        if module.check_mode:
            told, changes, warnings = folder.compare(report, partial=asked["partial"])
            written: dict[str, t.Any] = {
                "files": [],
                "removed": [],
                "changes": changes,
                "report": told,
            }
        else:
            written = folder.write(report, asked["formats"], partial=asked["partial"])
            warnings = written.pop("warnings")
    except ReportError as error:
        module.fail_json(msg=f"What is to be written is no report: {error}")
    except FolderError as error:
        module.fail_json(msg=str(error))
    for warning in warnings:
        module.warn(warning)
    module.exit_json(changed=not module.check_mode, **written)


if __name__ == "__main__":
    main()
