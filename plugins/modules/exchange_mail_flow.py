#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_mail_flow: documentation and options; its action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: exchange_mail_flow
short_description: Manage the receive and send connectors of an Exchange server as one transaction
version_added: 0.1.0
description:
  - Locks the ways in and out of an Exchange server to a filtering provider, from Exchange 2007 to
    Exchange SE, Small Business Server and Edge, or brings its connectors into any other described
    state.
  - All changes are planned as a whole, checked against the whole by guards, and put in an order in
    which no step shuts out the provider, the own networks or other Exchange servers. If there is no
    such order, nothing is written.
  - The state before the first change is saved on the server. O(snapshot) gives it back.
  - A run with nothing to do starts PowerShell and the Exchange shell once, a change twice. Check
    mode reads, plans and judges exactly as a run does, and stops before writing.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._exchange.connection
  - mailedge.lockdown._exchange.networks
  - mailedge.lockdown._exchange.site
  - mailedge.lockdown._exchange.recent
  - mailedge.lockdown._exchange.run
  - mailedge.lockdown._approval
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.writes
  - mailedge.lockdown._attributes.exchange
options:
  inbound_lock:
    description:
      - Locks the way in. A connector of its own hears O(provider_ranges), and the connectors
        through which any internet address may send anonymously today are closed to it.
      - A site is taken as it is. A connector that hears only some of the internet, takes the
        provider's mail without a login and lets nobody relay is adopted and not changed, whatever
        its name, unless it differs in an option that is named here. The connector of the lock then
        hears the rest, and is not made where nothing is left.
      - Where another connector has a range of the provider, or crosses it, the connector of the
        lock gets it in narrower pieces, which Exchange takes beside the other.
      - The server itself keeps what it has, from its loopback and from its own addresses.
      - An empty dictionary takes all defaults.
    type: dict
    suboptions:
      name:
        description: The name of the connector that hears the provider. One that is there by that
          name is taken over, with all that is described here.
        type: str
        default: Mail from filter
      method:
        description:
          - How the wide connector is closed.
          - V(strip_anonymous) takes C(AnonymousUsers) from it, so that other Exchange servers and
            users still reach it.
          - V(narrow) narrows it to O(own_networks), O(exchange_servers) and O(hybrid_ranges), and
            notes that in its comment. Where others would lose by it, it is V(strip_anonymous).
          - V(disable) takes it out of service and keeps it for the way back.
          - V(auto) is V(strip_anonymous) on Exchange 2013 and later and wherever Exchange servers,
            users or partners log in as well, and V(disable) for the Internet connectors of Exchange
            2007, 2010 and Small Business Server that have no other use.
        type: str
        choices: [auto, strip_anonymous, narrow, disable]
        default: auto
      fqdn:
        description: The name the connector gives in its banner and EHLO answer. The server's own
          where this is not set.
        type: str
      banner:
        description: The greeting. Must begin with V(220).
        type: str
      bindings:
        description:
          - The local addresses and ports. Where this is not set, those of port 25 on which the
            connectors in service listen, and those that this connector has.
          - Whoever comes to an address reaches only connectors that are bound to this very address,
            if there are any (unverified). The guards tell who loses something by that.
        type: list
        elements: str
      auth_mechanism:
        description: The ways to authenticate that it offers.
        type: list
        elements: str
      require_tls:
        description: Whether the provider's mail is refused before STARTTLS.
        type: bool
      tls_certificate_name:
        description: The certificate, as C(<I>Issuer<S>Subject). Exchange 2013 and later.
        type: str
      tls_domain_capabilities:
        description: What senders with a certificate may do, as C(domain:capability) or
          C(<I>Issuer<S>Subject:capability). Exchange 2010 and later.
        type: raw
      domain_secure_enabled:
        description: Whether mutual TLS is asked of domains for which the organization says so.
        type: bool
      max_inbound_connection_per_source:
        description:
          - How many connections at once from one address.
          - Exchange's own default of 20 throttles a provider that delivers from few addresses, so
            that a new connector gets V(unlimited) where this is not set.
        type: str
      max_inbound_connection_percentage_per_source:
        description: The share of all connections that one address may have, in percent. V(100) on
          a new connector where this is not set.
        type: int
      protocol_logging_level:
        description: Whether the protocol of every session is logged. V(Verbose) on a new connector
          where this is not set.
        type: str
        choices: ['None', Verbose]
      keep_unnamed_until:
        description:
          - The last day, such as V(2027-01-31), by the controller's clock, on which senders keep
            what they have that were named in O(own_networks) or O(hybrid_ranges) and are not any
            more. They are told until then. An address of the internet among them is a stranger
            meanwhile.
          - Without it the next run takes them out of the connector that a lock made for them, or
            narrowed, which check mode and the guards tell before.
        type: str
      max_message_size:
        description:
          - The biggest message, such as V(36MB).
          - A limit that is not set is that of the connector which heard the provider until the
            lock; later it lets through at least as much, or is changed. Name it to allow less.
          - The comment of the provider's connector names that one; without a comment it is the one
            that the provider would meet. TLS and what else refuses mail are limits as well.
          - Certificate, name, banner and extensions of SMTP are taken over at creation only.
        type: str
      max_header_size:
        description: The biggest header of a message, such as V(256KB).
        type: str
      max_hop_count:
        description: How many servers a message may have passed.
        type: int
      max_local_hop_count:
        description: How many servers of the organization a message may have passed.
        type: int
      max_recipients_per_message:
        description: How many recipients one message may have.
        type: int
      max_inbound_connection:
        description: How many connections at once from all addresses together, or V(unlimited).
        type: str
      max_protocol_errors:
        description: How many errors end a connection, or V(unlimited).
        type: str
      message_rate_limit:
        description: How many messages a minute from one source, or V(unlimited).
        type: str
      connection_timeout:
        description: How long a connection may last, such as V(00:10:00).
        type: str
      connection_inactivity_timeout:
        description: How long it may be idle. Less than C(connection_timeout).
        type: str
      tarpit_interval:
        description: How long a refusal is held back, at most ten minutes.
        type: str
  outbound_lock:
    description:
      - Locks the way out. One send connector hands all mail to the smart hosts of the provider, and
        every other connector that would carry the same mail is taken out of service.
      - The connectors of the hybrid wizard and of edge subscriptions are never touched. While one
        of them carries mail to the internet, the state is C(open); C(send_leak) says what to do.
    type: dict
    suboptions:
      name:
        description: The name of the send connector.
        type: str
        default: Mail to filter
      smart_hosts:
        description: The smart hosts, by name or address.
        type: list
        elements: str
        required: true
      port:
        description: The port of the smart hosts.
        type: int
      address_spaces:
        description: The domains it carries.
        type: list
        elements: str
        default: ["SMTP:*;1"]
      source_transport_servers:
        description: The servers that may use it. Where it is not set, those of the connectors that
          are taken out of service for it, else this server.
        type: list
        elements: str
      smart_host_auth_mechanism:
        description: How it logs in to the smart hosts.
        type: str
        choices: ['None', BasicAuth, BasicAuthRequireTLS, ExchangeServer, ExternalAuthoritative]
      authentication_credential:
        description: The login at the smart hosts. Refused over a connection without encryption.
        type: dict
        suboptions:
          username:
            description: The user name.
            type: str
            required: true
          password:
            description: The password.
            type: str
            required: true
      update_credential:
        description: V(on_create) writes the login where the connector has none or shows another
          user name, V(always) in every run.
        type: str
        choices: [always, on_create]
        default: on_create
      require_tls:
        description: Whether mail goes out by TLS only.
        type: bool
      tls_auth_level:
        description: How the smart host's certificate is checked. Exchange 2010 and later.
        type: str
        choices: [EncryptionOnly, CertificateValidation, DomainValidation]
      tls_domain:
        description: The name expected in the certificate.
        type: str
      fqdn:
        description: The name it gives in EHLO. This and the next two are those of the connector
          that carried mail to the internet until the lock, where they are not set.
        type: str
      max_message_size:
        description: The biggest message, such as V(35MB) or V(unlimited).
        type: str
      frontend_proxy_enabled:
        description: Whether mail leaves through the front end. Exchange 2013 and later.
        type: bool
      close:
        description: What becomes of the other connectors that carry the same mail.
        type: str
        choices: [disable, keep]
        default: disable
  receive_connectors:
    description:
      - Receive connectors, each with the options of
        M(mailedge.lockdown.exchange_receive_connector).
      - They are planned together with the lock. Where both name an option of a connector, what is
        named here counts.
    type: list
    elements: dict
    default: []
  send_connectors:
    description: Send connectors, each with the options of
      M(mailedge.lockdown.exchange_send_connector).
    type: list
    elements: dict
    default: []
attributes:
  idempotent:
    details: Not with O(outbound_lock.update_credential=always), which writes a secret each time.
seealso:
  - module: mailedge.lockdown.exchange_receive_connector
  - module: mailedge.lockdown.exchange_send_connector
  - module: mailedge.lockdown.exchange_mail_flow_info
  - module: mailedge.lockdown.mail_edge_probe
"""

EXAMPLES = r"""
- name: Lock the way in to the filtering provider
  mailedge.lockdown.exchange_mail_flow:
    provider_ranges: [198.51.100.0/24, 2001:db8:100::/48]
    own_networks: [10.20.0.0/16]
    exchange_servers: [10.20.1.11, 10.20.1.12]
    inbound_lock: {fqdn: mail.birke.example}

- name: Lock both ways of a Small Business Server
  mailedge.lockdown.exchange_mail_flow:
    provider_ranges: [198.51.100.0/24]
    own_networks: [192.168.16.0/24]
    inbound_lock: {method: disable}
    outbound_lock: {smart_hosts: [out.filter.example]}

- name: See whether anybody has opened the door again
  mailedge.lockdown.exchange_mail_flow:
    provider_ranges: [198.51.100.0/24, 2001:db8:100::/48]
    own_networks: [10.20.0.0/16]
    exchange_servers: [10.20.1.11, 10.20.1.12]
    inbound_lock: {fqdn: mail.birke.example}
  check_mode: true
  diff: true

- name: Give back the state before the last change
  mailedge.lockdown.exchange_mail_flow:
    snapshot: latest
"""

RETURN = r"""
recent_senders:
  description: What M(mailedge.lockdown.exchange_senders_info) gives.
  returned: when O(recent_senders) is set
  type: dict
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
  returned: when the task names O(provider_ranges), O(inbound_lock) or O(outbound_lock), and the
    state of the server is known in the end
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
# generated: returns layer.lease
lease:
  description:
    - A lease of the C(server) or device, by which run it is held (C(run_id)), C(by) whom and
      where that was started, C(since) when and C(until) when by its own clock.
    - C(held) is whether the run has not ended it. It is over at that time in any case.
  type: dict
  sample: {server: EX1, run_id: 4f1c2a90, until: "2026-01-14T11:15:00.250Z", held: true}
# end of generated
  returned: with O(lease), where the run has one
# generated: returns exchange.cost exchange.error layer.restored
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
restored:
  description: The name of the snapshot that was restored, or V(original).
  type: str
  sample: 20260114T101500.250Z-4f1c2a-apply.json
# end of generated
  returned: with O(snapshot)
not_restored:
  description: A sentence for each connector that is gone, and of which the snapshot holds some
    options only, or that was changed since.
  returned: with O(snapshot)
  type: list
  elements: str
  sample: []
# generated: returns layer.further
further:
  description: The names of snapshots of changes before that, newest first. What they hold is
    still changed.
  type: list
  elements: str
  sample: []
# end of generated
  returned: with O(snapshot=latest)
"""

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import (
    MAIL_FLOW_MODULE,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(MAIL_FLOW_MODULE)


if __name__ == "__main__":
    main()
