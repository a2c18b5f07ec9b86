# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the check of a lock costs at a hub of thousands of policies, hundreds of which let
everything through between two networks.

Once where the device tells where the server is, so that the other policies are left alone, and once
where it does not, so that each of them gets a fence. Seconds are printed, and judged by whoever
reads them. Fails where a count is not as promised: requests do not grow with the policies, and only
policies that can lead to the server are touched.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile
import time

from ansible_collections.mailedge.lockdown.plugins.modules import fortios_inbound_lock
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.device import Device
from ansible_collections.mailedge.lockdown.tests.lab.fortigate.server import FortiGateServer
from ansible_collections.mailedge.lockdown.tests.support.fortigate import LOCK, Firewall, touched
from ansible_collections.mailedge.lockdown.tests.support.hub import into_the_first, make_hub

SIZES = ((1000, 200), (3000, 200), (3000, 600))
REQUESTS = 17
MONITORS = ("router/lookup", "router/ipv4")


def main() -> int:
    """Print a table; give 1 where a promise is broken."""
    broken: list[str] = []
    print(f"{'check of a lock':52}{'requests':>9}{'seconds':>9}{'touched':>9}")
    for policies, wide in SIZES:
        with FortiGateServer(Device()) as server, tempfile.TemporaryDirectory() as folder:
            make_hub(server.device, policies, wide)
            firewall = Firewall(server, pathlib.Path(folder))
            leading = into_the_first(server.device)
            for told in (True, False):
                server.arm(gone=() if told else MONITORS)
                begun = time.monotonic()
                result = firewall.done(fortios_inbound_lock, **LOCK, check=True)
                seconds = time.monotonic() - begun
                changed, requests = touched(result), result["cost"]["requests"]
                what = f"{policies} policies, {wide} wide{'' if told else ', server not told'}"
                print(f"{what:52}{requests:>9}{seconds:9.2f}{len(changed):>9}")
                if requests > REQUESTS:
                    broken.append(f"at most {REQUESTS} requests, however many policies")
                if told and changed - leading:
                    broken.append("only policies that lead to the server are touched")
    for promise in broken:
        print(f"A promise is broken: {promise}.", file=sys.stderr)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
