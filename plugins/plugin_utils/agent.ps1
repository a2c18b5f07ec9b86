# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The agent: runs the steps of one request and answers one JSON document. All logic is in Python.
# Dialect: Windows PowerShell 2.0 to 5.1. $lines: this text, then the request, packed by _codec.py.
# * Arguments are data: decoded to objects, splatted or added to a command, never part of a script.
# * Nothing of the request goes through a cmdlet or a pipeline before its own call: module logging
#   (event 4103) would log it, passwords too. Hence methods of .NET where a cmdlet would be shorter.
# * The answer leaves by the output pipeline: over psrp there is no console.
# * Nothing is kept in a global or script scope: over psrp the runspace outlives the task.
param([string[]]$lines)
$ErrorActionPreference = 'Stop'; $ConfirmPreference = 'None'
$ProgressPreference = 'SilentlyContinue'; $WarningPreference = 'SilentlyContinue'
$invariant = [System.Globalization.CultureInfo]::InvariantCulture
$control = [regex]'[\x00-\x1f]'
# Every table is a copy of this one. The keys of @{} compare by culture: in Turkish ID is not id.
$blank = New-Object System.Collections.Hashtable
# An operation, and the name of its function, which takes the step and gives a list of tables.
$operations = $blank.Clone()
$escapeControl = [System.Text.RegularExpressions.MatchEvaluator] {
    '\u{0:x4}' -f [int][char]$args[0].Value
}
# done: what each step gave; secrets: the request's passwords, to be blotted out of every message.
$state = @{
    facts = @{}; way = $null; session = $null; done = @{}
    secrets = [System.Collections.ArrayList]@()
}

# --- Errors: one shape for all, the class in no human language ------------------------------------
function Stop-Agent($class, $message, $id) {
    if (-not $id) { $id = "Mailedge.$class" }
    throw @{
        mailedge = $true; class = "Mailedge.$class"; id = $id; message = $message
        category = 'NotSpecified'
    }
}

function Get-Failure($record) {
    $own = $record.TargetObject
    if ($own -is [System.Collections.Hashtable] -and $own['mailedge']) {
        $failure = @{}
        foreach ($part in @('class', 'id', 'message', 'category')) { $failure[$part] = $own[$part] }
    } else {
        # A method of .NET wraps what it threw: a remote session's record is inside, with its class.
        $cause = $record.Exception
        $wrapper = [System.Management.Automation.MethodInvocationException]
        while ($cause -is $wrapper -and $cause.InnerException) {
            $cause = $cause.InnerException
            if ($cause.ErrorRecord) { $record = $cause.ErrorRecord }
        }
        $class = [string]$record.CategoryInfo.Reason
        $wrappers = @('', 'MethodInvocationException', 'ParentContainsErrorRecordException')
        if ($wrappers -contains $class) { $class = $cause.GetType().Name }
        $message = [string]$record
        if ($record.Exception -ne $cause -and -not $cause.ErrorRecord) { $message = $cause.Message }
        $failure = @{
            class = $class; id = [string]$record.FullyQualifiedErrorId; message = $message
            category = [string]$record.CategoryInfo.Category
        }
    }
    # Also the id: of an error that was thrown as text it is the text.
    foreach ($part in @('message', 'id')) {
        foreach ($secret in @($state.secrets)) {
            $failure[$part] = ([string]$failure[$part]).Replace($secret, '********')
        }
    }
    $failure
}

# --- Codec ----------------------------------------------------------------------------------------
# No recursion, no call per token: in 2.0 a request of 2 MB would take minutes. What holds values is
# read as a flat array, the box, and converted when full. Beyond the end is $null, then an error.
function Read-Value($tokens, $at) {
    $outer = New-Object System.Collections.Stack
    $kind = 'root'; $filled = 0; $box = [Array]::CreateInstance([object], 1)
    while ($true) {
        while ($filled -eq $box.Length) {
            if ($kind -ceq 'root') { break }
            $value = $box
            if ($kind -ceq 'm') {
                $value = $blank.Clone()
                for ($i = 0; $i -lt $filled; $i += 2) { $value[[string]$box[$i]] = $box[$i + 1] }
            } elseif ($kind -ceq 'c') {
                $password = [string]$box[1]
                if ($password) { [void]$state.secrets.Add($password) }
                $secure = New-Object System.Security.SecureString
                foreach ($letter in @($password.ToCharArray())) { $secure.AppendChar($letter) }
                $value = New-Object System.Management.Automation.PSCredential $box[0], $secure
            }
            $frame = $outer.Pop()
            $kind = $frame.kind; $filled = $frame.filled; $box = $frame.box
            $box[$filled] = $value; $filled++
        }
        $token = $tokens[$at]; $at++
        if ($filled -eq $box.Length) {
            if ($token -cne '.') { throw 'cut' }
            return $box[0]
        }
        $type = $token.Substring(0, 1)
        $value = $token.Substring(1)
        if ($type -ceq 's') {
            if ($value.IndexOf([char]'~') -ge 0) {
                $value = $value.Replace('~n', "`n").Replace('~r', "`r").Replace('~t', '~')
            }
        } elseif ($type -ceq 'l' -or $type -ceq 'm' -or $type -ceq 'c') {
            $outer.Push(@{ kind = $kind; filled = $filled; box = $box })
            if ($type -ceq 'c') { $size = 2 }
            elseif ($type -ceq 'm') { $size = 2 * [int]$value } else { $size = [int]$value }
            $kind = $type; $filled = 0; $box = [Array]::CreateInstance([object], $size)
            continue
        } elseif ($type -ceq 'i') {
            $value = [long]::Parse($value, $invariant)
            if ($value -ge [int]::MinValue -and $value -le [int]::MaxValue) { $value = [int]$value }
        }
        elseif ($type -ceq 't') { $value = $true }
        elseif ($type -ceq 'f') { $value = $false }
        elseif ($type -ceq 'n') { $value = $null }
        elseif ($type -ceq 'd') { $value = [double]::Parse($value, $invariant) }
        elseif ($type -ceq 'a') {
            $list = [Array]::CreateInstance([string], [int]$value)
            [Array]::Copy($tokens, $at, $list, 0, $list.Length)
            $at += $list.Length
            $value = $list
        } elseif ($type -ceq 'h') {
            if (-not $state.facts.ContainsKey($value)) {
                Stop-Agent 'BadRequest' "The agent knows no host fact named '$value'."
            }
            $value = $state.facts[$value]
        } else { throw 'unknown' }
        $box[$filled] = $value; $filled++
    }
}

function Read-Request {
    try {
        $packed = [Convert]::FromBase64String([string]::Join('', $lines, 1, $lines.Length - 1))
        $stream = New-Object System.IO.MemoryStream
        $stream.Write($packed, 0, $packed.Length); $stream.Position = 0
        $mode = [System.IO.Compression.CompressionMode]::Decompress
        $unpacked = New-Object System.IO.Compression.GZipStream $stream, $mode
        $text = (New-Object System.IO.StreamReader $unpacked).ReadToEnd()
        $tokens = $text.Split([char[]]@([char]10))
        if ($tokens[0] -cne 'mailedge 1') {
            Stop-Agent 'BadRequest' 'The request is of another protocol.'
        }
        $request = Read-Value $tokens 1
        if ($request -isnot [System.Collections.Hashtable]) { throw 'cut' }
    } catch {
        # The text of a parse error could quote the request.
        if ($_.TargetObject -is [System.Collections.Hashtable]) { throw $_ }
        Stop-Agent 'BadRequest' ('The request was cut or damaged on its way to the agent. ' +
            'Nothing was changed.')
    }
    $request
}

# JSON. Keys are in order; with $sorted lists are too, which is the canonical text of a digest.
function ConvertTo-Answer($value, [bool]$sorted) {
    if ($null -eq $value) { return 'null' }
    if ($value -is [bool]) { if ($value) { return 'true' } else { return 'false' } }
    if ($value -is [string]) {
        $text = $value.Replace('\', '\\').Replace('"', '\"')
        $text = $text.Replace("`n", '\n').Replace("`r", '\r').Replace("`t", '\t')
        if ($control.IsMatch($text)) { $text = $control.Replace($text, $escapeControl) }
        return '"' + $text + '"'
    }
    if ($value -is [double]) { return $value.ToString('R', $invariant) }
    if ($value -isnot [System.Collections.IEnumerable]) { return [string]$value }
    $isTable = $value -is [System.Collections.IDictionary]
    $parts = [System.Collections.ArrayList]@()
    if ($isTable) {
        foreach ($pair in @($value.GetEnumerator())) {
            $name = ConvertTo-Answer ([string]$pair.Key)
            [void]$parts.Add($name + ':' + (ConvertTo-Answer $pair.Value $sorted))
        }
    } else { foreach ($item in @($value)) { [void]$parts.Add((ConvertTo-Answer $item $sorted)) } }
    if ($isTable -or $sorted) { $parts.Sort([StringComparer]::Ordinal) }
    $text = [string]::Join(',', [string[]]$parts.ToArray())
    if ($isTable) { '{' + $text + '}' } else { '[' + $text + ']' }
}

# A property as plain data, by its text: objects of a remote session have lost their methods. A flag
# from there is a number which remembers its text, and only its type name tells it from a number.
function Get-Plain($value) {
    if ($null -eq $value) { return $null }
    if ($value -is [string]) { return [string]$value }
    if ($value -is [bool]) { return [bool]$value }
    if ($value -is [DateTime]) { return $value.ToString('o', $invariant) }
    if ($value -is [int] -or $value -is [long] -or $value -is [int16] -or $value -is [byte] -or
        $value -is [uint16] -or $value -is [uint32]) {
        $type = [string]$value.PSObject.TypeNames[0]
        if (-not $type.StartsWith('Deserialized.')) { return [long]$value }
        return [string]$value
    }
    if ($value -is [System.Collections.IDictionary]) {
        $table = $blank.Clone()
        foreach ($pair in @($value.GetEnumerator())) {
            $table[[string]$pair.Key] = [string]$pair.Value
        }
        return $table
    }
    if ($value -is [System.Collections.IEnumerable]) {
        $texts = [System.Collections.ArrayList]@()
        foreach ($item in @($value)) { [void]$texts.Add([string]$item) }
        return ,$texts.ToArray()
    }
    return [string]$value
}

# --- The server -----------------------------------------------------------------------------------
function Get-Key($path) { try { Get-ItemProperty -Path $path -ErrorAction Stop } catch { $null } }

function Get-Address {
    $addresses = [System.Collections.ArrayList]@()
    try {
        $class = 'Win32_NetworkAdapterConfiguration'
        $adapters = @(Get-WmiObject $class -Filter 'IPEnabled = TRUE' -ErrorAction Stop)
        foreach ($adapter in @($adapters)) {
            foreach ($address in @($adapter.IPAddress)) {
                if ($address) { [void]$addresses.Add([string]$address) }
            }
        }
    } catch { # Broken WMI repositories are common enough on old servers.
        $adapters = [System.Net.NetworkInformation.NetworkInterface]::GetAllNetworkInterfaces()
        foreach ($adapter in @($adapters)) {
            foreach ($unicast in @($adapter.GetIPProperties().UnicastAddresses)) {
                [void]$addresses.Add($unicast.Address.ToString().Split([char]'%')[0])
            }
        }
    }
    ,$addresses.ToArray()
}

function Get-HostFact {
    $computer = Get-Key 'HKLM:\SYSTEM\CurrentControlSet\Control\ComputerName\ActiveComputerName'
    $network = Get-Key 'HKLM:\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters'
    $name = [string]$computer.ComputerName
    if (-not $name) { $name = [Environment]::MachineName }
    if ($network.Domain) { $fqdn = [string]$network.Hostname + '.' + [string]$network.Domain }
    else { try { $fqdn = [System.Net.Dns]::GetHostEntry($name).HostName } catch { $fqdn = $name } }
    # 2013 and later, 2010, 2007 (its key is unverified).
    $exchange = $null
    $roles = [System.Collections.ArrayList]@()
    foreach ($root in @('ExchangeServer\v15', 'ExchangeServer\v14', 'Exchange\v8.0')) {
        $setup = Get-Key "HKLM:\SOFTWARE\Microsoft\$root\Setup"
        if ($null -eq $setup.MsiProductMajor) { continue }
        $exchange = @{
            major = [int]$setup.MsiProductMajor; minor = [int]$setup.MsiProductMinor
            build = [int]$setup.MsiBuildMajor
            revision = [int]$setup.MsiBuildMinor; install_path = [string]$setup.MsiInstallPath
        }
        foreach ($role in @('Mailbox', 'ClientAccess', 'HubTransport', 'Bridgehead',
                'FrontendTransport', 'Cafe', 'UnifiedMessaging', 'EdgeTransport')) {
            if (Get-Key "HKLM:\SOFTWARE\Microsoft\$root\$($role)Role") { [void]$roles.Add($role) }
        }
        break
    }
    # Windows has its built-in accounts in its own language; the SID is the same everywhere.
    $accounts = @{
        'S-1-5-7' = 'NT AUTHORITY\ANONYMOUS LOGON'; 'S-1-1-0' = 'Everyone'
        'S-1-5-11' = 'NT AUTHORITY\Authenticated Users'
    }
    foreach ($sid in @($accounts.Keys)) {
        try {
            $identifier = New-Object System.Security.Principal.SecurityIdentifier $sid
            $accounts[$sid] = $identifier.Translate([System.Security.Principal.NTAccount]).Value
        } catch { continue }
    }
    try {
        $user = [System.Security.Principal.WindowsIdentity]::GetCurrent()
        $admin = (New-Object System.Security.Principal.WindowsPrincipal $user).IsInRole(
            [System.Security.Principal.WindowsBuiltInRole]::Administrator)
    } catch { $admin = $null }
    try { $setupRunning = @(Get-Process -Name 'ExSetup*' -ErrorAction Stop).Count -gt 0 }
    catch { $setupRunning = $false }
    @{
        name = $name; fqdn = $fqdn; exchange = $exchange; roles = $roles.ToArray()
        edge = $roles.Contains('EdgeTransport'); powershell = [string]$PSVersionTable.PSVersion
        culture = [System.Globalization.CultureInfo]::CurrentCulture.Name
        language_mode = [string]$ExecutionContext.SessionState.LanguageMode
        addresses = (Get-Address); admin = $admin
        anonymous_account = [string]$accounts['S-1-5-7']
        everyone_account = [string]$accounts['S-1-1-0']
        users_account = [string]$accounts['S-1-5-11']
        setup_running = $setupRunning
    }
}

# --- The Exchange shell ---------------------------------------------------------------------------
function Open-Shell($shell) {
    $way = $shell['way']
    $exchange = $state.facts.exchange
    if ($way -ceq 'none') { $state.way = $way; return }
    if (-not $exchange) {
        Stop-Agent 'NoExchange' ('No Exchange Server is installed on this server ' +
            '(its registry keys are absent). Nothing was changed.')
    }
    if ($way -ceq 'auto') {
        # Exchange 2007 has no endpoint for remote sessions, nor has an Edge server of any version.
        if ($state.facts.edge) { $way = 'edge' }
        elseif ($exchange.major -lt 14) { $way = 'snapin' } else { $way = 'remote_session' }
    }
    try {
        if ($way -ceq 'remote_session') {
            # A load-balanced name breaks Kerberos. The second hop needs an explicit credential.
            if ($shell['fqdn']) { $fqdn = $shell['fqdn'] } else { $fqdn = $state.facts.fqdn }
            $option = New-Object System.Management.Automation.Remoting.PSSessionOption
            # So that a server which hangs does not delay the closing of the session by 3 minutes.
            $option.CancelTimeout = [TimeSpan]::FromSeconds(10)
            $seconds = $shell['seconds']
            if ($seconds) { $option.OpenTimeout = [TimeSpan]::FromSeconds($seconds) }
            $session = @{
                ConfigurationName = 'Microsoft.Exchange'; ConnectionUri = "http://$fqdn/PowerShell/"
                Authentication = 'Kerberos'; SessionOption = $option; ErrorAction = 'Stop'
            }
            if ($shell['authentication']) { $session.Authentication = $shell['authentication'] }
            if ($shell['credential']) { $session.Credential = $shell['credential'] }
            $state.session = New-PSSession @session
        } elseif ($way -ceq 'snapin' -or $way -ceq 'edge') {
            $suffix = 'SnapIn'
            if ($exchange.major -eq 14) { $suffix = 'E2010' }
            if ($exchange.major -lt 14) { $suffix = 'Admin' }
            $snapin = "Microsoft.Exchange.Management.PowerShell.$suffix"
            # Over psrp an earlier task may have loaded it already; to add it twice is an error.
            try { $loaded = Get-PSSnapin -Name $snapin -ErrorAction Stop } catch { $loaded = $null }
            if (-not $loaded) { [void](Add-PSSnapin $snapin -ErrorAction Stop) }
        } else {
            Stop-Agent 'BadRequest' "The agent knows no way into the Exchange shell named '$way'."
        }
    } catch {
        $failure = Get-Failure $_
        if ($failure.class -ceq 'Mailedge.BadRequest') { throw $_ }
        Stop-Agent 'ShellFailed' ("The Exchange shell could not be opened (way: $way). " +
            "Nothing was changed. The server said: $($failure.message)") $failure.id
    }
    $state.way = $way
}

# Microsoft.Exchange is in NoLanguage mode: it takes a command with parameters and no script.
function Invoke-Remote($cmdlet, $parameters, $seconds) {
    $shell = [System.Management.Automation.PowerShell]::Create()
    $shell.Runspace = $state.session.Runspace
    [void]$shell.AddCommand($cmdlet)
    foreach ($pair in @($parameters.GetEnumerator())) {
        [void]$shell.AddParameter($pair.Key, $pair.Value)
    }
    $pending = $shell.BeginInvoke()
    if (-not $pending.AsyncWaitHandle.WaitOne([int](1000 * $seconds), $false)) {
        # Not Stop or Dispose, which would wait for a server that may never answer.
        [void]$shell.BeginStop($null, $null).AsyncWaitHandle.WaitOne(5000, $false)
        Stop-Agent 'TimedOut' ("$cmdlet did not end within $seconds seconds and was stopped. " +
            'It may have taken effect.')
    }
    try {
        $shell.EndInvoke($pending)
        if ($shell.Streams.Error.Count -gt 0) { throw $shell.Streams.Error[0] }
    } finally { $shell.Dispose() }
}

# --- The steps: each gives a list of tables -------------------------------------------------------
function Get-Done($id) {
    if (-not $state.done.ContainsKey($id)) {
        Stop-Agent 'BadRequest' "A step refers to the step '$id', which has not run."
    }
    ,$state.done[$id]
}

function Invoke-CallStep($step) {
    $cmdlet = [string]$step['cmdlet']
    if ($cmdlet -cnotmatch '^[A-Za-z]+-[A-Za-z0-9]+$') {
        Stop-Agent 'BadRequest' 'A step names no cmdlet.'
    }
    if ($step['seconds']) { $seconds = $step['seconds'] } else { $seconds = 60 }
    $each = $step['each']
    $targets = @($null)
    if ($each) {
        $targets = [System.Collections.ArrayList]@()
        $objects = Get-Done $each['step']
        foreach ($object in @($objects)) { [void]$targets.Add($object[$each['property']]) }
    }
    $result = [System.Collections.ArrayList]@()
    foreach ($target in @($targets)) {
        $parameters = $blank.Clone()
        if ($step['parameters']) {
            foreach ($pair in @($step['parameters'].GetEnumerator())) {
                $parameters[$pair.Key] = $pair.Value
            }
        }
        if ($each) { $parameters[$each['parameter']] = $target }
        if ($state.session) { $objects = @(Invoke-Remote $cmdlet $parameters $seconds) }
        else { $objects = @(& $cmdlet @parameters) }
        if (-not $step['select']) { continue }
        foreach ($object in @($objects)) {
            if ($null -eq $object) { continue }
            $row = $blank.Clone()
            foreach ($path in @($step['select'])) {
                $value = $object
                foreach ($name in @($path.Split([char]'.'))) { $value = $value.$name }
                $row[$path] = Get-Plain $value
            }
            if ($each) { $row['_each'] = $target }
            [void]$result.Add($row)
        }
    }
    ,$result.ToArray()
}
$operations['call'] = 'Invoke-CallStep'

# --- The areas: files of operations that only some requests need, put here by _codec.py -----------
# AREAS

# --- The run --------------------------------------------------------------------------------------
$mutex = $null; $held = $false; $failure = $null; $stopped = $null
$results = [System.Collections.ArrayList]@()
try {
    $state.facts = Get-HostFact
    $request = Read-Request
    if ($request['mutex']) {
        # One mutex for all users of the server; who may not open it is told that it is busy.
        try {
            $mutex = New-Object System.Threading.Mutex $false, $request['mutex']['name']
            try { $held = $mutex.WaitOne([int](1000 * $request['mutex']['seconds']), $false) }
            catch {
                $abandoned = [System.Threading.AbandonedMutexException]
                if ($_.Exception.GetBaseException() -is $abandoned) { $held = $true }
                else { throw $_ }
            }
        } catch { $held = $false }
        if (-not $held) {
            Stop-Agent 'Busy' ('Another run is working on this server, and did not end within ' +
                "$($request['mutex']['seconds']) seconds. Nothing was changed. " +
                'Run the task again later.')
        }
    }
    Open-Shell $request['shell']
    foreach ($step in @($request['steps'])) {
        if ($failure -and -not $step['always']) { continue }
        $clock = [System.Diagnostics.Stopwatch]::StartNew()
        $row = @{ ok = $true }
        try {
            # Who asked has given up by then, and may be undoing what was done; reading may go on.
            $now = ([DateTime]::UtcNow - (New-Object DateTime 1970, 1, 1)).TotalSeconds
            if ($request['deadline'] -and -not $step['always'] -and $now -gt $request['deadline']) {
                Stop-Agent 'TooLate' ('The time limit of the task was over before this step, so ' +
                    'that it was left out, and all that follow.')
            }
            $operation = $operations[[string]$step['op']]
            if (-not $operation) {
                Stop-Agent 'BadRequest' 'The request has a step that the agent does not know.'
            }
            $row.objects = & $operation $step
            $state.done[$step['id']] = $row.objects
        } catch {
            $row.ok = $false
            $row.error = Get-Failure $_
            if ($step['optional']) { $state.done[$step['id']] = @() }
            elseif (-not $failure) {
                $stopped = $step['id']
                $failure = $row.error.Clone()
                $failure.step = $stopped
            }
        }
        $row.seconds = [Math]::Round($clock.Elapsed.TotalSeconds, 3)
        [void]$results.Add((ConvertTo-Answer $step['id']) + ':' + (ConvertTo-Answer $row))
    }
} catch {
    $failure = Get-Failure $_
    $failure.step = $null
} finally {
    # A session left behind counts against the user's limit of 18 until it times out.
    if ($state.session) { try { Remove-PSSession $state.session } catch { $null = $_ } }
    if ($held) { $mutex.ReleaseMutex() }
    if ($mutex) { $mutex.Close() }
}
# The time at which it answers: how long the shell took to load is no matter of clocks.
$state.facts.time_utc = [DateTime]::UtcNow.ToString('yyyy-MM-ddTHH:mm:ss.fffZ', $invariant)
$head = ConvertTo-Answer @{
    protocol = 1; ok = ($null -eq $failure); way = $state.way; host = $state.facts
    stopped = $stopped; error = $failure
}
$steps = [string]::Join(',', [string[]]$results.ToArray())
$json = $head.Substring(0, $head.Length - 1) + ',"steps":{' + $steps + '}}'
# Packed, because WinRM fetches an answer in pieces: one request for every 100,000 bytes or so.
$bytes = [System.Text.Encoding]::UTF8.GetBytes($json)
$packed = New-Object System.IO.MemoryStream
$mode = [System.IO.Compression.CompressionMode]::Compress
$zip = New-Object System.IO.Compression.GZipStream $packed, $mode
$zip.Write($bytes, 0, $bytes.Length); $zip.Close()
$base64 = [Convert]::ToBase64String($packed.ToArray())
'----- BEGIN MAILEDGE ANSWER -----'
for ($i = 0; $i -lt $base64.Length; $i += 4000) {
    $base64.Substring($i, [Math]::Min(4000, $base64.Length - $i))
}
'----- END MAILEDGE ANSWER -----'
