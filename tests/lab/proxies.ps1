# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What stands for Windows and Exchange when agent.ps1 runs in a PowerShell without them: functions,
# which win over cmdlets of the same name. They are thin. Every decision is made by the lab in
# Python, asked over a loopback socket (tests/lab/exchange/bridge.py); the variables
# MAILEDGE_LAB_PORT and MAILEDGE_LAB_TOKEN say where. Put in front of the bootstrap; it must not
# read $input. PowerShell 7.

# --- The bridge -----------------------------------------------------------------------------------
function Connect-Lab($Port, $Token) {
    $client = [System.Net.Sockets.TcpClient]::new('127.0.0.1', [int]$Port)
    @{
        client = $client; reader = [System.IO.StreamReader]::new($client.GetStream()); port = $Port
        token = $Token
    }
}

# A value as JSON can carry it. A credential becomes a table with one odd key.
function ConvertTo-LabValue($Value) {
    if ($null -eq $Value) { return $null }
    if ($Value -is [pscredential]) {
        return @{ '$credential' = @($Value.UserName, $Value.GetNetworkCredential().Password) }
    }
    if ($Value -is [switch] -or $Value -is [bool]) { return [bool]$Value }
    if ($Value -is [string]) { return [string]$Value }
    if ($Value -is [int] -or $Value -is [long]) { return [long]$Value }
    if ($Value.PSObject.Properties['LabCom']) { return @{ '$com' = $Value.LabCom } }
    if ($Value -is [System.Collections.IDictionary]) {
        $table = @{}
        foreach ($key in $Value.Keys) { $table[[string]$key] = ConvertTo-LabValue $Value[$key] }
        return $table
    }
    if ($Value -is [System.Collections.IEnumerable]) {
        $items = [System.Collections.ArrayList]::new()
        foreach ($item in $Value) { [void]$items.Add((ConvertTo-LabValue $item)) }
        return ,$items
    }
    [string]$Value
}

# Ask the lab; give its value, or throw its error.
function Invoke-Lab($Connection, [hashtable]$Request) {
    $Request.token = $Connection.token
    $bytes = [System.Text.Encoding]::UTF8.GetBytes(
        (ConvertTo-Json $Request -Depth 10 -Compress) + "`n")
    $Connection.client.GetStream().Write($bytes, 0, $bytes.Length)
    # Not a plain read, which nothing could stop: a hanging cmdlet has to end when its pipeline is
    # stopped.
    while (-not $Connection.client.Client.Poll(20000, 'SelectRead')) { }
    $answer = ConvertFrom-Json $Connection.reader.ReadLine()
    if (-not $answer.error) { return ,$answer.value }
    if ($answer.error.hresult) { throw (New-LabException $answer.error) }
    # In a remote session the class of an error is left in its category only.
    $record = [System.Management.Automation.ErrorRecord]::new(
        [System.Management.Automation.RemoteException]::new($answer.error.message),
        $answer.error.id, $answer.error.category, $null)
    $record.CategoryInfo.Reason = $answer.error.class
    $record.CategoryInfo.Activity = if ($answer.error.terminating) { 'end' } else { 'go on' }
    throw $record
}

# One cmdlet of Exchange: its parameters out, its objects in, by the engine's own deserializer.
# By a connection of its own: one on which a call was stopped half-way is of no more use.
function Invoke-LabCmdlet($Place, $Name, $Bound, $Caller, $Remote, $Known) {
    $parameters = @{}
    $connection = Connect-Lab $Place.port $Place.token
    foreach ($key in $Bound.Keys) {
        if ($Known -contains $key) { $parameters[$key] = ConvertTo-LabValue $Bound[$key] }
    }
    try {
        $xml = Invoke-Lab $connection @{
            op = 'invoke'; cmdlet = $Name; parameters = $parameters; remote = $Remote
        }
    }
    catch {
        if ($_.CategoryInfo.Activity -ceq 'end') { throw $_ }
        $Caller.WriteError($_)
        return
    } finally { $connection.client.Close() }
    [System.Management.Automation.PSSerializer]::Deserialize($xml)
}

$global:lab = Connect-Lab $env:MAILEDGE_LAB_PORT $env:MAILEDGE_LAB_TOKEN

# The text of a function that stands for one cmdlet. Its parameters are declared, so that the engine
# itself refuses any other.
function Get-LabFunction($Command, $Remote) {
    $declared = foreach ($one in $Command.parameters) {
        if ($one.switch) { "[switch]`$$($one.name)" } else { "`$$($one.name)" }
    }
    $known = foreach ($one in $Command.parameters) { "'$($one.name)'" }
    "[CmdletBinding()] param($($declared -join ', '))`n" +
        "Invoke-LabCmdlet `$lab '$($Command.name)' `$PSBoundParameters `$PSCmdlet `$$Remote " +
        "@($($known -join ', '))"
}

# --- Windows --------------------------------------------------------------------------------------
function New-LabError($Class, $Id, $Category, $Message) {
    $record = [System.Management.Automation.ErrorRecord]::new([System.Exception]::new($Message),
        $Id, $Category, $null)
    $record.CategoryInfo.Reason = $Class
    $record
}

function Get-ItemProperty {
    [CmdletBinding()] param($Path)
    $values = Invoke-Lab $lab @{ op = 'registry'; path = [string]$Path }
    if ($null -eq $values) {
        $id = 'PathNotFound,Microsoft.PowerShell.Commands.GetItemPropertyCommand'
        $message = "Cannot find path '$Path' because it does not exist."
        throw (New-LabError 'ItemNotFoundException' $id 'ObjectNotFound' $message)
    }
    # A DWORD is a number of 32 bits, of which JSON makes a double here.
    foreach ($property in @($values.PSObject.Properties)) {
        if ($property.Value -is [double]) { $property.Value = [int]$property.Value }
    }
    $values
}

function Get-WmiObject {
    [CmdletBinding()] param([Parameter(Position = 0)]$Class, $Filter)
    if ($Class -eq 'Win32_NetworkAdapterConfiguration') {
        return [pscustomobject]@{
            IPAddress = @(Invoke-Lab $lab @{ op = 'addresses' } | ForEach-Object { $_ })
        }
    }
    $request = @{ op = 'wmi'; class = [string]$Class }
    foreach ($values in @(Invoke-Lab $lab $request | ForEach-Object { $_ })) {
        # InstalledOn is a property of PowerShell's own (types.ps1xml), which takes the text for a
        # date, and fails for another one.
        $object = [pscustomobject]@{ LabValues = $values } | Add-LabMethod 'GetPropertyValue' {
            $property = $this.LabValues.PSObject.Properties[[string]$args[0]]
            if (-not $property) { throw 'Not found' }
            $value = ConvertFrom-LabCom $property.Value
            if ($null -ne $value -and $value.PSObject.Properties['$uint64']) {
                $value = [uint64]::Parse($value.'$uint64')
            }
            return ,$value
        }
        foreach ($property in $values.PSObject.Properties) {
            if ($property.Name -ne 'InstalledOn') {
                $note = [psnoteproperty]::new($property.Name, $property.Value)
                $object.PSObject.Properties.Add($note)
            }
        }
        $object
    }
}

function Get-Service {
    [CmdletBinding()] param($Name)
    [pscustomobject]@{
        Name = $Name; Status = (Invoke-Lab $lab @{ op = 'service'; name = [string]$Name })
    }
}

# The root of HKLM:, or a file.
function Get-Item {
    [CmdletBinding()] param($Path, $LiteralPath)
    $where = if ($LiteralPath) { $LiteralPath } else { $Path }
    if ($where -eq 'HKLM:\') {
        return ,(ConvertFrom-LabCom (Invoke-Lab $lab @{ op = 'machine_key' }))
    }
    [pscustomobject]@{ VersionInfo = (Invoke-Lab $lab @{ op = 'file'; path = [string]$where }) } |
        Add-LabMethod 'OpenRead' {
            $bytes = [System.Text.Encoding]::UTF8.GetBytes([string]$this.VersionInfo.text)
            [System.IO.MemoryStream]::new($bytes)
        }
}

$global:labGetChildItem = Get-Command Get-ChildItem -CommandType Cmdlet
function Get-ChildItem {
    [CmdletBinding()] param([Parameter(Position = 0)]$Path)
    if ([string]$Path -notlike 'Cert:*') { return & $global:labGetChildItem @PSBoundParameters }
    $request = @{ op = 'certificates'; path = [string]$Path }
    foreach ($certificate in @(Invoke-Lab $lab $request | ForEach-Object { $_ })) {
        $until = [DateTimeOffset]::FromUnixTimeSeconds($certificate.NotAfter)
        $certificate.NotAfter = $until.LocalDateTime
        $certificate
    }
}

function Get-Process {
    [CmdletBinding()] param($Name)
    if ($Name -eq 'ExSetup*' -and (Invoke-Lab $lab @{ op = 'setup' })) {
        [pscustomobject]@{ Name = 'ExSetupUI' }
    }
}

function icacls {
    $global:LASTEXITCODE = [int](Invoke-Lab $lab @{
        op = 'icacls'
        arguments = @(foreach ($one in $args) { foreach ($part in $one) { [string]$part } })
    })
}

function netstat { Invoke-Lab $lab @{ op = 'netstat' } | ForEach-Object { $_ } }

function Get-Acl {
    [CmdletBinding()] param($Path)
    [pscustomobject]@{ Sddl = [string](Invoke-Lab $lab @{ op = 'acl'; path = [string]$Path }) }
}

$global:labNewObject = Get-Command New-Object -CommandType Cmdlet
function New-Object {
    [CmdletBinding()] param([Parameter(Position = 0)][string]$TypeName,
        [Parameter(Position = 1)][object[]]$ArgumentList, $Property, $ComObject)
    if ($TypeName -eq 'System.Security.Principal.SecurityIdentifier') {
        # An account has its name in the language of the server.
        return [pscustomobject]@{ Sid = [string]$ArgumentList[0] } | Add-LabMethod 'Translate' {
            $name = Invoke-Lab $global:lab @{ op = 'account'; sid = $this.Sid }
            if ($null -eq $name) {
                throw 'Some or all identity references could not be translated.'
            }
            [pscustomobject]@{ Value = $name }
        }
    }
    if ($TypeName -eq 'System.Threading.Mutex') {
        # One for all processes of this server, and not of the machine on which several servers of
        # the lab run.
        return [pscustomobject]@{ Name = [string]$ArgumentList[1] } |
            Add-LabMethod 'WaitOne' {
                [bool](Invoke-Lab $global:lab @{
                    op = 'wait'; name = $this.Name; seconds = $args[0] / 1000
                })
            } |
            Add-LabMethod 'ReleaseMutex' {
                [void](Invoke-Lab $global:lab @{ op = 'release'; name = $this.Name })
            } |
            Add-LabMethod 'Close' { }
    }
    # Who runs the tests may open every file, and who runs the agent need not.
    $opens = @('System.IO.FileStream', 'System.IO.DirectoryInfo') -contains $TypeName
    if ($opens -and (Invoke-Lab $global:lab @{ op = 'denied'; path = [string]$ArgumentList[0] })) {
        throw [System.UnauthorizedAccessException]::new(
            "Access to the path '$($ArgumentList[0])' is denied.")
    }
    if ($ComObject) {
        return ,(ConvertFrom-LabCom (Invoke-Lab $global:lab @{
            op = 'com'; prog_id = [string]$ComObject
        }))
    }
    & $global:labNewObject @PSBoundParameters
}

# --- COM: an object of the lab, late-bound --------------------------------------------------------
# The exception that .NET makes of an HRESULT.
function New-LabException($Failure) {
    if ($Failure.class -eq 'COMException') {
        return [System.Runtime.InteropServices.COMException]::new($Failure.message,
            [int]$Failure.hresult)
    }
    $type = @{
        FileNotFoundException = 'System.IO.FileNotFoundException'
        FileLoadException = 'System.IO.FileLoadException'
        UnauthorizedAccessException = 'System.UnauthorizedAccessException'
        ArgumentException = 'System.ArgumentException'
        SecurityException = 'System.Security.SecurityException'
        IOException = 'System.IO.IOException'
        InvalidOperationException = 'System.InvalidOperationException'
    }[[string]$Failure.class]
    if (-not $type) { throw "The lab knows no exception named $($Failure.class)." }
    $exception = & $global:labNewObject $type ([string]$Failure.message)
    $exception.HResult = [int]$Failure.hresult
    $exception
}

$global:labScripts = @{}
# What the lab answers: an object becomes a proxy, one that can be enumerated a list of proxies with
# the members of its own.
function ConvertFrom-LabCom($Value) {
    # COM knows no number that JSON could have meant but a whole one.
    # A reader of JSON may take every number for one with a fraction.
    $whole = $Value -is [long] -or ($Value -is [double] -and [Math]::Floor($Value) -eq $Value)
    if ($whole -and $Value -ge [int]::MinValue -and $Value -le [int]::MaxValue) {
        return [int]$Value
    }
    if ($Value -is [array]) {
        $items = [System.Collections.ArrayList]::new()
        foreach ($item in $Value) { [void]$items.Add((ConvertFrom-LabCom $item)) }
        return ,$items.ToArray()
    }
    if ($null -ne $Value -and $Value.PSObject.Properties['$date']) {
        return [DateTime]::SpecifyKind(
            [DateTimeOffset]::FromUnixTimeSeconds($Value.'$date').UtcDateTime, 'Unspecified')
    }
    if ($null -eq $Value -or -not $Value.PSObject.Properties['$com']) { return ,$Value }
    if ($Value.PSObject.Properties['items']) {
        $proxy = [psobject]::AsPSObject([System.Collections.ArrayList]::new())
        foreach ($item in $Value.items) {
            [void]$proxy.PSObject.BaseObject.Add((ConvertFrom-LabCom $item))
        }
    } else { $proxy = [psobject]::new() }
    $proxy.PSObject.Properties.Add([psnoteproperty]::new('LabCom', $Value.'$com'))
    foreach ($name in $Value.properties) {
        if ($name -eq 'Count' -and $Value.PSObject.Properties['items']) { continue }
        # One script for all objects: a firewall has hundreds of rules, and each has dozens of
        # properties.
        if (-not $global:labScripts.ContainsKey($name)) {
            $global:labScripts[$name] = @(
                [scriptblock]::Create("return ,(ConvertFrom-LabCom (Invoke-Lab `$global:lab @{ " +
                    "op = 'com_get'; object = `$this.LabCom; name = '$name' }))"),
                [scriptblock]::Create("[void](Invoke-Lab `$global:lab @{ op = 'com_set'; " +
                    "object = `$this.LabCom; name = '$name'; " +
                    "value = (ConvertTo-LabValue `$args[0]) })"))
        }
        $get, $set = $global:labScripts[$name]
        $proxy.PSObject.Properties.Add([psscriptproperty]::new($name, $get, $set))
    }
    foreach ($name in $Value.methods) {
        $body = [scriptblock]::Create("return ,(ConvertFrom-LabCom (Invoke-Lab `$global:lab @{ " +
            "op = 'com_call'; object = `$this.LabCom; name = '$name'; " +
            "arguments = @(foreach (`$one in `$args) { ,(ConvertTo-LabValue `$one) }) }))")
        $proxy.PSObject.Members.Add([psscriptmethod]::new($name, $body), $true)
    }
    ,$proxy
}

filter Add-LabMethod($Name, $Body) {
    $_.PSObject.Methods.Add([System.Management.Automation.PSScriptMethod]::new($Name, $Body))
    $_
}

# --- The ways into the Exchange shell -------------------------------------------------------------
# Microsoft.Exchange: a runspace in NoLanguage mode, which takes its cmdlets with parameters and
# refuses any script.
function New-PSSession {
    [CmdletBinding()] param($ConfigurationName, $ConnectionUri, $Authentication, $SessionOption,
        $Credential)
    $request = @{
        op = 'open'; configuration = [string]$ConfigurationName; uri = [string]$ConnectionUri
        authentication = [string]$Authentication
    }
    if ($SessionOption) { $request.seconds = $SessionOption.OpenTimeout.TotalSeconds }
    if ($Credential) { $request.credential = ConvertTo-LabValue $Credential }
    $number = Invoke-Lab $lab $request
    $state = [System.Management.Automation.Runspaces.InitialSessionState]::Create()
    $names = 'System.Management.Automation.Runspaces.SessionState'
    foreach ($name in @('ConvertTo-Json', 'ConvertFrom-Json')) {
        $type = (Get-Command $name -CommandType Cmdlet).ImplementingType
        $entry = & $labNewObject "${names}CmdletEntry" $name, $type, $null
        $entry.Visibility = 'Private'
        $state.Commands.Add($entry)
    }
    foreach ($name in @('Connect-Lab', 'ConvertTo-LabValue', 'Invoke-Lab', 'Invoke-LabCmdlet')) {
        $text = (Get-Command $name -CommandType Function).Definition
        $entry = & $labNewObject "${names}FunctionEntry" $name, $text
        $entry.Visibility = 'Private'
        $state.Commands.Add($entry)
    }
    $commands = @(Invoke-Lab $lab @{ op = 'commands' } | ForEach-Object { $_ })
    $commands += [pscustomobject]@{
        name = 'Get-Command'; parameters = @([pscustomobject]@{ name = 'Name'; switch = $false })
    }
    foreach ($command in $commands) {
        $text = Get-LabFunction $command $true
        $state.Commands.Add((& $labNewObject "${names}FunctionEntry" $command.name, $text))
    }
    $place = @{ port = $lab.port; token = $lab.token }
    $entry = & $labNewObject "${names}VariableEntry" 'lab', $place, ''
    $entry.Visibility = 'Private'
    $state.Variables.Add($entry)
    $state.LanguageMode = 'NoLanguage'
    $runspace = [System.Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace($state)
    $runspace.Open()
    [pscustomobject]@{ Id = $number; State = 'Opened'; Runspace = $runspace }
}

function Remove-PSSession {
    [CmdletBinding()] param([Parameter(Position = 0)]$Session)
    [void](Invoke-Lab $lab @{ op = 'close'; session = $Session.Id })
    $Session.Runspace.Close()
}

function Get-PSSnapin {
    [CmdletBinding()] param($Name)
    if ($global:labSnapins -contains $Name) { return [pscustomobject]@{ Name = $Name } }
    $id = 'GetPSSnapInRead,Microsoft.PowerShell.Commands.GetPSSnapinCommand'
    $message = "No Windows PowerShell snap-ins matching '$Name' were found."
    throw (New-LabError 'PSArgumentException' $id 'InvalidArgument' $message)
}

function Add-PSSnapin {
    [CmdletBinding()] param([Parameter(Position = 0)]$Name)
    [void](Invoke-Lab $lab @{ op = 'snapin'; name = [string]$Name })
    $global:labSnapins = @($Name)
    foreach ($command in (Invoke-Lab $lab @{ op = 'commands' })) {
        Invoke-Expression "function global:$($command.name) { $(Get-LabFunction $command $false) }"
    }
}
