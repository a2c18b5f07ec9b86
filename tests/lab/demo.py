# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole story on the lab: an open site is locked, proven, checked, opened again by somebody,
caught, and rolled back.

Everything is done by the playbooks that a user runs. Every chapter is checked, and the first one
that does not turn out ends the story with exit code 1.
"""

from __future__ import annotations

import pathlib
import sys
import time
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.lab import Lab
from ansible_collections.mailedge.lockdown.tests.lab.playing import Run, play
from ansible_collections.mailedge.lockdown.tests.lab.site import SOURCES, Site
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.server import Iis

HOST = "birke-ex1"
_INDENT = "      "
# What the site says of its web: people read mail from outside, and administer it from inside.
PUBLISHED = {"mailedge_exchange_publish": ["owa", "autodiscover"]}
ADMIN_CENTER, OUTLOOK = "/ecp/", "/owa/"
# Where the story keeps its reports; those of a lock and of the drift after it.
REPORTS = pathlib.Path("report").absolute()
KEEP = {"mailedge_report_folder": str(REPORTS)}
# The same place, as somebody asks for it who hides something.
SMUGGLED = ("/%65cp/", "//ecp/", "/%2565cp/", "/ECP;x/")


class Surprise(Exception):
    """A chapter did not turn out as the story says."""


class Story:
    """Tells chapter after chapter, and checks each."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.client = lab, lab.client()
        self._chapter = 0

    def chapter(self, title: str, command: str = "") -> None:
        """Begin a chapter."""
        self._chapter += 1
        print(f"\n  {self._chapter}. {title}")
        if command:
            print(f"{_INDENT}$ ansible-playbook -i inventory mailedge.lockdown.{command}")

    @staticmethod
    def say(line: str) -> None:
        """One line of the chapter."""
        print(f"{_INDENT}{line}", flush=True)

    @staticmethod
    def check(holds: bool, what: str, run: Run | None = None) -> None:
        """End the story where `what` does not hold."""
        if not holds:
            raise Surprise(f"{what}\n\n{run.output if run else ''}")

    def play(self, playbook: str, *arguments: str, **variables: t.Any) -> Run:
        """Run a playbook of the collection against the lab."""
        self.client.ask("reset_counters", host=HOST)
        return play(playbook, self.lab.inventory, *arguments, variables={**PUBLISHED, **variables})

    def cost(self) -> str:
        """What the last run cost the server."""
        counted = self.client.ask("counters", host=HOST)
        return (
            f"cost: {counted['powershell_starts']} PowerShell start(s), "
            f"{counted['exchange_shells']} Exchange shell(s), {counted['writes']} write(s)"
        )

    def looks(self, run: Run) -> dict[str, str]:
        """What each probe of a run found, told line by line."""
        verdicts: dict[str, str] = {}
        for name, look in run.looks().items():
            verdict = verdicts[name] = look["verdict"]
            cases = [case for case in look["addresses"][0]["cases"].values() if case]
            silent = cases and all(case["reason"] == "no_connection" for case in cases)
            self.say(
                f"{name}: "
                f"{verdict}{', for the firewall drops the connection: no answer' if silent else ''}"
            )
        return verdicts

    def report(self, run: Run) -> None:
        """What the run itself told."""
        for line in run.of("Say what was found")[-1].result["msg"]:
            self.say(line)

    def web(self, path: str, source: str = "internet") -> int:
        """The status that somebody gets from the server's web; 0 for no answer."""
        front = self.lab.hosts[HOST].web
        try:
            return front.browse(SOURCES[source], path, seconds=3).status if front else 0
        except OSError:
            return 0

    def dump(self) -> tuple[t.Any, ...]:
        """The connectors of the server, what its firewall has, and the configuration of its web."""
        dump, firewall = self.client.ask("dump", host=HOST), self.client.firewall_dump(HOST)
        return (
            dump["receive_connectors"],
            dump["send_connectors"],
            firewall["policies"],
            firewall["groups"],
            self.lab.hosts[HOST].exchange.windows.iis.text,
        )


def tell(lab: Lab) -> None:
    """The story."""
    story = Story(lab)
    start = story.dump()

    story.chapter("The door beside the filter stands open.", "probe -e mailedge_probe_expect=any")
    run = story.play("probe", mailedge_probe_expect="any")
    looks = story.looks(run)
    story.check(
        run.code == 0 and looks.get("a stranger on the internet") == "open",
        "The door should stand open.",
        run,
    )
    web, admin = story.web(OUTLOOK), story.web(ADMIN_CENTER)
    story.check(web == 302, "Outlook on the web should answer.", run)
    story.check(admin == 302, "The admin center should answer.", run)
    story.say(f"the admin center, asked by the same stranger: answers ({admin}, to its form)")

    story.chapter("What a lock would change, without changing it.", "apply --check --diff")
    run = story.play("apply", "--check", "--diff")
    story.check(run.code == 0, "The check should end well.", run)
    promised = run.mail_flow(HOST)
    planned = _of_firewall(run)
    story.report(run)
    story.check(story.dump() == start, "A check must change nothing.", run)
    story.say(story.cost())

    story.chapter("Lock it, and prove it from a stranger's address.", "apply")
    run = story.play("apply", **KEEP)
    story.check(run.code == 0, "The lock should hold its proof.", run)
    done = run.mail_flow(HOST)
    barred = _of_firewall(run)
    same = done["plan"] == promised["plan"] and barred["plan"] == planned["plan"]
    story.check(same, "The run must do what the check said.", run)
    looks = story.looks(run)
    story.check(
        looks.get("a stranger on the internet") == "closed", "A stranger must be refused.", run
    )
    story.check(looks.get("the filtering provider") == "open", "The provider must be heard.", run)
    story.check(story.web(OUTLOOK) == web, "The web must stay as open as it was.", run)
    refused = [story.web(path) for path in (ADMIN_CENTER, *SMUGGLED)]
    story.check(set(refused) <= {403, 404}, f"The admin center should be shut: {refused}.", run)
    inside = story.web(ADMIN_CENTER, "lan")
    story.check(inside == admin, "Who is inside should reach the admin center.", run)
    story.say(
        f"Outlook on the web, asked by the same stranger: answers as before ({web}, to its form)"
    )
    story.say(
        f"the admin center: refused ({refused[0]}), encoded and doubled as well; inside as before"
    )
    story.say(f"the state before is kept: of the connectors as {done['snapshot']['name']},")
    story.say(f"of the web as {run.layer('iis')['snapshot']['name']},")
    story.say(f"of the firewall as {barred['snapshot']['name']}")
    story.say(story.cost())

    story.chapter("A second run changes nothing.", "apply")
    run = story.play("apply")
    story.check(run.code == 0 and not run.changed, "The second run should change nothing.", run)
    story.say(f"changed=0; {story.cost()}")

    story.chapter("A month later, somebody is in a hurry.")
    story.say(story.client.open_door(HOST))
    story.say(story.client.open_firewall(HOST))

    story.chapter("The drift check catches it.", "drift")
    run = story.play("drift", **KEEP)
    story.check(run.code != 0, "The drift check should fail the job.", run)
    drift = run.mail_flow(HOST)
    open_again = _of_firewall(run)
    story.check(
        bool(drift["plan"]) and bool(open_again["plan"]),
        "The drift check should name what differs.",
        run,
    )
    story.report(run)

    story.chapter("The night mail stops: restore the previous state.", "rollback")
    run = story.play("rollback")
    story.check(run.code == 0, "The rollback should end well.", run)
    story.report(run)
    story.check(
        story.dump() == start, "The previous state should be restored, to the last option.", run
    )
    story.check(story.web(ADMIN_CENTER) == admin, "The admin center should answer again.", run)
    story.say(
        "every connector, policy and group, and the configuration of the web, are as they were"
    )

    story.chapter("What the drift check found, for who was not there.")
    page = REPORTS / "latest.html"
    story.check(page.is_file(), f"The report should be at {page}.")
    told = page.read_text(encoding="utf-8")
    story.check("1 site is open to strangers." in told, "The page should say so first.")
    story.say(f"a page for people, which needs nothing but itself: {page}")


def _of_firewall(run: Run) -> dict[str, t.Any]:
    """What the lock of the firewall gave."""
    return run.of("Let only the provider reach")[-1].result


def main() -> int:
    """Tell the story on a lab of its own."""
    begun = time.monotonic()
    print(
        "\n  mailedge.lockdown: an Exchange 2016 server behind a FortiGate, whose mail filter can "
        "be walked around, in a lab on this machine"
    )
    with Lab((Site("birke", ("2016",), "7.4.4"),)) as lab:
        # A web server whose role service for IP lists is there, because IPv6 needs it.
        lab.hosts[HOST].exchange.windows.add_iis(lambda: Iis("2016", ip_restrictions=True))
        try:
            tell(lab)
        except Surprise as surprise:
            print(f"\n  The story ends here: {surprise}", file=sys.stderr)
            return 1
    print(
        f"\n  That was the whole story, in {time.monotonic() - begun:.0f} seconds. Every line of "
        "it was checked.\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
