# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# An area of agent.ps1: files in a folder that only administrators may write, as snapshots are. They
# are written by agent_files_write.ps1.
function Get-SafePath($folder, $name) {
    if ($name -cnotmatch '^[A-Za-z0-9_][A-Za-z0-9._-]*$') {
        Stop-Agent 'BadRequest' ("A file name in the request may hold only letters, digits, '.', " +
            "'_' and '-', and must not begin with '.' or '-'. No file was read or written.")
    }
    [System.IO.Path]::Combine($folder, $name)
}

function Get-FileText($path) {
    # Nobody's file is to fill the memory; none of ours comes near it.
    if ((New-Object System.IO.FileInfo $path).Length -gt 8MB) { '' }
    else { [System.IO.File]::ReadAllText($path) }
}

function Invoke-ReadFilesStep($step) {
    $folder = [Environment]::ExpandEnvironmentVariables($step['folder'])
    $names = [System.Collections.ArrayList]@()
    if ($null -ne $step['names']) {
        foreach ($name in @($step['names'])) {
            if ([System.IO.File]::Exists((Get-SafePath $folder $name))) { [void]$names.Add($name) }
        }
    } elseif ([System.IO.Directory]::Exists($folder)) {
        foreach ($file in @([System.IO.Directory]::GetFiles($folder))) {
            if ($file.EndsWith('.tmp')) { continue }
            [void]$names.Add([System.IO.Path]::GetFileName($file))
        }
        $names.Sort([StringComparer]::Ordinal)
    }
    # Their names begin with the time, so the last by name are the newest.
    if ($step['last'] -and $names.Count -gt $step['last']) {
        $names.RemoveRange(0, $names.Count - $step['last'])
    }
    $result = [System.Collections.ArrayList]@()
    foreach ($name in @($names.ToArray())) {
        # Who made the folder first could put files into it: the controller looks at the owner.
        $path = [System.IO.Path]::Combine($folder, $name)
        try { $sddl = [string](Get-Acl -Path $path).Sddl } catch { $sddl = '' }
        $text = if ($step['unread']) { '' } else { Get-FileText $path }
        [void]$result.Add(@{ name = $name; text = $text; sddl = $sddl })
    }
    ,$result.ToArray()
}
$operations['read_files'] = 'Invoke-ReadFilesStep'
