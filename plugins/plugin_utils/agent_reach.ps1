# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# An area of agent.ps1: connections that are tried from the server.
# Does a connection to host and port come about? By any of its addresses, all targets at once.
function Invoke-ReachStep($step) {
    $result = [System.Collections.ArrayList]@()
    foreach ($target in @($step['targets'])) {
        $row = @{
            host = $target[0]; port = $target[1]; reachable = $false; error = $null; tries = @()
        }
        try {
            foreach ($address in @([System.Net.Dns]::GetHostAddresses($target[0]))) {
                $client = New-Object System.Net.Sockets.TcpClient $address.AddressFamily
                $row.tries += @{
                    client = $client
                    pending = $client.BeginConnect($address, [int]$target[1], $null, $null)
                }
            }
        } catch { $row.error = [string]$_.Exception.GetBaseException().SocketErrorCode }
        [void]$result.Add($row)
    }
    $deadline = [DateTime]::UtcNow.AddSeconds($step['seconds'])
    foreach ($row in @($result.ToArray())) {
        foreach ($try in @($row.tries)) {
            $left = [Math]::Max(0, ($deadline - [DateTime]::UtcNow).TotalMilliseconds)
            if (-not $row.reachable) {
                try {
                    if ($try.pending.AsyncWaitHandle.WaitOne([int]$left, $false)) {
                        $try.client.EndConnect($try.pending)
                        $row.reachable = $true
                        $row.error = $null
                    }
                    else { $row.error = 'TimedOut' }
                } catch { $row.error = [string]$_.Exception.GetBaseException().SocketErrorCode }
            }
            $try.client.Close()
        }
        $row.Remove('tries')
    }
    ,$result.ToArray()
}
$operations['reach'] = 'Invoke-ReachStep'
