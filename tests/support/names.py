# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The DNS of an invented site behind a filter, as tests start from it."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.names import NameServer, Zones

DOMAIN = "hafen.example"
FILTER = "filter.example"
SERVER = "203.0.113.25"
SERVER_6 = "2001:db8:113::25"


def a_site() -> Zones:
    """A site in order: MX to the filter, one server by two names, SPF, DMARC and TLS-RPT."""
    zones = Zones([DOMAIN, FILTER, "113.0.203.in-addr.arpa", "example"])
    zones.add(DOMAIN, "MX", f"10 mx1.{FILTER}.", f"20 mx2.{FILTER}.")
    zones.add(DOMAIN, "TXT", f'"v=spf1 include:_spf.{FILTER} -all"')
    zones.add(f"_spf.{FILTER}", "TXT", '"v=spf1 ip4:198.51.100.0/24 ip6:2001:db8:25::/48 ~all"')
    for number, host in enumerate((f"mx1.{FILTER}", f"mx2.{FILTER}", f"smart.{FILTER}"), 7):
        zones.add(host, "A", f"198.51.100.{number}")
    zones.add(f"mail.{DOMAIN}", "A", SERVER)
    zones.add(f"mail.{DOMAIN}", "AAAA", SERVER_6)
    zones.add(f"webmail.{DOMAIN}", "CNAME", f"mail.{DOMAIN}.")
    zones.add("25.113.0.203.in-addr.arpa", "PTR", f"mail.{DOMAIN}.")
    zones.add(f"_dmarc.{DOMAIN}", "TXT", '"v=DMARC1; p=reject; rua=mailto:d@hafen.example"')
    zones.add(f"_smtp._tls.{DOMAIN}", "TXT", '"v=TLSRPTv1; rua=mailto:t@hafen.example"')
    return zones


@contextlib.contextmanager
def running(zones: Zones | None = None) -> t.Iterator[NameServer]:
    """A name server with these zones, or those of a site in order."""
    with NameServer(a_site() if zones is None else zones) as server:
        yield server


def options(server: NameServer, **more: t.Any) -> dict[str, t.Any]:
    """The options of mail_edge_names, as a task gives them to the lab's server."""
    return {
        "domains": [DOMAIN],
        "mx_suffixes": [FILTER],
        "resolver": "127.0.0.1",
        "resolver_port": server.port,
        "timeout": 0.5,
        "time_limit": 20,
        **more,
    }
