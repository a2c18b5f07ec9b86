# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every finding about a server's posture, with the page of Microsoft that tells more."""

from __future__ import annotations

from ansible_collections.mailedge.lockdown.plugins.module_utils._windows.finding import Catalogue

_LEARN = "https://learn.microsoft.com"
_BUILDS = f"{_LEARN}/exchange/new-features/build-numbers-and-release-dates"
_EXCHANGE_END = f"{_LEARN}/lifecycle/products/?terms=Exchange%20Server"
_WINDOWS_END = f"{_LEARN}/lifecycle/products/?terms=Windows%20Server"
_SIZING = f"{_LEARN}/exchange/plan-and-deploy/system-requirements"
_PRACTICES = f"{_LEARN}/exchange/plan-and-deploy/post-installation-tasks/security-best-practices"
_TLS = f"{_PRACTICES}/exchange-tls-configuration"
_PROTECTION = f"{_PRACTICES}/exchange-extended-protection"
_WSUS = f"{_LEARN}/windows-server/administration/windows-server-update-services"
_UPDATES = f"{_WSUS}/get-started/windows-server-update-services-wsus"
_AGENT = f"{_LEARN}/exchange/hybrid-deployment/hybrid-agent"
_PROXY = f"{_LEARN}/entra/identity/app-proxy/application-proxy-connectors"
_CONNECT = f"{_LEARN}/entra/identity/hybrid/connect/reference-connect-version-history"
_MITIGATION = f"{_LEARN}/exchange/exchange-emergency-mitigation-service"
_CERTIFICATES = f"{_LEARN}/exchange/architecture/client-access/certificates"

FINDINGS = Catalogue(
    {
        "exchange_absent": ("No Exchange Server is installed.", _BUILDS),
        "exchange_build": ("How new the build of Exchange is.", _BUILDS),
        "exchange_build_newer": (
            "The build of Exchange is newer than all that are known.",
            _BUILDS,
        ),
        "exchange_build_unknown": (
            "The build of Exchange could not be read, or is not known.",
            _BUILDS,
        ),
        "exchange_table_old": ("Exchange is the newest of a table that is old by now.", _BUILDS),
        "exchange_support": ("Whether Exchange is supported.", _EXCHANGE_END),
        "windows_support": ("Whether Windows is supported, and until when.", _WINDOWS_END),
        "windows_version_unknown": (
            "The version of Windows could not be read, or is not known.",
            _WINDOWS_END,
        ),
        "processors": ("Whether there are as many processors as the site asks for.", _SIZING),
        "memory": ("Whether there is as much memory as the site asks for.", _SIZING),
        "tls_12_incoming": ("Whether Windows takes TLS 1.2 from those who connect to it.", _TLS),
        "tls_12_outgoing": ("Whether Windows uses TLS 1.2 where it connects to others.", _TLS),
        "tls_12_dotnet": ("Whether .NET follows Windows, and uses strong cryptography.", _TLS),
        "last_update": ("How long ago Windows was updated.", _UPDATES),
        "restart_pending": ("Whether updates of Windows wait for a restart.", _UPDATES),
        "update_service": ("Whether somebody looks after updates.", _UPDATES),
        "update_schedule": (
            "An agent for updates runs, whose schedule is not known on the server.",
            _UPDATES,
        ),
        "hybrid_agent": ("The Hybrid Agent.", _AGENT),
        "app_proxy_connector": ("The connector of Entra application proxy.", _PROXY),
        "entra_connect": ("Entra Connect, and whether its version still works.", _CONNECT),
        "entra_connect_retirement": (
            "Entra Connect runs, and when its version ends is not known here.",
            _CONNECT,
        ),
        "mitigation_service": (
            "The service that applies Microsoft's emergency mitigations.",
            _MITIGATION,
        ),
        "extended_protection": ("Extended protection of the virtual directories.", _PROTECTION),
        "certificate": ("When certificates of the server end.", _CERTIFICATES),
    }
)
"""Links are from memory where facts name no page: unverified, that they still lead there."""
