# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ranges of a filtering provider as a lookup."""

from __future__ import annotations

DOCUMENTATION = r"""
name: provider_ranges
author: mailedge.lockdown contributors (@mailedge)
version_added: 0.1.0
short_description: From where a filtering provider delivers mail
description:
  - Gives the ranges of a filtering provider, from the site's lock file where it has the provider, else from the collection's catalogue.
  - It never gives an empty list. What cannot be used is an error that says what to do.
options:
  _terms:
    description: The ids of providers in the catalogue, such as V(mimecast). A provider that only the lock file knows may be named as well.
    required: true
    type: list
    elements: str
  region:
    description: The region of the provider that serves the site. Needed where the provider has several.
    type: str
    default: ""
  lock:
    description:
      - The site's lock file, which M(mailedge.lockdown.provider_ranges_lock) writes.
      - A relative path counts from the folder in which Ansible was started.
    type: path
    default: ""
  accept_grade:
    description:
      - The lowest grade of evidence that is accepted for a range of the catalogue. The provider says so itself (A), several independent
        users of the ranges agree (B), one or an old source (C).
      - Does not count for the lock file, which a person has read.
    type: str
    choices: [A, B, C]
    default: B
  details:
    description: Give a dictionary for each provider, and not its ranges.
    type: bool
    default: false
seealso:
  - module: mailedge.lockdown.provider_ranges_lock
"""

EXAMPLES = r"""
- name: Show from where Mimecast delivers to customers in the US
  ansible.builtin.debug:
    msg: "{{ query('mailedge.lockdown.provider_ranges', 'mimecast', region='us') }}"

- name: Show what the site's lock file says, and how sure it is
  ansible.builtin.debug:
    msg: "{{ lookup('mailedge.lockdown.provider_ranges', 'microsoft-eop', lock='ranges.lock.yml', details=true) }}"
"""

RETURN = r"""
_raw:
  description:
    - The ranges of all providers, as CIDR prefixes of IPv4 and IPv6.
    - With O(details), for each provider a dictionary with C(provider), C(region), C(ranges), C(mechanism), C(source), C(as_of), C(grade),
      C(shared), C(tls_cert_names), C(smart_hosts), C(mx_suffixes) and C(from), which is V(lock) or V(catalogue).
  type: list
  elements: raw
"""

import datetime
import pathlib
import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers import catalogue, lockfile

display = Display()


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[t.Any]:
        """Give the ranges."""
        self.set_options(var_options=variables, direct=kwargs)
        found: list[t.Any] = []
        try:
            path = self.get_option("lock")
            lock = lockfile.read(path) if path else {}
            if path and not pathlib.Path(path).expanduser().exists():
                display.warning(f"The lock file {path} is not there yet. What the catalogue says is used.")
            for term in terms:
                details = self._details(str(term), lock)
                found.extend([details] if self.get_option("details") else details["ranges"])
        except catalogue.ProviderError as error:
            raise AnsibleLookupError(str(error)) from None
        return found

    def _details(self, provider: str, lock: lockfile.Lock) -> dict[str, t.Any]:
        region = self.get_option("region")
        locked = lock.get(lockfile.key(provider, region))
        try:
            entry: catalogue.Entry | None = catalogue.find(provider, region)
        except catalogue.ProviderError:
            if locked is None:
                raise
            entry = None
        if locked is None and entry is not None:
            # The region may be left out where the provider has one only.
            locked = lock.get(lockfile.key(provider, entry.region))
        if entry is not None and entry.shared:
            display.warning(catalogue.SHARED_WARNING.format(provider=provider))
        shown: dict[str, t.Any] = {"provider": provider, "region": region or (entry.region if entry else "")}
        if entry is not None:
            shown.update(
                shared=entry.shared,
                tls_cert_names=list(entry.tls_cert_names),
                smart_hosts=list(entry.smart_hosts),
                mx_suffixes=list(entry.mx_suffixes),
            )
        if locked is not None:
            ranges = locked.counting(datetime.datetime.now(datetime.timezone.utc).date())
            about = {"mechanism": locked.mechanism, "source": locked.source, "as_of": locked.retrieved.isoformat()}
            return {**shown, **about, "grade": "", "from": "lock", "ranges": ranges.to_cidrs()}
        if entry is None:
            raise catalogue.ProviderError(f"Neither the lock file nor the catalogue has '{provider}'.")
        usable = catalogue.usable(entry, self.get_option("accept_grade"))
        about = {"mechanism": entry.mechanism, "source": entry.source, "as_of": entry.as_of, "grade": entry.grade}
        return {**shown, **about, "from": "catalogue", "ranges": usable.to_cidrs()}
