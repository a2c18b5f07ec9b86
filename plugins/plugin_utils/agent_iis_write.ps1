# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# An area of agent.ps1: small changes to one section of the configuration of IIS. It goes with
# agent_iis.ps1, whose errors it has: what is written is read before and after in the same request.
function Find-IisItem($collection, $match) {
    for ($i = 0; $i -lt [int]$collection.Count; $i++) {
        $item = $collection.Item($i)
        $same = $true
        foreach ($pair in @($match.GetEnumerator())) {
            if ([string]$item.Properties.Item($pair.Key).Value -cne [string]$pair.Value) {
                $same = $false
                break
            }
        }
        if ($same) { return $i }
    }
    $entry = [string]::Join(', ', [string[]]@($match.Values))
    Stop-Agent 'IisChanged' ("An entry that was read is not there any more ($entry). " +
        'Nothing of this step was written.')
}

# In the order that the request names: a table has none, and the file is to read the same after each
# run. What is not in it would be left out, of a rule that then says something else.
function Write-IisElement($element, $wish, $order) {
    foreach ($part in @('values', 'children')) {
        if (-not $wish[$part]) { continue }
        foreach ($name in @($wish[$part].Keys)) {
            if ($order -notcontains $name) {
                Stop-Agent 'BadRequest' ("A step writes '$name', for which it names no place. " +
                    'Nothing of this step was written.')
            }
        }
    }
    foreach ($name in @($order)) {
        if ($wish['values'] -and $wish['values'].ContainsKey($name)) {
            $value = $wish['values'][$name]
            if ($null -eq $value) { [void]$element.Properties.Item($name).Clear() }
            else { $element.Properties.Item($name).Value = $value }
        }
        if ($wish['children'] -and $wish['children'].ContainsKey($name)) {
            Write-IisElement $element.ChildElements.Item($name) $wish['children'][$name] $order
        }
    }
    if ($wish['items']) {
        foreach ($item in @($wish['items'])) {
            Add-IisItem $element.Collection $item ([int]$element.Collection.Count) $order
        }
    }
}

# An explicit index always: of -1 two documents of Microsoft disagree (end or beginning).
function Add-IisItem($collection, $wish, $at, $order) {
    $item = $collection.CreateNewElement($wish['element'])
    Write-IisElement $item $wish $order
    [void]$collection.AddElement($item, $at)
}

# The section, and with $whole the location too where nothing else is in it.
function Remove-IisSection($manager, $file, $path, $name, $whole) {
    $locations = $manager.ConfigManager.GetConfigFile($file).Locations
    for ($i = [int]$locations.Count - 1; $i -ge 0; $i--) {
        $location = $locations.Item($i)
        if ([string]$location.Path -ine $path) { continue }
        for ($j = [int]$location.Count - 1; $j -ge 0; $j--) {
            if ([string]$location.Item($j).Name -ieq $name) {
                [void]$location.DeleteConfigSection($j)
            }
        }
        if ($whole -and [int]$location.Count -eq 0) { [void]$locations.Delete($i) }
    }
}

function Invoke-IisChange($step) {
    $manager = New-Object -ComObject 'Microsoft.ApplicationHost.WritableAdminManager'
    $manager.CommitPath = $step['commit']
    $section = $manager.GetAdminSection($step['section'], $step['path'])
    foreach ($change in @($step['changes'])) {
        if ($change['do'] -ceq 'insert') {
            $at = [int]$section.Collection.Count
            if ($change['before']) { $at = Find-IisItem $section.Collection $change['before'] }
            Add-IisItem $section.Collection $change $at $step['order']
        }
        elseif ($change['do'] -ceq 'remove') {
            $at = Find-IisItem $section.Collection $change['match']
            [void]$section.Collection.DeleteElement($at)
        }
        elseif ($change['do'] -ceq 'set') { Write-IisElement $section $change $step['order'] }
        elseif ($change['do'] -ceq 'drop') {
            $whole = $change['whole']
            Remove-IisSection $manager $step['commit'] $step['location'] $step['section'] $whole
        }
        else { Stop-Agent 'BadRequest' 'A step asks for a change that the agent does not know.' }
    }
    try { [void]$manager.CommitChanges() } catch { return Get-IisError $_ }
    $null
}

function Write-Iis($step) {
    try {
        $problem = Invoke-IisChange $step
        # The file was saved by somebody since it was read, or is held open for the moment: once
        # more, from the new file.
        if ($problem -and @('0x80070020', '0x80070021') -contains $problem.hresult) {
            $problem = Invoke-IisChange $step
        }
    } catch {
        if ($_.TargetObject -is [System.Collections.Hashtable]) { throw $_ }
        $problem = Get-IisError $_
    }
    if ($problem) {
        $classes = @{
            '0x80070005' = 'IisDenied'; '0x80070020' = 'IisBusy'; '0x80070021' = 'IisLocked'
            '0x800700b7' = 'IisDuplicate'
        }
        $class = 'IisFailed'
        if ($classes.ContainsKey($problem.hresult)) { $class = $classes[$problem.hresult] }
        $said = "$($problem.message) ($($problem.hresult))"
        Stop-Agent $class ("IIS did not take the change of $($step['section']) at " +
            "$($step['path']); nothing of this step was written. It said: $said") $problem.hresult
    }
    ,@(@{ committed = $true })
}
$operations['iis_write'] = 'Write-Iis'
