#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""exchange_send_connector: documentation and options; its action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: exchange_send_connector
short_description: Manage one send connector of an Exchange organization
version_added: 0.1.0
description:
  - Creates, changes or removes one send connector, Exchange 2007 to Exchange SE and Edge.
  - Send connectors belong to the whole organization. Run this against one server of it only.
  - Only the options that are set are compared and changed, and they are compared by what they mean.
  - With O(enabled=true), a new connector is created disabled, and enabled in the same run when
    everything else is in place.
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
    description: The name of the connector, at most 64 characters.
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
  address_spaces:
    description:
      - The domains it carries, as C(type:space;cost); V(*), V(contoso.example) and
        V(SMTP:*.contoso.example;5) are all understood.
      - A plain list replaces what is there; a dictionary with C(add), C(remove) or C(set) changes
        parts of it.
    type: raw
  smart_hosts:
    description:
      - "The hosts it hands mail to: names, or addresses in brackets or without."
      - Sets O(dns_routing_enabled) to V(false) on the same command line, as Exchange requires.
      - A plain list replaces what is there; a dictionary with C(add), C(remove) or C(set) changes
        parts of it.
    type: raw
  dns_routing_enabled:
    description:
      - Whether recipients' hosts are looked up in DNS. Cannot be V(true) with O(smart_hosts).
    type: bool
  source_transport_servers:
    description:
      - The servers that may use it. Not on Edge. The server of the run for a new connector where
        this is not set.
      - A plain list replaces what is there; a dictionary with C(add), C(remove) or C(set) changes
        parts of it.
    type: raw
  enabled:
    description: Whether the connector is in service.
    type: bool
  port:
    description: The port of the smart hosts.
    type: int
  smart_host_auth_mechanism:
    description:
      - How it logs in to the smart hosts. The two V(BasicAuth) forms need
        O(authentication_credential).
    type: str
    choices: ['None', BasicAuth, BasicAuthRequireTLS, ExchangeServer, ExternalAuthoritative]
  require_tls:
    description: Whether mail goes out by TLS only. Cannot be V(true) with O(ignore_starttls).
    type: bool
  ignore_starttls:
    description: Whether STARTTLS is passed over.
    type: bool
  tls_auth_level:
    description:
      - How the smart host's certificate is checked. Needs O(require_tls). Exchange 2010 and later.
    type: str
    choices: [EncryptionOnly, CertificateValidation, DomainValidation]
  tls_domain:
    description:
      - The name expected in the certificate. Needed by, and allowed only with, V(DomainValidation).
        Exchange 2010 and later.
    type: str
  tls_certificate_name:
    description: The certificate it shows, as C(<I>Issuer<S>Subject). Exchange 2013 and later.
    type: str
  cloud_services_mail_enabled:
    description: Whether it is the hybrid path. Exchange 2013 and later.
    type: bool
  connector_type:
    description: The kind of connector. Exchange 2016 and later.
    type: str
    choices: [Default, XPremises]
  frontend_proxy_enabled:
    description:
      - Whether mail leaves through the front end. The provider then sees that server's address.
        Exchange 2013 and later.
    type: bool
  use_external_dns_servers_enabled:
    description: Whether the external DNS servers of the transport service are asked.
    type: bool
  domain_secure_enabled:
    description: Whether mutual TLS is used with domains that require it.
    type: bool
  force_helo:
    description: Whether HELO is sent in place of EHLO.
    type: bool
  fqdn:
    description: The name it gives in EHLO.
    type: str
  comment:
    description: A note for other administrators.
    type: str
  is_scoped_connector:
    description:
      - Whether only servers of the same Active Directory site may use it. Exchange 2007 SP1 and
        later.
    type: bool
  max_message_size:
    description: The largest message, such as V(35MB), bytes, or V(unlimited).
    type: str
  connection_inactivity_time_out:
    description:
      - How long a connection may be idle.
      - A time span as C(hh:mm:ss), C(d.hh:mm:ss), or seconds.
    type: str
  smtp_max_messages_per_connection:
    description: How many messages go through one connection. Exchange 2010 and later.
    type: int
  error_policies:
    description:
      - "How delivery errors are treated: V(Default), V(DowngradeDnsFailures),
        V(DowngradeCustomFailures), V(UpgradeCustomFailures). Exchange 2010 and later."
      - A plain list replaces what is there; a dictionary with C(add), C(remove) or C(set) changes
        parts of it.
    type: raw
  protocol_logging_level:
    description: Whether the protocol of every session is logged.
    type: str
    choices: ['None', Verbose]
  source_ip_address:
    description: The local address it sends from. Edge only.
    type: str
  authentication_credential:
    description:
      - The login at the smart hosts. It is refused over a connection that would carry it in clear
        text.
      - A password can never be read back from Exchange, so it is never compared.
        O(update_credential) says when it is written.
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
    description:
      - V(on_create) writes O(authentication_credential) where the connector has none yet, or shows
        another user name.
      - V(always) writes it in every run, which then reports a change every time.
    type: str
    choices: [always, on_create]
    default: on_create
attributes:
  idempotent:
    details:
      - Not with O(update_credential=always), which writes a secret in every run.
seealso:
  - module: mailedge.lockdown.exchange_mail_flow
  - module: mailedge.lockdown.exchange_receive_connector
  - module: mailedge.lockdown.exchange_mail_flow_info
"""

EXAMPLES = r"""
- name: Hand outgoing mail to the filter, with a login that is written once
  mailedge.lockdown.exchange_send_connector:
    name: Mail to filter
    address_spaces: ["*"]
    smart_hosts: [out.filter.example]
    smart_host_auth_mechanism: BasicAuthRequireTLS
    authentication_credential:
      username: site@filter.example
      password: "{{ smart_host_password }}"
    update_credential: on_create

- name: Take the old connector out of service and keep it for the way back
  mailedge.lockdown.exchange_send_connector:
    name: Internet
    enabled: false
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

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.argspec import SEND_MODULE
from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(SEND_MODULE)


if __name__ == "__main__":
    main()
