# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# An area of agent.ps1: reads IIS by COM (learn.microsoft.com: Using IIS administration objects).
# A property that cannot be read is nothing to the engine: what may fail is a call, Item('x').Value.
$iisApphost = 'MACHINE/WEBROOT/APPHOST'

function Get-IisError($record) {
    $cause = $record.Exception.GetBaseException()
    $number = [System.Runtime.InteropServices.Marshal]::GetHRForException($cause)
    $hresult = '0x{0:x8}' -f $number
    @{ class = $cause.GetType().Name; hresult = $hresult; message = [string]$cause.Message }
}

# What a schema does not know is left out: 7.x has not all that 10 has.
function Test-IisUnknown($record) {
    @('0x80070585', '0x80070032') -contains (Get-IisError $record).hresult
}

function Read-IisElement($element, $spec, $path) {
    $node = @{ values = $blank.Clone() }
    if ($spec['values']) {
        foreach ($name in @($spec['values'])) {
            try { $node.values[$name] = Get-Plain $element.Properties.Item($name).Value }
            catch { if (-not (Test-IisUnknown $_)) { throw $_ } }
        }
    }
    if ($spec['metadata']) {
        $node.metadata = $blank.Clone()
        foreach ($name in @($spec['metadata'])) {
            try { $node.metadata[$name] = Get-Plain $element.GetMetadata($name) }
            catch { $node.metadata[$name] = $null }
        }
    }
    if ($spec['children']) {
        $node.children = $blank.Clone()
        foreach ($pair in @($spec['children'].GetEnumerator())) {
            try { $child = $element.ChildElements.Item($pair.Key) }
            catch { if (Test-IisUnknown $_) { continue } else { throw $_ } }
            $node.children[$pair.Key] = Read-IisElement $child $pair.Value $path
        }
    }
    if ($spec['items']) {
        $items = [System.Collections.ArrayList]@()
        $collection = $element.Collection
        if ($null -eq $collection) { throw 'The list of the element cannot be read.' }
        for ($i = 0; $i -lt [int]$collection.Count; $i++) {
            $item = $collection.Item($i)
            $read = $null
            if ($spec['inherited']) {
                # What stands at another level is read in full there.
                $read = Read-IisElement $item $spec['inherited'] $path
                $level = $read.metadata['deepestPathSet']
                if (-not $level -or $level -ieq $path) { $read = $null }
            }
            if ($null -eq $read) { $read = Read-IisElement $item $spec['items'] $path }
            $names = $spec['items']['values']
            if ($spec['only'] -and $spec['only'] -notcontains $read.values[$names[0]]) { continue }
            $read.index = $i
            [void]$items.Add($read)
        }
        $node.items = $items.ToArray()
    }
    $node
}

function Read-IisSection($manager, $name, $path, $spec) {
    $row = @{ kind = 'section'; section = $name; path = $path; error = $null; node = $null }
    try { $row.node = Read-IisElement $manager.GetAdminSection($name, $path) $spec $path }
    catch { $row.error = Get-IisError $_ }
    $row
}

function Read-IisSite($manager) {
    $row = @{ kind = 'sites'; error = $null; sites = @() }
    $within = @{ values = @('path'); items = @{ values = @('path', 'physicalPath') } }
    $bound = @{ items = @{ values = @('protocol', 'bindingInformation', 'sslFlags') } }
    $site = @{ values = @('name', 'id'); items = $within; children = @{ bindings = $bound } }
    $read = Read-IisSection $manager 'system.applicationHost/sites' $iisApphost @{ items = $site }
    if ($read.error) { $row.error = $read.error; return $row }
    $row.sites = @($read.node.items | ForEach-Object {
            $applications = @($_.items | ForEach-Object {
                    $directories = @($_.items | ForEach-Object {
                        @{ path = $_.values.path; physical = $_.values.physicalPath }
                    })
                    @{ path = $_.values.path; directories = $directories }
                })
            @{ name = $_.values.name; id = $_.values.id; applications = $applications
                bindings = @($_.children.bindings.items | ForEach-Object { $_.values }) }
        })
    $row
}

function Read-IisLocation($manager) {
    $row = @{ kind = 'locations'; error = $null; locations = @() }
    $found = [System.Collections.ArrayList]@()
    try {
        $locations = $manager.ConfigManager.GetConfigFile($iisApphost).Locations
        for ($i = 0; $i -lt [int]$locations.Count; $i++) {
            $location = $locations.Item($i)
            $sections = [System.Collections.ArrayList]@()
            for ($j = 0; $j -lt [int]$location.Count; $j++) {
                [void]$sections.Add([string]$location.Item($j).Name)
            }
            [void]$found.Add(@{
                index = $i; path = [string]$location.Path; sections = $sections.ToArray()
            })
        }
    } catch { $row.error = Get-IisError $_ }
    $row.locations = $found.ToArray()
    $row
}

# The web.configs below a folder that mention a word: what ends an inheritance shows only there.
function Read-IisFolder($base, $physical, $words) {
    $found = [System.Collections.ArrayList]@()
    $root = [Environment]::ExpandEnvironmentVariables([string]$physical)
    try {
        if (-not $physical -or -not [System.IO.Directory]::Exists($root)) { return ,@() }
        $depth = [System.IO.SearchOption]::AllDirectories
        foreach ($file in @([System.IO.Directory]::GetFiles($root, 'web.config', $depth))) {
            $text = [System.IO.File]::ReadAllText($file)
            foreach ($word in @($words)) {
                if ($text.IndexOf($word, [StringComparison]::OrdinalIgnoreCase) -lt 0) { continue }
                $start = $root.TrimEnd([char[]]'\/').Length
                $below = [System.IO.Path]::GetDirectoryName($file).Substring($start)
                $below = $below.Replace('\', '/').Trim([char]'/')
                $path = $base
                if ($below) { $path = "$base/$below" }
                [void]$found.Add(@{
                    kind = 'web_config'; path = $path; text = $text; error = $null
                })
                break
            }
        }
    } catch {
        [void]$found.Add(@{
            kind = 'web_config'; path = $base; text = $null; error = (Get-IisError $_)
        })
    }
    ,$found.ToArray()
}

# The paths below a web.config that locations in its text are about, those in comments included.
function Get-IisWithin($file) {
    $found = [System.Collections.ArrayList]@()
    $pattern = '<location\b[^>]*?\spath\s*=\s*(?:"([^"]*)"|''([^'']*)'')'
    foreach ($match in @([regex]::Matches([string]$file.text, $pattern))) {
        $below = ($match.Groups[1].Value + $match.Groups[2].Value).Replace('&amp;', '&')
        $below = $below.Trim([char]'/')
        if ($below -and $below -cne '.') { [void]$found.Add("$($file.path)/$below") }
    }
    ,$found.ToArray()
}

# The site, and the paths of which a location or a web.config says something: others inherit all.
function Find-IisSet($each, $section, $locations, $files) {
    $set = $blank.Clone()
    foreach ($file in @($files.ToArray())) {
        $set[$file.path.ToUpperInvariant()] = $true
        $within = Get-IisWithin $file
        foreach ($path in @($within)) { $set[$path.ToUpperInvariant()] = $true }
    }
    foreach ($location in @($locations.locations)) {
        if ($location.sections -contains $section) {
            $set["$iisApphost/$($location.path)".ToUpperInvariant()] = $true
        }
    }
    $found = [System.Collections.ArrayList]@()
    foreach ($path in @($each.ToArray())) {
        $named = $set.ContainsKey($path.ToUpperInvariant())
        if ($found.Count -eq 0 -or $named) { [void]$found.Add($path) }
    }
    ,$found.ToArray()
}

function Read-Iis($step) {
    $rows = [System.Collections.ArrayList]@()
    $process = @{ kind = 'process'; bits = 8 * [IntPtr]::Size; error = $null }
    $manager = $null
    try { $manager = New-Object -ComObject 'Microsoft.ApplicationHost.AdminManager' }
    catch { $process.error = Get-IisError $_ }
    [void]$rows.Add($process)
    foreach ($asked in @($step['registry'])) {
        $value = $null
        $key = Get-Key $asked[0]
        if ($null -ne $key) { $value = Get-Plain $key.($asked[1]) }
        [void]$rows.Add(@{ kind = 'registry'; key = $asked[0]; name = $asked[1]; value = $value })
    }
    if ($null -eq $manager) { return ,$rows.ToArray() }
    $sites = Read-IisSite $manager; $locations = Read-IisLocation $manager
    [void]$rows.Add($sites); [void]$rows.Add($locations)
    $paths = [System.Collections.ArrayList]@(); $files = [System.Collections.ArrayList]@()
    foreach ($site in @($sites.sites)) {
        if ([string]$site.name -ine $step['site']) { continue }
        [void]$paths.Add([string]$site.name)
        foreach ($application in @($site.applications)) {
            foreach ($directory in @($application.directories)) {
                $path = ([string]$site.name + [string]$application.path).TrimEnd([char]'/') +
                    [string]$directory.path
                $path = $path.TrimEnd([char]'/')
                [void]$paths.Add($path)
                $held = Read-IisFolder $path $directory.physical $step['mentions']
                foreach ($file in @($held)) { [void]$files.Add($file) }
            }
        }
        foreach ($location in @($locations.locations)) {
            $root = [string]$site.name + '/'
            if ($location.path.StartsWith($root, [StringComparison]::OrdinalIgnoreCase)) {
                [void]$paths.Add($location.path)
            }
        }
        foreach ($file in @($files.ToArray())) {
            [void]$paths.Add($file.path)
            $within = Get-IisWithin $file
            foreach ($path in @($within)) { [void]$paths.Add($path) }
        }
        if ($step['also']) {
            foreach ($path in @($step['also'])) { [void]$paths.Add([string]$site.name + $path) }
        }
    }
    $each = [System.Collections.ArrayList]@()
    $seen = $blank.Clone()
    foreach ($path in @($paths.ToArray())) {
        if ($seen.ContainsKey($path.ToUpperInvariant())) { continue }
        $seen[$path.ToUpperInvariant()] = $true
        [void]$each.Add("$iisApphost/$path")
        [void]$rows.Add(@{ kind = 'path'; path = "$iisApphost/$path" })
    }
    foreach ($file in @($files.ToArray())) {
        $file.path = "$iisApphost/$($file.path)"
        [void]$rows.Add($file)
    }
    foreach ($section in @($step['sections'])) {
        $at = [System.Collections.ArrayList]@()
        if ($section['at']) { $at.AddRange(@($section['at'])) }
        if ('set' -ceq $section['each']) {
            $set = Find-IisSet $each $section['name'] $locations $files
            $at.AddRange(@($set))
        }
        elseif ($section['each']) { $at.AddRange($each) }
        foreach ($path in @($at.ToArray())) {
            [void]$rows.Add((Read-IisSection $manager $section['name'] $path $section['spec']))
        }
    }
    ,$rows.ToArray()
}
$operations['iis_read'] = 'Read-Iis'
