# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a lab from the command line and prints its inventory. It ends by itself: with its time,
its parent, or a signal.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.needs import missing

try:
    from ansible_collections.mailedge.lockdown.tests.lab.exchange.editions import EDITIONS
    from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
    from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.file import NoReading, load
    from ansible_collections.mailedge.lockdown.tests.lab.rehearsal.lab import Rehearsal
    from ansible_collections.mailedge.lockdown.tests.lab.site import (
        DEFAULT_SITES,
        PROVIDER_RANGES,
        parse_sites,
    )
except ModuleNotFoundError as error:
    sys.exit(missing(error))

_EXAMPLE = " ".join(f"{site.name}={','.join(site.editions)}" for site in DEFAULT_SITES)


def _arguments(given: t.Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m ansible_collections.mailedge.lockdown.tests.lab",
        description=(
            "Starts sites of Exchange servers on loopback and prints an inventory for them."
        ),
        epilog=f"Editions: {', '.join(EDITIONS)}.",
    )
    parser.add_argument(
        "--sites", nargs="+", metavar="NAME=EDITION,...[/FORTIOS]", help=f"default: {_EXAMPLE}"
    )
    parser.add_argument(
        "--from",
        dest="reading",
        metavar="FILE",
        help="play the site of a reading, which discover keeps with mailedge_discover_reading",
    )
    parser.add_argument(
        "--inventory",
        required=True,
        metavar="FILE",
        help="where to write the inventory; removed at the end",
    )
    parser.add_argument(
        "--lifetime",
        type=float,
        default=600,
        metavar="SECONDS",
        help="end after so long (default: 600)",
    )
    parser.add_argument(
        "--pwsh",
        metavar="PATH",
        help="PowerShell to run the agent in; '' for the stand-in (default: PWSH, else from PATH)",
    )
    parser.add_argument(
        "--real-latencies",
        action="store_true",
        help="as slow as real servers: 0.6 s a PowerShell, 8 s a shell",
    )
    parser.add_argument(
        "--undescribed",
        action="store_true",
        help="leave the sites' descriptions out of the inventory, for the playbook discover",
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing")
    arguments = parser.parse_args(given)
    if arguments.reading and arguments.sites:
        parser.error("--from plays the site that was read: it goes with no --sites.")
    try:
        arguments.sites = parse_sites(arguments.sites) if arguments.sites else DEFAULT_SITES
        arguments.reading = load(arguments.reading) if arguments.reading else None
    except (ValueError, NoReading) as error:
        parser.error(str(error))
    return arguments


def _lab(arguments: argparse.Namespace) -> Lab:
    start, shell = (0.6, 8.0) if arguments.real_latencies else (0.0, 0.0)
    options: dict[str, t.Any] = {
        "inventory": arguments.inventory,
        "pwsh": arguments.pwsh,
        "start_seconds": start,
        "shell_seconds": shell,
    }
    if arguments.reading:
        return Rehearsal(arguments.reading, **options)
    return Lab(arguments.sites, **options, described=not arguments.undescribed)


def _rehearsed(lab: Rehearsal) -> list[str]:
    """What there is to know of a rehearsal: what the lab does not play, and how it is used."""
    unlike = [f"- {sentence}" for sentence in lab.told] or ["- nothing that was read."]
    site = lab.sites[0].name
    place = lab.inventory.parent / "group_vars" / f"{site}.yml"
    commands = ["drift", "apply --check --diff", "apply", "rollback"]
    return [
        f"The lab plays the site '{site}'. Of the site that was read it does not play:",
        *unlike,
        f"Copy the site's description to {place}, never give it with -e: what is given",
        "so counts more than the lab's addresses, and would reach the real site. Then:",
        *(
            f"  ansible-playbook -i {lab.inventory} mailedge.lockdown.{command}"
            for command in commands
        ),
    ]


def _to_try(lab: Lab, *, described: bool) -> list[str]:
    """Three commands, in their order."""
    if described:
        return ["probe -e mailedge_probe_expect=any", "apply --check --diff", "apply"]
    # What only a person can answer; the rest is in the draft, which is the site's group_vars.
    place = next(iter(lab.hosts.values())).place
    answers = {
        "mailedge_hosts": place.site.name,
        "mailedge_provider_ranges": ",".join(PROVIDER_RANGES),
        "mailedge_own_networks": ",".join(place.own_networks),
    }
    answered = " ".join(f"-e {name}={answer}" for name, answer in answers.items())
    folder = lab.inventory.parent / "group_vars"
    return [
        f"discover -e mailedge_discover_folder={folder}",
        f"apply --check --diff {answered}",
        f"apply {answered}",
    ]


def main(given: t.Sequence[str] | None = None) -> int:
    """Run until it is time to end."""
    arguments = _arguments(given)
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: ending.set())
    parent = os.getppid()
    with _lab(arguments) as lab:
        if not arguments.quiet:
            print(lab.inventory.read_text(encoding="utf-8"))
            print(f"# The lab is up: {', '.join(lab.hosts)}. Its inventory is {lab.inventory}.")
            print(f"# It ends in {arguments.lifetime:g} seconds, or with Ctrl-C.")
            if isinstance(lab, Rehearsal):
                lines = _rehearsed(lab)
            else:
                commands = _to_try(lab, described=not arguments.undescribed)
                play = f"  ansible-playbook -i {lab.inventory} mailedge.lockdown."
                lines = ["Try:", *(f"{play}{command}" for command in commands)]
            print("\n".join(f"# {line}" for line in lines), flush=True)
        deadline = time.monotonic() + arguments.lifetime
        # Who started it may die without a word; its child then belongs to somebody else.
        while not ending.wait(0.5) and time.monotonic() < deadline and os.getppid() == parent:
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
