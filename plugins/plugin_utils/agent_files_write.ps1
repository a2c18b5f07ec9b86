# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# An area of agent.ps1: a file is written where agent_files.ps1 reads, which has to be there too.
function Invoke-WriteFileStep($step) {
    $folder = [Environment]::ExpandEnvironmentVariables($step['folder'])
    $path = Get-SafePath $folder $step['name']
    try {
        [void][System.IO.Directory]::CreateDirectory($folder)
        # Any user may create folders in %ProgramData%: this may be somebody's link, or their own.
        $attributes = [System.IO.File]::GetAttributes($folder)
        if ($attributes -band [System.IO.FileAttributes]::ReparsePoint) {
            throw "$folder is a link."
        }
        $administrators = '*S-1-5-32-544'
        $changes = @(
            @('/setowner', $administrators),
            @('/reset', '/q'),
            @(
                '/inheritance:r', '/grant:r', "$($administrators):(OI)(CI)F", '*S-1-5-18:(OI)(CI)F'
            )
        )
        foreach ($change in @($changes)) {
            $global:LASTEXITCODE = 0
            [void](& 'icacls' $folder $change)
            if ($global:LASTEXITCODE) {
                throw "icacls $($change[0]) ended with code $global:LASTEXITCODE."
            }
        }
        # A file is put in the place of another only where that one is as the request says.
        if ([System.IO.File]::Exists($path) -and $step['over'] -cne (Get-FileText $path)) {
            throw "$path exists already."
        }
        [System.IO.File]::WriteAllText("$path.tmp", $step['text'])
        [System.IO.File]::Delete($path)
        [System.IO.File]::Move("$path.tmp", $path)
        [void](& 'icacls' $path '/setowner' $administrators)
    } catch {
        $failure = Get-Failure $_
        Stop-Agent 'SnapshotFailed' ("The file $path could not be written. Nothing was changed. " +
            "The server said: $($failure.message)") $failure.id
    }
    ,@(@{ path = $path })
}
$operations['write_file'] = 'Invoke-WriteFileStep'
