# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ranges count for a site: those of its lock file where it names one, else the catalogue's.

One never stands in for the other. A site that names a lock file has said that a person reads every
change of its ranges, and the catalogue changes with each version of the collection.
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers import (
    catalogue,
    lockfile,
)
from ansible_collections.mailedge.lockdown.plugins.plugin_utils._providers.catalogue import (
    ProviderError,
)


def details_of(
    provider: str,
    region: str | None = "",
    lock_path: str | None = "",
    accept_grade: str = "B",
    today: datetime.date | None = None,
) -> dict[str, t.Any]:
    """What counts for a site whose provider this is. Raises ProviderError.

    An empty `region` or `lock_path` is one that is not set. `today` decides which ranges that leave
    the lock file still count; the day in UTC where it is not given.

    The keys: `provider`, `region`, `ranges` (CIDR prefixes, never none), `from` (lock or
    catalogue), `mechanism`, `source`, `as_of` (a date as text), `grade` (empty for the lock file),
    `shared`, `tls_cert_names`, `smart_hosts`, `mx_suffixes`, and `warnings`, sentences for the
    operator.
    """
    region = (region or "").strip()
    path = (lock_path or "").strip()
    if accept_grade not in catalogue.GRADES:
        raise ProviderError(
            f"'{accept_grade}' is not a grade. The grades are {', '.join(catalogue.GRADES)}."
        )
    entry: catalogue.Entry | None = None
    unknown: ProviderError | None = None
    try:
        entry = catalogue.find(provider, region)
    except ProviderError as error:
        unknown = error
    if path:
        locked = _locked(provider, region, entry, path, unknown)
        day = today or datetime.datetime.now(datetime.timezone.utc).date()
        counting = {
            "ranges": locked.counting(day).to_cidrs(),
            "from": "lock",
            "mechanism": locked.mechanism,
            "source": locked.source,
            "as_of": locked.retrieved.isoformat(),
            "grade": "",
        }
    elif entry is not None:
        counting = {
            "ranges": catalogue.usable(entry, accept_grade).to_cidrs(),
            "from": "catalogue",
            "mechanism": entry.mechanism,
            "source": entry.source,
            "as_of": entry.as_of,
            "grade": entry.grade,
        }
    else:
        raise unknown or ProviderError(f"The catalogue has no provider '{provider}'.")
    return {
        "provider": provider,
        "region": region or (entry.region if entry else ""),
        **counting,
        "shared": bool(entry and entry.shared),
        "tls_cert_names": list(entry.tls_cert_names) if entry else [],
        "smart_hosts": list(entry.smart_hosts) if entry else [],
        "mx_suffixes": list(entry.mx_suffixes) if entry else [],
        "warnings": [catalogue.SHARED_WARNING.format(provider=provider)]
        if entry and entry.shared
        else [],
    }


def _locked(
    provider: str,
    region: str,
    entry: catalogue.Entry | None,
    path: str,
    unknown: ProviderError | None,
) -> lockfile.Locked:
    """The entry of the lock file. Raises ProviderError where there is no such file or entry."""
    lock = lockfile.read_written(path)
    # The region may be left out where the provider has one only.
    names = [lockfile.key(provider, region)] + (
        [lockfile.key(provider, entry.region)] if entry else []
    )
    for name in names:
        if name in lock:
            return lock[name]
    held = f"It has: {', '.join(sorted(lock))}." if lock else "It has no provider at all."
    # A name that the catalogue does not know either is likely a slip.
    more = f" {unknown}" if unknown else ""
    raise ProviderError(
        f"The lock file {path} has no '{names[-1]}', and nothing was used instead. {held}{more} "
        "Run the playbook refresh_ranges, which writes it, and read what is new before it is used."
    )
