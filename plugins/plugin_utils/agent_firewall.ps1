# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# An area of agent.ps1: Windows Firewall, by COM (HNetCfg.FwPolicy2), which is there from Server
# 2008 on, and the texts that the registry holds of the same rules and of those of group policy. The
# registry is only read. COM knows no id of a rule, and names are not unique: rules are held from
# the enumeration, and told apart by all that they show. What the versions before 2012 do not have
# is $null. PowerShell's COM binder cannot set null: nobody asks for that.

function Get-FirewallRule($policy) {
    $names = @('Name', 'Grouping', 'ApplicationName', 'serviceName', 'Protocol', 'LocalPorts',
        'RemotePorts', 'LocalAddresses', 'RemoteAddresses', 'InterfaceTypes', 'Interfaces',
        'Enabled', 'Action', 'Profiles', 'EdgeTraversal', 'SecureFlags', 'LocalUserAuthorizedList',
        'RemoteUserAuthorizedList', 'RemoteMachineAuthorizedList', 'LocalAppPackageId',
        'LocalUserOwner')
    $held = [System.Collections.ArrayList]@()
    foreach ($rule in @($policy.Rules)) {
        # NET_FW_RULE_DIR_IN. A server has hundreds of rules, and each property of each costs.
        if ($rule.Direction -ne 1) { continue }
        $row = $blank.Clone()
        foreach ($name in @($names)) { $row[$name] = Get-Plain ($rule.$name) }
        [void]$held.Add(@{ rule = $rule; row = $row; text = (ConvertTo-Answer $row) })
    }
    ,$held
}

# The values of a key, without what PowerShell adds to them; none where there is no such key. One
# that cannot be read is an error: what group policy lets in shows nowhere else.
function Get-KeyValue($path) {
    $table = $blank.Clone()
    try { $key = Get-ItemProperty -Path $path -ErrorAction Stop }
    catch {
        if ((Get-Failure $_).class -cne 'ItemNotFoundException') { throw $_ } else { $key = $null }
    }
    if ($key) {
        foreach ($property in @($key.PSObject.Properties)) {
            $added = @('PSPath', 'PSParentPath', 'PSChildName', 'PSDrive', 'PSProvider')
            if ($added -notcontains $property.Name) {
                $table[$property.Name] = Get-Plain $property.Value
            }
        }
    }
    $table
}

function Read-Firewall($step) {
    $result = [System.Collections.ArrayList]@()
    $policy = New-Object -ComObject HNetCfg.FwPolicy2
    $held = Get-FirewallRule $policy
    $state[$step['id']] = $held
    foreach ($entry in @($held)) {
        $row = $entry.row.Clone()
        $row['kind'] = 'rule'
        [void]$result.Add($row)
    }
    foreach ($bit in @(1, 2, 4)) {
        [void]$result.Add(@{
            kind = 'profile'; bit = $bit; enabled = [bool]$policy.FirewallEnabled($bit)
            inbound = (Get-Plain $policy.DefaultInboundAction($bit))
            blocks_all = [bool]$policy.BlockAllInboundTraffic($bit)
            excluded = (Get-Plain $policy.ExcludedInterfaces($bit))
        })
    }
    # The engine lets a property that cannot be read be nothing, which is not 0.
    [void]$result.Add(@{
        kind = 'policy'; current = (Get-Plain $policy.CurrentProfileTypes)
        modify_state = (Get-Plain $policy.LocalPolicyModifyState)
    })
    $local = 'HKLM:\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy'
    $group = 'HKLM:\SOFTWARE\Policies\Microsoft\WindowsFirewall'
    # Mdm: the rules of Intune (unverified).
    $stores = @(@('local', "$local\FirewallRules"), @('policy', "$group\FirewallRules"),
        @('mdm', "$local\Mdm\FirewallRules"))
    foreach ($store in @($stores)) {
        # Of a local rule COM tells too, and the controller knows what it lacks.
        try { $values = Get-KeyValue $store[1] }
        catch { if ($store[0] -cne 'local') { throw $_ } else { $values = $blank } }
        foreach ($pair in @($values.GetEnumerator())) {
            [void]$result.Add(@{
                kind = 'text'; store = $store[0]; id = [string]$pair.Key; text = [string]$pair.Value
            })
        }
    }
    # Standard: what policies of Windows XP had beside the domain's profile, and lists of exceptions
    # in both (unverified).
    foreach ($name in @('Domain', 'Private', 'Public', 'Standard')) {
        [void]$result.Add(@{
            kind = 'key'; profile = $name.ToLowerInvariant()
            values = (Get-KeyValue "$group\$($name)Profile")
        })
    }
    foreach ($name in @('Domain', 'Standard')) {
        foreach ($list in @('GloballyOpenPorts', 'AuthorizedApplications')) {
            $values = Get-KeyValue "$group\$($name)Profile\$list\List"
            foreach ($pair in @($values.GetEnumerator())) {
                [void]$result.Add(@{
                    kind = 'exception'; profile = $name.ToLowerInvariant(); list = $list
                    text = [string]$pair.Value
                })
            }
        }
    }
    ,$result.ToArray()
}
$operations['firewall_read'] = 'Read-Firewall'

# Who is connected: lines of netstat, whose words are in the server's language, but not their order.
function Read-FirewallPeer($step) {
    $result = [System.Collections.ArrayList]@()
    $lines = @(& 'netstat' '-n')
    foreach ($line in @($lines)) {
        foreach ($port in @($step['ports'])) {
            if (([string]$line).IndexOf(":$port ") -ge 0) {
                [void]$result.Add(@{ line = [string]$line })
                break
            }
        }
    }
    ,$result.ToArray()
}
$operations['firewall_peers'] = 'Read-FirewallPeer'

# The rule that showed itself like this when it was read; of several that look the same the one with
# this number.
function Find-FirewallRule($wanted) {
    $text = ConvertTo-Answer $wanted['row']
    $number = [int]$wanted['number']
    $held = $state[$wanted['read']]
    foreach ($entry in @($held)) {
        if ($entry.text -cne $text) { continue }
        if ($number -eq 0) { return $entry }
        $number--
    }
    Stop-Agent 'StateChanged' ('A firewall rule is no longer as it was when the change was ' +
        'planned. It was left as it is. Run the task again.')
}

function Set-FirewallRule($rule, $pairs) {
    foreach ($pair in @($pairs)) {
        $name = [string]$pair[0]
        # The engine's own exception around it would be the class of all of them.
        try { $rule.$name = $pair[1] } catch { throw $_.Exception.GetBaseException() }
    }
}

function Write-Firewall($step) {
    $policy = New-Object -ComObject HNetCfg.FwPolicy2
    switch -casesensitive ($step['do']) {
        'add' {
            $rule = New-Object -ComObject HNetCfg.FWRule
            Set-FirewallRule $rule $step['set']
            [void]$policy.Rules.Add($rule)
        }
        'set' {
            $entry = Find-FirewallRule $step['rule']
            Set-FirewallRule $entry.rule $step['set']
        }
        'remove' {
            $entry = Find-FirewallRule $step['rule']
            $name = [string]$entry.rule.Name
            $same = 0
            foreach ($rule in @($policy.Rules)) { if ([string]$rule.Name -eq $name) { $same++ } }
            if ($same -gt 1) {
                # Remove goes by name and takes any of them.
                $name = "$name $([Guid]::NewGuid().ToString())"
                $entry.rule.Name = $name
            }
            [void]$policy.Rules.Remove($name)
        }
        default {
            Stop-Agent 'BadRequest' 'A step changes no firewall rule in a way that the agent knows.'
        }
    }
    ,@()
}
$operations['firewall_write'] = 'Write-Firewall'
