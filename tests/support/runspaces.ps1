# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# One engine for many requests, each in a runspace of its own (engine.py): the socket of the
# variable TEST_SOCKET gives a line of JSON with environment, script and lines of input, and gets a
# line with what came out.
$state = [System.Management.Automation.Runspaces.Runspace]::DefaultRunspace.InitialSessionState
$socket = New-Object System.Net.Sockets.Socket Unix, Stream, Unspecified
$socket.Connect((New-Object System.Net.Sockets.UnixDomainSocketEndPoint $env:TEST_SOCKET))
$stream = New-Object System.Net.Sockets.NetworkStream $socket
$reader = New-Object System.IO.StreamReader $stream
$writer = New-Object System.IO.StreamWriter $stream
while ($null -ne ($line = $reader.ReadLine())) {
    $asked = [System.Text.Json.JsonDocument]::Parse($line).RootElement
    $names = @()
    foreach ($one in $asked.GetProperty('environment').EnumerateObject()) {
        [Environment]::SetEnvironmentVariable($one.Name, $one.Value.GetString())
        $names += $one.Name
    }
    $lines = [string[]]@(foreach ($one in $asked.GetProperty('lines').EnumerateArray()) {
        $one.GetString()
    })
    $runspace = [System.Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace(
        $state.Clone())
    $runspace.Open()
    $shell = [PowerShell]::Create()
    $shell.Runspace = $runspace
    [void]$shell.AddScript($asked.GetProperty('script').GetString())
    try { $said = @($shell.Invoke($lines)) -join "`n" } catch { $said = "uncaught: $_" }
    # Not waited for: what hangs in a cmdlet would hold up the next request.
    $runspace.CloseAsync()
    foreach ($name in $names) { [Environment]::SetEnvironmentVariable($name, $null) }
    $writer.WriteLine([Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes($said)))
    $writer.Flush()
}
