# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Windows of a lab host, beside its Exchange: what scripts find by COM and in its stores."""

from __future__ import annotations

import threading
import typing as t

from ansible_collections.mailedge.lockdown.tests.lab.exchange.errors import ExchangeError
from ansible_collections.mailedge.lockdown.tests.lab.windows.certificates import Certificate
from ansible_collections.mailedge.lockdown.tests.lab.windows.com import (
    CLASS_NOT_REGISTERED,
    ComError,
    ComObject,
)
from ansible_collections.mailedge.lockdown.tests.lab.windows.files import Files
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.com import FwPolicy2, FwRule
from ansible_collections.mailedge.lockdown.tests.lab.windows.firewall.store import Firewall
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.managers import READER, WRITER
from ansible_collections.mailedge.lockdown.tests.lab.windows.iis.server import Iis
from ansible_collections.mailedge.lockdown.tests.lab.windows.registry import Registry, RegistryKey
from ansible_collections.mailedge.lockdown.tests.lab.windows.services import Services
from ansible_collections.mailedge.lockdown.tests.lab.windows.updates import History, Session
from ansible_collections.mailedge.lockdown.tests.lab.windows.wmi import Wmi

_IIS_KEYS = ("hklm:\\software\\microsoft\\inetstp", "hklm:\\software\\microsoft\\iis extensions")


class WindowsHost:
    """One Windows. `classes` maps the ProgIDs that are registered, in lower case, to what makes the
    object.
    """

    def __init__(self) -> None:
        self.firewall = Firewall()
        self.classes: dict[str, t.Callable[[], ComObject]] = {
            "hnetcfg.fwpolicy2": lambda: FwPolicy2(self.firewall),
            "hnetcfg.fwrule": lambda: FwRule(self.firewall),
        }
        self._iis: Iis | None = None
        self._make_iis: t.Callable[[], Iis] | None = None
        self._lock = threading.Lock()
        self.registry = Registry()
        self.services = Services(self.registry)
        self.wmi = Wmi()
        self.files = Files()
        self.history = History()
        self.classes["microsoft.update.session"] = lambda: Session(self.history)
        # By the name of the store of the computer.
        self.certificates: dict[str, list[Certificate]] = {"my": []}

    @property
    def iis(self) -> Iis:
        """The IIS, made when somebody asks for it. Raises LookupError for a host without one."""
        with self._lock:
            if self._iis is None:
                if self._make_iis is None:
                    raise LookupError("This host has no IIS.")
                self._iis = self._make_iis()
            return self._iis

    def add_iis(self, make: t.Callable[[], Iis]) -> None:
        """Install IIS with the COM classes that come with it, in the place of one that is there."""
        self._iis, self._make_iis = None, make
        for prog_id in (READER, WRITER):
            self.classes[prog_id.casefold()] = self._class(prog_id.casefold())

    def remove_iis(self, *, objects_only: bool = False) -> None:
        """Take IIS away, or only its administration objects."""
        for prog_id in (READER, WRITER):
            self.classes.pop(prog_id.casefold(), None)
        if not objects_only:
            self._iis = self._make_iis = None

    def _class(self, prog_id: str) -> t.Callable[[], ComObject]:
        def make() -> ComObject:
            return self.iis.classes[prog_id]()

        return make

    def iis_keys(self, path: str) -> dict[str, dict[str, t.Any]]:
        """The registry's keys of IIS, where a path is one of them."""
        ours = self._make_iis is not None and path.casefold().startswith(_IIS_KEYS)
        return dict(self.iis.registry) if ours else {}

    def registry_value(self, key: str, name: str) -> t.Any:
        """A value of the registry; None where it is not there."""
        for path, values in self.iis_keys(key).items():
            if path.casefold() == key.casefold():
                return next(
                    (
                        value
                        for known, value in values.items()
                        if known.casefold() == name.casefold()
                    ),
                    None,
                )
        return None

    @property
    def machine_key(self) -> RegistryKey:
        """HKEY_LOCAL_MACHINE, as Get-Item gives the root of the drive HKLM: to an administrator."""
        return RegistryKey(self.registry, "", True)

    def store(self, path: str) -> list[Certificate]:
        """The certificates of a path such as ``Cert:\\LocalMachine\\My``. Raises ExchangeError."""
        certificates = self.certificates.get(path.rpartition("\\")[2].casefold())
        if certificates is None:
            raise ExchangeError(
                "ItemNotFoundException",
                "PathNotFound,Microsoft.PowerShell.Commands.GetChildItemCommand",
                "ObjectNotFound",
                f"Cannot find path '{path}' because it does not exist.",
                terminating=True,
            )
        return list(certificates)

    def create(self, prog_id: str) -> ComObject:
        """What New-Object -ComObject gives. Raises ComError."""
        make = self.classes.get(prog_id.casefold())
        if make is None:
            # The words of 5.1 (learn.microsoft.com, "New-Object").
            raise ComError(
                CLASS_NOT_REGISTERED,
                "Retrieving the COM class factory for component with CLSID "
                "{00000000-0000-0000-0000-000000000000} failed due to the following error: "
                "80040154 Class not registered (Exception from HRESULT: 0x80040154 "
                "(REGDB_E_CLASSNOTREG)).",
            )
        return make()

    def firewall_keys(self, path: str) -> dict[str, dict[str, t.Any]]:
        """The registry's keys of Windows Firewall, where a path is one of them."""
        values = self.firewall.key(path)
        return {} if values is None else {path: values}

    def netstat(self) -> list[str]:
        """What netstat -n says."""
        return list(self.firewall.lines)
