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
  - Gives the ranges of a filtering provider, from the site's lock file where O(lock) names one,
    else from the collection's catalogue. One never stands in for the other.
  - It never gives an empty list. What cannot be used is an error that says what to do.
options:
  _terms:
    description: The ids of providers in the catalogue, such as V(mimecast). A provider that only
      the lock file knows may be named as well.
    required: true
    type: list
    elements: str
  region:
    description: The region of the provider that serves the site. Needed where the provider has
      several.
    type: str
    default: ""
  lock:
    description:
      - The site's lock file, which M(mailedge.lockdown.provider_ranges_lock) writes.
      - Not set where it is empty.
      - A file that is not there, or that lacks the provider, is an error. Run the playbook
        C(mailedge.lockdown.refresh_ranges) first, and read what it wrote.
      - A relative path counts from the folder in which Ansible was started.
    # Not a path: ansible-core makes the working directory of a path that is empty.
    type: str
    default: ""
  accept_grade:
    description:
      - The lowest grade of evidence that is accepted for a range of the catalogue. The provider
        says so itself (A), several independent users of the ranges agree (B), one or an old source
        (C).
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
    msg: >-
      {{ lookup('mailedge.lockdown.provider_ranges', 'microsoft-eop', lock='ranges.lock.yml',
         details=true) }}
"""

RETURN = r"""
_raw:
  description:
    - The ranges of all providers, as CIDR prefixes of IPv4 and IPv6.
    - With O(details), for each provider a dictionary with C(provider), C(region), C(ranges),
      C(mechanism), C(source), C(as_of), C(grade), C(shared), C(tls_cert_names), C(smart_hosts),
      C(mx_suffixes), C(warnings) and C(from), which is V(lock) or V(catalogue).
  type: list
  elements: raw
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.catalogue import (
    ProviderError,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.ranges import details_of

display = Display()


class LookupModule(LookupBase):
    """The lookup."""

    def run(self, terms: list[t.Any], variables: t.Any = None, **kwargs: t.Any) -> list[t.Any]:
        """Give the ranges."""
        self.set_options(var_options=variables, direct=kwargs)
        region, lock, grade = (self.get_option(name) for name in ("region", "lock", "accept_grade"))
        results: list[t.Any] = []
        for term in terms:
            try:
                details = details_of(str(term), region, lock, grade)
            except ProviderError as error:
                raise AnsibleLookupError(str(error)) from None
            for warning in details["warnings"]:
                display.warning(warning)
            results.extend([details] if self.get_option("details") else details["ranges"])
        return results
