# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's Exchange Online: a tenant with rules of its own, an Admin API, a token authority, a
managed identity, and port 25 of its mail servers. All of it is on loopback, on free ports, and
stops with the context::

    from ansible_collections.mailedge.lockdown.tests.lab.exchange_online.lab import ExchangeOnline

    with ExchangeOnline() as online:                 # lab.py; each test may start its own
        app = msal.ConfidentialClientApplication(
            online.writer.client_id,
            client_credential=online.writer.secret,
            authority=f"{online.login_url}/{online.tenant.id}",
            instance_discovery=False,                # msal would ask Microsoft whether it knows us
            verify=str(online.ca_path),              # REQUESTS_CA_BUNDLE beats it: requests' rule
        )
        token = app.acquire_token_for_client([f"{online.audience}/.default"])["access_token"]
        # POST {online.api_url}/adminapi/beta/{online.tenant.id}/InvokeCommand, as facts §1.5

Where things are
    `login_url` (https, in the place of https://login.microsoftonline.com), `api_url` (https, in the
    place of https://outlook.office365.com), `identity_url` (http, as Azure's is), `ca_path` (PEM,
    for both https servers). `audience`: what the API's tokens are for; another cloud's is given as
    ``ExchangeOnline(audience="https://outlook.office365.us")``.

Who may log in
    `writer` (Exchange Administrator; `secret`, or `certificate`: `certificate_path`, `key_path`,
    `locked_key_path` and `pfx_path` under tokens.PASSPHRASE, thumbprint `sha1`), `reader` (Global
    Reader), `without_role` (consented, no directory role: 403), `without_grant` (401), and the
    managed identity of ``identity_environment("vm" or "app_service")``, which are variables for
    os.environ. An app's `directory_roles`, `app_roles`, `cmdlets` may be changed at any time.

The tenant
    `tenant.rows("InboundConnector")` and so on is what it holds; `tenant.inbound(name, **values)`
    and `tenant.add(…)` set a site up past all rules; `tenant.organization` is its row of settings.
    `seed_hybrid()` makes a site as it may be found, with HybridWizard's connectors.
    `tenant.subscription` (tenant.E5_DEVELOPER, tenant.RESTRICTED), `tenant.propagation` in seconds,
    with `clock.advance(seconds)`; `tenant.in_force()` is what the mail servers go by.
    `tenant.ignores_writes`: every write is answered well and changes nothing. Without the key
    RejectDirectSend in `tenant.organization`, the tenant does not have that property yet.

Mail
    `mail` is port 25 (it listens from the first time that it is named): `mail.port` on 127.0.0.1,
    where the loopback addresses of lab.SOURCES play STRANGER, PROVIDER and OFFICE, and all others
    the stranger; `mail.ipv6_ports["internet"]` and `["provider"]` on ::1. It judges by the tenant
    that the recipient belongs to (`tenants`; more may be appended), by what is in force, by the
    address that is played and the certificate that is shown: `mail.authority.certificate(subject,
    *other names)` gives the files of one that is believed; `mail.ca_path` is the server's own.
    `mail.conversations` is all that was said. `deliver(Hop(address), Message(…))` tells what
    becomes of a message, behind RCPT: transport rules, audit, and whether and as whose it is
    filtered.

Microsoft's own monitor
    `graph` (graph.py) is where Graph shows it, at `graph.url`: `graph.monitor(name)`,
    `graph.drift(monitor, kind, name, (property, wanted, value))`, for apps that have
    graph.READ_MONITORS in their `graph_roles`.

What goes wrong
    `arm(…)` for the Admin API (api.Faults: cut_before, cut_after, unreachable_after, slow, throttle
    with retry_after, retry_header and retry_date, unauthorized, unavailable, fail, forbidden, warn,
    errors, instead, colleague, compressed; for batches parts, shuffled and no_batch),
    `arm_login(…)` for the authority (authority.LoginFaults: cut_before, slow, tenant, answer); each
    call forgets what was armed before. `expire_tokens()`: 401 for what was given until now.
    `api.page`: rows of a page (1000); `api.links_work`: whether a nextLink can be followed (facts:
    it cannot); `api.inner`: ``internalException``, as CIPP has it; `api.numbers_as_text`;
    `api.clock_ahead`, of the `Date` in answers. An answer with status 200 may have done nothing: it
    then has `@adminapi.confirmationmessage` (Remove- without `Confirm: false`) or
    `@adminapi.errors`.

What is counted
    `requests` (Admin API; a batch is one), `logins` (authority and identity), `writes` (calls that
    change something, refused ones too), `api.calls` (cmdlet → number), `api.log`, all from
    `reset_counters()` on. `authority.issued`: all tokens, for tests that look for secrets.

What is not known of the real service is called unverified in the module that does it.
"""
