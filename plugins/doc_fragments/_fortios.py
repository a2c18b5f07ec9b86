# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation that the FortiGate modules share: how the device is reached, what is saved."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments C(mailedge.lockdown._fortios.DEVICE) and C(.WRITE)."""

    DOCUMENTATION = r"""
options: {}
"""

    DEVICE = r"""
options:
  host:
    description: The name or address of the FortiGate's management interface.
    type: str
    required: true
  api_port:
    description: The HTTPS port of its management interface.
    type: int
    default: 443
  token:
    description:
      - The token of an API user. It travels in a header, over TLS only, and never in an URL.
      - One with a blank or a line break, as the end of a file has it, is refused.
      - Needed where there is no O(backup).
      - The API user needs an accprofile that may read and write firewall policies, addresses and
        services and read the system's configuration (C(sysgrp)), and a C(trusthost) that covers
        the host that runs the module.
    type: str
  vdom:
    description: The virtual domain.
    type: str
    default: root
  validate_certs:
    description:
      - Whether the certificate of the FortiGate has to be one that this host trusts.
      - V(false) lets anybody between this host and the FortiGate read the token. Rather name the
        signer in O(ca_path).
    type: bool
    default: true
  ca_path:
    description: A file with the certificate of the authority that signed the FortiGate's own, in
      PEM form.
    type: path
  timeout:
    description: How long one request may take, in seconds.
    type: int
    default: 30
  backup:
    description:
      - A file with the backup of the device's configuration, not encrypted, which is read in the
        place of the device. Nobody connects to it.
      - What is not in a backup is not known, as the content of a feed or of the internet service
        database. Routes are read as they are configured, where the device learns none.
      - Nothing is written by way of a backup, so that a module that writes runs in check mode
        alone.
    type: path
  backup_days:
    description:
      - How old the O(backup) may be, in days. A backup does not say when it was made. Its date is
        the one at the end of its name, as the web interface of the device puts it there, or the
        day on which the file was last changed.
    type: int
    default: 30
notes:
  - The module runs where the task runs. Delegate it to localhost, or to a host that may reach the
    management interface.
  - The device is asked over one TLS connection, and each table with one request.
  - Without pipelining, Ansible writes a module and its options, the token among them, to a
    temporary file that only its user may read. Set C(ansible_pipelining) to V(true) for the host
    that runs the module; the role does.
"""

    WRITE = r"""
options:
  snapshot_folder:
    description:
      - The folder, on the host that runs the module, for the state before a change. A FortiGate has
        no place for it.
      - It has to outlive the job. In AWX, where the host is a container, name a folder that is
        mounted into it. The content is in the result as well.
    type: path
    default: ~/.mailedge/snapshots
  run_id:
    description:
      - What tells the snapshots of runs apart, of letters and digits. Tasks with the same one
        share a snapshot, and are rolled back together.
      - Another one for each task, if not set.
    type: str
  lease_minutes:
    description:
      - Leases the device to O(run_id) for so many minutes, 5 to 720, from the first write on. The
        run goes on after this task, to prove what was made or to take it back. A later write of it
        renews the lease, and M(mailedge.lockdown.fortios_lease_end) ends it.
      - Another run that meets the lease stops (guard C(leased)), and what it reads is not V(in
        order) to it.
      - It is a file in O(snapshot_folder), so that runs see the leases of those that share the
        folder with them. A FortiGate has no place for it that is not configuration.
    type: int
  accept_risks:
    description:
      - The ids of guards whose warning is known and accepted. A guard that stops a run names its
        id.
      # generated: guards fortios
      - "V(feed_empty): A feed that is named as a source holds no addresses on this device."
      - "V(interface_in_zone): A named interface is a member of a zone, which is looked at in its
        place."
      - "V(internet_service_destination): An internet service that is named as a source has
        addresses of destinations only."
      - "V(internet_service_empty): An internet service that is named as a source holds no addresses
        on this device."
      - "V(intrazone): Traffic between the members of a zone, where the server or a named interface
        is, passes without any policy."
      - "V(leased): Another run has leased the server and may still take back what it made, or has
        worked on the server while this one did; or whether there is one cannot be read."
      - "V(mail_shut_in): The mail server would not get out to its smart hosts any more."
      - "V(managed_elsewhere): The device is managed by FortiManager, whose next install replaces
        what is changed."
      - "V(missing_source): A group, feed or internet service that is named as a source does not
        exist on the device."
      - "V(mode_unread): Whether the policies decide at all could not be read."
      - "V(no_source): Nobody could reach the mail server any more, because no source is named."
      - "V(no_way_in): Nothing lets the port through to one of the targets today, while others are
        locked."
      - "V(no_way_out): Nothing lets the port out today, so that nothing can be locked."
      - "V(other_way_in): Another virtual IP leads to the same server and port."
      - "V(own_networks_shut_out): The own networks would lose the way that they have today."
      - "V(private_range): A range holds addresses that nobody on the internet sends from."
      - "V(provider_shut_out): The provider, or a part of its ranges, would not get through."
      - "V(range_too_wide): A range is wider than a /10 (IPv4) or a /24 (IPv6), or all of them
        together than a /8 or a /20. Nobody who is named has so many addresses of the internet, so
        that it locks next to nothing."
      - "V(saved_by_hand): The device saves changes on demand alone, so that a reboot undoes them."
      - "V(saving_unread): Whether changes are saved, or replaced by FortiManager, could not be
        read."
      - "V(server_not_found): The device does not tell where the server is, so that more policies
        than needed are touched."
      - "V(shared_source): A source is shared by all customers of its owner, so that any of them can
        reach the server."
      - "V(source_translated): A policy translates the addresses of senders, so that Exchange cannot
        tell the provider from others."
      - "V(still_open): Others than the named sources could still reach the port after the lock."
      - "V(unread_way): A policy or a virtual IP may lead to the port by a way that this collection
        does not read."
      - "V(will_be_undone): The device takes unsaved changes back after a while."
      # end of generated
    type: list
    elements: str
    default: []
"""
