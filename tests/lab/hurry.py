# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens the door of a server in a running lab again, as a colleague in a hurry does.

``python -m ansible_collections.mailedge.lockdown.tests.lab.hurry INVENTORY HOST``
"""

from __future__ import annotations

import argparse
import sys
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.control import LabClient, LabError


def main(given: t.Sequence[str] | None = None) -> int:
    """Open it, and say how."""
    parser = argparse.ArgumentParser(
        prog="python -m ansible_collections.mailedge.lockdown.tests.lab.hurry",
        description="Opens the door of a server in a running lab, as a colleague in a hurry does.",
    )
    parser.add_argument("inventory", help="the inventory that the lab has written")
    parser.add_argument("host", help="a server of the lab, by its name in the inventory")
    arguments = parser.parse_args(given)
    try:
        print(LabClient.of(arguments.inventory).open_door(arguments.host))
    except (LabError, OSError) as error:
        print(f"The door of {arguments.host} was not opened: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
