# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# An area of agent.ps1: what earlier steps of the request read, as one digest.
function Invoke-DigestStep($step) {
    $text = [System.Collections.ArrayList]@()
    foreach ($id in @($step['steps'])) {
        $rows = [System.Collections.ArrayList]@()
        $objects = Get-Done $id
        foreach ($object in @($objects)) {
            $row = $object.Clone()
            if ($step['ignore']) { foreach ($name in @($step['ignore'])) { $row.Remove($name) } }
            [void]$rows.Add($row)
        }
        [void]$text.Add($id + (ConvertTo-Answer $rows $true))
    }
    # SHA-1: in FIPS mode Windows refuses the SHA-256 of .NET 2.0. It tells changes, not attacks.
    $bytes = [System.Text.Encoding]::UTF8.GetBytes([string]::Join("`n", [string[]]$text.ToArray()))
    $hash = [System.Security.Cryptography.SHA1]::Create().ComputeHash($bytes)
    $digest = [BitConverter]::ToString($hash).Replace('-', '').ToLowerInvariant()
    if ($step['expect'] -and $step['expect'] -cne $digest) {
        Stop-Agent 'StateChanged' ('The server is no longer as it was when the change was ' +
            'planned: somebody else is working on it. Nothing was written. Run the task again.')
    }
    ,@(@{ digest = $digest })
}
$operations['digest'] = 'Invoke-DigestStep'
