# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation that the Exchange Online modules share: who asks, and which tenant."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments C(mailedge.lockdown._exchange_online.TENANT) and C(.NAMED)."""

    DOCUMENTATION = r"""
options: {}
"""

    TENANT = r"""
options:
  tenant_id:
    description: The tenant, as the GUID that its overview in Entra shows.
    type: str
    required: true
  client_id:
    description:
      - The app that asks, as its GUID. It needs the app role C(Exchange.ManageAsApp) of Office 365
        Exchange Online and a role in the tenant. Global Reader or Security Reader is enough to
        read; Exchange Administrator, or a role group of its own, to change something.
      - With O(managed_identity), the identity that the user has assigned, and the system's own
        where not set.
    type: str
  client_secret:
    description: The app's secret. One of this, O(certificate) and O(managed_identity) is needed.
    type: str
  certificate:
    description:
      - A file on the host that runs the module with the app's certificate and its private key, as
        PEM or PFX. Better than a secret, because it never travels.
    type: path
  certificate_passphrase:
    description: What opens the private key of O(certificate).
    type: str
  managed_identity:
    description: Whether the host that runs the module asks by its own managed identity.
    type: bool
    default: false
  cloud:
    description:
      - The cloud that the tenant is in. GCC is in V(worldwide).
      - The addresses of V(china) are unverified.
    type: str
    choices: [worldwide, us_gov_high, us_gov_dod, china]
    default: worldwide
  documented_api:
    description:
      - Whether what Microsoft's documented Admin API has is read by it, in place of
        C(InvokeCommand). Of what a lock reads that is the accepted domains alone.
      - It costs one request more, and the app needs the app role C(Exchange.ManageAsAppV2) as well.
    type: bool
    default: false
  authority_url:
    description: Where tokens come from, in place of what O(cloud) says; https only.
    type: str
  api_url:
    description: Where the tenant is asked, in place of what O(cloud) says; https only.
    type: str
  validate_certs:
    description:
      - Whether the certificates of both have to be ones that this host trusts.
      - V(false) lets anybody in between read the secret and the token.
    type: bool
    default: true
  ca_path:
    description: A file with the certificates of authorities to trust in place of those of the host,
      in PEM form, such as that of a proxy which opens TLS.
    type: path
  timeout:
    description: How long one request may take, in seconds.
    type: int
    default: 60
  snapshot_folder:
    description:
      - The folder, on the host that runs the module, for the state before a change. A tenant has no
        place for it.
      - It has to outlive the job. In AWX, where the host is a container, name a folder that is
        mounted into it.
    type: path
    default: ~/.mailedge/snapshots
requirements:
  - msal
notes:
  - The cmdlets are run by C(InvokeCommand), the REST interface behind Microsoft's own PowerShell
    module. Microsoft neither documents nor supports it for others, and may change it. The
    documented Admin API (in preview) has neither connectors nor transport rules, and of the
    organization's settings those of MailTips alone, without RejectDirectSend; the rest, which it
    shows in its preview, Microsoft says goes. Its accepted domains are read where
    O(documented_api) is V(true).
  - It was written from public clients and documentation and ran on a simulated tenant only. Nothing
    of it ran on a real tenant yet. Try it on one of your own first, in check mode.
  - The module runs where the task runs, and that host needs the Python library msal
    (C(requirements-exchange-online.txt)). Proxies of the environment (C(HTTPS_PROXY)) are used.
  - Where the service is busy (429), the module waits as it asks for, two minutes in all at most.
  - Without pipelining, Ansible writes a module and its options, the secret among them, to a
    temporary file that only its user may read. Set C(ansible_pipelining) to V(true) for the host
    that runs the module; the role does.
"""

    NAMED = r"""
options:
  provider_certificate:
    description:
      - The name in the certificate with which the filtering provider delivers, such as
        V(*.filter.example). Better than addresses, because it holds for IPv6 and for addresses that
        the provider gets later.
    type: str
  provider_ranges:
    description:
      - The addresses from which the provider delivers, as addresses, CIDR prefixes or first-last
        ranges. A connector names them as networks of /24 or smaller, IPv4 only.
      - Not used for a connector where O(provider_certificate) is set. One connector never has both.
    type: list
    elements: str
    default: []
  on_premises_certificate:
    description: The name in the certificate with which the organization's own servers deliver to
      the tenant.
    type: str
  on_premises_ranges:
    description:
      - The addresses from which the organization's own servers, and whoever else may deliver
        straight to the tenant, do so. Not used for a connector where O(on_premises_certificate) is
        set.
    type: list
    elements: str
    default: []
"""
