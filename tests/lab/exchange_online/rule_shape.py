# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The properties of a transport rule that the lab does not understand, and shows empty all the
same.

Known from: the sample of a tenant that ScubaGear publishes (CC0). A test may give one of them a
value, as it has in a rule that somebody made with conditions of another kind; messages.py does not
judge by it.
"""

from __future__ import annotations

import typing as t

_NULL = """
    ADComparisonAttribute ADComparisonOperator AddManagerAsRecipientType AddToRecipients
    AnyOfCcHeader AnyOfCcHeaderMemberOf AnyOfRecipientAddressContainsWords
    AnyOfRecipientAddressMatchesPatterns AnyOfToCcHeader AnyOfToCcHeaderMemberOf AnyOfToHeader
    AnyOfToHeaderMemberOf ApplyClassification ApplyHtmlDisclaimerFallbackAction
    ApplyHtmlDisclaimerLocation ApplyRightsProtectionCustomizationTemplate
    ApplyRightsProtectionTemplate AttachmentContainsWords AttachmentExtensionMatchesWords
    AttachmentMatchesPatterns AttachmentNameMatchesPatterns AttachmentPropertyContainsWords
    AttachmentSizeOver BetweenMemberOf1 BetweenMemberOf2 ContentCharacterSetContainsWords
    ContentMatchesPrompt ContentMatchesPromptVerdict CopyTo ExceptIfADComparisonAttribute
    ExceptIfADComparisonOperator ExceptIfAnyOfCcHeader ExceptIfAnyOfCcHeaderMemberOf
    ExceptIfAnyOfRecipientAddressContainsWords ExceptIfAnyOfRecipientAddressMatchesPatterns
    ExceptIfAnyOfToCcHeader ExceptIfAnyOfToCcHeaderMemberOf ExceptIfAnyOfToHeader
    ExceptIfAnyOfToHeaderMemberOf ExceptIfAttachmentContainsWords
    ExceptIfAttachmentExtensionMatchesWords ExceptIfAttachmentMatchesPatterns
    ExceptIfAttachmentNameMatchesPatterns ExceptIfAttachmentPropertyContainsWords
    ExceptIfAttachmentSizeOver ExceptIfBetweenMemberOf1 ExceptIfBetweenMemberOf2
    ExceptIfContentCharacterSetContainsWords ExceptIfContentMatchesPrompt
    ExceptIfContentMatchesPromptVerdict ExceptIfFrom ExceptIfFromMemberOf ExceptIfHasClassification
    ExceptIfManagerAddresses ExceptIfManagerForEvaluatedUser
    ExceptIfMessageContainsAllDataClassifications ExceptIfMessageContainsDataClassifications
    ExceptIfMessageSizeOver ExceptIfRecipientADAttributeContainsWords
    ExceptIfRecipientADAttributeMatchesPatterns ExceptIfRecipientAddressMatchesPatterns
    ExceptIfRecipientInSenderList ExceptIfSenderADAttributeContainsWords
    ExceptIfSenderADAttributeMatchesPatterns ExceptIfSenderInRecipientList
    ExceptIfSenderManagementRelationship ExceptIfSentToMemberOf ExceptIfSubjectMatchesPatterns
    ExceptIfSubjectOrBodyContainsWords ExceptIfSubjectOrBodyMatchesPatterns ExceptIfWithImportance
    From FromMemberOf GenerateNotification HasClassification IncidentReportContent LogEventText
    ManagerAddresses ManagerForEvaluatedUser MessageContainsAllDataClassifications
    MessageContainsDataClassifications MessageSizeOver RecipientADAttributeContainsWords
    RecipientADAttributeMatchesPatterns RecipientAddressMatchesPatterns RecipientInSenderList
    SenderADAttributeContainsWords SenderADAttributeMatchesPatterns SenderInRecipientList
    SenderManagementRelationship SenderNotificationType SentToMemberOf
    SmtpRejectMessageRejectStatusCode SmtpRejectMessageRejectText SubjectMatchesPatterns
    SubjectOrBodyContainsWords SubjectOrBodyMatchesPatterns WithImportance
"""
_FALSE = """
    ApplyOME AttachmentHasExecutableContent AttachmentIsPasswordProtected AttachmentIsUnsupported
    AttachmentProcessingLimitExceeded Disconnect ExceptIfAttachmentHasExecutableContent
    ExceptIfAttachmentIsPasswordProtected ExceptIfAttachmentIsUnsupported
    ExceptIfAttachmentProcessingLimitExceeded ExceptIfHasSenderOverride HasSenderOverride
    ModerateMessageByManager RemoveOME RemoveOMEv2 RemoveRMSAttachmentEncryption
"""
SHAPE: t.Mapping[str, t.Any] = {
    **dict.fromkeys(_NULL.split()),
    **dict.fromkeys(_FALSE.split(), False),
    "RegexSize": 0,
    "RuleVersion": {
        "Build": 0,
        "Major": 14,
        "MajorRevision": 0,
        "Minor": 0,
        "MinorRevision": 0,
        "Revision": 0,
    },
}
NOT_OF_RULES = (
    "ExchangeObjectId",
    "ExchangeVersion",
    "Id",
    "ObjectCategory",
    "ObjectClass",
    "OrganizationalUnitRoot",
    "OriginatingServer",
    "WhenChangedUTC",
    "WhenCreated",
    "WhenCreatedUTC",
)
"""What other objects of the directory have, and rules have not."""
