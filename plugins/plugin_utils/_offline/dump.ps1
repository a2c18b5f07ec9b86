# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# How the connectors of an Exchange server are read into one file, without a connection to it.
#
# Copy this script to the server, open the Exchange Management Shell there (as administrator), and:
#     .\mailedge-dump.ps1
# It only reads. What it has read is in the file that it names in the end, as text that you can
# read: connectors and who may use them, accepted domains, version and addresses of the server, and
# the names of the files in %ProgramData%\mailedge. No password is among it, and no mail.
# Send that file back. -Path names another place for it. Windows PowerShell 2.0 and later.
param([string]$Path)
$asked = @'
# ASKED
'@
# Where the cmdlets of Exchange are missing, as in another PowerShell, their shell is opened.
$way = 'none'
if (-not (Get-Command Get-ReceiveConnector -ErrorAction SilentlyContinue)) { $way = 'auto' }
$text = $asked.Replace("`r", '').Replace("`nsWAY`n", "`ns$way`n")
$collect = {
# AGENT
    # --- What was read, as a file -----------------------------------------------------------------
    if (-not $Path) { $Path = 'mailedge-{0}.json' -f $state.facts.name }
    $file = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Path)
    # SHA-1: in FIPS mode Windows refuses the SHA-256 of .NET 2.0. It tells changes, not attacks.
    $bytes = [System.Text.Encoding]::UTF8.GetBytes($json)
    $sum = [System.Security.Cryptography.SHA1]::Create().ComputeHash($bytes)
    $sum = [BitConverter]::ToString($sum).Replace('-', '').ToLowerInvariant()
    $head = '{"mailedge_dump":1,"script":"# SCRIPT","sha1":"' + $sum + '","answer":'
    [System.IO.File]::WriteAllText($file, $head + $json + '}')
    Write-Host "The server $($state.facts.name) was read, and nothing was changed on it."
    foreach ($id in @('receive', 'rights', 'send', 'accepted-domains')) {
        $told = 'could not be read'
        if ($json.Contains('"' + $id + '":{"objects"')) { $told = @($state.done[$id]).Count }
        Write-Host "  $($id): $told"
    }
    if ($failure) { Write-Host "Not all of it could be read: $($failure.message)" }
    Write-Host "Written: $file"
}
$bytes = [System.Text.Encoding]::UTF8.GetBytes($text)
$packed = New-Object System.IO.MemoryStream
$mode = [System.IO.Compression.CompressionMode]::Compress
$zip = New-Object System.IO.Compression.GZipStream $packed, $mode
$zip.Write($bytes, 0, $bytes.Length); $zip.Close()
# The cmdlets of a remote session are functions of a module, for which only the global one counts:
# what fails must not look like nothing.
$preference = $global:ErrorActionPreference
try {
    $global:ErrorActionPreference = 'Stop'
    $null = & $collect @('', [Convert]::ToBase64String($packed.ToArray()))
} finally { $global:ErrorActionPreference = $preference }
