#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_receive_connector: documentation and options; its action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: exchange_receive_connector
short_description: Manage one receive connector of an Exchange server
version_added: 0.1.0
description:
  - Creates, changes or removes one receive connector of the server that the task runs against,
    Exchange 2007 to Exchange SE and Edge.
  - Only the options that are set are compared and changed, and they are compared by what they mean.
  - The change is checked against all other connectors of the server before anything is written.
    What a sender on the internet, the provider, the own networks and other Exchange servers meet
    before and after is part of the result.
  - To lock a whole site, use M(mailedge.lockdown.exchange_mail_flow), which orders all changes so
    that no door closes too early.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._exchange.connection
  - mailedge.lockdown._exchange.networks
  - mailedge.lockdown._exchange.site
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.writes
  - mailedge.lockdown._attributes.exchange
options:
  name:
    description: The name of the connector, without the server, at most 64 characters.
    type: str
    required: true
  state:
    description:
      - V(present) creates or changes the connector, V(absent) removes it.
      - To take a connector out of service and keep it for the way back, set O(enabled=false)
        instead of removing it.
    type: str
    choices: [present, absent]
    default: present
  remote_ip_ranges:
    description:
      - The addresses of the senders this connector hears.
      - Single addresses, CIDR prefixes, C(first-last) ranges and C(address(netmask)) are
        understood, IPv4 and IPv6, and compared as the sets of addresses they mean.
      - A plain list replaces what is there; a dictionary with C(add), C(remove) or C(set) changes
        parts of it.
      - "Exchange replaces the whole list on every change: naming only IPv4 ranges takes the IPv6
        ones away."
    type: raw
  bindings:
    description:
      - The local addresses and ports it listens on, such as V(0.0.0.0:25) and V([::]:25).
      - An address that the server does not have is refused, because the transport service would not
        start again with it.
      - A plain list replaces what is there; a dictionary with C(add), C(remove) or C(set) changes
        parts of it.
    type: raw
  permission_groups:
    description:
      - "Who may send: V(AnonymousUsers), V(ExchangeUsers), V(ExchangeServers),
        V(ExchangeLegacyServers), V(Partners), or V(None) alone."
      - C(Custom), which Exchange adds by itself on reading, is ignored.
      - A plain list replaces what is there; a dictionary with C(add), C(remove) or C(set) changes
        parts of it.
    type: raw
  auth_mechanism:
    description:
      - "Which ways to authenticate it offers: V(None), V(Tls), V(Integrated), V(BasicAuth),
        V(BasicAuthRequireTLS), V(ExchangeServer), V(ExternalAuthoritative)."
      - V(BasicAuthRequireTLS) needs V(BasicAuth) and V(Tls); V(ExternalAuthoritative) goes with
        V(Tls) only, and lets everybody in the ranges relay.
      - A plain list replaces what is there; a dictionary with C(add), C(remove) or C(set) changes
        parts of it.
    type: raw
  anonymous_relay:
    description:
      - Whether an anonymous sender may relay to any recipient, that is whether C(ANONYMOUS LOGON)
        holds C(ms-Exch-SMTP-Accept-Any-Recipient) on the connector.
      - Setting V(false) takes that right away.
    type: bool
  anonymous_rights:
    description:
      - Other rights of senders that do not log in, beyond those that its O(permission_groups) stand
        for, such as C(everyone:ms-Exch-SMTP-Submit). The account is C(anonymous) or C(everyone).
      - An empty list takes them away. What the connector inherits, and entries for all rights at
        once, stay.
      - A plain list replaces what is there; a dictionary with C(add), C(remove) or C(set) changes
        parts of it.
    type: raw
  enabled:
    description: Whether the connector is in service.
    type: bool
  transport_role:
    description:
      - The transport service that owns it. Exchange 2013 and later, not on Edge.
      - A new connector gets V(FrontendTransport) where this is not set. A connector on port 25 must
        not be given V(HubTransport) there.
    type: str
    choices: [FrontendTransport, HubTransport]
  fqdn:
    description:
      - The name in its banner, its EHLO answer and its choice of a certificate.
      - Must stay as it is on the default connector of port 2525, which is refused.
    type: str
  banner:
    description:
      - The greeting. Must begin with V(220). An empty string gives the default back, which tells
        the version and the date.
    type: str
  comment:
    description: A note for other administrators.
    type: str
  default_domain:
    description: The domain added to a sender without one.
    type: str
  usage:
    description:
      - The preset for a new connector. Only read at creation, never compared.
      - V(Custom) where this is not set, with the options given here.
    type: str
    choices: [Client, Custom, Internal, Internet, Partner]
  require_tls:
    description: Whether mail is refused before STARTTLS.
    type: bool
  require_ehlo_domain:
    description: Whether the sender must give a domain in EHLO.
    type: bool
  domain_secure_enabled:
    description: Whether mutual TLS is offered to domains that require it.
    type: bool
  tls_certificate_name:
    description: The certificate, as C(<I>Issuer<S>Subject). Exchange 2013 and later.
    type: str
  tls_domain_capabilities:
    description:
      - Capabilities of a TLS partner, as C(domain:capability), or by its certificate as
        C(<I>Issuer<S>Subject:capability). Exchange 2010 and later.
      - A connector with C(AcceptCloudServicesMail) or C(AcceptOorgProtocol) is the hybrid path and
        is protected.
      - A plain list replaces what is there; a dictionary with C(add), C(remove) or C(set) changes
        parts of it.
    type: raw
  service_discovery_fqdn:
    description: The name under which clients discover the service. Exchange 2013 and later.
    type: str
  extended_protection_policy:
    description: Extended protection for authentication. Exchange 2010 and later.
    type: str
    choices: ['None', Allow, Require]
  enable_auth_gssapi:
    description: Whether GSSAPI is advertised in the AUTH answer. Exchange 2007 SP1 and later.
    type: bool
  suppress_x_anonymous_tls:
    description: Whether X-ANONYMOUSTLS is withheld. Exchange 2010 and later.
    type: bool
  advertise_client_settings:
    description:
      - Whether this connector's name, port and security are shown to users in Outlook on the web.
        Exchange 2010 and later.
    type: bool
  protocol_logging_level:
    description: Whether the protocol of every session is logged.
    type: str
    choices: ['None', Verbose]
  max_inbound_connection:
    description:
      - How many connections at once.
      - A number, or V(unlimited).
    type: str
  max_inbound_connection_per_source:
    description:
      - How many connections at once from one address (20 by default). A filtering provider delivers
        from few addresses and needs more.
      - A number, or V(unlimited).
    type: str
  max_inbound_connection_percentage_per_source:
    description:
      - How large a share of all connections one address may have, in percent (2 by default).
    type: int
  max_message_size:
    description:
      - The largest message.
      - A size such as V(36MB), V(256KB), or bytes.
    type: str
  max_header_size:
    description:
      - The largest message header.
      - A size such as V(36MB), V(256KB), or bytes.
    type: str
  max_hop_count:
    description: How many Received headers a message may have, 1 to 500.
    type: int
  max_local_hop_count:
    description: How many local hops a message may have, 0 to 50.
    type: int
  max_logon_failures:
    description: How many failed logons before the connection is closed, 0 to 10.
    type: int
  max_protocol_errors:
    description:
      - How many protocol errors before the connection is closed.
      - A number, or V(unlimited).
    type: str
  max_recipients_per_message:
    description: How many recipients a message may have, 1 to 512000.
    type: int
  max_acknowledgement_delay:
    description:
      - How long the acknowledgement may wait for the message's delivery. Exchange 2010 and later.
      - A time span as C(hh:mm:ss), C(d.hh:mm:ss), or seconds.
    type: str
  message_rate_limit:
    description:
      - How many messages a minute from one source.
      - A number, or V(unlimited).
    type: str
  message_rate_source:
    description: What the message rate is counted by. Exchange 2010 and later.
    type: str
    choices: ['None', IPAddress, User, All]
  connection_timeout:
    description:
      - How long a connection may last. Must be longer than O(connection_inactivity_timeout).
      - A time span as C(hh:mm:ss), C(d.hh:mm:ss), or seconds.
    type: str
  connection_inactivity_timeout:
    description:
      - How long a connection may be idle.
      - A time span as C(hh:mm:ss), C(d.hh:mm:ss), or seconds.
    type: str
  tarpit_interval:
    description:
      - How long a refusal is held back, at most ten minutes.
      - A time span as C(hh:mm:ss), C(d.hh:mm:ss), or seconds.
    type: str
  auth_tarpit_interval:
    description:
      - How long a failed logon is held back, at most ten minutes. Exchange 2016 and later.
      - A time span as C(hh:mm:ss), C(d.hh:mm:ss), or seconds.
    type: str
  size_enabled:
    description: How SIZE is advertised.
    type: str
    choices: [Enabled, Disabled, EnabledWithoutValue]
  pipelining_enabled:
    description: Whether PIPELINING is advertised.
    type: bool
  chunking_enabled:
    description: Whether CHUNKING is advertised.
    type: bool
  binary_mime_enabled:
    description: Whether BINARYMIME is advertised.
    type: bool
  eight_bit_mime_enabled:
    description: Whether 8BITMIME is advertised.
    type: bool
  delivery_status_notification_enabled:
    description: Whether DSN is advertised.
    type: bool
  enhanced_status_codes_enabled:
    description: Whether ENHANCEDSTATUSCODES is advertised.
    type: bool
  long_addresses_enabled:
    description: Whether long X.400 addresses are accepted. Exchange 2007 SP1 and later.
    type: bool
  orar_enabled:
    description: Whether ORAR is advertised. Exchange 2007 SP1 and later.
    type: bool
  smtp_utf8_enabled:
    description: Whether SMTPUTF8 is advertised. Exchange 2013 and later, set after creation.
    type: bool
  bare_linefeed_rejection_enabled:
    description:
      - Whether messages with bare line feeds are refused. Exchange 2010 and later, set after
        creation.
    type: bool
  reject_reserved_top_level_recipient_domains:
    description:
      - Whether recipients in reserved top-level domains are refused. Exchange 2016 and later.
    type: bool
  reject_reserved_second_level_recipient_domains:
    description:
      - Whether recipients in reserved second-level domains are refused. Exchange 2016 and later.
    type: bool
  reject_single_label_recipient_domains:
    description: Whether recipients in single-label domains are refused. Exchange 2016 and later.
    type: bool
seealso:
  - module: mailedge.lockdown.exchange_mail_flow
  - module: mailedge.lockdown.exchange_send_connector
  - module: mailedge.lockdown.exchange_mail_flow_info
"""

EXAMPLES = r"""
- name: Hear the provider, and only the provider, on a connector of its own
  mailedge.lockdown.exchange_receive_connector:
    name: Mail from filter
    remote_ip_ranges:
      - 198.51.100.0/24
      - 2001:db8:100::/48
    bindings: ["0.0.0.0:25", "[::]:25"]
    permission_groups: [AnonymousUsers]
    auth_mechanism: [Tls]
    anonymous_relay: false
    max_inbound_connection_per_source: unlimited
    max_inbound_connection_percentage_per_source: 100

- name: Add one address of the scanner to a connector and leave the others alone
  mailedge.lockdown.exchange_receive_connector:
    name: Scanners
    remote_ip_ranges:
      add: [10.20.5.17]

- name: See what it would mean to remove a connector
  mailedge.lockdown.exchange_receive_connector:
    name: Old fax gateway
    state: absent
  check_mode: true
  diff: true
"""

RETURN = r"""
# generated: returns exchange.plan exchange.before exchange.after exchange.exposure layer.guards
plan:
  description: What was changed, or in check mode would be, one sentence each, in this order.
  returned: success, and on a refusal after the server was read
  type: list
  elements: str
  sample: ["Create the receive connector 'Mail from filter' for 198.51.100.0/24 on 0.0.0.0:25."]
before:
  description: The options that differ, as they were. Names of connectors below
    C(receive_connectors) and C(send_connectors).
  returned: success
  type: dict
  sample: {"receive_connectors": {"Default Frontend EX1": {"enabled": true}}}
after:
  description: The same options as they are now, read back from the server. In check mode, as they
    would be.
  returned: success
  type: dict
  sample: {"receive_connectors": {"Default Frontend EX1": {"enabled": false}}}
exposure:
  description: What senders meet on port 25, before and after.
  returned: success, and on a refusal after the server was read
  type: dict
  contains:
    before:
      description: What each group of senders meets before the change.
      type: dict
      returned: success
    after:
      description: What each group of senders meets after the change.
      type: dict
      returned: success
    words:
      description: The same in sentences, with an arrow where something changes.
      type: list
      elements: str
      returned: always
  sample: {"words": ["any internet address: anonymous mail accepted → refused"]}
guards:
  description: The guards that spoke.
  type: list
  elements: dict
  contains:
    id:
      description: The stable id of the guard, for O(accept_risks).
      type: str
      returned: always
    severity:
      description: V(stop) or V(warn).
      type: str
      returned: always
    sentence:
      description: What the guard found.
      type: str
      returned: always
# end of generated
  returned: success, and on a refusal by a guard
# generated: returns layer.differences exchange.strangers
differences:
  description: What is described and not so, and not written. C(table), C(noun), C(object),
    C(action), and the C(properties) that differ, by their names.
  returned: when something differs
  type: list
  elements: dict
strangers:
  description:
    - Who may send without a login, or relay, that the site has not named, from the internet, on
      any port that the server listens on.
    - Anybody but O(own_networks) and O(exchange_servers) is a stranger to relaying, the provider
      too.
    - Of a locked way out, which mail to the internet leaves past the connector of the lock.
  type: dict
  contains:
    before:
      description: One sentence each, as it was when the task began. Empty where it is certainly
        nobody.
      type: list
      elements: str
      returned: always
    after:
      description: The same as it is in the end, read again; where nothing was written, as it
        would be by the plan.
      type: list
      elements: str
      returned: always
  sample: {before: ["The internet may send without a login on port 25."], after: []}
# end of generated
  returned: when the task names O(provider_ranges), and the state of the server is known in the end
# generated: returns layer.edge layer.plan_digest layer.state
edge:
  description: The layer as a stage of the whole edge. For each right at its C(doors), who of the
    V(strangers) and the V(provider) might have it, and who has; C(means) are digests of both.
    Where something would change, C(described) is the same by the plan; after a write, C(before)
    is what it was.
  returned: when what was read holds
  type: dict
  sample: {"stage": "exchange", "means": {"strangers": "3f2a91c07d5e"}, "doors": []}
plan_digest:
  description: What tells the plan from others, for C(approved_plan); empty where nothing changes.
  returned: success, and on a refusal after the plan was made
  type: str
state:
  description:
    - How the layer is when the task ends. V(open) where there are strangers now, V(unknown) where
      another run has leased it and may take back what was found, or where a way in could not be
      read, V(drift) where something is not as described, else V(in order).
    - In check mode, and where nothing was written, it is the state that was read.
  type: str
  sample: in order
# end of generated
  returned: when the state of the server is known in the end
# generated: returns exchange.snapshot exchange.server
snapshot:
  description: Where the state before the change is kept.
  returned: when something was written
  type: dict
  contains:
    name:
      description: The name of the snapshot, for
        O(mailedge.lockdown.exchange_mail_flow#module:snapshot).
      type: str
      returned: always
    folder:
      description: The folder on the server.
      type: str
      returned: always
    controller_path:
      description: The path of the copy on the controller.
      type: str
      returned: with O(snapshot_copy)
  sample: {"name": "20260114T101500.250Z-4f1c2a-apply.json", "folder": "%ProgramData%\\mailedge"}
server:
  description: The server that was read.
  type: dict
  sample: {name: EX1, version: Exchange 2016, build: 15.1.2507.72, shell: remote_session}
# end of generated
  returned: success, and on a refusal after the server was read
# generated: returns exchange.cost exchange.error
cost:
  description: How often a PowerShell was started on the server, and how often the Exchange shell
    was loaded.
  returned: success
  type: dict
  sample: {"powershell_starts": 1, "exchange_shells": 1}
error:
  description: Of an error on the server, its class, its fully qualified id and the step it came
    from.
  returned: when the server refused something
  type: dict
  sample: {"class": "ConnectorMappingConflictException", "id": "…", "step": "change-1"}
# end of generated
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import (
    RECEIVE_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(RECEIVE_MODULE)


if __name__ == "__main__":
    main()
