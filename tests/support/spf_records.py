# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SPF records that can be evaluated, and some that cannot, with the names that they lead to."""

from __future__ import annotations

from ansible_collections.mailedge.lockdown.tests.lab.names import Zones


def zones() -> Zones:
    """Names that the records below lead to."""
    made = Zones(["example"])
    made.add("mail.hafen.example", "A", "203.0.113.25")
    made.add("mail.hafen.example", "AAAA", "2001:db8:113::25")
    made.add("hafen.example", "A", "203.0.113.80")
    made.add("hafen.example", "MX", "10 mail.hafen.example.", "20 mx.filter.example.")
    made.add("mx.filter.example", "A", "198.51.100.7")
    made.add("_spf.filter.example", "TXT", '"v=spf1 ip4:198.51.100.0/24 ip6:2001:db8:25::/48 ~all"')
    made.add("_open.filter.example", "TXT", '"v=spf1 -ip4:192.0.2.0/24 +all"')
    made.add("_nest.filter.example", "TXT", '"v=spf1 include:_spf.filter.example ?all"')
    made.add("_circle.example", "TXT", '"v=spf1 include:_circle.example -all"')
    made.add("two.example", "TXT", '"v=spf1 -all"', '"v=spf1 ip4:192.0.2.1 -all"')
    for number in range(12):
        made.add(f"c{number}.example", "TXT", f'"v=spf1 include:c{number + 1}.example -all"')
    made.add("c12.example", "TXT", '"v=spf1 ip4:192.0.2.12 -all"')
    return made


RECORDS = [
    "v=spf1 ip4:198.51.100.0/24 -all",
    "v=spf1 ip4:198.51.100.7 ip6:2001:db8:25::7 ~all",
    "v=spf1 a mx -all",
    "v=spf1 a:mail.hafen.example/28 -all",
    "v=spf1 a/24//64 -all",
    "v=spf1 mx/30 ?all",
    "v=spf1 include:_spf.filter.example -all",
    "v=spf1 include:_nest.filter.example ~all",
    "v=spf1 include:_open.filter.example -all",
    "v=spf1 -ip4:198.51.100.7 include:_spf.filter.example -all",
    "v=spf1 ?ip4:198.51.100.0/25 ip4:198.51.100.0/24 -all",
    "v=spf1 ip4:198.51.100.7 -ip4:198.51.100.0/24 +all",
    "v=spf1 redirect=_spf.filter.example",
    "v=spf1 ip4:192.0.2.9 redirect=_spf.filter.example",
    "v=spf1 -all redirect=_spf.filter.example",
    "v=spf1 +all",
    "v=spf1 all",
    "V=SPF1 IP4:198.51.100.0/24 -ALL",
    "v=spf1 exp=why.example ip4:192.0.2.9 -all",
    "v=spf1 include:c3.example -all",
    "v=spf1",
    "v=spf1 a:gone1.example a:gone2.example ip4:192.0.2.9 -all",
]
BROKEN = [
    ("v=spf1 include:_circle.example -all", "includes itself"),
    ("v=spf1 include:two.example -all", "has 2 SPF records"),
    ("v=spf1 include:nothing.example -all", "has no SPF record"),
    ("v=spf1 include:c0.example -all", "more than the 10 lookups"),
    ("v=spf1 ip4:198.51.100.0/33 -all", "no network of its kind"),
    ("v=spf1 ip4:2001:db8::1 -all", "no network of its kind"),
    ("v=spf1 ipv4:198.51.100.1 -all", "cannot be read"),
    ("v=spf1 a:g1.example a:g2.example a:g3.example -all", "are not there"),
]
