# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of a look from outside: what is asked of a mail server, and from where."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments C(mailedge.lockdown._probe.envelopes) and C(.vantage)."""

    DOCUMENTATION = r"""
options: {}
"""

    ENVELOPES = r"""
options:
  sender:
    description:
      - An address of your own that exists, outside of the site. Needed for a look at a mail server.
      - Exchange may refuse the domains that RFC 2606 reserves for examples, so take a real one.
    type: str
  recipient:
    description: A mailbox at the site that exists. Needed for a look at a mail server.
    type: str
  relay_recipient:
    description:
      - An address of your own outside of the site. The server is asked whether it would relay to
        it.
      - Not asked where this is not set.
    type: str
  own_domain_sender:
    description:
      - An address at the site. The server is asked whether it takes mail to O(recipient) that
        claims to come from there.
      - Not asked where this is not set.
    type: str
  helo_name:
    description:
      - The name that this host gives after C(EHLO).
      - Its address in brackets where this is not set.
    type: str
"""

    VANTAGE = r"""
options:
  source_address:
    description:
      - The address of this host to look from, of the same family as the targets.
      - Addresses of the other family are inconclusive then, unless O(address_family) leaves them
        out.
    type: str
  address_family:
    description: Which addresses of the targets to look at.
    type: str
    choices: [any, ipv4, ipv6]
    default: any
  timeout:
    description:
      - How long one reply may take, in seconds.
      - Exchange makes strangers wait 5 seconds for each refusal, and other servers longer.
    type: int
    default: 40
  connect_timeout:
    description: How long one connection may take, in seconds.
    type: int
    default: 20
  starttls:
    description:
      - V(if_offered) encrypts as mail servers among each other do, and goes on in clear if that
        fails.
      - V(never) does not encrypt.
      - V(require) gives an inconclusive verdict where encryption does not come about.
      - Certificates are reported, never verified.
    type: str
    choices: [if_offered, never, require]
    default: if_offered
  control_host:
    description:
      - A mail server elsewhere that is known to greet everybody.
      - Many networks let nothing out on port 25, and from there every server looks closed. A
        connection that comes to nothing is called V(closed) only if this host greets over the same
        family of addresses, or if the address is in O(reached_before), and V(inconclusive)
        otherwise.
      - Where the server answers, this host shows whether it is the server. An SMTP proxy on the way
        answers for both, and is named then.
      - It is told no more than C(EHLO), C(QUIT), and C(MAIL FROM) where that was refused.
      - With O(protocol=https), it is a web server elsewhere, which is asked for V(/) with C(HEAD).
        Whoever shows the target's certificate in its place is named.
    type: str
  control_port:
    description: The port of O(control_host). On another port than O(port), an answer proves
      little. 25 where this is not set, and 443 with O(protocol=https).
    type: int
  reached_before:
    description:
      - Addresses of the server that this host reached on O(port) just before, in the look before a
        change and from the same source. RV(reachable_addresses) of that look has them.
      - A connection that comes to nothing at such an address is called V(closed) without a
        O(control_host), since the way out is proven. It says nothing about other addresses.
      - A O(control_host) that is named as well is asked as always. If it does not greet, the way
        out may be gone since, and the verdict is V(inconclusive).
    type: list
    elements: str
    default: []
  allowed_ranges:
    description:
      - Addresses that the lock lets in, such as the provider's ranges, as addresses, CIDR prefixes
        or C(first-last) ranges.
      - If this host looks from one of them, or the server says that it sees one of them, it is no
        stranger and the verdict is V(inconclusive).
    type: list
    elements: str
    default: []
  own_networks:
    description:
      - The site's own networks, as addresses, CIDR prefixes or C(first-last) ranges.
      - If this host looks from one of them, it is no stranger, nothing is sent, and the verdict is
        V(inconclusive). A look that is to find V(open) is taken all the same.
    type: list
    elements: str
    default: []
"""
