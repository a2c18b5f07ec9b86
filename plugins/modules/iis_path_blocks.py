#!/usr/bin/python
# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""iis_path_blocks: documentation and options; its action plugin does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: iis_path_blocks
short_description: Keep the internet away from virtual directories that it does not need
version_added: 0.1.0
description:
  - Says which paths of a web site are not for the internet, and which networks may still use them.
    Exchange offers all of its virtual directories on the port that clients come to, and most sites
    need few of them from outside.
  - A path is blocked by a rule of URL Rewrite, or by an IP address list (C(ipSecurity)) where
    networks are IPv6 or many. Both are written into locations of C(applicationHost.config), which
    updates of Exchange leave alone.
  - The server itself and O(exchange_servers) are always let in. The site C(Exchange Back End), the
    rules of Microsoft's mitigation service and all other rules stay as they are.
  - The effective configuration is read once, by IIS's own administration objects. All changes are
    planned as a whole and checked against the whole by guards. The state before the first change is
    saved on the server, and O(snapshot) gives it back.
  - A run with nothing to do costs one PowerShell start. A change costs two. No Exchange shell is
    opened.
  - Check mode reads, plans and judges exactly as a run does, and stops before writing.
  - The server needs the administration objects of IIS
    (C(Microsoft.ApplicationHost.AdminManager)), which every version from 7.0 on has. Where they are
    missing, the role service IIS Management Scripts and Tools (C(Web-Scripting-Tools)) is to be
    installed; that it brings them is not verified. C(Microsoft.Web.Administration) works by the
    same objects, and is no way around them.
  - One site is looked at, O(site). Where another site of the server has directories of Exchange
    too, the guard C(other_site) says so; close it by a task of its own. C(Exchange Back End) is
    left out of that, because the front end and other servers need it.
  - A rollback gives rules their places back, and takes away only sections and locations that were
    made for them. How IIS breaks lines within a section that it has written is its own.
author:
  - mailedge.lockdown contributors (@mailedge)
extends_documentation_fragment:
  - mailedge.lockdown._windows.connection
  - mailedge.lockdown._windows.snapshot_copy
  - mailedge.lockdown._exchange.run
  - mailedge.lockdown._approval
  - mailedge.lockdown._attributes
  - mailedge.lockdown._attributes.writes
options:
  site:
    description: The web site that clients come to.
    type: str
    default: Default Web Site
  blocks:
    description:
      - The paths that are blocked for all but some networks.
      - A path is that of a virtual directory, or of something in it. All that lies in it is blocked
        with it, however a request spells it (encoded once or twice, with more slashes, with a dot
        or a parameter behind the name).
      - The description is the whole. A rule of this module for a path that is not described any
        more is removed. An IP list, which has no name of its own, is removed by
        O(blocks[].state=absent), by O(blocks[].method=rewrite), or by O(snapshot).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The path, such as V(/ecp) or V(/EWS/mrsproxy.svc).
        type: str
        required: true
      networks:
        description: The networks that may use the path. O(own_networks) where this is not set; an
          empty list leaves the server itself and O(exchange_servers).
        type: list
        elements: str
      method:
        description: How the path is blocked. O(method) where this is not set.
        type: str
        choices: [auto, rewrite, ip_security]
      state:
        description: V(absent) takes away what this module has made for the path.
        type: str
        choices: [present, absent]
        default: present
  publish:
    description:
      - What the internet may reach. Every other virtual directory of Exchange that the site has is
        blocked for all but O(own_networks). An empty list publishes nothing.
      - V(hybrid) is what Exchange Online needs of a hybrid, Autodiscover and EWS with the mailbox
        replication service in it. V(hybrid_agent) needs nothing, because the Hybrid Agent works
        from inside.
      - V(owa) is Outlook on the web, V(ecp) the admin center and the options of users,
        V(activesync) phones, V(outlook_anywhere) and V(mapi) Outlook from outside, V(oab) its
        address book, V(powershell) remote PowerShell, V(rest) the REST API.
      - O(blocks) win over it. Without it only O(blocks) are blocked.
    type: list
    elements: str
    choices: [activesync, autodiscover, ecp, ews, mapi, oab, outlook_anywhere, owa, powershell,
              rest, hybrid, hybrid_agent]
  in_use:
    description: What the site's description says that people use from the internet, in the same
      words. A change that would take it from them is refused (guard C(client_access_shut_out)).
    type: list
    elements: str
    choices: [activesync, autodiscover, ecp, ews, mapi, oab, outlook_anywhere, owa, powershell,
              rest, hybrid, hybrid_agent]
    default: []
  own_networks:
    description: The site's own networks.
    type: list
    elements: str
    default: []
  exchange_servers:
    description: The addresses of the site's other Exchange servers, which reach every path.
    type: list
    elements: str
    default: []
  reverse_proxies:
    description:
      - The addresses of reverse proxies and load balancers that hide who the client is. IIS then
        sees their address, whoever comes, and the guard C(client_hidden) says what that means.
      - Headers such as C(X-Forwarded-For) are not believed, because anybody can write them.
    type: list
    elements: str
    default: []
  method:
    description:
      - How paths are blocked.
      - V(rewrite) needs URL Rewrite, and knows IPv4 networks only. V(ip_security) needs the role
        service IP and Domain Restrictions (C(Web-IP-Security)); without it a list would stop
        nobody, so that it is refused.
      - V(auto) is V(rewrite) where it can say what is wished, else V(ip_security).
    type: str
    choices: [auto, rewrite, ip_security]
    default: auto
  accept_risks:
    description:
      - The ids of guards whose warning is known and accepted. A guard that stops the task names its
        id.
      # generated: guards iis
      - "V(client_access_shut_out): The internet would lose a path that the site's description says
        is in use from there."
      - "V(client_hidden): Clients come through a reverse proxy, so that IIS sees its address in
        place of theirs."
      - "V(foreign_entries_removed): Entries of an IP list that this collection never makes, which
        refuse somebody or name a domain, would be removed."
      - "V(leased): Another run has leased the server and may still take back what it made, or has
        worked on the server while this one did; or whether there is one cannot be read."
      - "V(not_bound): Nobody reaches the site over HTTPS by any of its bindings, so that a block in
        it stops nobody."
      - "V(not_certain): Strangers may get in at a blocked path, because a rule or a file of
        somebody else's cannot be read for certain."
      - "V(other_site): Another web site of the server has directories of Exchange too, which are
        not looked at."
      - "V(own_networks_shut_out): Own networks, other Exchange servers or the server itself would
        lose a path that they reach today."
      - "V(path_not_there): A path is blocked that is no virtual directory of the site, nor in one."
      - "V(rewritten_into): A rule of somebody else's rewrites a URL to a blocked path, after which
        no block looks at it again."
      - "V(still_open): Strangers would still get in at a blocked path."
      # end of generated
    type: list
    elements: str
    default: []
attributes:
  platform:
    platforms: windows
    support: full
notes:
  - The user has to be an administrator of the server.
  - Nothing of this was tried on a real IIS yet. What the lab takes from Microsoft's documents and
    samples, and what is unverified, stands in the sources.
seealso:
  - module: mailedge.lockdown.exchange_mail_flow
"""

EXAMPLES = r"""
- name: A hybrid site publishes what Exchange Online needs, and phones
  mailedge.lockdown.iis_path_blocks:
    publish: [hybrid, activesync]
    own_networks: [10.20.0.0/16]
    exchange_servers: [10.20.1.11, 10.20.1.12]

- name: The admin center is for the administrators' network alone
  mailedge.lockdown.iis_path_blocks:
    own_networks: [10.20.0.0/16]
    blocks:
      - path: /ecp
        networks: [10.20.9.0/24]
      - path: /PowerShell
    accept_risks: [own_networks_shut_out]

- name: See who reaches what, and whether somebody has opened it again
  mailedge.lockdown.iis_path_blocks:
    publish: [hybrid]
    own_networks: [10.20.0.0/16]
  check_mode: true
  diff: true
  register: drift

- name: Give back the state before the last change
  mailedge.lockdown.iis_path_blocks:
    snapshot: latest
"""

RETURN = r"""
plan:
  description: What was changed, or in check mode would be, in the order of the changes. One
    sentence each.
  returned: success, and on a refusal after the server was read
  type: list
  elements: str
  sample:
    - "Create the rewrite rule 'mailedge: /ecp' of Default Web Site: refuse /ecp to all but
      10.20.0.0/16, 127.0.0.0/8, ::1."
before:
  description: The options that differ, as they were, below C(rewrite_rules) by the names of rules,
    and below C(ip_lists) by paths.
  returned: success
  type: dict
  sample: {"ip_lists": {"/ecp": {"allow_unlisted": true, "entries": []}}}
after:
  description: The same options as they are now, read back from the server. In check mode, as they
    would be.
  returned: success
  type: dict
  sample: {"ip_lists": {"/ecp": {"allow_unlisted": false, "entries": ["10.20.0.0/255.255.0.0"]}}}
exposure:
  description: What senders meet at the paths of Exchange and at those that are blocked, V(let in),
    V(refused), or V(not known) where a rule of somebody else's cannot be read for certain.
  returned: success, and on a refusal after the server was read
  type: dict
  contains:
    before:
      description: By path and group of senders, before the change.
      type: dict
      returned: success
    after:
      description: The same after the change.
      type: dict
      returned: success
    words:
      description: The same in sentences, with an arrow where something changes.
      type: list
      elements: str
      returned: always
  sample: {"words": ["/ecp: any internet address: let in → refused"]}
# generated: returns layer.differences layer.plan_digest layer.guards
differences:
  description: What is described and not so, and not written. C(table), C(noun), C(object),
    C(action), and the C(properties) that differ, by their names.
  returned: when something differs
  type: list
  elements: dict
plan_digest:
  description: What tells the plan from others, for C(approved_plan); empty where nothing changes.
  returned: success, and on a refusal after the plan was made
  type: str
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
strangers:
  description: Where senders that nobody has named get in for certain at a path that is to be
    blocked.
  type: dict
  contains:
    before:
      description: One sentence each, as it was when the task began.
      type: list
      elements: str
      returned: always
    after:
      description: The same as it is in the end, read again; where nothing was written, as it would
        be by the plan.
      type: list
      elements: str
      returned: always
  sample: {"before": ["Default Web Site/ecp lets in strangers: any internet address."], "after": []}
  returned: without O(snapshot), when the state of the server is known in the end
# generated: returns layer.state
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
snapshot:
  description: Where the state before the change is kept, C(name), C(folder), and with
    O(snapshot_copy) the C(controller_path).
  returned: when something was written
  type: dict
  sample: {"name": "20260114T101500.250Z-4f1c2a-apply.json", "folder": "%ProgramData%\\mailedge"}
server:
  description: The server that was read, with the versions of IIS and of URL Rewrite.
  returned: success, and on a refusal after the server was read
  type: dict
  sample: {"name": "EX1", "iis": "10.0", "url_rewrite": "7.2.1993.2351"}
site:
  description: The site, as the server spells it.
  returned: success, and on a refusal after the server was read
  type: str
  sample: Default Web Site
bindings:
  description: Where the site listens, one sentence for each binding of HTTP and HTTPS. Empty where
    one of them is not understood.
  returned: success, and on a refusal after the server was read
  type: list
  elements: str
  sample: ["https at any address, port 443, by any name"]
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
cost:
  description: How often a PowerShell was started on the server.
  returned: success
  type: dict
  sample: {"powershell_starts": 1, "exchange_shells": 0}
error:
  description: Of an error on the server, its class, its id, which is the HRESULT where IIS refused
    something, and the step it came from.
  returned: when the server refused something
  type: dict
  sample: {"class": "Mailedge.IisLocked", "id": "0x80070021", "step": "change-1"}
# generated: returns layer.restored
restored:
  description: The name of the snapshot that was restored, or V(original).
  type: str
  sample: 20260114T101500.250Z-4f1c2a-apply.json
# end of generated
  returned: with O(snapshot)
not_restored:
  description: A sentence for each rule or list that is gone, or that was changed since.
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

from ansible_collections.mailedge.lockdown.plugins.module_utils._host_module import (
    run_without_action,
)
from ansible_collections.mailedge.lockdown.plugins.module_utils._iis.argspec import (
    PATH_BLOCKS_MODULE,
)


def main() -> None:
    """Fail: reached only where the action plugin of this module was not found."""
    run_without_action(PATH_BLOCKS_MODULE)


if __name__ == "__main__":
    main()
