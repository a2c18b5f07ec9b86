# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mail servers answer, and what a careful person makes of it.

Exchange's and Exchange Online's decisive words are theirs, by the documents that the table of the
probe names. All others are of our own wording; their kinds are those of Microsoft's lists of
non-delivery reports and of public field manuals of what large providers answer.

A row of replies.txt: where the reply came (`mail/postfix` after a greeting that names Postfix, else
after Exchange's), what it means for delivery, relaying and spoofing, and the reply, its lines
parted by ` | `.

    C  closed            O  open
    ?  cannot be told    +  cannot be told, and an allowed sender who is accepted at the same
                            address would tell
"""

from __future__ import annotations

import pathlib
import typing as t

SENDER, RECIPIENT = "probe@watchtower.example", "postmaster@hafen.example"
RELAY, OWN = "relay-check@relay.watchtower.example", "office@hafen.example"


class Answer(t.NamedTuple):
    """One row."""

    stage: str
    product: str
    verdicts: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """For a message."""
        return f"{self.stage}/{self.product} {self.verdicts} {' | '.join(self.lines)}"


def answers() -> list[Answer]:
    """All rows."""
    rows = []
    for line in [*CORPUS.splitlines(), *LOOK_ALIKES]:
        if not line.strip() or line.startswith("#"):
            continue
        place, verdicts, reply = line.split(None, 2)
        stage, _slash, product = place.partition("/")
        lines = tuple(line.rstrip() for line in reply.split(" | "))
        rows.append(Answer(stage, product or "exchange", verdicts, lines))
    return rows


CORPUS = pathlib.Path(__file__).with_suffix(".txt").read_text(encoding="utf-8")

_WORDS = "lient was not authenticated to send anonymous mail during MAIL FROM"
# Letters of other alphabets, of which some are the same to a pattern that does not ask for case;
# blanks and signs of direction.
LOOK_ALIKES = (
    f"mail ??? 550 5.7.57 \N{ROMAN NUMERAL ONE HUNDRED}{_WORDS}",
    f"mail ??? 550 5.7.57 C{_WORDS.replace('s', chr(0x17F))}",
    f"mail ??? 550 5.7.57 C{_WORDS.replace(' ', chr(0xA0))}",
    f"mail ??? 550 5.7.57\N{ZERO WIDTH SPACE} C{_WORDS}",
    f"mail ??? 550 \N{FULLWIDTH DIGIT FIVE}.7.57 C{_WORDS}",
    f"mail ??? 550 5.7.57 C{_WORDS}\N{RIGHT-TO-LEFT OVERRIDE}",
    "rcpt ??? 550 5.4.1 R\N{CYRILLIC SMALL LETTER IE}lay Access Denied",
    "rcpt ??? 550 5.7.1 Unable to relay\N{RIGHT-TO-LEFT OVERRIDE}",
    "rcpt ??? 550 5.4.1 Relay Access Den\N{LATIN SMALL LETTER DOTLESS I}ed",
    "banner ??? 421 4.3.2 Service not availab\0le",
)
