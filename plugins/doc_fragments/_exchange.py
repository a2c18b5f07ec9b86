# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation that the Exchange modules share: how Exchange is reached, what the site is like."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments C(mailedge.lockdown._exchange.CONNECTION), C(.NETWORKS), C(.SITE) and C(.RUN)."""

    DOCUMENTATION = r"""
options: {}
"""

    CONNECTION = r"""
options:
  exchange_shell:
    description:
      - How the Exchange cmdlets are reached on the server.
      - V(auto) chooses by what the server is. Exchange 2007 has a snap-in, Edge servers have their
        own shell, every other server is asked through its own remote PowerShell endpoint, which
        keeps the rights of the user who runs the task.
      - V(snapin) on Exchange 2010 and later goes round those rights and is not supported by
        Microsoft. It is the last way out when the server's own endpoint is broken.
    type: str
    choices: [auto, remote_session, snapin, edge]
    default: auto
  exchange_username:
    description:
      - The user for the server's own remote PowerShell endpoint, as C(DOMAIN\\user) or
        C(user@domain).
      - The user of the connection where this is not set.
      - Needs O(exchange_password).
    type: str
  exchange_password:
    description:
      - The password of O(exchange_username).
      - It is refused over a connection that would carry it in clear text.
    type: str
  exchange_fqdn:
    description:
      - The name under which the server's own remote PowerShell endpoint is asked.
      - The server's own full name where this is not set. The name of a load balancer does not work.
    type: str
  domain_controller:
    description:
      - The domain controller to read from and write to. An Edge server has none, and refuses to be
        told one.
      - Where this is not set, the one that answered the read is used for the write as well.
    type: str
  time_limit:
    description:
      - How long one remote call may take, in seconds. A call that takes longer is ended, and the
        task fails and says so.
    type: int
    default: 300
notes:
  - The host is reached by its own Ansible connection (P(ansible.builtin.winrm#connection),
    P(ansible.builtin.psrp#connection) or P(ansible.builtin.ssh#connection), of which the last is
    not tested). PowerShell 2.0 is enough on the server, nothing is installed there.
  - C(become) is refused, because it would have no effect.
"""

    LOGS = r"""
options:
  days:
    description: How many days back, between 1 and 90. Senders that come once a month are not seen
      in fewer than 35.
    type: int
    default: 14
  megabytes:
    description: How much of each log is read at most, the newest first, between 1 and 2048.
    type: int
    default: 256
  seconds:
    description: How long each log is read at most, at most a quarter of O(time_limit).
    type: int
    default: 30
"""

    RECENT = r"""
options:
  recent_senders:
    description:
      - Asks the server's logs, before anything is planned, who delivered lately, and stops by the
        guard V(recent_senders_refused) where any of them would be refused after the change.
      - What the logs cannot tell is told by V(recent_senders_unknown), which stops where nobody can
        say who delivers, and makes the state unknown otherwise, unless it is accepted.
      - Read in the same remote call as the connectors, and in every run. What is read and what is
        not is as in M(mailedge.lockdown.exchange_senders_info).
    type: dict
    suboptions:
      days:
        description: How many days back, between 1 and 90.
        type: int
        default: 14
      messages:
        description: From how many messages on a sender counts.
        type: int
        default: 1
      megabytes:
        description: How much of each log is read at most, the newest first, between 1 and 2048.
        type: int
        default: 256
      seconds:
        description: How long each log is read at most, at most a quarter of O(time_limit).
        type: int
        default: 30
      addresses:
        description: Whether the addresses of senders stand in the result and in the guard's
          sentence. Without them only their number and whose ranges they are in. Mail addresses
          never do.
        type: bool
        default: true
"""

    NETWORKS = r"""
options:
  provider_ranges:
    description:
      - The addresses from which the filtering provider delivers, as addresses, CIDR prefixes or
        C(first-last) ranges.
      - A change that would shut them out is refused.
    type: list
    elements: str
    default: []
  own_networks:
    description:
      - The site's own networks. A change that would take from them what is accepted from them today
        is refused. Where none are named, so is one that takes from any private address the right to
        send without a login.
      - A network that is named only after a lock is given what it had before, as long as the narrow
        connector that the lock made for the own networks is there, with the comment that the lock
        gave it, and the connector that was open before. Else it gets nothing, and the guard
        C(own_networks_refused) says so, on Exchange 2013 and later, and wherever that narrow
        connector is there.
      - Where connectors listen on several local addresses and one narrow connector would take
        something from others at one of them, there are several, which are numbered.
      - One that is not named any more is taken out of that connector by the next lock, at once or
        after O(mailedge.lockdown.exchange_mail_flow#module:inbound_lock.keep_unnamed_until).
    type: list
    elements: str
    default: []
  exchange_servers:
    description:
      - The addresses of the site's other Exchange servers, Edge servers included. They are kept
        like O(own_networks).
      - A site with one server names none. A change that takes the rights of Exchange servers from
        private addresses is then refused, unless O(own_networks) are named, which keep them.
    type: list
    elements: str
    default: []
  hybrid_ranges:
    description:
      - The addresses from which Exchange Online delivers in a hybrid. They are kept like
        O(own_networks), new ones too, and taken out like them.
      - Where Exchange Online is the filtering provider itself, because the MX records point to it,
        name its addresses here and in O(provider_ranges). The connector that hears it then has the
        certificate and the capabilities (C(AcceptCloudServicesMail), on Exchange 2010
        C(AcceptOorgProtocol)) of the one that the hybrid wizard has set up, whatever they are, and
        follows it when the wizard is run again.
      - The addresses of Exchange Online are those of all its customers. That only the site's own
        tenant may deliver is a matter of a transport rule on the header C(X-OriginatorOrg), as in
        Microsoft's article "Advanced Office 365 Routing, Locking Down Exchange On-Premises when MX
        points to Office 365". Such a rule is not made here.
    type: list
    elements: str
    default: []
"""

    SITE = r"""
options:
  accept_risks:
    description:
      - The ids of guards whose warning is known and accepted. A guard that stops the task names its
        id.
      # generated: guards exchange
      - "V(accepted_domains_unread): The accepted domains could not be read, so that nobody knows
        whether the server relays."
      - "V(every_domain_accepted): An accepted domain stands for the internet at large, so that
        whoever may send may relay."
      - "V(exchange_servers_shut_out): Other Exchange servers would lose what they are accepted with
        today."
      - "V(foreign_binding): A connector would listen on an address that the server does not have;
        the service would not start again."
      - "V(hybrid_shut_out): Exchange Online would lose the hybrid path into the server."
      - "V(hybrid_wizard_undone): The hybrid wizard has put back the wide ranges or the anonymous
        right of a connector that was locked."
      - "V(invalid_connector): A connector that Exchange calls invalid would be changed, which it
        may refuse."
      - "V(ipv6_open): IPv4 is shut to the internet, and IPv6 is left open."
      - "V(leased): Another run has leased the server and may still take back what it made, or has
        worked on the server while this one did; or whether there is one cannot be read."
      - "V(logins_shut_out): Users, partners or Exchange servers on the internet that log in could
        no longer do so."
      - "V(mail_stranded): Outgoing mail that a send connector carries today would be carried by
        none after the lock on the way out."
      - "V(no_longer_named): A connector that an earlier lock made or narrowed still hears senders
        that the site does not name any more."
      - "V(no_provider_range): Nobody on the internet could deliver mail any more, because no usable
        provider range is accepted."
      - "V(open_relay): Strangers, or the provider's addresses, could relay to any recipient."
      - "V(own_networks_refused): Own networks are refused without a login already, which a lock
        before they were named may have done."
      - "V(own_networks_shut_out): The own networks, or internal senders where none are named, would
        lose something that is accepted from them today."
      - "V(private_range): A range holds addresses that nobody on the internet sends from."
      - "V(protected_connector): A receive connector that Exchange itself needs would be removed,
        disabled or restricted."
      - "V(protected_send_connector): A send connector of the hybrid wizard or of an edge
        subscription would be changed."
      - "V(provider_shut_out): The provider, or a part of its ranges, would not be accepted."
      - "V(provider_starved): A connector that is not the lock's own lets less of the provider's
        mail through than another one would."
      - "V(range_conflict): Two connectors hear the same addresses, or would overlap in part, on one
        binding, which Exchange refuses."
      - "V(range_too_wide): A range is wider than a /10 (IPv4) or a /24 (IPv6), or all of them
        together than a /8 or a /20. Nobody who is named has so many addresses of the internet, so
        that it locks next to nothing."
      - "V(recent_senders_refused): Senders who delivered lately, as the server's logs have it,
        would be refused."
      - "V(recent_senders_unknown): The logs do not tell, or not in full, who delivered lately,
        though the task asks whom the lock would refuse."
      - "V(send_leak): Outgoing mail would go past the connector that is meant to carry it."
      - "V(server_shut_out): The server itself would lose something that is accepted today from its
        loopback or its own addresses."
      - "V(smart_host_unreachable): A smart host does not answer the server."
      - "V(source_servers_lost): Servers that send mail to the internet by themselves would have to
        hand it to another one."
      - "V(still_open): Internet addresses other than the provider's may still send anonymously
        after the lock."
      - "V(transport_role_conflict): Connectors of different transport roles would listen on one
        port, or port 25 would go to the wrong role."
      - "V(unnamed_senders_shut_out): Private addresses that nobody has named would lose something
        that is accepted from them today."
      # end of generated
    type: list
    elements: str
    default: []
  snapshot_copy:
    description:
      - A folder on the controller into which the snapshot is written as well.
      - The snapshot on the server, in C(%ProgramData%\\mailedge), is always written before the
        first change.
    type: path
"""

    RUN = r"""
options:
  snapshot:
    description:
      - Gives back what this snapshot holds, V(latest), V(original) or a name, in place of the
        options above.
      - V(latest) is the newest snapshot that a change left. Snapshots that a rollback left are
        passed over, so that a second rollback does not undo the first.
      - V(original) is the state before the first change of all whose snapshots are on the server.
        Of each object it restores the options that any of these changes was about.
      - Guards on the restored state only warn, because it is wished as it was. Those on
        what the server would refuse stop.
    type: str
  keep_later_changes:
    description:
      - Of O(snapshot) only what is still as the run of that snapshot left it. What somebody else
        has changed since is left alone and told in RV(not_restored). A run that undoes itself
        sets it.
    type: bool
    default: false
  lease:
    description:
      - Leases the server to a run that goes on after this task, to prove what was made or to take
        it back. A write takes the lease, and a later one of the same run renews it. Another run
        that meets it stops (guard C(leased)), and what it reads is not V(in order) to it.
      - It is a file beside the snapshots. It ends by M(mailedge.lockdown.exchange_lease_end), or by
        itself, by the server's clock. Without this option a task respects the leases of others and
        takes none.
      - A run whose lease was over, and whose server another run has worked on since, takes nothing
        back with O(keep_later_changes).
    type: dict
    suboptions:
      run_id:
        description: The run, letters and digits, the same in all its tasks. It is in the names of
          its snapshots as well.
        type: str
        required: true
      minutes:
        description: How long the lease lasts if nobody ends it, 5 to 720 minutes.
        type: int
        default: 60
      goes_on:
        description: Whether the lease outlives a task that succeeds. One that fails keeps it in any
          case.
        type: bool
        default: true
"""
