# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# An area of agent.ps1: what Windows tells of registry, services, WMI, files, updates, certificates.
# A row that could not be read has the class of its error; what that means the controller says.

# --- The registry, below HKEY_LOCAL_MACHINE -------------------------------------------------------
# By methods of the key and not by Get-ItemProperty, which does not tell the kinds of values and
# takes names for patterns. (Get-Item HKLM:\) is how keys of SCHANNEL with a slash in their names
# are usually made; unverified that 2.0 takes it for writing.
function Get-MachineKey {
    # A 32-bit process is shown the keys of 32-bit programs, by the names of the others.
    if ([IntPtr]::Size -eq 8) { return Get-Item -LiteralPath 'HKLM:\' -ErrorAction Stop }
    Stop-Agent 'ThirtyTwoBit' ('PowerShell on the server runs as a 32-bit process, which sees ' +
        'another registry. Nothing was changed. Reach the server by its 64-bit PowerShell.')
}

function Get-ErrorClass($record) { (Get-Failure $record).class }

function Read-Registry($step) {
    $machine = Get-MachineKey
    $result = [System.Collections.ArrayList]@()
    foreach ($asked in @($step['keys'])) {
        $row = $blank.Clone()
        $row.key = $asked['key']; $row.exists = $false; $row.error = $null
        $row['values'] = @(); $row.others = 0; $row.subkeys = 0
        try {
            $key = $machine.OpenSubKey($asked['key'])
            if ($null -ne $key) {
                $row.exists = $true
                $values = [System.Collections.ArrayList]@()
                foreach ($name in @($key.GetValueNames())) {
                    if (@($asked['values']) -notcontains $name) { $row.others++; continue }
                    $data = $key.GetValue($name, $null, 'DoNotExpandEnvironmentNames')
                    $kind = [string]$key.GetValueKind($name)
                    [void]$values.Add(@{ name = $name; kind = $kind; data = (Get-Plain $data) })
                }
                $row['values'] = $values.ToArray()
                $row.subkeys = [int]$key.SubKeyCount
                [void]$key.Close()
            }
        } catch { $row.error = Get-ErrorClass $_ }
        [void]$result.Add($row)
    }
    ,$result.ToArray()
}

# A value in the type that its kind asks for.
function Get-Data($kind, $data) {
    if ($kind -ceq 'DWord') { return [int]$data }
    if ($kind -ceq 'QWord') { return [long]$data }
    if ($kind -ceq 'String' -or $kind -ceq 'ExpandString') { return [string]$data }
    if ($kind -ceq 'MultiString') { return ,[string[]]@($data) }
    if ($kind -ceq 'Binary') { return ,[byte[]]@($data) }
    Stop-Agent 'BadRequest' "The agent writes no value of the kind '$kind'."
}

# Small changes: a value is set, or removed with as many keys around it as are empty and asked for.
function Write-Registry($step) {
    $machine = Get-MachineKey
    $result = [System.Collections.ArrayList]@()
    foreach ($change in @($step['changes'])) {
        $path = [string]$change['key']
        if ($change['remove']) {
            $key = $machine.OpenSubKey($path, $true)
            if ($null -ne $key) {
                [void]$key.DeleteValue($change['name'], $false)
                [void]$key.Close()
            }
            for ($level = 0; $level -lt $change['prune']; $level++) {
                $key = $machine.OpenSubKey($path)
                if ($null -ne $key) {
                    $empty = $key.ValueCount -eq 0 -and $key.SubKeyCount -eq 0
                    [void]$key.Close()
                    if (-not $empty) { break }
                    [void]$machine.DeleteSubKey($path, $false)
                }
                $path = $path.Substring(0, $path.LastIndexOf('\'))
            }
        } else {
            $data = Get-Data $change['kind'] $change['data']
            $key = $machine.CreateSubKey($path)
            [void]$key.SetValue($change['name'], $data, $change['kind'])
            [void]$key.Close()
        }
        [void]$result.Add(@{ key = $change['key']; name = $change['name'] })
    }
    ,$result.ToArray()
}

# --- Services -------------------------------------------------------------------------------------
function Read-Service($step) {
    $result = [System.Collections.ArrayList]@()
    foreach ($name in @($step['names'])) {
        $row = @{ name = $name; exists = $true; status = $null; error = $null }
        try { $row.status = [string](Get-Service -Name $name -ErrorAction Stop).Status }
        catch {
            $id = $_.FullyQualifiedErrorId
            if ($id -like 'NoServiceFoundForGivenName,*') { $row.exists = $false }
            else { $row.exists = $null; $row.error = Get-ErrorClass $_ }
        }
        [void]$result.Add($row)
    }
    ,$result.ToArray()
}

# --- WMI ------------------------------------------------------------------------------------------
# By GetPropertyValue: PowerShell has an InstalledOn of its own, which reads a date of this culture.
function Read-Wmi($step) {
    $result = [System.Collections.ArrayList]@()
    foreach ($object in @(Get-WmiObject $step['class'] -ErrorAction Stop)) {
        if ($null -eq $object) { continue }
        $row = $blank.Clone()
        foreach ($name in @($step['properties'])) {
            try { $row[$name] = Get-Plain $object.GetPropertyValue($name) }
            catch { $row[$name] = $null }
        }
        [void]$result.Add($row)
    }
    ,$result.ToArray()
}

# --- Files: their versions, and parts of those that are XML ---------------------------------------
# A path, or one that begins with what a value of the registry says; of a command line the program.
function Get-FilePath($asked) {
    $path = [string]$asked['path']
    if ($asked['key']) {
        $key = (Get-MachineKey).OpenSubKey($asked['key'])
        if ($null -eq $key) { return '' }
        $start = [string]$key.GetValue($asked['value'], '')
        [void]$key.Close()
        if (-not $start) { return '' }
        if ($asked['command']) {
            if ($start.StartsWith('"')) { $start = $start.Split([char]'"')[1] }
            else { $start = [regex]::Replace($start, '(?i)(\.exe)\s.*$', '$1') }
            $path = $start
        } else { $path = $start.TrimEnd([char]'\') + '\' + $path }
    }
    [Environment]::ExpandEnvironmentVariables($path)
}

function Read-FileVersion($step) {
    $result = [System.Collections.ArrayList]@()
    foreach ($asked in @($step['files'])) {
        $row = @{
            name = $asked['name']; exists = $false; version = $null; product = $null; error = $null
        }
        try {
            $path = Get-FilePath $asked
            if ($path) {
                $info = (Get-Item -LiteralPath $path -ErrorAction Stop).VersionInfo
                $row.exists = $true
                $row.version = '{0}.{1}.{2}.{3}' -f $info.FileMajorPart, $info.FileMinorPart,
                    $info.FileBuildPart, $info.FilePrivatePart
                $row.product = [string]$info.ProductVersion
            }
        } catch {
            $class = Get-ErrorClass $_
            if ($class -cne 'ItemNotFoundException') { $row.exists = $null; $row.error = $class }
        }
        [void]$result.Add($row)
    }
    ,$result.ToArray()
}

# The attributes of elements of an XML file, and one of the nearest element `within` around each.
function Read-Xml($step) {
    $path = [Environment]::ExpandEnvironmentVariables($step['path'])
    $stream = (Get-Item -LiteralPath $path -ErrorAction Stop).OpenRead()
    try {
        $document = New-Object System.Xml.XmlDocument
        $document.XmlResolver = $null
        [void]$document.Load($stream)
    } finally { [void]$stream.Close() }
    $result = [System.Collections.ArrayList]@()
    foreach ($node in @($document.SelectNodes($step['select']))) {
        if ($null -eq $node) { continue }
        $attributes = $blank.Clone()
        foreach ($name in @($step['attributes'])) {
            if ($node.HasAttribute($name)) { $attributes[$name] = $node.GetAttribute($name) }
        }
        $around = $node
        while ($around -is [System.Xml.XmlElement] -and $around.LocalName -cne $step['within'][0]) {
            $around = $around.ParentNode
        }
        $within = $null
        if ($around -is [System.Xml.XmlElement]) {
            $within = $around.GetAttribute($step['within'][1])
        }
        $row = @{ element = $node.LocalName; within = $within; attributes = $attributes }
        [void]$result.Add($row)
    }
    ,$result.ToArray()
}

# --- Updates --------------------------------------------------------------------------------------
# The newest entries of Windows Update's history. QueryHistory fails for a start behind the last.
function Read-UpdateHistory($step) {
    $searcher = (New-Object -ComObject 'Microsoft.Update.Session').CreateUpdateSearcher()
    $total = [int]$searcher.GetTotalHistoryCount()
    $entries = [System.Collections.ArrayList]@()
    if ($total -gt 0) {
        $found = $searcher.QueryHistory(0, [Math]::Min($total, [int]$step['most']))
        for ($i = 0; $i -lt $found.Count; $i++) {
            $entry = $found.Item($i)
            $categories = [System.Collections.ArrayList]@()
            # What came with the second version of the interface.
            try {
                for ($j = 0; $j -lt $entry.Categories.Count; $j++) {
                    [void]$categories.Add([string]$entry.Categories.Item($j).CategoryID)
                }
            } catch { $categories.Clear() }
            [void]$entries.Add(@{
                title = [string]$entry.Title; date = (Get-Plain $entry.Date)
                operation = [int]$entry.Operation; result = [int]$entry.ResultCode
                categories = $categories.ToArray()
            })
        }
    }
    ,@(@{ total = $total; entries = $entries.ToArray() })
}

# --- Certificates ---------------------------------------------------------------------------------
function Read-Certificate($step) {
    $result = [System.Collections.ArrayList]@()
    $store = 'Cert:\LocalMachine\' + $step['store']
    foreach ($certificate in @(Get-ChildItem -Path $store -ErrorAction Stop)) {
        if ($null -eq $certificate) { continue }
        $until = $certificate.NotAfter.ToUniversalTime()
        [void]$result.Add(@{
            thumbprint = [string]$certificate.Thumbprint; subject = [string]$certificate.Subject
            issuer = [string]$certificate.Issuer; private_key = [bool]$certificate.HasPrivateKey
            not_after = $until.ToString('yyyy-MM-ddTHH:mm:ssZ', $invariant)
        })
    }
    ,$result.ToArray()
}

$operations['registry_read'] = 'Read-Registry'
$operations['registry_write'] = 'Write-Registry'
$operations['service_read'] = 'Read-Service'
$operations['wmi_read'] = 'Read-Wmi'
$operations['file_versions'] = 'Read-FileVersion'
$operations['xml_read'] = 'Read-Xml'
$operations['update_history'] = 'Read-UpdateHistory'
$operations['certificate_read'] = 'Read-Certificate'
