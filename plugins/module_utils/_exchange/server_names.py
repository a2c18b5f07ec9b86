# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which names a server says that it can be reached, each with where it is from.

Every step is optional: what a version lacks, or what failed, is told and never guessed.
"""

from __future__ import annotations

import re
import typing as t
import urllib.parse
from dataclasses import dataclass, field

from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange import accepted
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.state import Server
from ansible_collections.mailedge.lockdown.plugins.module_utils._exchange.versions import Version

Step = dict[str, t.Any]
Row = t.Mapping[str, t.Any]
Answer = t.Mapping[str, t.Any]

_RECEIVE, _SEND = "names-receive", "names-send"
_CERTIFICATES, _CERTIFICATES_HERE = "names-certificates", "names-certificates-here"
_CERTIFICATE = ["Thumbprint", "Subject", "CertificateDomains", "Services"]
_NAME = re.compile(r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9-]{2,63}")
_URLS = ("InternalUrl", "ExternalUrl")
_HOSTS = ("InternalHostname", "ExternalHostname")
_DIRECTORIES: t.Mapping[str, tuple[str, ...]] = {
    "Get-OwaVirtualDirectory": _URLS,
    "Get-EcpVirtualDirectory": _URLS,
    "Get-WebServicesVirtualDirectory": (*_URLS, "InternalNLBBypassUrl"),
    "Get-ActiveSyncVirtualDirectory": _URLS,
    "Get-OabVirtualDirectory": _URLS,
    "Get-AutodiscoverVirtualDirectory": _URLS,
    "Get-MapiVirtualDirectory": _URLS,
    "Get-OutlookAnywhere": _HOSTS,
}
# The newer name of a cmdlet that newer versions may have under both (since which one is
# unverified); one of them is enough.
_ACCESS = ("Get-ClientAccessServer", "Get-ClientAccessService")
_ACCESS_URI = "AutoDiscoverServiceInternalUri"
_HYBRID = "Get-HybridConfiguration"
_COMMON_NAME = re.compile(r"(?:^|,)\s*CN=([^,\s]+)", re.IGNORECASE)


def read_steps(host_name: t.Any, domain_controller: str | None = None) -> list[Step]:
    """The steps that read what has names in it; `host_name` is what stands for the server's."""
    shared = {"DomainController": domain_controller} if domain_controller else {}
    here = {"Server": host_name}
    return [
        accepted.step(domain_controller, prefix="", always=False),
        _step(_RECEIVE, "Get-ReceiveConnector", {**here, **shared}, ["Name", "Fqdn", "Server"]),
        _step(_SEND, "Get-SendConnector", shared, ["Name", "Fqdn"]),
        _step(_CERTIFICATES, "Get-ExchangeCertificate", here, _CERTIFICATE),
        # Exchange 2007 has no -Server; that Edge servers take it is unverified.
        _step(_CERTIFICATES_HERE, "Get-ExchangeCertificate", {}, _CERTIFICATE),
        *(
            # Else IIS is asked as well, which is slow, and where it does not answer is an error.
            _step(cmdlet, cmdlet, {**here, "ADPropertiesOnly": True, **shared}, ["Name", *urls])
            for cmdlet, urls in _DIRECTORIES.items()
        ),
        *(
            _step(cmdlet, cmdlet, {"Identity": host_name, **shared}, ["Name", _ACCESS_URI])
            for cmdlet in _ACCESS
        ),
        _step(_HYBRID, _HYBRID, shared, ["Domains"]),
    ]


def _step(name: str, cmdlet: str, parameters: Row, select: list[str]) -> Step:
    return {
        "op": "call",
        "id": name,
        "cmdlet": cmdlet,
        "parameters": parameters,
        "select": select,
        "optional": True,
    }


@dataclass
class Names:
    """`names` → where they are from. `wildcards` are those of certificates, `short` names without
    a domain; neither is a name in DNS that can be asked for. `not_read` are sentences.
    """

    names: dict[str, list[str]] = field(default_factory=dict)
    domains: list[str] = field(default_factory=list)
    wildcards: list[str] = field(default_factory=list)
    short: list[str] = field(default_factory=list)
    not_read: list[str] = field(default_factory=list)

    def add(self, text: t.Any, source: str) -> bool:
        """Take a name. False where it is none."""
        name = str(text or "").strip().rstrip(".").lower()
        bare = name[2:] if name.startswith("*.") else name
        if _NAME.fullmatch(bare) and not bare.rsplit(".", 1)[-1].isdigit():
            if bare != name:
                _append(self.wildcards, name)
            else:
                _append(self.names.setdefault(name, []), source)
            return True
        if name and "." not in name:
            _append(self.short, name)
            return True
        return False

    def told(self) -> dict[str, t.Any]:
        """As the result has them."""
        return {
            "names": [{"name": name, "from": self.names[name]} for name in sorted(self.names)],
            "domains": sorted(self.domains),
            "wildcards": sorted(self.wildcards),
            "short_names": sorted(self.short),
            "not_read": self.not_read,
        }


def _append(texts: list[str], text: str) -> None:
    if text not in texts:
        texts.append(text)


def of(steps: t.Mapping[str, Answer], server: Server) -> Names:
    """What the answers to read_steps() say."""
    names = Names()
    names.add(server.fqdn, "the server's own name")
    _domains(names, steps)
    for row in _rows(names, steps, _RECEIVE, "Get-ReceiveConnector", "FQDNs of receive connectors"):
        if _is_here(row, server):
            names.add(row.get("Fqdn"), f"the receive connector '{row.get('Name')}'")
    for row in _rows(names, steps, _SEND, "Get-SendConnector", "FQDNs of send connectors"):
        names.add(row.get("Fqdn"), f"the send connector '{row.get('Name')}'")
    _certificates(names, steps, server)
    if not server.edge:
        # An Edge server has none of all this.
        _directories(names, steps, server)
        _autodiscover(names, steps)
        _hybrid(names, steps, server)
    return names


def _domains(names: Names, steps: t.Mapping[str, Answer]) -> None:
    rows = _rows(names, steps, accepted.STEP, "Get-AcceptedDomain", "accepted domains")
    for domain in accepted.read(rows) or ():
        if domain.is_everything:
            names.not_read.append(
                f"The accepted domain {domain} stands for domains that it does not name."
            )
        else:
            # It stands for those below it, too; what these are it does not say.
            _append(names.domains, domain.domain.removeprefix("*."))


def _certificates(names: Names, steps: t.Mapping[str, Answer], server: Server) -> None:
    step = _CERTIFICATES
    # Without a server's name it is the one that the shell is on: sure where the shell is local.
    local = server.edge or server.version < Version.E2010
    if local and not (steps.get(_CERTIFICATES) or {}).get("ok"):
        step = _CERTIFICATES_HERE
    for row in _rows(names, steps, step, "Get-ExchangeCertificate", "names in certificates"):
        thumbprint = str(row.get("Thumbprint") or "without a thumbprint")
        services = str(row.get("Services") or "None")
        source = f"the certificate {thumbprint} (services: {services})"
        said = [names.add(text, source) for text in _texts(row.get("CertificateDomains"))]
        said += [
            names.add(text, source) for text in _COMMON_NAME.findall(str(row.get("Subject") or ""))
        ]
        if not any(said):
            names.not_read.append(f"No name could be read of the certificate {thumbprint}.")


def _directories(names: Names, steps: t.Mapping[str, Answer], server: Server) -> None:
    if server.version < Version.E2013:
        names.not_read.append(
            "The URLs of virtual directories were not read: only Exchange 2013 and later tell them "
            f"without asking IIS, and the server has {server.version}. Name them in server_names."
        )
        return
    for cmdlet, keys in _DIRECTORIES.items():
        what = f"URLs of {cmdlet[len('Get-') :]}"
        for row in _rows(names, steps, cmdlet, cmdlet, what):
            for key in keys:
                _url(names, row.get(key), f"{key} of {cmdlet}")


def _autodiscover(names: Names, steps: t.Mapping[str, Answer]) -> None:
    told = [cmdlet for cmdlet in _ACCESS if (steps.get(cmdlet) or {}).get("ok")]
    cmdlet = told[0] if told else _ACCESS[0]
    for row in _rows(names, steps, cmdlet, cmdlet, "address of autodiscover"):
        _url(names, row.get(_ACCESS_URI), f"{_ACCESS_URI} of {cmdlet}")


def _hybrid(names: Names, steps: t.Mapping[str, Answer], server: Server) -> None:
    if server.version < Version.E2010:
        # It came with a service pack of 2010: before, nothing can be hybrid.
        return
    for row in _rows(names, steps, _HYBRID, _HYBRID, "domains of the hybrid configuration"):
        for text in _texts(row.get("Domains")):
            # One of them may be marked as that of autodiscover.
            domain = text.strip().lower()
            _append(names.domains, domain[len("autod:") :] if domain[:6] == "autod:" else domain)


def _url(names: Names, value: t.Any, source: str) -> None:
    """Take the host of a URL, or a host; what is neither is told."""
    text = str(value or "").strip()
    if not text:
        return
    try:
        host = urllib.parse.urlsplit(text if "//" in text else f"//{text}").hostname
    except ValueError:
        host = None
    if not host:
        names.not_read.append(f"The {source} has no name that can be read: {text}")
        return
    names.add(host, source)


def _rows(
    names: Names, steps: t.Mapping[str, Answer], step: str, cmdlet: str, what: str
) -> list[Row]:
    """The rows of a step; where it failed, that is told."""
    answer = steps.get(step) or {}
    if answer.get("ok"):
        return list(answer.get("objects") or [])
    message = str((answer.get("error") or {}).get("message") or "It was not run.")
    names.not_read.append(f"The {what} could not be read. {cmdlet} said: {message}")
    return []


def _is_here(row: Row, server: Server) -> bool:
    """Whether it is this server's: a proxying endpoint gives those of others as well."""
    owner = str(row.get("Server") or server.name).rsplit("/", 1)[-1].casefold()
    return owner in (server.name.casefold(), server.fqdn.casefold())


def _texts(value: t.Any) -> list[str]:
    if isinstance(value, (list, tuple)):
        return [str(text) for text in value]
    return [text for text in re.split(r"[\s,;{}]+", str(value or "")) if text]
