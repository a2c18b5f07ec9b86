# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# An area of agent.ps1: log files whose names tell the day, summed up: how often, first and last.
# What lines mean is for the request to say. No cmdlet sees a line: those would load a whole file.
# Bounds: `bytes` and `seconds` of one step, `days` back or `since`, `most` rows of one rule.

# PREFIXyyyymmdd-n.log or PREFIXyyyymmddHH-n.log, in any case; the newest first. By name, because
# the time of the last write of an open file lags (unverified).
function Get-LogFile($folder, $prefix) {
    $form = '^' + [regex]::Escape($prefix) + '([0-9]{8})([0-9]{2})?-([0-9]{1,9})\.log$'
    $pattern = New-Object System.Text.RegularExpressions.Regex $form, (
        [System.Text.RegularExpressions.RegexOptions]'IgnoreCase, CultureInvariant')
    $order = [System.Collections.ArrayList]@()
    $files = $blank.Clone()
    foreach ($file in @((New-Object System.IO.DirectoryInfo $folder).GetFiles())) {
        $match = $pattern.Match($file.Name)
        if (-not $match.Success) { continue }
        $day = $match.Groups[1].Value
        $hour = $match.Groups[2].Value.PadLeft(2, '0')
        $key = $day + $hour + $match.Groups[3].Value.PadLeft(9, '0') + $file.Name
        [void]$order.Add($key)
        $files[$key] = @{ path = $file.FullName; name = $file.Name; day = $day }
    }
    $order.Sort([StringComparer]::Ordinal); $order.Reverse()
    $sorted = [System.Collections.ArrayList]@()
    foreach ($key in @($order)) { [void]$sorted.Add($files[$key]) }
    ,$sorted.ToArray()
}

# The fields of a line: quoted where they hold a comma or a quotation mark, which is then doubled.
function Split-Line($line, $quoted) {
    if ($line.IndexOf([char]'"') -lt 0) { return ,$line.Split([char[]]@([char]',')) }
    $fields = [System.Collections.ArrayList]@()
    foreach ($match in @($quoted.Matches($line))) {
        $text = $match.Groups[2].Value
        if ($match.Groups[1].Success) { $text = $match.Groups[1].Value.Replace('""', '"') }
        [void]$fields.Add($text)
    }
    ,$fields.ToArray()
}

# The header of a file: its fields, or $null. It is a few lines long.
function Read-LogHeader($stream) {
    $bytes = New-Object byte[] 4096
    $read = $stream.Read($bytes, 0, $bytes.Length)
    foreach ($line in @([System.Text.Encoding]::UTF8.GetString($bytes, 0, $read).Split([char]10))) {
        $text = $line.Trim([char[]]@([char]13, [char]32, [char]0xfeff))
        if ($text -and -not $text.StartsWith('#')) { break }
        if ($text.StartsWith('#Fields:', [StringComparison]::OrdinalIgnoreCase)) {
            return ,$text.Substring(8).Replace(' ', '').Split([char[]]@([char]','))
        }
    }
    $null
}

# The rules of a step with their columns in this file; $null where a field is not there.
function Get-LogRule($step, $fields, $sums) {
    $rules = [System.Collections.ArrayList]@()
    foreach ($rule in @($step['rules'])) {
        $columns = [System.Collections.ArrayList]@()
        foreach ($condition in @($rule['where'])) {
            $at = [Array]::IndexOf([string[]]$fields, [string]$condition['field'])
            if ($at -lt 0) { return $null }
            [void]$columns.Add($at)
        }
        [void]$rules.Add(@{
            needles = @($rule['needles']); where = @($rule['where']); columns = $columns.ToArray()
            value = [Array]::IndexOf([string[]]$fields, [string]$rule['distinct'])
            sum = $sums[$rules.Count]
        })
    }
    ,$rules.ToArray()
}

# Whether a line is what a rule looks for; $null where it is too short to say.
function Test-LogLine($fields, $rule) {
    for ($i = 0; $i -lt $rule.columns.Length; $i++) {
        $condition = $rule.where[$i]
        if ($rule.columns[$i] -ge $fields.Length) { return $null }
        $text = [string]$fields[$rule.columns[$i]]
        $at = $text.IndexOf([string]$condition['text'], [StringComparison]::OrdinalIgnoreCase)
        $how = $condition['how']
        if ($at -lt 0 -or ($at -gt 0 -and $how -cne 'has')) { return $false }
        if ($how -ceq 'is' -and $text.Length -ne $condition['text'].Length) { return $false }
    }
    $true
}

# The parts of a key: of each the first field that says something, without what stands behind the
# last `until_last`.
function Get-LogKey($fields, $parts) {
    $key = [System.Collections.ArrayList]@()
    foreach ($part in @($parts)) {
        $text = ''
        foreach ($column in @($part.columns)) {
            if ($column -lt $fields.Length) { $text = [string]$fields[$column] }
            if ($text) { break }
        }
        $end = -1
        if ($part.until) { $end = $text.LastIndexOf($part.until, [StringComparison]::Ordinal) }
        if ($end -ge 0) { $text = $text.Substring(0, $end) }
        [void]$key.Add($text)
    }
    ,[string[]]$key.ToArray()
}

function Add-LogLine($sum, $key, $time, $value, $step) {
    $id = [string]::Join("`t", $key)
    $row = $sum.rows[$id]
    if ($null -eq $row) {
        # Nobody's log is to fill the memory: the newest are kept, and lines of others counted.
        if ($sum.rows.Count -ge $step['most']) { $sum.over++; return }
        $row = @{ key = $key; count = 0; first = $time; last = $time; seen = $blank.Clone() }
        $sum.rows[$id] = $row
    }
    $row.count++
    if ([string]::CompareOrdinal($time, $row.first) -lt 0) { $row.first = $time }
    if ([string]::CompareOrdinal($time, $row.last) -gt 0) { $row.last = $time }
    if ($row.seen.Count -lt $step['most_values']) { $row.seen[[string]$value] = $true }
}

# One file, or as much of its end as the bytes that are left allow.
function Read-LogFile($file, $step, $sums, $told, $clock) {
    # Who writes it must be able to go on, and to delete it.
    $stream = New-Object System.IO.FileStream $file.path, ([System.IO.FileMode]::Open), (
        [System.IO.FileAccess]::Read), ([System.IO.FileShare]'ReadWrite, Delete'), 65536
    try {
        $fields = Read-LogHeader $stream; $rules = $null
        if ($null -ne $fields -and $fields[0] -ceq $step['time']) {
            $rules = Get-LogRule $step $fields $sums
        }
        if ($null -eq $rules) { Stop-Agent 'NoHeader' 'The file does not say what its fields are.' }
        $parts = [System.Collections.ArrayList]@()
        foreach ($part in @($step['key'])) {
            $columns = [System.Collections.ArrayList]@()
            foreach ($name in @($part['fields'])) {
                $at = [Array]::IndexOf([string[]]$fields, [string]$name)
                if ($at -ge 0) { [void]$columns.Add($at) }
            }
            [void]$parts.Add(@{ columns = $columns.ToArray(); until = [string]$part['until_last'] })
        }
        $length = $stream.Length
        $room = [Math]::Min($length, [long]$step['bytes'] - $told.bytes)
        [void]$stream.Seek($length - $room, [System.IO.SeekOrigin]::Begin)
        $told.bytes += $room
        $reader = New-Object System.IO.StreamReader $stream, (
            [System.Text.Encoding]::UTF8), $true, 65536
        # What is left of a line whose beginning was cut off.
        if ($room -lt $length) { [void]$reader.ReadLine() }
        $quoted = [regex]'\G(?:^|,)(?:"((?:[^"]|"")*)"(?=,|$)|([^,]*))'
        $ordinal = [StringComparison]::Ordinal
        $lines = 0; $first = ''; $last = ''
        while ($null -ne ($line = $reader.ReadLine())) {
            $lines++
            if (($lines -band 255) -eq 0 -and $clock.Elapsed.TotalSeconds -gt $step['seconds']) {
                # What is missing of this file is newer than what was read of it.
                $told.stopped = 'seconds'
                $told.left++
                break
            }
            if ($line.Length -lt 24 -or $line[0] -eq [char]'#') { continue }
            if (-not $first) { $first = $line.Substring(0, 24) }
            if ([string]::CompareOrdinal($line, $told.since) -lt 0) { continue }
            $last = $line
            $split = $null
            for ($i = 0; $i -lt $rules.Length; $i++) {
                $rule = $rules[$i]; $needles = $rule.needles; $at = -1
                for ($j = 0; $at -lt 0 -and $j -lt $needles.Length; $j++) {
                    $at = $line.IndexOf($needles[$j], $ordinal)
                }
                if ($at -lt 0) { continue }
                if ($null -eq $split) { $split = Split-Line $line $quoted }
                $holds = Test-LogLine $split $rule
                if ($null -eq $holds) { $told.unreadable++; break }
                if (-not $holds) { continue }
                $value = $null
                if ($rule.value -ge 0) { $value = [string]$split[$rule.value] }
                Add-LogLine $rule.sum (Get-LogKey $split $parts) $split[0] $value $step
            }
        }
        $told.lines += $lines
        if ($last) { $last = $last.Substring(0, 24) }
        if ([string]::CompareOrdinal($last, [string]$told.last) -gt 0) { $told.last = $last }
        if ($told.stopped) { return }
        $told.read++
        if ($first) { $told.covered_from = $first }
        if ($room -lt $length) { $told.stopped = 'bytes' }
    } finally { [void]$stream.Close() }
}

# The folder is that of the first of some steps that gave a row; an empty one is a log that is off.
function Read-Log($step) {
    $told = @{
        folder = $null; from = $null; error = $null; files = 0; read = 0; left = 0; lines = 0
        unreadable = 0; covered_from = $null; last = $null; stopped = $null; oldest = $null
        bytes = [long]0; unread = [System.Collections.ArrayList]@(); since = [string]$step['since']
    }
    $clock = [System.Diagnostics.Stopwatch]::StartNew()
    if (-not $told.since) {
        $start = [DateTime]::UtcNow.AddDays(-[int]$step['days'])
        $told.since = $start.ToString('yyyy-MM-ddTHH:mm:ss.fffZ', $invariant)
    }
    foreach ($source in @($step['folder'])) {
        $rows = Get-Done $source['step']
        $rows = @($rows)
        if ($rows.Length -eq 0) { continue }
        $told.from = $source['step']
        $told.folder = [string]$rows[0][$source['property']]
        break
    }
    $sums = [System.Collections.ArrayList]@()
    foreach ($rule in @($step['rules'])) {
        [void]$sums.Add(@{ name = $rule['name']; rows = $blank.Clone(); over = 0 })
    }
    if ($told.folder) {
        try {
            # A file of the day before may go on into this one.
            $from = [DateTime]::ParseExact($told.since.Substring(0, 10), 'yyyy-MM-dd', $invariant)
            $from = $from.AddDays(-1).ToString('yyyyMMdd', $invariant)
            $files = Get-LogFile $told.folder $step['prefix']
            foreach ($file in @($files)) {
                $told.oldest = $file.day
                if ([string]::CompareOrdinal($file.day, $from) -lt 0) { continue }
                $told.files++
                $seconds = $clock.Elapsed.TotalSeconds
                if ($told.bytes -ge $step['bytes']) { $told.stopped = 'bytes' }
                elseif ($seconds -gt $step['seconds']) { $told.stopped = 'seconds' }
                if ($told.stopped) { $told.left++; continue }
                try { Read-LogFile $file $step $sums $told $clock }
                catch {
                    [void]$told.unread.Add(@{ name = $file.name; error = (Get-Failure $_).class })
                }
            }
        } catch { $told.error = (Get-Failure $_).class }
    }
    foreach ($sum in @($sums)) {
        $rows = [System.Collections.ArrayList]@()
        foreach ($row in @($sum.rows.Values)) {
            [void]$rows.Add(@($row.key, $row.count, $row.first, $row.last, $row.seen.Count))
        }
        $sum.rows = $rows.ToArray()
    }
    $told['rules'] = $sums.ToArray()
    ,@($told)
}

$operations['log_summary'] = 'Read-Log'
