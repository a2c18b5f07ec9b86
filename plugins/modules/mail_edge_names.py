#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mail_edge_names: documentation and the order of the work, which is in module_utils/_dns."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mail_edge_names
short_description: Find the names by which a site's mail servers can be reached, and judge its DNS
version_added: 0.1.0
description:
  - Makes the names from a site's domains, which are its MX hosts, the domain itself, names that
    people forget such as C(mail), C(webmail) and C(autodiscover), what SPF and autodiscover hint
    at, and the name that Exchange Online has for the domain. Reads for each, IPv4 and IPv6 apart,
    where it leads.
  - RV(targets) and RV(target_addresses) are what M(mailedge.lockdown.mail_edge_probe) is to look
    at.
  - Judges what DNS says of the domains, which is whether MX leads to the filtering provider alone,
    SPF, DMARC, MTA-STS and TLS-RPT, and PTR records.
  - Only names under O(domains) are asked for and looked at; others are told as not looked at.
    Nothing is guessed beyond a list of a few names for each domain.
  - No answer, C(SERVFAIL), C(REFUSED) and aliases that lead round in a circle are C(unknown), which
    is something else than a name that is not there, and never means that a door is closed.
  - Reads DNS, and the policy of MTA-STS over HTTPS. Connects to no mail server.
author:
  - mailedge.lockdown contributors (@mailedge)
requirements:
  - dnspython 2.4 or later on the host that runs the module
extends_documentation_fragment:
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.reads
options:
  domains:
    description: The domains of the site, for which it takes mail. The module fails where one of
      them is no domain, after it has asked for the others, and returns what it knows of those.
    type: list
    elements: str
    required: true
  names:
    description: Further names of the site's mail servers.
    type: list
    elements: str
    default: []
  server_names:
    description: Names that the server itself tells, such as those in its certificates. One that is
      not under O(domains) is told as not looked at.
    type: list
    elements: str
    default: []
  left_out_names:
    description: Names under O(domains) that lead to somebody else's server, such as the web site at
      a hoster. They are told and not looked at.
    type: list
    elements: str
    default: []
  mx_suffixes:
    description: What the names of the filtering provider's MX hosts end with. Without it, where MX
      leads is told and not judged.
    type: list
    elements: str
    default: []
  provider_ranges:
    description: Addresses of the filtering provider. A name that leads to nothing else is the
      provider's and not looked at.
    type: list
    elements: str
    default: []
  smart_hosts:
    description:
      - The hosts or addresses through which the site sends, which SPF should name.
      - A provider may send from other addresses than those that its smart host listens on, so that
        one that is missing is a warning.
    type: list
    elements: str
    default: []
  resolver:
    description: The address of the DNS server to ask. Those of the host where not set.
    type: str
  resolver_port:
    description: Its port.
    type: int
    default: 53
  timeout:
    description: How long one answer may take, in seconds.
    type: float
    default: 3.0
  time_limit:
    description: How long all questions may take together, in seconds. What is not answered by then
      is unknown, and is told in one finding of each kind. What is named is asked for before what is
      guessed.
    type: float
    default: 60.0
  fetch_mta_sts:
    description: Whether the policy of MTA-STS is fetched and judged.
    type: bool
    default: true
  ca_path:
    description: A file of certificates to trust for it. Those of the host where not set.
    type: path
  accept_findings:
    description:
      - The ids of findings that are known and accepted. They are told, and do not count for
        RV(state).
      # generated: findings dns
      - "V(alias_elsewhere): A name leads to a server of the provider or of Microsoft."
      - "V(dmarc): Whether DMARC says what is to become of mail in the domain's name."
      - "V(domain): Whether the domain is in DNS at all."
      - "V(identity): Whether greeting, PTR record and certificate of a server name the same host."
      - "V(mta_sts): Whether MTA-STS is there, can be read, and covers the MX hosts."
      - "V(mx): Whether MX records point to the filtering provider and nowhere else."
      - "V(name_unknown): DNS does not say where a name leads, so that nobody looks there."
      - "V(not_looked_at): Names that are not looked at, and why."
      - "V(ptr): Whether an address has a PTR record that leads back to it."
      - "V(server_domains): A server takes mail for a domain that the site does not name."
      - "V(server_names): A server did not tell by which names it can be reached."
      - "V(spf): Whether SPF can be evaluated, ends in a refusal, and is not too wide."
      - "V(spf_smart_hosts): Whether SPF names the hosts that send for the domain."
      - "V(tls_rpt): Whether others report when they cannot send over TLS."
      - "V(wildcard): DNS answers for every name below a domain."
      # end of generated
    type: list
    elements: str
    default: []
attributes:
  platform:
    platforms: posix
    support: full
notes:
  - Domains that were added to Exchange Online since July 2026 have names under C(mx.microsoft) that
    cannot be derived. They are known where MX names them. B(Unverified) is whether a tenant answers
    at its old name as well then.
  - DMARC policies are looked for at the domain and those above it, without a list of public
    suffixes.
seealso:
  - module: mailedge.lockdown.mail_edge_probe
"""

EXAMPLES = r"""
- name: Find out by which names the site can be reached
  mailedge.lockdown.mail_edge_names:
    domains: [hafen.example]
    mx_suffixes: [filter.example]
    smart_hosts: [smart.filter.example]
  delegate_to: localhost
  register: names

- name: Look at all of them
  mailedge.lockdown.mail_edge_probe:
    targets: "{{ names.targets }}"
    target_addresses: "{{ names.target_addresses }}"
    sender: probe@watchtower.example
    recipient: postmaster@hafen.example
  delegate_to: watchtower
"""

RETURN = r"""
state:
  description: V(unknown) where DNS did not answer for something or was not asked, V(drift) where a
    finding is critical or a warning, else V(in order). Accepted findings do not count.
  returned: success
  type: str
  sample: drift
findings:
  description: What was found, the worst first.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The stable id of the finding, for O(accept_findings).
      type: str
      returned: always
    severity:
      description: V(critical), V(unknown), V(warning), V(note) or V(ok), in this order. A note is
        told, and no drift.
      type: str
      returned: always
    about:
      description: The domain, name or address that it is about.
      type: str
      returned: always
    sentence:
      description: What was found.
      type: str
      returned: always
    remedy:
      description: What to do. Empty where nothing is to be done.
      type: str
      returned: always
    accepted:
      description: Whether the site has accepted it.
      type: bool
      returned: always
  sample:
    - id: mx
      severity: critical
      about: hafen.example
      sentence: "Mail for hafen.example goes past the filter: its MX records name
        mail.hafen.example."
      remedy: "Remove these MX records: senders of spam take the last of them first."
      accepted: false
names:
  description: The names that are there, or of which DNS does not say whether they are, and those
    that are not looked at.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      type: str
      returned: always
    sources:
      description: Why it was asked for, of V(mx), V(domain), V(forgotten), V(spf),
        V(autodiscover), V(tenant), V(server) and V(named).
      type: list
      elements: str
      returned: always
    aliases:
      description: The names that it leads through (CNAME).
      type: list
      elements: str
      returned: always
    addresses:
      description: Its addresses.
      type: list
      elements: str
      returned: always
    ipv4:
      description: V(found), V(no data), V(not there) or V(unknown).
      type: str
      returned: for names under O(domains)
    ipv6:
      description: The same for its IPv6 addresses.
      type: str
      returned: for names under O(domains)
    looked_at:
      description: Whether it is in RV(targets).
      type: bool
      returned: always
    why:
      description: Why not, or what is special about it.
      type: str
      returned: always
targets:
  description: The names to look at, all of which have an address.
  returned: success
  type: list
  elements: str
  sample: [mail.hafen.example]
target_addresses:
  description: Each of them → its addresses, see
    O(mailedge.lockdown.mail_edge_probe#module:target_addresses).
  returned: success
  type: dict
  sample: {"mail.hafen.example": ["203.0.113.25"]}
mail_exchangers:
  description: Every domain → the C(status) of its MX records, V(found), V(no data), V(not there) or
    V(unknown), its C(hosts), and those of them that are Exchange Online's (C(to_tenant)).
  returned: success
  type: dict
  sample: {"hafen.example": {"status": "found", "hosts": ["mx1.filter.example"], "to_tenant": []}}
pointers:
  description: Every address of RV(target_addresses) → the C(hosts) of its PTR record, those of them
    that lead back to it (C(back)), and why it is C(unknown).
  returned: success
  type: dict
  sample: {"203.0.113.25": {"hosts": ["mail.hafen.example"], "back": ["mail.hafen.example"],
    "unknown": ""}}
questions:
  description: How many questions were sent to DNS servers.
  returned: success
  type: int
  sample: 58
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.resolver import DnsError
from ansible_collections.mailedge.lockdown.plugins.module_utils._dns.task import (
    ARGUMENTS,
    OptionError,
    look_up,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._module import made


def main() -> None:
    """Read DNS, and say what is there."""
    module = made(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        names = look_up(module.params)
    except (OptionError, DnsError) as error:
        module.fail_json(msg=str(error))
    wrong = names.pop("wrong")
    if wrong:
        # With what the others led to, which is to be looked at all the same.
        told = f"{' '.join(wrong)} Nobody asked DNS for that; the rest was asked for."
        module.fail_json(msg=told, changed=False, **names)
    module.exit_json(changed=False, **names)


if __name__ == "__main__":
    main()
