//! The table: every field there is, every way to it, and what comes of it for those whom it is not for.
//!
//! A new field is one more line in [`FIELDS`], a new query or mutation one more [`Way`], a new kind of person who is to
//! see nothing one more [`Asker`] with its column in [`Seen`]. Whatever is forgotten is named by a story that compares
//! this table with the schema that the hub serves.

use super::cast::Asker;

/// Every field of every type, as it is asked for. The rightful one sees something in each of them.
pub const FIELDS: &[(&str, &[&str])] = &[
    ("AccountSignUpPayload", &["credentials { session { isCurrent } }", "errors { code }"]),
    ("AuditDetail", &["name", "value"]),
    ("AuditEntry", &["action", "actor { id name }", "address", "at", "details { name value }", "target"]),
    ("AuditEntryConnection", &["edges { cursor node { action } }", "nodes { action }", "pageInfo { endCursor }"]),
    ("AuditEntryEdge", &["cursor", "node { action }"]),
    ("BotCreatePayload", &["bot { id name }", "errors { code }"]),
    ("BotToken", &["bot { id name }", "createdAt", "creator { id name }", "expiresAt", "id", "name", "scopes"]),
    ("BotTokenConnection", &["edges { cursor node { id name } }", "nodes { id name }", "pageInfo { endCursor }"]),
    ("BotTokenEdge", &["cursor", "node { id name }"]),
    ("BotTokenCreatePayload", &["errors { code }", "secret", "token { id }"]),
    ("BotTokenRevokePayload", &["errors { code }", "token { name }"]),
    ("BotTokenRevoked", &["at", "cursor", "tokenId"]),
    ("BlocksUpdated", &["at", "cursor", "user { id name }"]),
    ("CaughtUp", &["cursor"]),
    ("CommandReply", &["html", "text"]),
    ("CommandRunPayload", &["errors { code }", "reply { text }"]),
    (
        "Conversation",
        &[
            "assignee { id name }",
            "avatarUrl",
            "closedAt",
            "context { type id }",
            "createdAt",
            "creator { id name }",
            "description",
            "fieldCalls",
            "history",
            "id",
            "invitations(first: 10) { nodes { id creator { id name } } }",
            "lastActivityAt",
            "lastMessage { id body }",
            "lastSequence",
            "memberCount",
            "members(first: 10) { nodes { user { id name } } }",
            "messageCount",
            "messages(first: 10) { nodes { id body } }",
            "retention { rule days }",
            "status",
            "title",
            "type",
            "typing { id name }",
            "unreadCount",
            "unreadMentionCount",
            "viewerRole",
            "viewerSettings { sound }",
            "visibility",
        ],
    ),
    ("ConversationArchivePayload", &["conversation { id status }", "errors { code }"]),
    ("ConversationAssignPayload", &["errors { code }", "request { id }"]),
    ("ConversationConnection", &["edges { cursor node { id title } }", "nodes { id title }", "pageInfo { endCursor }"]),
    ("ConversationContext", &["id", "type"]),
    ("ConversationCreatePayload", &["conversation { id memberCount }", "errors { code }"]),
    ("ConversationCreated", &["actor { id name }", "at", "conversation { id title viewerRole }", "cursor"]),
    ("ConversationDeletePayload", &["deletedConversationId", "errors { code }"]),
    ("ConversationEdge", &["cursor", "node { id title }"]),
    ("ConversationInvitation", &["createdAt", "creator { id name }", "expiresAt", "id", "usesLeft"]),
    ("ConversationInvitationConnection", &["edges { cursor node { id } }", "nodes { id }", "pageInfo { endCursor }"]),
    ("ConversationInvitationCreatePayload", &["code", "errors { code }", "invitation { id }"]),
    ("ConversationInvitationEdge", &["cursor", "node { id }"]),
    ("ConversationInvitationRevokePayload", &["errors { code }", "invitation { id }"]),
    ("ConversationJoinPayload", &["conversation { id memberCount }", "errors { code }"]),
    ("ConversationLeavePayload", &["conversationId", "errors { code }"]),
    ("ConversationLeft", &["at", "conversationId", "cursor"]),
    ("ConversationMarkReadPayload", &["conversation { id unreadCount }", "errors { code }", "markedCount"]),
    ("ConversationMember", &["deliveredUpTo", "joinedAt", "readUpTo", "role", "user { id name }"]),
    ("ConversationMemberAddPayload", &["conversation { id memberCount }", "errors { code }"]),
    ("ConversationMemberConnection", &["edges { cursor node { role } }", "nodes { role }", "pageInfo { endCursor }"]),
    ("ConversationMemberRemovePayload", &["conversation { id memberCount }", "errors { code }"]),
    ("ConversationMemberUpdatePayload", &["errors { code }", "member { role user { id name } }"]),
    (
        "ConversationMemberUpdated",
        &[
            "actor { id name }",
            "at",
            "conversation { id title viewerRole }",
            "cursor",
            "member { role user { id name } }",
            "user { id name }",
        ],
    ),
    ("ConversationMemberEdge", &["cursor", "node { user { id name } }"]),
    (
        "ConversationMembersAdded",
        &["actor { id name }", "at", "conversation { id title viewerRole }", "cursor", "sequence", "users { id name }"],
    ),
    (
        "ConversationMembersRemoved",
        &["actor { id name }", "at", "conversation { id title viewerRole }", "cursor", "users { id name }"],
    ),
    ("ConversationReopenPayload", &["conversation { id status }", "errors { code }"]),
    ("ConversationTransferPayload", &["conversation { id viewerRole }", "errors { code }"]),
    ("ConversationUpdatePayload", &["conversation { id title }", "errors { code }"]),
    ("ConversationUpdated", &["actor { id name }", "at", "conversation { id title viewerRole }", "cursor"]),
    (
        "ConversationOverridePayload",
        &["conversation { id title messages(first: 10) { nodes { body } } }", "errors { code }"],
    ),
    ("ConversationResolvePayload", &["errors { code }", "request { id status closedAt }"]),
    ("ConversationSettings", &["isPinned", "mutedUntil", "notificationLevel", "sound"]),
    ("ConversationSettingsUpdatePayload", &["conversation { id viewerSettings { sound } }", "errors { code }"]),
    ("ConversationSettingsUpdated", &["at", "conversation { id title }", "cursor"]),
    ("Credentials", &["accessToken", "accessTokenExpiresAt", "refreshToken", "session { isCurrent }"]),
    ("DeadLetter", &["attempts", "createdAt", "id", "position", "problem"]),
    ("DeadLetterConnection", &["edges { cursor node { problem } }", "nodes { id problem }", "pageInfo { endCursor }"]),
    ("DeadLetterDiscardPayload", &["errors { code }", "plugin { id }"]),
    ("DeadLetterEdge", &["cursor", "node { id problem }"]),
    ("DeadLetterRetryPayload", &["errors { code }", "plugin { id }"]),
    ("Event", &["cursor"]),
    (
        "FieldWord",
        &[
            "length",
            "parts { text }",
            "place { id title }",
            "said { id body }",
            "since",
            "speaker { id name }",
            "text",
            "voice",
        ],
    ),
    ("FieldWritePayload", &["errors { code }", "word { text }"]),
    (
        "HeldMessage",
        &[
            "body",
            "conversation { id title }",
            "createdAt",
            "decidedAt",
            "id",
            "message { id }",
            "messageId",
            "note",
            "plugin",
            "reason",
            "sender { id name }",
            "state",
        ],
    ),
    ("HeldMessageApprovePayload", &["errors { code }", "heldMessage { id state }"]),
    ("HeldMessageConnection", &["edges { cursor node { body } }", "nodes { id body }", "pageInfo { endCursor }"]),
    ("HeldMessageDecided", &["at", "cursor", "heldMessageId"]),
    ("HeldMessageEdge", &["cursor", "node { id body }"]),
    ("HeldMessageRejectPayload", &["errors { code }", "heldMessage { id state }"]),
    ("IssuerCreatePayload", &["errors { code }", "issuer { issuer }"]),
    ("IssuerDeletePayload", &["errors { code }", "deletedIssuerId"]),
    ("Job", &["attempts", "createdAt", "dueAt", "finishedAt", "id", "kind", "lastError", "state"]),
    ("JobConnection", &["edges { cursor node { kind } }", "nodes { id }", "pageInfo { endCursor }"]),
    ("JobEdge", &["cursor", "node { id }"]),
    ("JobRetryPayload", &["errors { code }", "job { id state }"]),
    ("LinkPreview", &["authorName", "description", "imageUrl", "kind", "siteName", "title", "url"]),
    ("Location", &["label", "latitude", "longitude"]),
    ("Invitation", &["createdAt", "creator { id name }", "expiresAt", "id", "role", "usesLeft"]),
    ("InvitationConnection", &["edges { cursor node { id role } }", "nodes { id role }", "pageInfo { endCursor }"]),
    ("InvitationEdge", &["cursor", "node { id role }"]),
    ("InvitationCreatePayload", &["code", "errors { code }", "invitation { role }"]),
    ("InvitationRevokePayload", &["errors { code }", "invitation { role }"]),
    (
        "Message",
        &[
            "body",
            "bodyHtml",
            "contentType",
            "conversation { id title }",
            "createdAt",
            "deletedAt",
            "deletedBy { id name }",
            "deliveredTo(first: 10) { nodes { user { id name } } }",
            "editedAt",
            "edits(first: 10) { nodes { body } }",
            "fieldWord { text said { id body } speaker { id name } place { id title } }",
            "id",
            "linkPreviews { url title }",
            "location { label }",
            "mentions { id name }",
            "metadata",
            "moderationCase { id found user { id name } }",
            "poll { question options { text } }",
            "readBy(last: 10) { nodes { user { id name } } }",
            "readByAll",
            "receipts(first: 10) { nodes { user { id name } } }",
            "replyTo { id body }",
            "sender { id name }",
            "sequence",
            "status",
            "type",
        ],
    ),
    ("MessageConnection", &["edges { cursor node { body } }", "nodes { id body }", "pageInfo { endCursor }"]),
    ("MessageDeletePayload", &["deletedMessageId", "errors { code }", "message { id sequence }"]),
    (
        "MessageDeleted",
        &["actor { id name }", "at", "conversation { id title }", "cursor", "message { id }", "sequence"],
    ),
    ("MessageEdge", &["cursor", "node { id body }"]),
    ("MessageEdit", &["body", "number", "replacedAt", "writtenAt"]),
    ("MessageEditConnection", &["edges { cursor node { body } }", "nodes { body }", "pageInfo { endCursor }"]),
    ("MessageEditEdge", &["cursor", "node { body }"]),
    ("MessageEditPayload", &["errors { code }", "message { id body }"]),
    ("MessageEdited", &["at", "conversation { id title }", "cursor", "message { id body }", "sequence"]),
    ("MentionsUpdated", &["at", "conversation { id title }", "cursor", "message { id body }", "users { id name }"]),
    ("MessageHeld", &["at", "cursor", "heldMessageId"]),
    ("MessageHidden", &["at", "conversationId", "cursor", "messageId", "sequence"]),
    (
        "MessagesTrimmed",
        &["at", "conversation { id title }", "cursor", "fromSequence", "isPurged", "keptSequences", "throughSequence"],
    ),
    ("MessageReceipt", &["deliveredAt", "readAt", "user { id name }"]),
    (
        "MessageReceiptConnection",
        &["edges { cursor node { user { id name } } }", "nodes { user { id name } }", "pageInfo { endCursor }"],
    ),
    ("MessageReceiptEdge", &["cursor", "node { user { id name } }"]),
    ("MessageSendPayload", &["errors { code }", "held { id }", "message { id body }"]),
    ("MessageSent", &["at", "conversation { id title viewerRole }", "cursor", "message { id body }", "sequence"]),
    ("MessagesMarkDeliveredPayload", &["errors { code }", "markedCount"]),
    ("MessagesMarkReadPayload", &["errors { code }", "markedCount"]),
    (
        "ModerationCase",
        &[
            "conversation { id title }",
            "decision { note }",
            "found",
            "id",
            "message { id body }",
            "openedAt",
            "outcome",
            "rules",
            "state",
            "strikes",
            "user { id name }",
        ],
    ),
    ("ModerationCasePage", &["cases { id found user { id name } message { id body } }", "endCursor", "hasNextPage"]),
    ("ModerationCaseResolvePayload", &["case { id state }", "errors { code }"]),
    ("ModerationDecision", &["decidedAt", "isPardoned", "moderator { id name }", "note", "resolution"]),
    ("LegalHold", &["conversationId", "createdAt", "creator { id name }", "id", "reason", "user { id name }"]),
    ("LegalHoldConnection", &["edges { cursor node { id } }", "nodes { id reason }", "pageInfo { endCursor }"]),
    ("LegalHoldEdge", &["cursor", "node { id reason }"]),
    ("LegalHoldLiftPayload", &["errors { code }", "liftedLegalHoldId"]),
    ("LegalHoldSetPayload", &["errors { code }", "legalHold { id reason }"]),
    ("Retention", &["days", "graceDays", "rule"]),
    ("RetentionPreview", &["heldCount", "isComplete", "messageCount"]),
    ("RetentionReport", &["conversationCount", "finishedAt", "heldCount", "hiddenCount", "purgedCount", "startedAt"]),
    ("RetentionReportPage", &["endCursor", "hasNextPage", "reports { hiddenCount }"]),
    ("RetentionSetPayload", &["errors { code }", "retention { rule }"]),
    ("Node", &["id"]),
    ("PageInfo", &["endCursor", "hasNextPage", "hasPreviousPage", "startCursor"]),
    ("PasswordChangePayload", &["errors { code }", "user { id name }"]),
    ("PasswordResetPayload", &["errors { code }", "login"]),
    ("PasswordResetRequestPayload", &["code", "errors { code }", "expiresAt", "user { id name }"]),
    (
        "PublicConversation",
        &["avatarUrl", "conversation { id }", "createdAt", "description", "id", "memberCount", "title"],
    ),
    ("PublicConversationConnection", &["edges { cursor node { id } }", "nodes { id title }", "pageInfo { endCursor }"]),
    ("PublicConversationEdge", &["cursor", "node { id title }"]),
    (
        "Poll",
        &[
            "choice",
            "closedAt",
            "closesAt",
            "creator { id name }",
            "isAnonymous",
            "isClosed",
            "message { id body }",
            "myVotes",
            "options { text voters { id name } }",
            "question",
            "voterCount",
        ],
    ),
    ("PollClosePayload", &["errors { code }", "poll { question }"]),
    ("PollCreatePayload", &["errors { code }", "message { id body }", "poll { question }"]),
    ("PollOption", &["id", "text", "voteCount", "voters { id name }"]),
    ("PollRetractVotePayload", &["errors { code }", "poll { question }"]),
    ("PollUpdatePayload", &["errors { code }", "poll { question }"]),
    ("PollVotePayload", &["errors { code }", "poll { question }"]),
    (
        "Plugin",
        &[
            "canRollBack",
            "configuration",
            "configurationSchema",
            "deadLetters(first: 10) { nodes { problem } }",
            "description",
            "exceptions { isOn }",
            "grantedCapabilities",
            "grantedConversationIds",
            "grantedOrigins",
            "health { calls }",
            "hooks { hook }",
            "hubSettings { priority }",
            "id",
            "isDefault",
            "isOn",
            "isOnHub",
            "isReady",
            "isResting",
            "lag",
            "logs { text }",
            "name",
            "pendingUpgrade { version }",
            "problem",
            "secrets { isSet }",
            "settings { priority limits { effects } }",
            "storageBytes",
            "version",
            "wantedCapabilities",
            "wantedOrigins",
        ],
    ),
    ("PluginCommand", &["arguments { name }", "description", "name", "plugin"]),
    ("PluginCommandArgument", &["choices", "description", "isRequired", "kind", "name"]),
    ("PluginConfigurePayload", &["errors { code }", "plugin { id }"]),
    ("PluginDisablePayload", &["errors { code }", "plugin { id isOn }"]),
    ("PluginInheritPayload", &["errors { code }", "plugin { id isOn }"]),
    ("PluginEnablePayload", &["errors { code }", "plugin { id isOn }"]),
    ("AnnotationChanged", &["at", "conversation { id }", "cursor", "message { id }", "plugin"]),
    ("PluginEvent", &["at", "cursor", "kind", "payload", "plugin"]),
    ("PluginException", &["conversationId", "isOn"]),
    ("PluginFailureCount", &["count", "kind"]),
    (
        "PluginHealth",
        &[
            "calls",
            "cpuTime { p50 }",
            "failures { kind count }",
            "isBreakerOpen",
            "memoryPeakBytes",
            "wallTime { max }",
        ],
    ),
    ("PluginHook", &["failurePolicy", "hook", "phase", "priority"]),
    ("PluginHookPolicy", &["hook", "policy"]),
    ("PluginInstallPayload", &["errors { code }", "plugin { id version }"]),
    (
        "PluginLimits",
        &[
            "afterMs",
            "beforeCpuMs",
            "beforeWallMs",
            "effects",
            "hostCalls",
            "logBytes",
            "memoryBytes",
            "outputBytes",
            "scheduleMs",
            "storageBytes",
            "valueBytes",
        ],
    ),
    ("PluginLogLine", &["at", "level", "text"]),
    ("PluginRemovePayload", &["errors { code }", "removedPluginId"]),
    ("PluginRollBackPayload", &["errors { code }", "plugin { id version }"]),
    ("PluginSecret", &["description", "isSet", "name"]),
    ("PluginSecretRemovePayload", &["errors { code }", "plugin { id }"]),
    ("PluginSecretSetPayload", &["errors { code }", "plugin { id }"]),
    ("PluginSettings", &["failurePolicies { hook policy }", "limits { effects }", "priority"]),
    ("PluginSettingsUpdatePayload", &["errors { code }", "plugin { id }"]),
    ("PluginTimes", &["max", "p50", "p95", "p99"]),
    ("PluginUpgrade", &["newCapabilities", "newOrigins", "version", "wantedCapabilities", "wantedOrigins"]),
    ("PluginUpgradeApprovePayload", &["errors { code }", "plugin { id version }"]),
    ("PluginUpgradeRejectPayload", &["errors { code }", "plugin { id version }"]),
    ("PluginUpload", &["expiresAt", "id", "path"]),
    ("PluginUploadCreatePayload", &["errors { code }", "upload { id path }"]),
    (
        "PluginVerdict",
        &[
            "at",
            "code",
            "conversation { id title }",
            "hook",
            "id",
            "kind",
            "message { id }",
            "messageId",
            "plugin",
            "reason",
            "user { id name }",
        ],
    ),
    ("PluginVerdictConnection", &["edges { cursor node { kind } }", "nodes { id kind }", "pageInfo { endCursor }"]),
    ("PluginVerdictEdge", &["cursor", "node { id kind }"]),
    ("ReceiptsAdvanced", &["at", "conversation { id title }", "cursor", "kind", "upTo", "user { id name }"]),
    ("ResyncRequired", &["cursor"]),
    ("Session", &["address", "createdAt", "device", "expiresAt", "id", "isCurrent", "lastUsedAt"]),
    ("SessionConnection", &["edges { cursor node { id device } }", "nodes { id device }", "pageInfo { endCursor }"]),
    ("SessionEdge", &["cursor", "node { id device }"]),
    ("SessionCreatePayload", &["credentials { session { isCurrent } }", "errors { code }"]),
    ("SessionEnded", &["at", "cursor", "sessionId"]),
    ("SessionRefreshPayload", &["credentials { session { isCurrent } }", "errors { code }"]),
    ("SessionRevokeAllPayload", &["count", "errors { code }"]),
    ("SessionRevokePayload", &["errors { code }", "sessionId"]),
    ("SessionStarted", &["at", "cursor", "sessionId"]),
    ("Signal", &["at"]),
    (
        "SupportRequest",
        &[
            "assignee { id name }",
            "closedAt",
            "conversation { id title }",
            "id",
            "lastActivityAt",
            "openedAt",
            "opener { id name }",
            "status",
            "title",
        ],
    ),
    (
        "SupportRequestConnection",
        &["edges { cursor node { id title } }", "nodes { id title }", "pageInfo { endCursor }"],
    ),
    ("SupportRequestEdge", &["cursor", "node { id title }"]),
    ("TrustedIssuer", &["algorithms", "audience", "createdAt", "id", "issuer", "jwksUrl", "workspaces"]),
    ("TrustedIssuerConnection", &["edges { cursor node { issuer } }", "nodes { issuer }", "pageInfo { endCursor }"]),
    ("TrustedIssuerEdge", &["cursor", "node { issuer }"]),
    ("TypingStartPayload", &["errors { code }", "expiresAt"]),
    ("TypingStarted", &["at", "conversation { id title }", "expiresAt", "user { id name }"]),
    ("TypingStopPayload", &["errors { code }"]),
    ("TypingStopped", &["at", "conversation { id title }", "user { id name }"]),
    ("UnreadCount", &["conversation { id title }", "count"]),
    (
        "UnreadCounts",
        &["conversationCount", "conversations(first: 10) { count conversation { id title } }", "isComplete", "total"],
    ),
    ("User", &["avatarUrl", "createdAt", "fieldName", "id", "name", "role", "status", "statusText", "viewerBlocks"]),
    ("UserBlockPayload", &["errors { code }", "user { id name }"]),
    ("UserConnection", &["edges { cursor node { id name } }", "nodes { id name }", "pageInfo { endCursor }"]),
    ("UserEdge", &["cursor", "node { id name }"]),
    ("UserDeactivatePayload", &["errors { code }", "user { id name }"]),
    ("UserError", &["code", "message", "path", "plugin", "pluginCode", "retryAt"]),
    ("UserJoined", &["at", "cursor", "user { id name }"]),
    ("UserReactivatePayload", &["errors { code }", "user { id name }"]),
    ("UserRoleUpdatePayload", &["errors { code }", "user { id name }"]),
    ("UserUnblockPayload", &["errors { code }", "user { id name }"]),
    ("UserUpdatePayload", &["errors { code }", "user { id name }"]),
    ("UserUpdated", &["at", "cursor", "user { id name }"]),
    ("Viewer", &["isOperator", "preferences", "user { id name }", "workspace { id slug name }"]),
    ("Workspace", &["createdAt", "id", "name", "policy { bodyMaxCharacters }", "signUp", "slug", "status"]),
    ("WorkspaceCreatePayload", &["errors { code }", "workspace { id slug }"]),
    ("WorkspaceCreated", &["at", "cursor"]),
    ("WorkspaceDeletePayload", &["errors { code }", "deletedWorkspaceId"]),
    (
        "WorkspacePolicy",
        &[
            "accessTokenMinutes",
            "bodyMaxCharacters",
            "contextForMembers",
            "conversationsAreKept",
            "deleteWindowSeconds",
            "editWindowSeconds",
            "eventRetentionDays",
            "groupMaxMembers",
            "invitationDays",
            "messagesAreKept",
            "metadataMaxBytes",
            "passwordMinCharacters",
            "passwordResetMinutes",
            "sessionDays",
            "signInAttempts",
            "typingTtlSeconds",
        ],
    ),
    ("WorkspacePolicyUpdatePayload", &["errors { code }", "workspace { id policy { bodyMaxCharacters } }"]),
    ("WorkspaceUpdatePayload", &["errors { code }", "workspace { id name }"]),
    ("WorkspaceUpdated", &["actor { id name }", "at", "cursor", "workspace { id name }"]),
];

/// Fields that have nothing to tell of what the table leads to, each of which has a story elsewhere that shows what it does
/// tell: `changes` for messages, `lives` for conversations, `requests` for support, `plugins`, `verdicts` and `moderation` for those,
/// `fields` for what they add.
pub const SILENT: &[(&str, &str)] = &[
    ("FieldWord", "parts"),
    ("FieldWord", "place"),
    ("FieldWord", "said"),
    ("FieldWord", "speaker"),
    ("LegalHold", "conversationId"),
    ("LegalHold", "user"),
    ("Message", "linkPreviews"),
    ("Message", "moderationCase"),
    ("Message", "poll"),
    ("Poll", "closedAt"),
    ("ModerationCase", "conversation"),
    ("ModerationCase", "message"),
    ("UserError", "plugin"),
    ("UserError", "pluginCode"),
    ("UserError", "retryAt"),
    ("HeldMessage", "conversation"),
    ("HeldMessage", "decidedAt"),
    ("HeldMessage", "message"),
    ("HeldMessage", "note"),
    ("Message", "mentions"),
    ("MessageSendPayload", "held"),
    ("MessagesTrimmed", "keptSequences"),
    ("Plugin", "grantedOrigins"),
    ("Plugin", "problem"),
    ("Plugin", "wantedOrigins"),
    ("PluginCommandArgument", "choices"),
    ("PluginUpgrade", "newOrigins"),
    ("PluginUpgrade", "wantedOrigins"),
    ("PluginVerdict", "code"),
    ("PluginVerdict", "conversation"),
    ("PluginVerdict", "message"),
    ("PluginVerdict", "reason"),
    ("Message", "deletedAt"),
    ("Message", "deletedBy"),
    ("Message", "editedAt"),
    ("Conversation", "assignee"),
    ("Conversation", "closedAt"),
    ("SupportRequest", "closedAt"),
    ("SupportRequest", "conversation"),
];

/// What one of those whom a thing is not for makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sees {
    /// `UNAUTHENTICATED`.
    SignIn,
    /// To the letter what anybody sees who asks for an id that never was.
    Nothing,
    /// `NOT_ALLOWED`, whatever the input names.
    NotAllowed,
    /// `WRONG_CREDENTIALS`: they have nothing to show for it.
    Unproven,
    /// `REFUSED_BY_PLUGIN`: to the letter what anybody is told who asks a plugin to do something about what never was.
    Refused,
    /// Something of their own, and nothing that is not for them.
    Own,
    /// What the rightful one sees: it is for them as well.
    TheSame,
}

/// A column for each [`Asker`], of whom two have one together.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub anonymous: Sees,
    pub stranger: Sees,
    pub admin: Sees,
    pub elsewhere: Sees,
}

impl Seen {
    pub fn by(self, asker: Asker) -> Sees {
        match asker {
            Asker::Anonymous => self.anonymous,
            // Whoever was in the conversation, or is blocked, sees to the letter what they see who never were.
            Asker::Stranger | Asker::Former | Asker::Blocked => self.stranger,
            Asker::Admin => self.admin,
            Asker::Elsewhere => self.elsewhere,
        }
    }
}

/// For the members of the conversation.
const OF_THE_CONVERSATION: Seen =
    Seen { anonymous: Sees::SignIn, stranger: Sees::Nothing, admin: Sees::Nothing, elsewhere: Sees::Nothing };
/// For everybody in the workspace.
const OF_THE_WORKSPACE: Seen = Seen { stranger: Sees::TheSame, admin: Sees::TheSame, ..OF_THE_CONVERSATION };
/// People of the workspace may be named by each other, and what comes of it is their own.
const AMONG_COLLEAGUES: Seen = Seen { stranger: Sees::Own, admin: Sees::Own, ..OF_THE_CONVERSATION };
/// Everybody has one of their own.
const EVERYBODYS_OWN: Seen =
    Seen { anonymous: Sees::SignIn, stranger: Sees::Own, admin: Sees::Own, elsewhere: Sees::Own };
/// The same for everybody who is signed in, for it has nothing to do with anybody.
const NOBODYS: Seen =
    Seen { anonymous: Sees::SignIn, stranger: Sees::TheSame, admin: Sees::TheSame, elsewhere: Sees::TheSame };
/// For operators of the hub, whom no workspace makes.
const OF_OPERATORS: Seen =
    Seen { anonymous: Sees::SignIn, stranger: Sees::NotAllowed, admin: Sees::NotAllowed, elsewhere: Sees::NotAllowed };

/// For those who run the workspace; in another one, for those who run that.
const OF_RUNNERS: Seen =
    Seen { anonymous: Sees::SignIn, stranger: Sees::NotAllowed, admin: Sees::TheSame, elsewhere: Sees::Own };

/// The same, where others have nothing like it.
const OF_RUNNERS_ALONE: Seen = Seen { elsewhere: Sees::Nothing, ..OF_RUNNERS };
/// The same, where each gets something new.
const NEW_TO_RUNNERS: Seen = Seen { admin: Sees::Own, ..OF_RUNNERS };
/// The same, where it is about somebody or something that is theirs.
const NEW_TO_RUNNERS_ALONE: Seen = Seen { admin: Sees::Own, ..OF_RUNNERS_ALONE };
/// A list that everybody in the workspace sees, as others see theirs.
const AMONG_ALL: Seen = Seen { stranger: Sees::TheSame, admin: Sees::TheSame, ..EVERYBODYS_OWN };
/// What a plugin has for those who keep the peace; in another workspace it has something of theirs.
const OF_MODERATORS: Seen =
    Seen { anonymous: Sees::SignIn, stranger: Sees::Nothing, admin: Sees::TheSame, elsewhere: Sees::Own };
/// The same, to be done something about.
const FOR_MODERATORS: Seen =
    Seen { anonymous: Sees::SignIn, stranger: Sees::Refused, admin: Sees::Own, elsewhere: Sees::Refused };
/// For the members of the conversation, to be done something about.
const FOR_THE_CONVERSATION: Seen =
    Seen { anonymous: Sees::SignIn, stranger: Sees::Refused, admin: Sees::Refused, elsewhere: Sees::Refused };
/// For who has what lets one in, signed in or not.
const FOR_WHO_HAS_IT: Seen =
    Seen { anonymous: Sees::Unproven, stranger: Sees::Unproven, admin: Sees::Unproven, elsewhere: Sees::Unproven };
/// The same, of what must be named to be there.
const FOR_WHO_NAMES_IT: Seen =
    Seen { anonymous: Sees::Nothing, stranger: Sees::Nothing, admin: Sees::Nothing, elsewhere: Sees::Nothing };

/// For whom a way is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rightful {
    Member,
    Owner,
    /// Signed in with a password.
    SignedIn,
    Operator,
}

/// A way to a thing that somebody may not see. In the document `@` stands for all the fields of the type it leads to;
/// `$conversation`, `$message`, `$user`, `$workspace` and `$slug` are the victim's, `$own` is the asker's own conversation.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// The field of the root that it begins with.
    pub by: &'static str,
    /// The type that it leads to; empty for a way that only names something.
    pub to: &'static str,
    /// Where in the answer the thing is; a number below zero counts from the end of a list.
    pub at: &'static str,
    /// The arguments and input fields through which it names what is not the asker's.
    pub names: &'static [&'static str],
    pub document: &'static str,
    pub seen: Seen,
    pub rightful: Rightful,
}

const fn way(by: &'static str, to: &'static str, at: &'static str, seen: Seen, document: &'static str) -> Way {
    Way { by, to, at, names: &[], document, seen, rightful: Rightful::Member }
}

impl Way {
    const fn naming(self, names: &'static [&'static str]) -> Self {
        Way { names, ..self }
    }

    const fn for_owners(self) -> Self {
        Way { rightful: Rightful::Owner, ..self }
    }

    const fn for_who_signed_in(self) -> Self {
        Way { rightful: Rightful::SignedIn, ..self }
    }

    const fn for_operators(self) -> Self {
        Way { rightful: Rightful::Operator, ..self }
    }
}

/// Queries first, for what mutations leave behind does not make them easier to read.
#[rustfmt::skip]
pub const WAYS: &[Way] = &[
    way("Query.viewer", "Viewer", "/viewer", Seen { anonymous: Sees::Nothing, ..EVERYBODYS_OWN }, "{ viewer { @ } }"),
    way("Query.viewer", "User", "/viewer/user", Seen { anonymous: Sees::Nothing, ..EVERYBODYS_OWN }, "{ viewer { user { @ } } }"),
    way("Query.viewer", "Workspace", "/viewer/workspace", Seen { anonymous: Sees::Nothing, ..EVERYBODYS_OWN },
        "{ viewer { workspace { @ } } }"),
    way("Query.eventCursor", "", "/eventCursor", EVERYBODYS_OWN, "{ eventCursor }"),

    way("Query.node", "Node", "/node", OF_THE_CONVERSATION, "query($conversation: ID!) { node(id: $conversation) { @ } }")
        .naming(&["Query.node.id"]),
    way("Query.node", "Conversation", "/node", OF_THE_CONVERSATION,
        "query($conversation: ID!) { node(id: $conversation) { ... on Conversation { @ } } }"),
    way("Query.node", "Message", "/node", OF_THE_CONVERSATION,
        "query($message: ID!) { node(id: $message) { ... on Message { @ } } }"),
    way("Query.node", "User", "/node", OF_THE_WORKSPACE, "query($user: ID!) { node(id: $user) { ... on User { @ } } }"),
    way("Query.node", "Workspace", "/node", OF_THE_WORKSPACE,
        "query($workspace: ID!) { node(id: $workspace) { ... on Workspace { @ } } }"),
    way("Query.nodes", "Node", "/nodes/0", OF_THE_CONVERSATION,
        "query($conversation: ID!, $message: ID!) { nodes(ids: [$conversation, $message]) { @ } }")
        .naming(&["Query.nodes.ids"]),
    way("Query.nodes", "Conversation", "/nodes/0", OF_THE_CONVERSATION,
        "query($conversation: ID!) { nodes(ids: [$conversation]) { ... on Conversation { @ } } }"),
    way("Query.nodes", "Message", "/nodes/0", OF_THE_CONVERSATION,
        "query($message: ID!) { nodes(ids: [$message]) { ... on Message { @ } } }"),
    way("Query.nodes", "User", "/nodes/0", OF_THE_WORKSPACE, "query($user: ID!) { nodes(ids: [$user]) { ... on User { @ } } }"),
    way("Query.nodes", "Workspace", "/nodes/0", OF_THE_WORKSPACE,
        "query($workspace: ID!) { nodes(ids: [$workspace]) { ... on Workspace { @ } } }"),

    way("Query.conversation", "Conversation", "/conversation", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { @ } }")
        .naming(&["Query.conversation.id"]),
    way("Query.conversation", "ConversationContext", "/conversation/context", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { context { @ } } }"),
    way("Query.conversation", "User", "/conversation/creator", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { creator { @ } } }"),
    way("Query.conversation", "User", "/conversation/typing/0", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { typing { @ } } }"),
    way("Query.conversation", "ConversationMemberConnection", "/conversation/members", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { members(first: 10) { @ } } }"),
    way("Query.conversation", "ConversationMemberEdge", "/conversation/members/edges/0", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { members(first: 10) { edges { @ } } } }"),
    way("Query.conversation", "ConversationMember", "/conversation/members/nodes/0", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { members(last: 10) { nodes { @ } } } }"),
    way("Query.conversation", "User", "/conversation/members/nodes/0/user", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { members(first: 10) { nodes { user { @ } } } } }"),
    way("Query.conversation", "PageInfo", "/conversation/members/pageInfo", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { members(first: 10) { pageInfo { @ } } } }"),
    way("Query.conversation", "MessageConnection", "/conversation/messages", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { messages(first: 10) { @ } } }"),
    way("Query.conversation", "MessageEdge", "/conversation/messages/edges/0", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { messages(first: 10) { edges { @ } } } }"),
    way("Query.conversation", "Message", "/conversation/messages/nodes/0", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { messages(last: 1) { nodes { @ } } } }"),
    way("Query.conversation", "PageInfo", "/conversation/messages/pageInfo", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { messages(last: 10) { pageInfo { @ } } } }"),
    way("Query.conversation", "MessageConnection", "/conversation/messages", OF_THE_CONVERSATION,
        "query($own: ID!, $message: ID!) { conversation(id: $own) { messages(first: 3, around: $message) { @ } } }")
        .naming(&["Conversation.messages.around"]),
    way("Query.conversation", "", "/conversation/messages", EVERYBODYS_OWN,
        "query($own: ID!, $messageCursor: String) { conversation(id: $own) { messages(first: 9, after: $messageCursor) { nodes { body } } } }")
        .naming(&["Conversation.messages.after"]),
    way("Query.conversation", "", "/conversation/messages", EVERYBODYS_OWN,
        "query($own: ID!, $messageCursor: String) { conversation(id: $own) { messages(last: 9, before: $messageCursor) { nodes { body } } } }")
        .naming(&["Conversation.messages.before"]),
    way("Query.conversation", "", "/conversation/members", EVERYBODYS_OWN,
        "query($own: ID!, $memberCursor: String) { conversation(id: $own) { members(first: 9, after: $memberCursor) { nodes { user { name } } } } }")
        .naming(&["Conversation.members.after"]),
    way("Query.conversation", "", "/conversation/members", EVERYBODYS_OWN,
        "query($own: ID!, $memberCursor: String) { conversation(id: $own) { members(last: 9, before: $memberCursor) { nodes { user { name } } } } }")
        .naming(&["Conversation.members.before"]),

    way("Query.conversations", "ConversationConnection", "/conversations", EVERYBODYS_OWN, "{ conversations(first: 10) { @ } }"),
    way("Query.conversations", "ConversationEdge", "/conversations/edges/0", EVERYBODYS_OWN,
        "{ conversations(first: 10) { edges { @ } } }"),
    way("Query.conversations", "Conversation", "/conversations/nodes/0", EVERYBODYS_OWN,
        "{ conversations(last: 10) { nodes { @ } } }"),
    way("Query.conversations", "PageInfo", "/conversations/pageInfo", EVERYBODYS_OWN,
        "{ conversations(first: 10) { pageInfo { @ } } }"),
    way("Query.conversations", "", "/conversations", EVERYBODYS_OWN,
        "query($listCursor: String) { conversations(first: 10, after: $listCursor) { nodes { id title } } }")
        .naming(&["Query.conversations.after"]),
    way("Query.conversations", "", "/conversations", EVERYBODYS_OWN,
        "query($listCursor: String) { conversations(last: 10, before: $listCursor) { nodes { id title } } }")
        .naming(&["Query.conversations.before"]),

    way("Query.message", "Message", "/message", OF_THE_CONVERSATION,
        "query($message: ID!) { message(id: $message) { @ } }")
        .naming(&["Query.message.id"]),
    way("Query.message", "Message", "/message/replyTo", OF_THE_CONVERSATION,
        "query($message: ID!) { message(id: $message) { replyTo { @ } } }"),
    way("Query.message", "Conversation", "/message/conversation", OF_THE_CONVERSATION,
        "query($message: ID!) { message(id: $message) { conversation { @ } } }"),
    way("Query.message", "User", "/message/sender", OF_THE_CONVERSATION,
        "query($message: ID!) { message(id: $message) { sender { @ } } }"),

    way("Query.message", "Location", "/message/location", OF_THE_CONVERSATION,
        "query($message: ID!) { message(id: $message) { location { @ } } }"),
    way("Query.message", "MessageEditConnection", "/message/edits", OF_THE_CONVERSATION,
        "query($message: ID!) { message(id: $message) { edits(first: 10) { @ } } }"),
    way("Query.message", "MessageEditEdge", "/message/edits/edges/0", OF_THE_CONVERSATION,
        "query($message: ID!) { message(id: $message) { edits(first: 10) { edges { @ } } } }"),
    way("Query.message", "MessageEdit", "/message/edits/nodes/0", OF_THE_CONVERSATION,
        "query($message: ID!) { message(id: $message) { edits(last: 10) { nodes { @ } } } }"),
    way("Query.message", "PageInfo", "/message/edits/pageInfo", OF_THE_CONVERSATION,
        "query($message: ID!) { message(id: $message) { edits(last: 10) { pageInfo { @ } } } }"),
    way("Query.message", "", "/message/edits", OF_THE_CONVERSATION,
        "query($message: ID!, $messageCursor: String) { message(id: $message) { edits(first: 9, after: $messageCursor) { nodes { body } } } }")
        .naming(&["Message.edits.after"]),
    way("Query.message", "", "/message/edits", OF_THE_CONVERSATION,
        "query($message: ID!, $messageCursor: String) { message(id: $message) { edits(last: 9, before: $messageCursor) { nodes { body } } } }")
        .naming(&["Message.edits.before"]),
    way("Query.message", "MessageReceiptConnection", "/message/receipts", OF_THE_CONVERSATION,
        "query($message: ID!) { message(id: $message) { receipts(first: 10) { @ } } }"),
    way("Query.message", "MessageReceiptEdge", "/message/deliveredTo/edges/0", OF_THE_CONVERSATION,
        "query($message: ID!) { message(id: $message) { deliveredTo(first: 10) { edges { @ } } } }"),
    way("Query.message", "MessageReceipt", "/message/readBy/nodes/0", OF_THE_CONVERSATION,
        "query($message: ID!) { message(id: $message) { readBy(first: 10) { nodes { @ } } } }"),
    way("Query.message", "User", "/message/receipts/nodes/0/user", OF_THE_CONVERSATION,
        "query($message: ID!) { message(id: $message) { receipts(first: 10) { nodes { user { @ } } } } }"),
    way("Query.message", "PageInfo", "/message/receipts/pageInfo", OF_THE_CONVERSATION,
        "query($message: ID!) { message(id: $message) { receipts(last: 10) { pageInfo { @ } } } }"),
    way("Query.message", "", "/message/receipts", OF_THE_CONVERSATION,
        "query($message: ID!, $memberCursor: String) { message(id: $message) { receipts(first: 9, after: $memberCursor) { nodes { readAt } } } }")
        .naming(&["Message.receipts.after"]),
    way("Query.message", "", "/message/receipts", OF_THE_CONVERSATION,
        "query($message: ID!, $memberCursor: String) { message(id: $message) { receipts(last: 9, before: $memberCursor) { nodes { readAt } } } }")
        .naming(&["Message.receipts.before"]),
    way("Query.message", "", "/message/deliveredTo", OF_THE_CONVERSATION,
        "query($message: ID!, $memberCursor: String) { message(id: $message) { deliveredTo(first: 9, after: $memberCursor) { nodes { readAt } } } }")
        .naming(&["Message.deliveredTo.after"]),
    way("Query.message", "", "/message/deliveredTo", OF_THE_CONVERSATION,
        "query($message: ID!, $memberCursor: String) { message(id: $message) { deliveredTo(last: 9, before: $memberCursor) { nodes { readAt } } } }")
        .naming(&["Message.deliveredTo.before"]),
    way("Query.message", "", "/message/readBy", OF_THE_CONVERSATION,
        "query($message: ID!, $memberCursor: String) { message(id: $message) { readBy(first: 9, after: $memberCursor) { nodes { readAt } } } }")
        .naming(&["Message.readBy.after"]),
    way("Query.message", "", "/message/readBy", OF_THE_CONVERSATION,
        "query($message: ID!, $memberCursor: String) { message(id: $message) { readBy(last: 9, before: $memberCursor) { nodes { readAt } } } }")
        .naming(&["Message.readBy.before"]),
    way("Query.conversation", "Message", "/conversation/lastMessage", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { lastMessage { @ } } }"),

    way("Query.conversation", "ConversationInvitationConnection", "/conversation/invitations", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { invitations(first: 10) { @ } } }"),
    way("Query.conversation", "ConversationInvitationEdge", "/conversation/invitations/edges/0", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { invitations(first: 10) { edges { @ } } } }"),
    way("Query.conversation", "ConversationInvitation", "/conversation/invitations/nodes/0", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { invitations(last: 10) { nodes { @ } } } }"),
    way("Query.conversation", "", "/conversation/invitations", EVERYBODYS_OWN,
        "query($own: ID!, $leadCursor: String) { conversation(id: $own) { invitations(first: 9, after: $leadCursor) { nodes { id } } } }")
        .naming(&["Conversation.invitations.after"]),
    way("Query.conversation", "", "/conversation/invitations", EVERYBODYS_OWN,
        "query($own: ID!, $leadCursor: String) { conversation(id: $own) { invitations(last: 9, before: $leadCursor) { nodes { id } } } }")
        .naming(&["Conversation.invitations.before"]),
    way("Query.publicConversations", "PublicConversationConnection", "/publicConversations", EVERYBODYS_OWN,
        "{ publicConversations(first: 10) { @ } }"),
    way("Query.publicConversations", "PublicConversationEdge", "/publicConversations/edges/0", AMONG_COLLEAGUES,
        "{ publicConversations(last: 10) { edges { @ } } }"),
    way("Query.publicConversations", "PublicConversation", "/publicConversations/nodes/0", AMONG_COLLEAGUES,
        "{ publicConversations(first: 10) { nodes { @ } } }"),
    way("Query.publicConversations", "PublicConversation", "/publicConversations/nodes/0", AMONG_COLLEAGUES,
        r#"{ publicConversations(search: "prom", first: 10) { nodes { @ } } }"#),
    way("Query.publicConversations", "", "/publicConversations/nodes/0/conversation", OF_THE_CONVERSATION,
        "{ publicConversations(first: 10) { nodes { conversation { id } } } }"),
    way("Query.publicConversations", "", "/publicConversations", EVERYBODYS_OWN,
        "query($publicCursor: String) { publicConversations(first: 10, after: $publicCursor) { nodes { id } } }")
        .naming(&["Query.publicConversations.after"]),
    way("Query.publicConversations", "", "/publicConversations", EVERYBODYS_OWN,
        "query($publicCursor: String) { publicConversations(last: 10, before: $publicCursor) { nodes { id } } }")
        .naming(&["Query.publicConversations.before"]),
    way("Query.conversation", "ConversationSettings", "/conversation/viewerSettings", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { viewerSettings { @ } } }"),
    way("Query.blockedUsers", "UserConnection", "/blockedUsers", EVERYBODYS_OWN, "{ blockedUsers(first: 10) { @ } }"),
    way("Query.blockedUsers", "", "/blockedUsers", EVERYBODYS_OWN,
        "query($memberCursor: String) { blockedUsers(first: 10, after: $memberCursor) { nodes { id name } } }")
        .naming(&["Query.blockedUsers.after"]),
    way("Query.blockedUsers", "", "/blockedUsers", EVERYBODYS_OWN,
        "query($memberCursor: String) { blockedUsers(last: 10, before: $memberCursor) { nodes { id name } } }")
        .naming(&["Query.blockedUsers.before"]),
    way("Query.supportConversations", "SupportRequestConnection", "/supportConversations", OF_RUNNERS,
        "{ supportConversations(first: 10) { @ } }").for_owners(),
    way("Query.supportConversations", "SupportRequestEdge", "/supportConversations/edges/0", OF_RUNNERS_ALONE,
        "{ supportConversations(first: 10) { edges { @ } } }").for_owners(),
    way("Query.supportConversations", "SupportRequest", "/supportConversations/nodes/0", OF_RUNNERS_ALONE,
        "{ supportConversations(last: 10) { nodes { @ } } }").for_owners(),
    way("Query.supportConversations", "", "/supportConversations", OF_RUNNERS,
        "query($requestCursor: String) { supportConversations(first: 10, after: $requestCursor) { nodes { id } } }")
        .naming(&["Query.supportConversations.after"]).for_owners(),
    way("Query.supportConversations", "", "/supportConversations", OF_RUNNERS,
        "query($requestCursor: String) { supportConversations(last: 10, before: $requestCursor) { nodes { id } } }")
        .naming(&["Query.supportConversations.before"]).for_owners(),

    way("Query.mentions", "", "/mentions", EVERYBODYS_OWN,
        "query($mentionCursor: String) { mentions(first: 10, after: $mentionCursor) { nodes { id } } }")
        .naming(&["Query.mentions.after"]),
    way("Query.mentions", "", "/mentions", EVERYBODYS_OWN,
        "query($mentionCursor: String) { mentions(last: 10, before: $mentionCursor) { nodes { id } } }")
        .naming(&["Query.mentions.before"]),
    way("Query.heldMessage", "HeldMessage", "/heldMessage", Seen { admin: Sees::TheSame, ..OF_THE_CONVERSATION },
        "query($held: ID!) { heldMessage(id: $held) { @ } }")
        .naming(&["Query.heldMessage.id"]).for_owners(),
    way("Query.heldMessages", "HeldMessageConnection", "/heldMessages", OF_RUNNERS,
        "{ heldMessages(first: 10) { @ } }").for_owners(),
    way("Query.heldMessages", "HeldMessageEdge", "/heldMessages/edges/0", OF_RUNNERS_ALONE,
        "{ heldMessages(first: 10) { edges { @ } } }").for_owners(),
    way("Query.heldMessages", "HeldMessage", "/heldMessages/nodes/0", OF_RUNNERS_ALONE,
        "{ heldMessages(last: 10) { nodes { @ } } }").for_owners(),
    way("Query.heldMessages", "", "/heldMessages", OF_RUNNERS,
        "query($heldCursor: String) { heldMessages(first: 10, after: $heldCursor) { nodes { id } } }")
        .naming(&["Query.heldMessages.after"]).for_owners(),
    way("Query.heldMessages", "", "/heldMessages", OF_RUNNERS,
        "query($heldCursor: String) { heldMessages(last: 10, before: $heldCursor) { nodes { id } } }")
        .naming(&["Query.heldMessages.before"]).for_owners(),
    // The plugins of the hub, by their ids: those that come with it, the guest, and one that is not on everywhere.
    way("Query.plugins", "Plugin", "/plugins/-1", OF_RUNNERS, "{ plugins { @ } }").for_owners(),
    way("Query.plugins", "PluginException", "/plugins/-1/exceptions/0", OF_RUNNERS_ALONE,
        "{ plugins { exceptions { @ } } }").for_owners(),
    way("Query.plugins", "PluginLogLine", "/plugins/-1/logs/0", OF_RUNNERS_ALONE,
        "{ plugins { logs { @ } } }").for_owners(),
    way("Query.plugins", "PluginHook", "/plugins/-1/hooks/0", OF_RUNNERS, "{ plugins { hooks { @ } } }").for_owners(),
    way("Query.plugins", "PluginHealth", "/plugins/-1/health", OF_RUNNERS, "{ plugins { health { @ } } }").for_owners(),
    way("Query.plugins", "PluginFailureCount", "/plugins/-1/health/failures/0", OF_RUNNERS_ALONE,
        "{ plugins { health { failures { @ } } } }").for_owners(),
    way("Query.plugins", "PluginTimes", "/plugins/-1/health/wallTime", OF_RUNNERS,
        "{ plugins { health { wallTime { @ } cpuTime { @ } } } }").for_owners(),
    way("Query.plugins", "PluginSettings", "/plugins/-1/settings", OF_RUNNERS, "{ plugins { settings { @ } } }").for_owners(),
    way("Query.plugins", "PluginSettings", "/plugins/-1/hubSettings", OF_RUNNERS, "{ plugins { hubSettings { @ } } }").for_owners(),
    way("Query.plugins", "PluginHookPolicy", "/plugins/-1/settings/failurePolicies/0", OF_RUNNERS_ALONE,
        "{ plugins { settings { failurePolicies { @ } } } }").for_owners(),
    way("Query.plugins", "PluginLimits", "/plugins/-1/settings/limits", OF_RUNNERS,
        "{ plugins { settings { limits { @ } } } }").for_owners(),
    way("Query.plugins", "PluginSecret", "/plugins/-1/secrets/0", OF_RUNNERS, "{ plugins { secrets { @ } } }").for_owners(),
    way("Query.plugins", "PluginUpgrade", "/plugins/-1/pendingUpgrade", OF_RUNNERS,
        "{ plugins { pendingUpgrade { @ } } }").for_owners(),
    way("Query.plugins", "DeadLetterConnection", "/plugins/-2/deadLetters", OF_RUNNERS,
        "{ plugins { deadLetters(first: 10) { @ } } }").for_owners(),
    way("Query.plugins", "DeadLetterEdge", "/plugins/-2/deadLetters/edges/0", OF_RUNNERS_ALONE,
        "{ plugins { deadLetters(first: 10) { edges { @ } } } }").for_owners(),
    way("Query.plugins", "DeadLetter", "/plugins/-2/deadLetters/nodes/0", OF_RUNNERS_ALONE,
        "{ plugins { deadLetters(last: 10) { nodes { @ } } } }").for_owners(),
    way("Query.plugins", "", "/plugins/-2/deadLetters/nodes/0", OF_RUNNERS_ALONE,
        "query($letterCursor: String) { plugins { deadLetters(first: 10, after: $letterCursor) { nodes { id } } } }")
        .naming(&["Plugin.deadLetters.after"]).for_owners(),
    way("Query.plugins", "", "/plugins/-2/deadLetters", OF_RUNNERS,
        "query($letterCursor: String) { plugins { deadLetters(last: 10, before: $letterCursor) { nodes { id } } } }")
        .naming(&["Plugin.deadLetters.before"]).for_owners(),
    way("Query.pluginVerdicts", "PluginVerdictConnection", "/pluginVerdicts", OF_RUNNERS,
        "{ pluginVerdicts(first: 10) { @ } }").for_owners(),
    way("Query.pluginVerdicts", "PluginVerdictEdge", "/pluginVerdicts/edges/0", OF_RUNNERS_ALONE,
        "{ pluginVerdicts(first: 10) { edges { @ } } }").for_owners(),
    way("Query.pluginVerdicts", "PluginVerdict", "/pluginVerdicts/nodes/0", OF_RUNNERS_ALONE,
        "query($masked: ID!) { pluginVerdicts(last: 10, filter: { messageId: $masked }) { nodes { @ } } }")
        .naming(&["PluginVerdictFilter.messageId"]).for_owners(),
    way("Query.pluginVerdicts", "", "/pluginVerdicts", OF_RUNNERS,
        "query($user: ID!, $conversation: ID!, $plugin: ID!) { pluginVerdicts(last: 10,
            filter: { userId: $user, conversationId: $conversation, pluginId: $plugin }) { nodes { id } } }")
        .naming(&["PluginVerdictFilter.userId", "PluginVerdictFilter.conversationId", "PluginVerdictFilter.pluginId"]).for_owners(),
    way("Query.pluginVerdicts", "", "/pluginVerdicts", OF_RUNNERS,
        "query($verdictCursor: String) { pluginVerdicts(first: 10, after: $verdictCursor) { nodes { id } } }")
        .naming(&["Query.pluginVerdicts.after"]).for_owners(),
    way("Query.pluginVerdicts", "", "/pluginVerdicts", OF_RUNNERS,
        "query($verdictCursor: String) { pluginVerdicts(last: 10, before: $verdictCursor) { nodes { id } } }")
        .naming(&["Query.pluginVerdicts.before"]).for_owners(),

    way("Query.unreadCounts", "UnreadCounts", "/unreadCounts", EVERYBODYS_OWN, "{ unreadCounts { @ } }"),
    way("Query.unreadCounts", "UnreadCount", "/unreadCounts/conversations/0", EVERYBODYS_OWN,
        "{ unreadCounts { conversations(first: 10) { @ } } }"),

    way("Query.workspace", "Workspace", "/workspace", OF_THE_WORKSPACE, "query($workspace: ID!) { workspace(id: $workspace) { @ } }")
        .naming(&["Query.workspace.id"]),
    way("Query.workspace", "WorkspacePolicy", "/workspace/policy", EVERYBODYS_OWN, "{ workspace { policy { @ } } }"),
    way("Query.session", "Session", "/session", OF_THE_CONVERSATION, "{ session { @ } }").for_who_signed_in(),
    way("Query.sessions", "SessionConnection", "/sessions", EVERYBODYS_OWN, "{ sessions(first: 10) { @ } }").for_who_signed_in(),
    way("Query.sessions", "SessionEdge", "/sessions/edges/0", OF_THE_CONVERSATION, "{ sessions(first: 10) { edges { @ } } }").for_who_signed_in(),
    way("Query.sessions", "", "/sessions", EVERYBODYS_OWN,
        "query($sessionCursor: String) { sessions(first: 10, after: $sessionCursor) { nodes { id } } }")
        .naming(&["Query.sessions.after"]).for_who_signed_in(),
    way("Query.sessions", "", "/sessions", EVERYBODYS_OWN,
        "query($sessionCursor: String) { sessions(last: 10, before: $sessionCursor) { nodes { id } } }")
        .naming(&["Query.sessions.before"]).for_who_signed_in(),
    way("Query.user", "User", "/user", OF_THE_WORKSPACE, "query($user: ID!) { user(id: $user) { @ } }").naming(&["Query.user.id"]),
    way("Query.users", "UserConnection", "/users", AMONG_ALL, "{ users(first: 100) { @ } }"),
    way("Query.users", "UserEdge", "/users/edges/0", AMONG_ALL, "{ users(first: 100) { edges { @ } } }"),
    way("Query.users", "UserEdge", "/users/edges/0", OF_THE_WORKSPACE, r#"{ users(search: "bart", first: 10) { edges { @ } } }"#),
    way("Query.users", "", "/users", AMONG_ALL,
        "query($memberCursor: String) { users(first: 10, after: $memberCursor) { nodes { id name } } }")
        .naming(&["Query.users.after"]),
    way("Query.users", "", "/users", AMONG_ALL,
        "query($memberCursor: String) { users(last: 10, before: $memberCursor) { nodes { id name } } }")
        .naming(&["Query.users.before"]),
    way("Query.invitations", "InvitationConnection", "/invitations", OF_RUNNERS, "{ invitations(first: 10) { @ } }").for_owners(),
    way("Query.invitations", "InvitationEdge", "/invitations/edges/0", OF_RUNNERS_ALONE, "{ invitations(first: 10) { edges { @ } } }").for_owners(),
    way("Query.invitations", "Invitation", "/invitations/nodes/0", OF_RUNNERS_ALONE, "{ invitations(first: 10) { nodes { @ } } }").for_owners(),
    way("Query.invitations", "", "/invitations", OF_RUNNERS,
        "query($invitationCursor: String) { invitations(first: 10, after: $invitationCursor) { nodes { id } } }")
        .naming(&["Query.invitations.after"]).for_owners(),
    way("Query.invitations", "", "/invitations", OF_RUNNERS,
        "query($invitationCursor: String) { invitations(last: 10, before: $invitationCursor) { nodes { id } } }")
        .naming(&["Query.invitations.before"]).for_owners(),
    way("Query.bots", "UserConnection", "/bots", OF_RUNNERS, "{ bots(first: 10) { @ } }").for_owners(),
    way("Query.bots", "", "/bots", OF_RUNNERS,
        "query($botCursor: String) { bots(first: 10, after: $botCursor) { nodes { id } } }")
        .naming(&["Query.bots.after"]).for_owners(),
    way("Query.bots", "", "/bots", OF_RUNNERS,
        "query($botCursor: String) { bots(last: 10, before: $botCursor) { nodes { id } } }")
        .naming(&["Query.bots.before"]).for_owners(),
    way("Query.botTokens", "BotTokenConnection", "/botTokens", OF_RUNNERS_ALONE,
        "query($bot: ID!) { botTokens(botId: $bot, first: 10) { @ } }")
        .naming(&["Query.botTokens.botId"]).for_owners(),
    way("Query.botTokens", "BotTokenEdge", "/botTokens/edges/0", OF_RUNNERS_ALONE,
        "query($bot: ID!) { botTokens(botId: $bot, first: 10) { edges { @ } } }").for_owners(),
    way("Query.botTokens", "BotToken", "/botTokens/nodes/0", OF_RUNNERS_ALONE,
        "query($bot: ID!) { botTokens(botId: $bot, first: 10) { nodes { @ } } }").for_owners(),
    way("Query.botTokens", "", "/botTokens", OF_RUNNERS_ALONE,
        "query($bot: ID!, $tokenCursor: String) { botTokens(botId: $bot, first: 10, after: $tokenCursor) { nodes { id } } }")
        .naming(&["Query.botTokens.after"]).for_owners(),
    way("Query.botTokens", "", "/botTokens", OF_RUNNERS_ALONE,
        "query($bot: ID!, $tokenCursor: String) { botTokens(botId: $bot, last: 10, before: $tokenCursor) { nodes { id } } }")
        .naming(&["Query.botTokens.before"]).for_owners(),
    way("Query.auditLog", "AuditEntryConnection", "/auditLog", OF_RUNNERS, "{ auditLog(first: 10) { @ } }").for_owners(),
    way("Query.auditLog", "AuditEntryEdge", "/auditLog/edges/0", OF_RUNNERS, "{ auditLog(first: 10) { edges { @ } } }").for_owners(),
    way("Query.auditLog", "AuditEntry", "/auditLog/nodes/0", OF_RUNNERS,
        "{ auditLog(last: 10, filter: { actions: [POLICY_UPDATED] }) { nodes { @ } } }").for_owners(),
    way("Query.auditLog", "User", "/auditLog/nodes/0/actor", OF_RUNNERS, "{ auditLog(last: 10) { nodes { actor { @ } } } }").for_owners(),
    way("Query.auditLog", "AuditDetail", "/auditLog/nodes/0/details/0", OF_RUNNERS,
        "{ auditLog(last: 10, filter: { actions: [POLICY_UPDATED] }) { nodes { details { @ } } } }").for_owners(),
    way("Query.auditLog", "PageInfo", "/auditLog/pageInfo", OF_RUNNERS, "{ auditLog(first: 10) { pageInfo { @ } } }").for_owners(),
    way("Query.auditLog", "", "/auditLog", OF_RUNNERS,
        "query($auditCursor: String) { auditLog(first: 10, after: $auditCursor) { nodes { action } } }")
        .naming(&["Query.auditLog.after"]).for_owners(),
    way("Query.auditLog", "", "/auditLog", OF_RUNNERS,
        "query($auditCursor: String) { auditLog(last: 10, before: $auditCursor) { nodes { action } } }")
        .naming(&["Query.auditLog.before"]).for_owners(),

    way("Query.auditLog", "", "/auditLog", OF_RUNNERS,
        "query($user: ID!, $conversation: ID!) { auditLog(filter: { actorId: $user, targetId: $conversation }, first: 10) { nodes { action } } }")
        .naming(&["AuditFilter.actorId", "AuditFilter.targetId"]).for_owners(),

    way("Query.legalHolds", "LegalHoldConnection", "/legalHolds", OF_RUNNERS, "{ legalHolds(first: 10) { @ } }").for_owners(),
    way("Query.legalHolds", "LegalHoldEdge", "/legalHolds/edges/0", OF_RUNNERS_ALONE, "{ legalHolds(first: 10) { edges { @ } } }").for_owners(),
    way("Query.legalHolds", "LegalHold", "/legalHolds/nodes/0", OF_RUNNERS_ALONE, "{ legalHolds(last: 10) { nodes { @ } } }").for_owners(),
    way("Query.legalHolds", "", "/legalHolds", OF_RUNNERS,
        "query($holdCursor: String) { legalHolds(first: 10, after: $holdCursor) { nodes { id } } }")
        .naming(&["Query.legalHolds.after"]).for_owners(),
    way("Query.legalHolds", "", "/legalHolds", OF_RUNNERS,
        "query($holdCursor: String) { legalHolds(last: 10, before: $holdCursor) { nodes { id } } }")
        .naming(&["Query.legalHolds.before"]).for_owners(),
    way("Query.issuers", "TrustedIssuerConnection", "/issuers", OF_OPERATORS, "{ issuers(first: 10) { @ } }").for_operators(),
    way("Query.issuers", "TrustedIssuerEdge", "/issuers/edges/0", OF_OPERATORS, "{ issuers(first: 10) { edges { @ } } }").for_operators(),
    way("Query.issuers", "TrustedIssuer", "/issuers/nodes/0", OF_OPERATORS, "{ issuers(last: 10) { nodes { @ } } }").for_operators(),
    way("Query.issuers", "", "/issuers", OF_OPERATORS,
        "query($issuerCursor: String) { issuers(first: 10, after: $issuerCursor) { nodes { id } } }")
        .naming(&["Query.issuers.after"]).for_operators(),
    way("Query.issuers", "", "/issuers", OF_OPERATORS,
        "query($issuerCursor: String) { issuers(last: 10, before: $issuerCursor) { nodes { id } } }")
        .naming(&["Query.issuers.before"]).for_operators(),
    // What plugins add: a plugin is asked by whoever may ask anything, and finds what they see.
    way("Query.fieldWords", "FieldWord", "/fieldWords/0", NOBODYS, "{ fieldWords { @ } }"),
    way("Query.message", "FieldWord", "/message/fieldWord", OF_THE_CONVERSATION,
        "query($message: ID!) { message(id: $message) { fieldWord { @ } } }"),
    way("Query.message", "Message", "/message/fieldWord/said", OF_THE_CONVERSATION,
        "query($message: ID!) { message(id: $message) { fieldWord { said { @ } } } }"),
    way("Query.message", "Conversation", "/message/fieldWord/place", OF_THE_CONVERSATION,
        "query($message: ID!) { message(id: $message) { fieldWord { place { @ } } } }"),
    way("Query.message", "User", "/message/fieldWord/speaker", OF_THE_CONVERSATION,
        "query($message: ID!) { message(id: $message) { fieldWord { speaker { @ } } } }"),
    way("Query.message", "LinkPreview", "/message/linkPreviews/0", OF_THE_CONVERSATION,
        "query($linked: ID!) { message(id: $linked) { linkPreviews { @ } } }"),
    way("Query.message", "Poll", "/message/poll", OF_THE_CONVERSATION, "query($polled: ID!) { message(id: $polled) { poll { @ } } }"),
    way("Query.message", "PollOption", "/message/poll/options/0", OF_THE_CONVERSATION,
        "query($polled: ID!) { message(id: $polled) { poll { options { @ } } } }"),
    way("Mutation.pollCreate", "PollCreatePayload", "/pollCreate", OF_THE_CONVERSATION,
        r#"mutation($pollRoom: ID!, $polled: ID!) { pollCreate(input: { conversationId: $pollRoom, question: "More?", options: ["a", "b"], replyToId: $polled }) { @ } }"#)
        .naming(&["PollCreateInput.conversationId", "PollCreateInput.replyToId"]),
    way("Mutation.pollVote", "PollVotePayload", "/pollVote", FOR_THE_CONVERSATION,
        "mutation($polled: ID!) { pollVote(input: { messageId: $polled, optionIds: [1] }) { @ } }").naming(&["PollVoteInput.messageId"]),
    way("Mutation.pollRetractVote", "PollRetractVotePayload", "/pollRetractVote", FOR_THE_CONVERSATION,
        "mutation($polled: ID!) { pollRetractVote(input: { messageId: $polled }) { @ } }").naming(&["PollRetractVoteInput.messageId"]),
    way("Mutation.pollUpdate", "PollUpdatePayload", "/pollUpdate", FOR_THE_CONVERSATION,
        "mutation($polled: ID!) { pollUpdate(input: { messageId: $polled }) { @ } }").naming(&["PollUpdateInput.messageId"]),
    way("Mutation.pollClose", "PollClosePayload", "/pollClose", FOR_THE_CONVERSATION,
        "mutation($polled: ID!) { pollClose(input: { messageId: $polled }) { @ } }").naming(&["PollCloseInput.messageId"]),
    // What is written where the asker takes no part is not written.
    way("Mutation.fieldWrite", "FieldWritePayload", "/fieldWrite", OF_THE_CONVERSATION,
        r#"mutation($conversation: ID!) { fieldWrite(input: { words: ["ahoy"], conversationId: $conversation }) { @ } }"#)
        .naming(&["FieldWriteInput.conversationId"]),
    way("Query.moderationCases", "ModerationCasePage", "/moderationCases", OF_MODERATORS, "{ moderationCases(first: 10, state: null) { @ } }")
        .for_owners(),
    way("Query.moderationCases", "ModerationCase", "/moderationCases/cases/0", Seen { elsewhere: Sees::Nothing, ..OF_MODERATORS },
        "{ moderationCases(first: 10, state: RESOLVED) { cases { @ } } }")
        .for_owners(),
    way("Query.moderationCases", "ModerationDecision", "/moderationCases/cases/0/decision", Seen { elsewhere: Sees::Nothing, ..OF_MODERATORS },
        "{ moderationCases(first: 10, state: RESOLVED) { cases { decision { @ } } } }")
        .for_owners(),
    way("Query.moderationCases", "", "/moderationCases", OF_MODERATORS,
        "query($user: ID!) { moderationCases(first: 10, userId: $user) { cases { id user { name } } } }")
        .naming(&["Query.moderationCases.userId"]).for_owners(),
    way("Query.moderationCases", "", "/moderationCases", OF_MODERATORS,
        "query($caseCursor: String) { moderationCases(first: 10, after: $caseCursor, state: null) { cases { id user { name } } } }")
        .naming(&["Query.moderationCases.after"]).for_owners(),
    way("Query.conversation", "Retention", "/conversation/retention", OF_THE_CONVERSATION,
        "query($conversation: ID!) { conversation(id: $conversation) { retention { @ } } }"),
    way("Query.retentionPreview", "RetentionPreview", "/retentionPreview", OF_THE_CONVERSATION,
        "query($conversation: ID!) { retentionPreview(conversationId: $conversation, days: 1) { @ } }")
        .naming(&["Query.retentionPreview.conversationId"]),
    way("Query.retentionPreview", "RetentionPreview", "/retentionPreview", OF_MODERATORS, "{ retentionPreview(days: 1) { @ } }").for_owners(),
    way("Query.retentionReports", "RetentionReportPage", "/retentionReports", OF_MODERATORS, "{ retentionReports { @ } }").for_owners(),
    way("Query.retentionReports", "RetentionReport", "/retentionReports/reports/0", Seen { elsewhere: Sees::Nothing, ..OF_MODERATORS },
        "{ retentionReports { reports { @ } } }").for_owners(),
    way("Query.retentionReports", "", "/retentionReports", OF_MODERATORS,
        "query($reportCursor: String) { retentionReports(after: $reportCursor) { reports { hiddenCount } } }")
        .naming(&["Query.retentionReports.after"]).for_owners(),
    way("Mutation.retentionSet", "RetentionSetPayload", "/retentionSet", FOR_THE_CONVERSATION,
        "mutation($conversation: ID!) { retentionSet(input: { conversationId: $conversation, rule: FOREVER }) { @ } }")
        .naming(&["RetentionSetInput.conversationId"]),
    way("Mutation.moderationCaseResolve", "ModerationCaseResolvePayload", "/moderationCaseResolve", FOR_MODERATORS,
        "mutation($case: ID!) { moderationCaseResolve(input: { id: $case, resolution: DISMISSED, pardon: true }) { @ } }")
        .naming(&["ModerationCaseResolveInput.id"]).for_owners(),

    way("Mutation.issuerCreate", "IssuerCreatePayload", "/issuerCreate", OF_OPERATORS,
        r#"mutation { issuerCreate(input: { issuer: "https://more.example", audience: "jackfield", algorithms: [RS256], workspaces: ["*"], jwksUrl: "https://more.example/keys" }) { @ } }"#)
        .for_operators(),
    way("Mutation.issuerDelete", "IssuerDeletePayload", "/issuerDelete", OF_OPERATORS,
        "mutation($issuer: ID!) { issuerDelete(input: { issuerId: $issuer }) { @ } }")
        .naming(&["IssuerDeleteInput.issuerId"]).for_operators(),
    way("Query.jobs", "JobConnection", "/jobs", OF_OPERATORS, "{ jobs(ofHub: true, first: 10) { @ } }").for_operators(),
    way("Query.jobs", "JobEdge", "/jobs/edges/0", OF_OPERATORS, "{ jobs(ofHub: true, first: 10) { edges { @ } } }").for_operators(),
    way("Query.jobs", "Job", "/jobs/nodes/0", OF_OPERATORS, "{ jobs(ofHub: true, last: 10) { nodes { @ } } }").for_operators(),
    way("Query.jobs", "PageInfo", "/jobs/pageInfo", OF_OPERATORS, "{ jobs(ofHub: true, first: 10) { pageInfo { @ } } }").for_operators(),
    way("Query.jobs", "", "/jobs", OF_OPERATORS,
        "query($jobCursor: String) { jobs(ofHub: true, first: 10, after: $jobCursor) { nodes { id } } }")
        .naming(&["Query.jobs.after"]).for_operators(),
    way("Query.jobs", "", "/jobs", OF_OPERATORS,
        "query($jobCursor: String) { jobs(ofHub: true, last: 10, before: $jobCursor) { nodes { id } } }")
        .naming(&["Query.jobs.before"]).for_operators(),
    way("Query.jobs", "", "/jobs", OF_RUNNERS, "{ jobs(first: 10) { nodes { id } } }").for_owners(),
    way("Mutation.sessionCreate", "SessionCreatePayload", "/sessionCreate", FOR_WHO_HAS_IT,
        r#"mutation($login: String!, $password: String!) { sessionCreate(input: { workspace: "harbour", login: $login, password: $password }) { @ } }"#),
    way("Mutation.sessionCreate", "Credentials", "/sessionCreate/credentials", FOR_WHO_HAS_IT,
        r#"mutation($login: String!, $password: String!) { sessionCreate(input: { workspace: "harbour", login: $login, password: $password }) { credentials { @ } errors { code } } }"#),
    way("Mutation.sessionRefresh", "SessionRefreshPayload", "/sessionRefresh", FOR_WHO_HAS_IT,
        "mutation($refreshToken: String!) { sessionRefresh(input: { refreshToken: $refreshToken }) { @ } }"),
    way("Mutation.accountSignUp", "AccountSignUpPayload", "/accountSignUp", FOR_WHO_NAMES_IT,
        r#"mutation($invitationCode: String!, $password: String!) { accountSignUp(input: { workspace: "harbour", login: "newcomer", name: "New", password: $password, invitationCode: $invitationCode }) { @ } }"#),
    way("Mutation.sessionRevoke", "SessionRevokePayload", "/sessionRevoke", OF_THE_CONVERSATION,
        "mutation($session: ID!) { sessionRevoke(input: { sessionId: $session }) { @ } }")
        .naming(&["SessionRevokeInput.sessionId"]).for_who_signed_in(),
    way("Mutation.sessionRevokeAll", "SessionRevokeAllPayload", "/sessionRevokeAll", EVERYBODYS_OWN,
        "mutation { sessionRevokeAll(input: { keepCurrent: true }) { @ } }").for_who_signed_in(),
    way("Mutation.passwordChange", "PasswordChangePayload", "/passwordChange", OF_THE_CONVERSATION,
        "mutation($password: String!) { passwordChange(input: { oldPassword: $password, newPassword: $password }) { @ } }")
        .for_who_signed_in(),
    way("Mutation.userUpdate", "UserUpdatePayload", "/userUpdate", EVERYBODYS_OWN,
        r#"mutation { userUpdate(input: { statusText: "away" }) { @ } }"#),
    way("Mutation.invitationCreate", "InvitationCreatePayload", "/invitationCreate", NEW_TO_RUNNERS,
        "mutation { invitationCreate(input: {}) { @ } }").for_owners(),
    way("Mutation.invitationRevoke", "InvitationRevokePayload", "/invitationRevoke", NEW_TO_RUNNERS_ALONE,
        "mutation($invitation: ID!) { invitationRevoke(input: { invitationId: $invitation }) { @ } }")
        .naming(&["InvitationRevokeInput.invitationId"]).for_owners(),
    way("Mutation.legalHoldSet", "LegalHoldSetPayload", "/legalHoldSet", NEW_TO_RUNNERS_ALONE,
        r#"mutation($conversation: ID!) { legalHoldSet(input: { conversationId: $conversation, reason: "a case" }) { @ } }"#)
        .naming(&["LegalHoldSetInput.conversationId"]).for_owners(),
    way("Mutation.legalHoldSet", "LegalHold", "/legalHoldSet/legalHold", NEW_TO_RUNNERS_ALONE,
        r#"mutation($user: ID!) { legalHoldSet(input: { userId: $user, reason: "a case" }) { legalHold { @ } errors { code } } }"#)
        .naming(&["LegalHoldSetInput.userId"]).for_owners(),
    way("Mutation.legalHoldLift", "LegalHoldLiftPayload", "/legalHoldLift", NEW_TO_RUNNERS_ALONE,
        "mutation($legalHold: ID!) { legalHoldLift(input: { legalHoldId: $legalHold }) { @ } }")
        .naming(&["LegalHoldLiftInput.legalHoldId"]).for_owners(),
    way("Mutation.botCreate", "BotCreatePayload", "/botCreate", NEW_TO_RUNNERS,
        r#"mutation { botCreate(input: { name: "Robbie" }) { @ } }"#).for_owners(),
    way("Mutation.botTokenCreate", "BotTokenCreatePayload", "/botTokenCreate", NEW_TO_RUNNERS_ALONE,
        r#"mutation($bot: ID!) { botTokenCreate(input: { botId: $bot, name: "More", scopes: [READ] }) { @ } }"#)
        .naming(&["BotTokenCreateInput.botId"]).for_owners(),
    way("Mutation.botTokenRevoke", "BotTokenRevokePayload", "/botTokenRevoke", NEW_TO_RUNNERS_ALONE,
        "mutation($botToken: ID!) { botTokenRevoke(input: { tokenId: $botToken }) { @ } }")
        .naming(&["BotTokenRevokeInput.tokenId"]).for_owners(),
    way("Mutation.userRoleUpdate", "UserRoleUpdatePayload", "/userRoleUpdate", OF_RUNNERS_ALONE,
        "mutation($user: ID!) { userRoleUpdate(input: { userId: $user, role: MEMBER }) { @ } }")
        .naming(&["UserRoleUpdateInput.userId"]).for_owners(),
    way("Mutation.passwordReset", "PasswordResetPayload", "/passwordReset", FOR_WHO_HAS_IT,
        "mutation($resetCode: String!, $password: String!) { passwordReset(input: { code: $resetCode, newPassword: $password }) { @ } }"),
    way("Mutation.passwordResetRequest", "PasswordResetRequestPayload", "/passwordResetRequest", NEW_TO_RUNNERS_ALONE,
        "mutation($account: ID!) { passwordResetRequest(input: { userId: $account }) { @ } }")
        .naming(&["PasswordResetRequestInput.userId"]).for_owners(),
    way("Mutation.userDeactivate", "UserDeactivatePayload", "/userDeactivate", OF_RUNNERS_ALONE,
        "mutation($account: ID!) { userDeactivate(input: { userId: $account }) { @ } }")
        .naming(&["UserDeactivateInput.userId"]).for_owners(),
    way("Mutation.userReactivate", "UserReactivatePayload", "/userReactivate", OF_RUNNERS_ALONE,
        "mutation($account: ID!) { userReactivate(input: { userId: $account }) { @ } }")
        .naming(&["UserReactivateInput.userId"]).for_owners(),

    way("Mutation.conversationCreate", "UserError", "/conversationCreate/errors/0", NOBODYS,
        "mutation($user: ID!) { conversationCreate(input: { type: GROUP, memberIds: [$user] }) { errors { @ } } }"),
    way("Mutation.conversationCreate", "ConversationCreatePayload", "/conversationCreate", AMONG_COLLEAGUES,
        r#"mutation($user: ID!) { conversationCreate(input: { type: GROUP, title: "Mine", memberIds: [$user] }) { @ } }"#)
        .naming(&["ConversationCreateInput.memberIds"]),
    way("Mutation.conversationCreate", "ConversationCreatePayload", "/conversationCreate", AMONG_COLLEAGUES,
        "mutation($user: ID!) { conversationCreate(input: { type: DIRECT, memberIds: [$user] }) { @ } }"),
    // Before anybody is added to what is the asker's own.
    way("Mutation.conversationMemberUpdate", "ConversationMemberUpdatePayload", "/conversationMemberUpdate", OF_THE_CONVERSATION,
        "mutation($own: ID!, $user: ID!) { conversationMemberUpdate(input: { conversationId: $own, memberId: $user, role: MEMBER }) { @ } }")
        .naming(&["ConversationMemberUpdateInput.memberId"]),
    way("Mutation.conversationMemberAdd", "ConversationMemberAddPayload", "/conversationMemberAdd", OF_THE_CONVERSATION,
        "mutation($conversation: ID!, $user: ID!) { conversationMemberAdd(input: { conversationId: $conversation, memberIds: [$user] }) { @ } }")
        .naming(&["ConversationMemberAddInput.conversationId"]),
    way("Mutation.conversationMemberAdd", "ConversationMemberAddPayload", "/conversationMemberAdd", AMONG_COLLEAGUES,
        "mutation($own: ID!, $user: ID!) { conversationMemberAdd(input: { conversationId: $own, memberIds: [$user] }) { @ } }")
        .naming(&["ConversationMemberAddInput.memberIds"]),
    way("Mutation.conversationUpdate", "ConversationUpdatePayload", "/conversationUpdate", OF_THE_CONVERSATION,
        "mutation($conversation: ID!) { conversationUpdate(input: { conversationId: $conversation, history: FROM_JOIN }) { @ } }")
        .naming(&["ConversationUpdateInput.conversationId"]),
    way("Mutation.conversationArchive", "ConversationArchivePayload", "/conversationArchive", OF_THE_CONVERSATION,
        "mutation($conversation: ID!) { conversationArchive(input: { conversationId: $conversation }) { @ } }")
        .naming(&["ConversationArchiveInput.conversationId"]),
    way("Mutation.conversationReopen", "ConversationReopenPayload", "/conversationReopen", OF_THE_CONVERSATION,
        "mutation($conversation: ID!) { conversationReopen(input: { conversationId: $conversation }) { @ } }")
        .naming(&["ConversationReopenInput.conversationId"]),
    way("Mutation.conversationJoin", "ConversationJoinPayload", "/conversationJoin", OF_THE_CONVERSATION,
        "mutation($conversation: ID!) { conversationJoin(input: { conversationId: $conversation }) { @ } }")
        .naming(&["ConversationJoinInput.conversationId"]),
    way("Mutation.conversationJoin", "ConversationJoinPayload", "/conversationJoin", OF_THE_CONVERSATION,
        "mutation($conversationCode: String!) { conversationJoin(input: { code: $conversationCode }) { @ } }"),
    way("Mutation.conversationInvitationCreate", "ConversationInvitationCreatePayload", "/conversationInvitationCreate", OF_THE_CONVERSATION,
        "mutation($conversation: ID!) { conversationInvitationCreate(input: { conversationId: $conversation }) { @ } }")
        .naming(&["ConversationInvitationCreateInput.conversationId"]),
    way("Mutation.conversationInvitationRevoke", "ConversationInvitationRevokePayload", "/conversationInvitationRevoke", OF_THE_CONVERSATION,
        "mutation($conversationInvitation: ID!) { conversationInvitationRevoke(input: { invitationId: $conversationInvitation }) { @ } }")
        .naming(&["ConversationInvitationRevokeInput.invitationId"]),
    way("Mutation.conversationMemberUpdate", "ConversationMemberUpdatePayload", "/conversationMemberUpdate", OF_THE_CONVERSATION,
        "mutation($conversation: ID!, $user: ID!) { conversationMemberUpdate(input: { conversationId: $conversation, memberId: $user, role: MEMBER }) { @ } }")
        .naming(&["ConversationMemberUpdateInput.conversationId"]),
    way("Mutation.conversationMemberRemove", "ConversationMemberRemovePayload", "/conversationMemberRemove", OF_THE_CONVERSATION,
        "mutation($handedOver: ID!, $user: ID!) { conversationMemberRemove(input: { conversationId: $handedOver, memberId: $user }) { @ } }")
        .naming(&["ConversationMemberRemoveInput.conversationId", "ConversationMemberRemoveInput.memberId"]),
    way("Mutation.conversationMemberAdd", "ConversationMemberAddPayload", "/conversationMemberAdd", OF_THE_CONVERSATION,
        "mutation($handedOver: ID!, $user: ID!) { conversationMemberAdd(input: { conversationId: $handedOver, memberIds: [$user] }) { @ } }"),
    way("Mutation.conversationTransfer", "ConversationTransferPayload", "/conversationTransfer", OF_THE_CONVERSATION,
        "mutation($handedOver: ID!, $user: ID!) { conversationTransfer(input: { conversationId: $handedOver, memberId: $user }) { @ } }")
        .naming(&["ConversationTransferInput.conversationId", "ConversationTransferInput.memberId"]),
    way("Mutation.conversationLeave", "ConversationLeavePayload", "/conversationLeave", OF_THE_CONVERSATION,
        "mutation($left: ID!, $user: ID!) { conversationLeave(input: { conversationId: $left, successorId: $user }) { @ } }")
        .naming(&["ConversationLeaveInput.conversationId", "ConversationLeaveInput.successorId"]),
    way("Mutation.conversationDelete", "ConversationDeletePayload", "/conversationDelete", OF_THE_CONVERSATION,
        "mutation($deleted: ID!) { conversationDelete(input: { conversationId: $deleted }) { @ } }")
        .naming(&["ConversationDeleteInput.conversationId"]),
    way("Mutation.userBlock", "UserBlockPayload", "/userBlock", AMONG_COLLEAGUES,
        "mutation($user: ID!) { userBlock(input: { userId: $user }) { @ } }")
        .naming(&["UserBlockInput.userId"]),
    way("Mutation.userUnblock", "UserUnblockPayload", "/userUnblock", AMONG_COLLEAGUES,
        "mutation($user: ID!) { userUnblock(input: { userId: $user }) { @ } }")
        .naming(&["UserUnblockInput.userId"]),
    way("Mutation.conversationSettingsUpdate", "ConversationSettingsUpdatePayload", "/conversationSettingsUpdate", OF_THE_CONVERSATION,
        r#"mutation($conversation: ID!) { conversationSettingsUpdate(input: { conversationId: $conversation, sound: "a bell" }) { @ } }"#)
        .naming(&["ConversationSettingsUpdateInput.conversationId"]),
    way("Mutation.conversationOverride", "ConversationOverridePayload", "/conversationOverride", OF_RUNNERS_ALONE,
        r#"mutation($conversation: ID!) { conversationOverride(input: { conversationId: $conversation, reason: "a storm" }) { @ } }"#)
        .naming(&["ConversationOverrideInput.conversationId"]).for_owners(),
    way("Mutation.conversationAssign", "ConversationAssignPayload", "/conversationAssign", OF_RUNNERS_ALONE,
        "mutation($request: ID!, $agent: ID!) { conversationAssign(input: { conversationId: $request, assigneeId: $agent }) { @ } }")
        .naming(&["ConversationAssignInput.conversationId", "ConversationAssignInput.assigneeId"]).for_owners(),
    way("Mutation.conversationResolve", "ConversationResolvePayload", "/conversationResolve",
        Seen { admin: Sees::TheSame, ..OF_THE_CONVERSATION },
        "mutation($request: ID!) { conversationResolve(input: { conversationId: $request }) { @ } }")
        .naming(&["ConversationResolveInput.conversationId"]).for_owners(),
    way("Mutation.heldMessageReject", "HeldMessageRejectPayload", "/heldMessageReject", OF_RUNNERS_ALONE,
        "mutation($rejected: ID!) { heldMessageReject(input: { heldMessageId: $rejected }) { @ } }")
        .naming(&["HeldMessageRejectInput.heldMessageId"]).for_owners(),
    way("Mutation.heldMessageApprove", "HeldMessageApprovePayload", "/heldMessageApprove", OF_RUNNERS_ALONE,
        "mutation($approved: ID!) { heldMessageApprove(input: { heldMessageId: $approved }) { @ } }")
        .naming(&["HeldMessageApproveInput.heldMessageId"]).for_owners(),
    way("Mutation.pluginEnable", "PluginEnablePayload", "/pluginEnable", OF_RUNNERS,
        "mutation($plugin: ID!) { pluginEnable(input: { pluginId: $plugin }) { @ } }")
        .naming(&["PluginEnableInput.pluginId"]).for_owners(),
    way("Mutation.pluginEnable", "PluginEnablePayload", "/pluginEnable", OF_RUNNERS_ALONE,
        "mutation($plugin: ID!, $conversation: ID!) { pluginEnable(input: { pluginId: $plugin, conversationId: $conversation }) { @ } }")
        .naming(&["PluginEnableInput.conversationId"]).for_owners(),
    way("Mutation.pluginConfigure", "PluginConfigurePayload", "/pluginConfigure", OF_RUNNERS,
        "mutation($plugin: ID!) { pluginConfigure(input: { pluginId: $plugin, configuration: {} }) { @ } }")
        .naming(&["PluginConfigureInput.pluginId"]).for_owners(),
    way("Mutation.pluginSettingsUpdate", "PluginSettingsUpdatePayload", "/pluginSettingsUpdate", OF_RUNNERS,
        "mutation($watch: ID!) { pluginSettingsUpdate(input: { pluginId: $watch, priority: 7 }) { @ } }")
        .naming(&["PluginSettingsUpdateInput.pluginId"]).for_owners(),
    way("Mutation.pluginSettingsUpdate", "PluginSettingsUpdatePayload", "/pluginSettingsUpdate", OF_OPERATORS,
        "mutation($watch: ID!) { pluginSettingsUpdate(input: { pluginId: $watch, scope: HUB, priority: 8 }) { @ } }")
        .for_operators(),
    way("Mutation.pluginSettingsUpdate", "PluginSettingsUpdatePayload", "/pluginSettingsUpdate", OF_RUNNERS_ALONE,
        "mutation($watch: ID!, $conversation: ID!) { pluginSettingsUpdate(input: { pluginId: $watch, conversationIds: [$conversation] }) { @ } }")
        .naming(&["PluginSettingsUpdateInput.conversationIds"]).for_owners(),
    way("Mutation.pluginSecretSet", "PluginSecretSetPayload", "/pluginSecretSet", OF_RUNNERS,
        r#"mutation($watch: ID!) { pluginSecretSet(input: { pluginId: $watch, name: "key", value: "another one" }) { @ } }"#)
        .naming(&["PluginSecretSetInput.pluginId"]).for_owners(),
    way("Mutation.pluginSecretRemove", "PluginSecretRemovePayload", "/pluginSecretRemove", OF_RUNNERS,
        r#"mutation($watch: ID!) { pluginSecretRemove(input: { pluginId: $watch, name: "key" }) { @ } }"#)
        .naming(&["PluginSecretRemoveInput.pluginId"]).for_owners(),
    way("Mutation.deadLetterRetry", "DeadLetterRetryPayload", "/deadLetterRetry", NEW_TO_RUNNERS_ALONE,
        "mutation($retried: ID!) { deadLetterRetry(input: { deadLetterId: $retried }) { @ } }")
        .naming(&["DeadLetterRetryInput.deadLetterId"]).for_owners(),
    way("Mutation.deadLetterDiscard", "DeadLetterDiscardPayload", "/deadLetterDiscard", NEW_TO_RUNNERS_ALONE,
        "mutation($discarded: ID!) { deadLetterDiscard(input: { deadLetterId: $discarded }) { @ } }")
        .naming(&["DeadLetterDiscardInput.deadLetterId"]).for_owners(),
    way("Mutation.pluginDisable", "PluginDisablePayload", "/pluginDisable", OF_RUNNERS_ALONE,
        "mutation($plugin: ID!, $conversation: ID!) { pluginDisable(input: { pluginId: $plugin, conversationId: $conversation }) { @ } }")
        .naming(&["PluginDisableInput.conversationId"]).for_owners(),
    way("Mutation.pluginDisable", "PluginDisablePayload", "/pluginDisable", OF_RUNNERS,
        "mutation($plugin: ID!) { pluginDisable(input: { pluginId: $plugin }) { @ } }")
        .naming(&["PluginDisableInput.pluginId"]).for_owners(),
    way("Mutation.pluginInherit", "PluginInheritPayload", "/pluginInherit", OF_RUNNERS_ALONE,
        "mutation($plugin: ID!, $conversation: ID!) { pluginInherit(input: { pluginId: $plugin, conversationId: $conversation }) { @ } }")
        .naming(&["PluginInheritInput.conversationId"]).for_owners(),
    way("Mutation.pluginInherit", "PluginInheritPayload", "/pluginInherit", OF_RUNNERS,
        "mutation($plugin: ID!) { pluginInherit(input: { pluginId: $plugin }) { @ } }")
        .naming(&["PluginInheritInput.pluginId"]).for_owners(),
    way("Query.commands", "", "/commands", OF_THE_CONVERSATION,
        "query($conversation: ID!) { commands(conversationId: $conversation) { name } }")
        .naming(&["Query.commands.conversationId"]),
    way("Query.commands", "PluginCommand", "/commands/0", OF_THE_CONVERSATION,
        "query($conversation: ID!) { commands(conversationId: $conversation) { @ } }"),
    way("Query.commands", "PluginCommandArgument", "/commands/0/arguments/0", OF_THE_CONVERSATION,
        "query($conversation: ID!) { commands(conversationId: $conversation) { arguments { @ } } }"),
    way("Mutation.commandRun", "CommandRunPayload", "/commandRun", OF_THE_CONVERSATION,
        r#"mutation($conversation: ID!) { commandRun(input: { command: "echo", conversationId: $conversation, arguments: { of: "a" } }) { @ } }"#)
        .naming(&["CommandRunInput.conversationId"]),
    way("Mutation.commandRun", "CommandReply", "/commandRun/reply", OF_THE_CONVERSATION,
        r#"mutation($conversation: ID!, $guest: ID!) { commandRun(input: { plugin: $guest, command: "echo", conversationId: $conversation, arguments: { of: "a" } }) { reply { @ } errors { code } } }"#)
        .naming(&["CommandRunInput.plugin"]),
    way("Mutation.messageSend", "MessageSendPayload", "/messageSend", OF_THE_CONVERSATION,
        r#"mutation($conversation: ID!) { messageSend(input: { conversationId: $conversation, body: "hello" }) { @ } }"#)
        .naming(&["MessageSendInput.conversationId"]),
    way("Mutation.messageSend", "Message", "/messageSend/message", OF_THE_CONVERSATION,
        r#"mutation($own: ID!, $message: ID!) { messageSend(input: { conversationId: $own, type: LOCATION, body: "quite so", replyToId: $message, metadata: { a: 1 }, location: { latitude: 1, longitude: 2, label: "Pier" } }) { message { @ } errors { code } } }"#)
        .naming(&["MessageSendInput.replyToId"]),
    way("Mutation.messagesMarkDelivered", "MessagesMarkDeliveredPayload", "/messagesMarkDelivered", OF_THE_CONVERSATION,
        "mutation($message: ID!) { messagesMarkDelivered(input: { messageIds: [$message] }) { @ } }")
        .naming(&["MessagesMarkDeliveredInput.messageIds"]),
    way("Mutation.messagesMarkRead", "MessagesMarkReadPayload", "/messagesMarkRead", OF_THE_CONVERSATION,
        "mutation($message: ID!) { messagesMarkRead(input: { messageIds: [$message] }) { @ } }")
        .naming(&["MessagesMarkReadInput.messageIds"]),
    way("Mutation.conversationMarkRead", "ConversationMarkReadPayload", "/conversationMarkRead", OF_THE_CONVERSATION,
        "mutation($conversation: ID!) { conversationMarkRead(input: { conversationId: $conversation }) { @ } }")
        .naming(&["ConversationMarkReadInput.conversationId"]),
    way("Mutation.messageEdit", "MessageEditPayload", "/messageEdit", OF_THE_CONVERSATION,
        r#"mutation($message: ID!) { messageEdit(input: { messageId: $message, body: "another bird" }) { @ } }"#)
        .naming(&["MessageEditInput.messageId"]),
    // The last of the ways to a message: there is nothing left of it.
    way("Mutation.messageDelete", "MessageDeletePayload", "/messageDelete", OF_THE_CONVERSATION,
        "mutation($message: ID!) { messageDelete(input: { messageId: $message, forEveryone: true }) { @ } }")
        .naming(&["MessageDeleteInput.messageId"]),
    way("Mutation.typingStart", "TypingStartPayload", "/typingStart", OF_THE_CONVERSATION,
        "mutation($conversation: ID!) { typingStart(input: { conversationId: $conversation }) { @ } }")
        .naming(&["TypingStartInput.conversationId"]),
    way("Mutation.typingStop", "TypingStopPayload", "/typingStop", OF_THE_CONVERSATION,
        "mutation($conversation: ID!) { typingStop(input: { conversationId: $conversation }) { @ } }")
        .naming(&["TypingStopInput.conversationId"]),
    way("Mutation.workspaceUpdate", "WorkspaceUpdatePayload", "/workspaceUpdate", Seen { elsewhere: Sees::Nothing, ..OF_RUNNERS },
        "mutation($workspace: ID!) { workspaceUpdate(input: { workspaceId: $workspace, signUp: INVITED }) { @ } }")
        .naming(&["WorkspaceUpdateInput.workspaceId"]).for_owners(),
    way("Mutation.workspacePolicyUpdate", "WorkspacePolicyUpdatePayload", "/workspacePolicyUpdate", OF_RUNNERS,
        "mutation { workspacePolicyUpdate(input: { bodyMaxCharacters: 9998 }) { @ } }").for_owners(),
    way("Mutation.pluginUploadCreate", "PluginUploadCreatePayload", "/pluginUploadCreate", OF_OPERATORS,
        "mutation { pluginUploadCreate { @ } }").for_operators(),
    way("Mutation.pluginUploadCreate", "PluginUpload", "/pluginUploadCreate/upload", OF_OPERATORS,
        "mutation { pluginUploadCreate { upload { @ } errors { code } } }").for_operators(),
    way("Mutation.pluginUpgradeApprove", "PluginUpgradeApprovePayload", "/pluginUpgradeApprove", OF_OPERATORS,
        "mutation($watch: ID!) { pluginUpgradeApprove(input: { pluginId: $watch }) { @ } }")
        .naming(&["PluginUpgradeApproveInput.pluginId"]).for_operators(),
    // It wants still more, and waits.
    way("Mutation.pluginInstall", "PluginInstallPayload", "/pluginInstall", OF_OPERATORS,
        "mutation($upload: ID!) { pluginInstall(input: { uploadId: $upload }) { @ } }")
        .naming(&["PluginInstallInput.uploadId"]).for_operators(),
    way("Mutation.pluginInstall", "PluginInstallPayload", "/pluginInstall", OF_OPERATORS,
        "mutation($plugin: ID!) { pluginInstall(input: { bundled: $plugin }) { @ } }")
        .naming(&["PluginInstallInput.bundled"]).for_operators(),
    way("Mutation.pluginUpgradeReject", "PluginUpgradeRejectPayload", "/pluginUpgradeReject", OF_OPERATORS,
        "mutation($watch: ID!) { pluginUpgradeReject(input: { pluginId: $watch }) { @ } }")
        .naming(&["PluginUpgradeRejectInput.pluginId"]).for_operators(),
    way("Mutation.pluginRollBack", "PluginRollBackPayload", "/pluginRollBack", OF_OPERATORS,
        "mutation($watch: ID!) { pluginRollBack(input: { pluginId: $watch }) { @ } }")
        .naming(&["PluginRollBackInput.pluginId"]).for_operators(),
    way("Mutation.pluginEnable", "PluginEnablePayload", "/pluginEnable", OF_OPERATORS,
        "mutation($watch: ID!) { pluginEnable(input: { pluginId: $watch, scope: HUB }) { @ } }").for_operators(),
    way("Mutation.pluginDisable", "PluginDisablePayload", "/pluginDisable", OF_OPERATORS,
        "mutation($watch: ID!) { pluginDisable(input: { pluginId: $watch, scope: HUB }) { @ } }").for_operators(),
    // The last of the ways to it.
    way("Mutation.pluginRemove", "PluginRemovePayload", "/pluginRemove", OF_OPERATORS,
        "mutation($watch: ID!) { pluginRemove(input: { pluginId: $watch, withData: true }) { @ } }")
        .naming(&["PluginRemoveInput.pluginId"]).for_operators(),
    way("Mutation.jobRetry", "JobRetryPayload", "/jobRetry", OF_OPERATORS,
        "mutation($job: ID!) { jobRetry(input: { jobId: $job, ofHub: true }) { @ } }")
        .naming(&["JobRetryInput.jobId"]).for_operators(),
    way("Mutation.workspaceCreate", "WorkspaceCreatePayload", "/workspaceCreate", OF_OPERATORS,
        r#"mutation { workspaceCreate(input: { slug: "pier", name: "Pier" }) { @ } }"#)
        .for_operators(),
    // Whether there is a workspace of that name is the operator's to know.
    way("Mutation.workspaceCreate", "UserError", "/workspaceCreate/errors/0", OF_OPERATORS,
        r#"mutation($slug: String!) { workspaceCreate(input: { slug: $slug, name: "Again" }) { errors { @ } } }"#)
        .for_operators(),
    // The last of all: there is nothing left.
    way("Mutation.workspaceDelete", "WorkspaceDeletePayload", "/workspaceDelete", OF_OPERATORS,
        "mutation($workspace: ID!, $slug: String!) { workspaceDelete(input: { workspaceId: $workspace, slug: $slug }) { @ } }")
        .naming(&["WorkspaceDeleteInput.workspaceId"]).for_operators(),
];

/// A subscription, the interface or the type of what it tells, its input, and where that names what is not the asker's.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    pub by: &'static str,
    pub tells: &'static str,
    pub input: &'static str,
    pub names: &'static [&'static str],
}

pub const EVENTS: Live = Live {
    by: "Subscription.events",
    tells: "Event",
    input: "EventsInput",
    names: &["EventsInput.after", "EventsInput.conversationIds"],
};
pub const SIGNALS: Live = Live {
    by: "Subscription.signals",
    tells: "Signal",
    input: "SignalsInput",
    names: &["SignalsInput.conversationIds"],
};
pub const LOGS: Live = Live {
    by: "Subscription.pluginLogs",
    tells: "PluginLogLine",
    input: "PluginLogsInput!",
    names: &["PluginLogsInput.pluginId"],
};

/// The subscriptions are driven by stories of their own, which follow all of it at once.
pub const LIVE: &[Live] = &[EVENTS, SIGNALS, LOGS];

/// All the fields of a type.
pub fn fields_of(name: &str) -> &'static [&'static str] {
    FIELDS.iter().find(|(known, _)| *known == name).map_or(&[], |(_, fields)| fields)
}

/// The name of a field, without what follows it.
pub fn name_of(field: &str) -> &str {
    field.split([' ', '(']).next().unwrap_or_default()
}
