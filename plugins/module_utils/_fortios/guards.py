# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guards of the FortiGate layer."""

from __future__ import annotations

from ansible_collections.mailedge.lockdown.plugins.module_utils import _ranges_guards
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction import lease
from ansible_collections.mailedge.lockdown.plugins.module_utils._transaction.guard import Registry

GUARDS = Registry(
    {
        **_ranges_guards.GUARDS,
        lease.GUARD: lease.SENTENCE,
        "no_source": "Nobody could reach the mail server any more, because no source is named.",
        "provider_shut_out": "The provider, or a part of its ranges, would not get through.",
        "own_networks_shut_out": "The own networks would lose the way that they have today.",
        "missing_source": (
            "A group, feed or internet service that is named as a source does not exist on the "
            "device."
        ),
        "internet_service_destination": (
            "An internet service that is named as a source has addresses of destinations only."
        ),
        "internet_service_empty": (
            "An internet service that is named as a source holds no addresses on this device."
        ),
        "shared_source": (
            "A source is shared by all customers of its owner, so that any of them can reach the "
            "server."
        ),
        "feed_empty": "A feed that is named as a source holds no addresses on this device.",
        "still_open": "Others than the named sources could still reach the port after the lock.",
        "other_way_in": "Another virtual IP leads to the same server and port.",
        "source_translated": (
            "A policy translates the addresses of senders, so that Exchange cannot tell the "
            "provider from others."
        ),
        "interface_in_zone": (
            "A named interface is a member of a zone, which is looked at in its place."
        ),
        "server_not_found": (
            "The device does not tell where the server is, so that more policies than needed are "
            "touched."
        ),
        "intrazone": (
            "Traffic between the members of a zone, where the server or a named interface is, "
            "passes without any policy."
        ),
        "unread_way": (
            "A policy or a virtual IP may lead to the port by a way that this collection does not "
            "read."
        ),
        "mode_unread": "Whether the policies decide at all could not be read.",
        "saving_unread": (
            "Whether changes are saved, or replaced by FortiManager, could not be read."
        ),
        "will_be_undone": "The device takes unsaved changes back after a while.",
        "saved_by_hand": "The device saves changes on demand alone, so that a reboot undoes them.",
        "managed_elsewhere": (
            "The device is managed by FortiManager, whose next install replaces what is changed."
        ),
        "no_way_in": (
            "Nothing lets the port through to one of the targets today, while others are locked."
        ),
        "no_way_out": "Nothing lets the port out today, so that nothing can be locked.",
        "mail_shut_in": "The mail server would not get out to its smart hosts any more.",
    }
)

ABOUT_STATE = frozenset(GUARDS) - {lease.GUARD}
"""About the state that there would be, and not about another run."""
