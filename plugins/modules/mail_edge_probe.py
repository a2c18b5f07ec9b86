#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mail_edge_probe: documentation and the order of the work, which is in module_utils/_probe."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_edge_probe
short_description: See what a mail server and its web answer from where this host stands
version_added: 0.1.0
description:
  - Speaks SMTP with every address of the targets as far as the recipient of a message, and says
    whether strangers are let in. It asks whether the server takes mail from a stranger, and, where
    told to, whether it relays and whether it takes mail in the site's own name.
  - With O(protocol=https), asks for the paths of a web site that are Exchange's, and says which of
    them answer somebody who has not logged in. C(HEAD) and C(GET) are sent, without a login, a
    cookie or a body, and nothing else.
  - No message is ever sent. The commands C(DATA), C(BDAT), C(VRFY), C(EXPN) and C(AUTH) cannot be
    sent.
  - A verdict is V(closed), V(open) or V(inconclusive). Only an answer that says why it refuses, in
    its own words, is V(closed). A server that is busy, that does not know the recipient, that
    quotes another server or that has this host on a block list proves nothing.
  - Needs nothing but Python 3.9 on the host that looks, which stands outside of the site, or where
    the sender stands whose view is asked for.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._probe.envelopes
  - mailedge.lockdown._probe.vantage
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
options:
  targets:
    description:
      - Host names or addresses of the mail server, as a spammer would try them.
      - Every IPv4 and IPv6 address of a name is looked at by itself, and once even if several names
        lead to it; of a web, once for each name, since the name chooses the web site.
      - Several hosts are looked at side by side. There are never two connections at once to one
        host, and names and addresses that lead to each other count as one.
      - Needed, unless every entry of O(looks) names its own.
    type: list
    elements: str
  target_addresses:
    description: Names among the targets → their addresses, which are not looked up then. See
      M(mailedge.lockdown.mail_edge_names).
    type: dict
    default: {}
  protocol:
    description:
      - What is looked at. V(smtp) is a mail server, V(https) a web.
      - An entry of O(looks) with another protocol than the task takes no port and no control host
        from the task.
    type: str
    choices: [smtp, https]
    default: smtp
  port:
    description: The port. 25 where this is not set, and 443 with O(protocol=https).
    type: int
  paths:
    description:
      - Paths of a web, which O(expect) is asked of. For a virtual directory of Exchange, such as
        V(/owa), what it answers to is asked for.
      - Where no path is named here, in O(closed_paths) or in O(open_paths), all virtual directories
        of Exchange's web site that clients use are asked for.
    type: list
    elements: str
    default: []
  closed_paths:
    description: Paths of a web that strangers must be refused at, whatever O(expect) says.
    type: list
    elements: str
    default: []
  open_paths:
    description: Paths of a web that must answer strangers, whatever O(expect) says.
    type: list
    elements: str
    default: []
  expect:
    description:
      - What to find. The task fails with one sentence if it finds something else.
      - V(closed) asks for RV(verdict) to be closed, that is, for every question at every address.
      - V(open) asks for RV(delivery) to be open, that is, for one address that takes mail. It is
        for a look from an allowed sender.
      - Of a web, both are asked of every path that O(closed_paths) and O(open_paths) do not have;
        V(closed) at every address, V(open) at one.
      - With V(any), the task does not fail for what it finds. An entry of O(looks) may say
        otherwise for itself, and so do O(closed_paths) and O(open_paths).
    type: str
    choices: [closed, open, any]
    default: any
  looks:
    description:
      - Several looks from this host in one task. What an entry does not say is taken from the
        option of the same name.
      - The task returns RV(looks) then, and O(expect) is asked of each of them.
    type: list
    elements: dict
    suboptions:
      name:
        description: Who looks, in words. It stands before every sentence about this look.
        type: str
        required: true
      expect:
        description: What to find, see O(expect). Where a look that is to find V(open) does, what
          others find at the same address is held against it, see RV(needs_positive_control).
        type: str
        choices: [closed, open, any]
      targets:
        description: Host names or addresses, see O(targets).
        type: list
        elements: str
      protocol:
        description: What is looked at, see O(protocol).
        type: str
        choices: [smtp, https]
      port:
        description: The port, see O(port).
        type: int
      paths:
        description: Paths of a web, see O(paths).
        type: list
        elements: str
      closed_paths:
        description: Paths that strangers must be refused at, see O(closed_paths).
        type: list
        elements: str
      open_paths:
        description: Paths that must answer strangers, see O(open_paths).
        type: list
        elements: str
      source_address:
        description: The address of this host to look from, see O(source_address).
        type: str
      address_family:
        description: Which addresses of the targets to look at, see O(address_family).
        type: str
        choices: [any, ipv4, ipv6]
      control_host:
        description: A server elsewhere that answers everybody, see O(control_host).
        type: str
      control_port:
        description: The port of that server, see O(control_port).
        type: int
      reached_before:
        description: Addresses that the same look reached just before, see O(reached_before).
        type: list
        elements: str
      allowed_ranges:
        description: Addresses that the lock lets in, see O(allowed_ranges).
        type: list
        elements: str
      own_networks:
        description: The site's own networks, see O(own_networks).
        type: list
        elements: str
attributes:
  platform:
    platforms: posix
    support: full
notes:
  - Mail addresses in domains that are reserved for examples (RFC 2606), which Exchange refuses
    whatever its connectors let in, are refused before anything is sent, unless all targets are on
    the loopback of the host.
  - Silence, a greeting of C(421 4.3.2 Service not available), and a login that is wanted in other
    words than Exchange's are half of a proof, see RV(needs_positive_control). The other half is a
    look from an allowed sender that expects V(open) in the same task.
  - A path of a web is V(open) where Exchange answers or a login is asked for. It is V(closed) where
    it is refused, or dropped twice, while the same server answers this host at another path, or an
    allowed sender at the same one. A page of a firewall for web applications, a redirection to
    another server, a server that is down and a web site that nobody has bound to that name are
    inconclusive.
  - A server that accepts the recipient may still quarantine or drop the message afterwards. That
    cannot be seen without sending one.
  - The sender, the recipients and the server's answers stand in the result, passwords are never
    involved.
seealso:
  - module: mailedge.lockdown.exchange_mail_flow
"""

EXAMPLES = r"""
- name: See what a stranger meets
  mailedge.lockdown.mail_edge_probe:
    targets: [mail.hafen.example, owa.hafen.example]
    sender: probe@watchtower.example
    recipient: postmaster@hafen.example
    relay_recipient: probe@watchtower.example.net
    own_domain_sender: postmaster@hafen.example
    control_host: mx.watchtower.example

- name: Prove that the site is locked, from a host outside
  mailedge.lockdown.mail_edge_probe:
    targets: mail.hafen.example
    sender: probe@watchtower.example
    recipient: postmaster@hafen.example
    control_host: mx.watchtower.example
    allowed_ranges: [198.51.100.0/24, "2001:db8:25::/48"]
    expect: closed
  delegate_to: watchtower

- name: Look before a change, from the host that looks again afterwards
  mailedge.lockdown.mail_edge_probe:
    targets: mail.hafen.example
    sender: probe@watchtower.example
    recipient: postmaster@hafen.example
  delegate_to: watchtower
  register: before

- name: Prove after the change that the site is closed, without a control host
  mailedge.lockdown.mail_edge_probe:
    targets: mail.hafen.example
    sender: probe@watchtower.example
    recipient: postmaster@hafen.example
    reached_before: "{{ before.reachable_addresses }}"
    expect: closed
  delegate_to: watchtower

- name: Prove that strangers are refused and that the provider still gets in
  mailedge.lockdown.mail_edge_probe:
    targets: mail.hafen.example
    sender: probe@watchtower.example
    recipient: postmaster@hafen.example
    looks:
      - {name: a stranger, source_address: 192.0.2.7, expect: closed}
      - {name: the filter, source_address: 198.51.100.7, expect: open}

- name: See that strangers reach Outlook on the web, and no path besides
  mailedge.lockdown.mail_edge_probe:
    protocol: https
    targets: mail.hafen.example
    open_paths: [/owa]
    closed_paths: [/ecp, /EWS, /PowerShell, /mapi, /Rpc, /OAB, /API]
"""

RETURN = r"""
verdict:
  description: V(open) if one question at one address is open, V(closed) if all are closed,
    V(inconclusive) otherwise.
  returned: without O(looks)
  type: str
  sample: closed
delivery:
  description: Whether mail of strangers to O(recipient) is taken, at all addresses together.
    V(closed), V(open) or V(inconclusive).
  returned: without O(looks)
  type: str
  sample: closed
relay:
  description: The same for mail of strangers to O(relay_recipient). Null where it was not asked.
  returned: without O(looks)
  type: str
  sample: closed
spoof:
  description: The same for mail that claims to come from O(own_domain_sender). Null if not asked.
  returned: without O(looks)
  type: str
  sample: closed
needs_positive_control:
  description: Whether an allowed sender that is accepted at the same address in the same run is
    wanting for a whole proof. It makes of V(inconclusive) V(closed); a V(closed) would have been
    the same while the server is down.
  returned: without O(looks)
  type: bool
reachable_addresses:
  description: The addresses that took the connection. O(reached_before) of a later look takes them.
  returned: without O(looks)
  type: list
  elements: str
  sample: ["203.0.113.25"]
control:
  description: Whether O(control_host) greeted over C(ipv4) and C(ipv6). Null if not asked.
  returned: without O(looks)
  type: dict
  sample: {"ipv4": true, "ipv6": null}
control_transcript:
  description: What was said with O(control_host).
  returned: without O(looks), unless the task fails without C(-v)
  type: list
  elements: str
sentences:
  description: What was found, in plain words.
  returned: without O(looks)
  type: list
  elements: str
  sample: ["203.0.113.25:25 (mail.hafen.example) is closed to mail of strangers."]
addresses:
  description: What was found at each address, in order, then the targets that have no address.
  returned: without O(looks)
  type: list
  elements: dict
  contains:
    protocol:
      description: V(smtp) or V(https).
      returned: always
      type: str
    targets:
      description: The targets that led to this address.
      returned: always
      type: list
      elements: str
    address:
      description: The address. Null for a target that has none.
      returned: always
      type: str
      sample: 203.0.113.25
    family:
      description: V(ipv4) or V(ipv6). Null for a target that has no address.
      returned: always
      type: str
    port:
      description: The port.
      returned: always
      type: int
    peer:
      description: The address and port in one text.
      returned: always
      type: str
      sample: "203.0.113.25:25"
    source:
      description: The address of this host from which it was looked at.
      returned: always
      type: str
    seen_as:
      description: The address that the server says it sees, as Exchange does in its answer to
        C(EHLO). Null where it does not say.
      returned: always
      type: str
      sample: 192.0.2.7
    source_allowed:
      description: Whether one of these two is in O(allowed_ranges), so that nothing could be told.
      returned: always
      type: bool
    sender_address_hidden:
      description:
        - Whether a server with a public address sees this host under a private one.
        - Something in between hides the senders then, and remote IP ranges of a receive connector
          cannot tell them apart.
      returned: always
      type: bool
    reachable:
      description: Whether it took the connection.
      returned: always
      type: bool
    verdict:
      description: All questions at this address together.
      returned: always
      type: str
    delivery:
      description: Mail of strangers to O(recipient).
      returned: always
      type: str
    relay:
      description: Mail of strangers to O(relay_recipient). Null where it was not asked.
      returned: always
      type: str
    spoof:
      description: Mail that claims to come from O(own_domain_sender). Null where it was not asked.
      returned: always
      type: str
    compared_with_control:
      description: Whether O(control_host) was asked as well and showed itself as another machine.
      returned: always
      type: bool
    needs_positive_control:
      description: The same for this address.
      returned: always
      type: bool
    cases:
      description:
        - Each question, C(delivery), C(relay) and C(spoof), and each path of a web by its name.
          Null for one that was not asked.
        - C(verdict), C(reason), which is a stable id, C(needs_positive_control) and C(sentence).
        - C(stage) says where it was decided, one of V(resolve), V(source), V(connect), V(banner),
          V(ehlo), V(starttls), V(mail) and V(rcpt). C(code), C(enhanced_status) and C(text) are the
          reply there, null where there was none. C(seconds) is how long it took.
        - Of a web, C(stage) is one of V(resolve), V(source), V(connect), V(tls), V(request),
          V(headers), V(body) and V(answer), C(code) is the status, and C(expect) what the path must
          be, null where O(expect) says so.
        - Of a task that fails without C(-v), all but C(code), C(enhanced_status), C(text) and
          C(seconds).
      returned: always
      type: dict
    paths:
      description: Path → verdict, of a web.
      returned: always
      type: dict
      sample: {"/owa": "open", "/ecp": "closed"}
    web:
      description: What a web gives away, C(build) of Exchange, C(server) and the name of the
        C(front_end). Null of a mail server.
      returned: always
      type: dict
      sample: {"build": "15.2.1544.9", "server": "Microsoft-IIS/10.0", "front_end": "EX1"}
    connect_seconds:
      description: How long the last connection took to come about. Null where none did.
      returned: always
      type: float
    banner:
      description: The text of the greeting.
      returned: always
      type: str
      sample: EX1.hafen.example Microsoft ESMTP MAIL Service ready
    extensions:
      description: What the server offers after C(EHLO).
      returned: always
      type: list
      elements: str
      sample: ["SIZE 37748736", "PIPELINING", "STARTTLS"]
    tls:
      description:
        - The agreed C(version) and C(cipher), and of the certificate its C(subject), C(issuer),
          C(names), C(not_before), C(not_after) and C(sha256) fingerprint.
        - Null where there was no TLS. Nothing of it was verified.
      returned: always
      type: dict
      sample: {"version": "TLSv1.2", "subject": "CN=mail.hafen.example"}
    tls_error:
      description: Why there was no TLS although it was asked for.
      returned: always
      type: str
    sentences:
      description: What was found at this address, in plain words.
      returned: always
      type: list
      elements: str
    transcript:
      description:
        - The conversation. Lines begin with C(C:) for this host, C(S:) for the server and C(*) for
          what happened.
        - What cannot be printed is shown as an escape, and what is very long is cut.
      returned: unless the task fails without C(-v)
      type: list
      elements: str
      sample:
        - "* connecting to 203.0.113.25:25 from 192.0.2.7"
        - "S: 220 EX1.hafen.example Microsoft ESMTP MAIL Service ready"
        - "C: EHLO [192.0.2.7]"
looks:
  description:
    - What each look found, in the order of O(looks). Each has a C(name), and everything that is
      returned without O(looks).
  returned: with O(looks)
  type: list
  elements: dict
"""

import typing as t

from ansible_collections.mailedge.lockdown.plugins.module_utils._module import made
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.control import (
    Sought,
    settled,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.options import (
    ARGUMENTS,
    OptionError,
    reserved_caution,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.report import (
    in_brief,
    unexpected,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._probe.task import (
    prepare,
    take_all,
)


def main() -> None:
    """Look, and say what was found."""
    module = made(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        tasks = prepare(module.params)
    except OptionError as error:
        module.fail_json(msg=str(error))
    for caution in dict.fromkeys(reserved_caution(task.question) for task in tasks):
        if caution:
            module.warn(caution)
    looks: list[Sought] = []
    for task, (result, heard) in zip(tasks, take_all(tasks)):
        looks.append(Sought(task.name, task.expect, result))
        for caution in heard:
            module.warn(task.said(caution))
    results = [dict(result) for result in settled(looks)]
    wrong = [(task, unexpected(result, task.expect)) for task, result in zip(tasks, results)]
    failures = [task.said(sentence) for task, sentence in wrong if sentence is not None]
    if failures and not module._verbosity:
        results = [in_brief(result) for result in results]
    several = [{"name": task.name, **result} for task, result in zip(tasks, results)]
    told: dict[str, t.Any] = {"looks": several} if module.params["looks"] else results[0]
    if failures:
        module.fail_json(msg=" ".join(failures), **told)
    module.exit_json(changed=False, **told)


if __name__ == "__main__":
    main()
