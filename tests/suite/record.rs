//! What is done by the power of a role stands in the record, whatever it is: a new mutation is named here, or this fails.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup,
        account::{account, does},
        guest::{GUEST, guest},
        packages::{seen, upload},
        person::text,
        wat::Guest,
    },
};

/// What everybody does for themselves, by no other power than that of taking part, and what leaves nothing behind.
const OF_EVERYBODY: &[&str] = &[
    "accountSignUp",
    "commandRun",
    "conversationCreate",
    "conversationJoin",
    "conversationMarkRead",
    "conversationSettingsUpdate",
    "messageEdit",
    "messageSend",
    "messagesMarkDelivered",
    "messagesMarkRead",
    "passwordChange",
    "passwordReset",
    "pluginUploadCreate",
    "sessionCreate",
    "sessionRefresh",
    "sessionRevoke",
    "sessionRevokeAll",
    "typingStart",
    "typingStop",
    "userBlock",
    "userUnblock",
    "userUpdate",
];

/// What plugins add. What they let people do they keep themselves: a case says who has decided about it, and when; a poll is closed
/// for all to see, and so is for how long messages are kept.
const OF_PLUGINS: &[&str] =
    &["moderationCaseResolve", "pollClose", "pollCreate", "pollRetractVote", "pollUpdate", "pollVote", "retentionSet"];

stories! {
    /// F: G-03, A-04, A-06
    async fn every_act_by_the_power_of_a_role_is_in_it(backend) {
        let world = Setup::new(backend).plugin(guest(|_| {})).start().await;
        let (ann, bob, cid) = (world.person("ann").await, world.person("bob").await, world.person("cid").await);
        let dora = account(&world, "dora").await;
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        let admin = world.person_with("max", json!({ "roles": ["admin"] })).await;
        let mo = world.person_with("mo", json!({ "roles": ["moderator"] })).await;
        let operator = world.operator().await;
        let mut record = Record { reader: owner.clone(), lines: 0, acts: BTreeSet::new(), actions: BTreeSet::new() };
        record.news().await;

        // Those who run the workspace.
        record.of(&admin, "workspaceUpdate", json!({ "name": "Harbour" }), "workspace { id }", "WORKSPACE_UPDATED").await;
        record.of(&admin, "workspacePolicyUpdate", json!({ "bodyMaxCharacters": 9000 }), "workspace { id }", "POLICY_UPDATED").await;
        let made = record.of(&admin, "invitationCreate", json!({}), "invitation { id }", "INVITATION_CREATED").await;
        let input = json!({ "invitationId": made["invitation"]["id"] });
        record.of(&admin, "invitationRevoke", input, "invitation { id }", "INVITATION_REVOKED").await;
        let input = json!({ "userId": cid.id, "reason": "a case" });
        let made = record.of(&admin, "legalHoldSet", input, "legalHold { id }", "LEGAL_HOLD_SET").await;
        let input = json!({ "legalHoldId": made["legalHold"]["id"] });
        record.of(&admin, "legalHoldLift", input, "liftedLegalHoldId", "LEGAL_HOLD_LIFTED").await;
        let bot = record.of(&admin, "botCreate", json!({ "name": "Robbie" }), "bot { id }", "BOT_CREATED").await;
        let input = json!({ "botId": bot["bot"]["id"], "name": "One", "scopes": ["READ"] });
        let token = record.of(&admin, "botTokenCreate", input, "token { id }", "BOT_TOKEN_CREATED").await;
        let input = json!({ "tokenId": token["token"]["id"] });
        record.of(&admin, "botTokenRevoke", input, "token { id }", "BOT_TOKEN_REVOKED").await;
        record.of(&admin, "userRoleUpdate", json!({ "userId": cid.id, "role": "MODERATOR" }), "user { id }", "USER_ROLE_UPDATED").await;
        record.of(&admin, "passwordResetRequest", json!({ "userId": dora.id }), "user { id }", "PASSWORD_RESET_REQUESTED").await;
        record.of(&admin, "userDeactivate", json!({ "userId": dora.id }), "user { id }", "USER_DEACTIVATED").await;
        record.of(&admin, "userReactivate", json!({ "userId": dora.id }), "user { id }", "USER_REACTIVATED").await;

        // Those who run a conversation.
        let tea = ann.group("Tea", &[&bob, &mo]).await;
        let (of_tea, tea_and) = (json!({ "conversationId": tea }), |whom: &Person| json!({ "conversationId": tea, "memberId": whom.id }));
        let input = json!({ "conversationId": tea, "title": "Coffee", "history": "FROM_JOIN" });
        record.of(&ann, "conversationUpdate", input, "conversation { id }", "CONVERSATION_UPDATED").await;
        record.of(&ann, "conversationArchive", of_tea.clone(), "conversation { id }", "CONVERSATION_ARCHIVED").await;
        record.of(&ann, "conversationReopen", of_tea.clone(), "conversation { id }", "CONVERSATION_REOPENED").await;
        let input = json!({ "conversationId": tea, "memberIds": [cid.id] });
        record.of(&ann, "conversationMemberAdd", input, "conversation { id }", "CONVERSATION_MEMBERS_ADDED").await;
        let input = json!({ "conversationId": tea, "memberId": bob.id, "role": "ADMIN" });
        record.of(&ann, "conversationMemberUpdate", input, "member { role }", "CONVERSATION_MEMBER_UPDATED").await;
        record.of(&bob, "conversationMemberRemove", tea_and(&cid), "conversation { id }", "CONVERSATION_MEMBER_REMOVED").await;
        let made = record.of(&bob, "conversationInvitationCreate", of_tea.clone(), "invitation { id }", "INVITATION_CREATED").await;
        let input = json!({ "invitationId": made["invitation"]["id"] });
        record.of(&bob, "conversationInvitationRevoke", input, "invitation { id }", "INVITATION_REVOKED").await;
        record.of(&ann, "conversationTransfer", tea_and(&bob), "conversation { id }", "CONVERSATION_TRANSFERRED").await;
        let input = json!({ "conversationId": tea, "successorId": ann.id });
        record.of(&bob, "conversationLeave", input, "conversationId", "CONVERSATION_TRANSFERRED").await;

        // Those who keep the peace, and those who help.
        let said = text(&ann.say(&tea, "something rude").await["id"]);
        let input = json!({ "messageId": said, "forEveryone": true });
        record.of(&mo, "messageDelete", input, "deletedMessageId", "MESSAGE_DELETED").await;
        let plugin = json!({ "pluginId": "jackfield.moderation" });
        record.of(&admin, "pluginEnable", plugin.clone(), "plugin { id }", "PLUGIN_UPDATED").await;
        let rules = json!({ "rules": [{ "kind": "words", "action": "hold", "words": ["gale"], "strikes": 0 }] });
        let input = json!({ "pluginId": plugin["pluginId"], "configuration": rules });
        record.of(&admin, "pluginConfigure", input, "plugin { id }", "PLUGIN_UPDATED").await;
        for (what, action) in [("heldMessageApprove", "HELD_MESSAGE_APPROVED"), ("heldMessageReject", "HELD_MESSAGE_REJECTED")] {
            let held = does(&ann, "messageSend", json!({ "conversationId": tea, "body": "a gale" }), "held { id }").await;
            record.of(&mo, what, json!({ "heldMessageId": held["held"]["id"] }), "heldMessage { id }", action).await;
        }
        record.of(&admin, "pluginDisable", plugin.clone(), "plugin { id }", "PLUGIN_UPDATED").await;
        record.of(&admin, "pluginInherit", plugin, "plugin { id }", "PLUGIN_UPDATED").await;
        let of_guest = |mut more: Value| {
            more["pluginId"] = json!(GUEST);
            more
        };
        for (what, more) in [
            ("pluginEnable", json!({})),
            ("pluginSettingsUpdate", json!({ "priority": 7 })),
            ("pluginSecretSet", json!({ "name": "key", "value": "open sesame" })),
            ("pluginSecretRemove", json!({ "name": "key" })),
        ] {
            record.of(&admin, what, of_guest(more), "plugin { id }", "PLUGIN_UPDATED").await;
        }
        for body in ["letter 1", "letter 2"] {
            ann.say(&tea, body).await;
        }
        world.db_execute(&format!(
            "INSERT INTO plugin_dead_letters (id, workspace_id, plugin_id, position, problem, attempts, created_at)
                SELECT id, workspace_id, '{GUEST}', 1, 'a fault', 1, 1 FROM messages WHERE body LIKE 'letter _'"
        )).await;
        let letters = seen(&owner, "deadLetters(first: 10) { nodes { id } }").await["deadLetters"]["nodes"].take();
        for (at, what) in ["deadLetterRetry", "deadLetterDiscard"].into_iter().enumerate() {
            let input = json!({ "deadLetterId": letters[at]["id"] });
            record.of(&admin, what, input, "plugin { id }", "PLUGIN_UPDATED").await;
        }
        record.of(&admin, "conversationOverride", json!({ "conversationId": tea, "reason": "a storm" }), "conversation { id }", "CONVERSATION_OVERRIDDEN").await;
        record.of(&ann, "conversationDelete", of_tea, "deletedConversationId", "CONVERSATION_DELETED").await;
        let help = text(&ann.create(json!({ "type": "SUPPORT", "memberIds": [] })).await["conversation"]["id"]);
        let input = json!({ "conversationId": help, "assigneeId": mo.id });
        record.of(&mo, "conversationAssign", input, "request { id }", "CONVERSATION_ASSIGNED").await;
        record.of(&mo, "conversationResolve", json!({ "conversationId": help }), "request { id }", "CONVERSATION_RESOLVED").await;

        // Those who run the hub.
        let made = record.of(&operator, "workspaceCreate", json!({ "slug": "pier", "name": "Pier" }), "workspace { id }", "WORKSPACE_CREATED").await;
        let input = json!({ "workspaceId": made["workspace"]["id"], "slug": "pier" });
        record.of(&operator, "workspaceDelete", input, "deletedWorkspaceId", "WORKSPACE_DELETED").await;
        let input = json!({
            "issuer": "https://some.example", "audience": "jackfield", "algorithms": ["RS256"], "workspaces": ["*"],
            "jwksUrl": "https://some.example/keys",
        });
        let made = record.of(&operator, "issuerCreate", input, "issuer { id }", "ISSUER_CREATED").await;
        record.of(&operator, "issuerDelete", json!({ "issuerId": made["issuer"]["id"] }), "deletedIssuerId", "ISSUER_DELETED").await;
        let package = |version: &str, capabilities: Value| {
            Guest::new().id("test.watch").with("/version", json!(version)).with("/capabilities", capabilities).build()
        };
        let watch = || json!({ "pluginId": "test.watch" });
        for (what, package, action) in [
            ("pluginInstall", Some(package("1.0.0", json!([]))), "PLUGIN_INSTALLED"),
            ("pluginInstall", Some(package("2.0.0", json!(["kv"]))), "PLUGIN_INSTALLED"),
            ("pluginUpgradeReject", None, "PLUGIN_UPDATED"),
            ("pluginInstall", Some(package("3.0.0", json!(["kv"]))), "PLUGIN_INSTALLED"),
            ("pluginUpgradeApprove", None, "PLUGIN_INSTALLED"),
            ("pluginRollBack", None, "PLUGIN_INSTALLED"),
        ] {
            let input = match package {
                Some(package) => json!({ "uploadId": upload(&operator, package).await }),
                None => watch(),
            };
            record.of(&operator, what, input, "plugin { id }", action).await;
        }
        let input = json!({ "pluginId": "test.watch", "withData": true });
        record.of(&operator, "pluginRemove", input, "removedPluginId", "PLUGIN_REMOVED").await;
        world.db_execute("UPDATE jobs SET state = 'dead' WHERE kind = 'job_sweep'").await;
        let jobs = operator.ask("{ jobs(ofHub: true, first: 100) { nodes { id state } } }", json!({})).await;
        let jobs = jobs["jobs"]["nodes"].as_array().expect("jobs");
        let dead = jobs.iter().find(|job| job["state"] == json!("DEAD")).expect("a job that was given up");
        record.of(&operator, "jobRetry", json!({ "jobId": dead["id"], "ofHub": true }), "job { id }", "JOB_RETRIED").await;

        // Nobody's power is needed for what is one's own, and it is nobody's business.
        let pair = text(&ann.create(json!({ "type": "DIRECT", "memberIds": [bob.id] })).await["conversation"]["id"]);
        let request = text(&ann.create(json!({ "type": "SUPPORT", "memberIds": [] })).await["conversation"]["id"]);
        let mine = text(&ann.say(&pair, "by mistake").await["id"]);
        for (what, input) in [
            ("conversationArchive", json!({ "conversationId": pair })),
            ("conversationReopen", json!({ "conversationId": pair })),
            ("conversationResolve", json!({ "conversationId": request })),
            ("conversationReopen", json!({ "conversationId": request })),
            ("messageDelete", json!({ "messageId": mine, "forEveryone": true })),
        ] {
            assert_eq!(does(&ann, what, input, "").await["errors"], json!([]), "{what}");
        }
        assert_eq!(record.news().await, Vec::<Value>::new());

        let schema = "{ mutation: __type(name: \"Mutation\") { fields { name } } action: __type(name: \"AuditAction\") { enumValues { name } } }";
        let schema = owner.ask(schema, json!({})).await;
        let names = |list: &Value| list.as_array().expect("names").iter().map(|item| text(&item["name"])).collect::<BTreeSet<_>>();
        record.acts.extend(OF_EVERYBODY.iter().chain(OF_PLUGINS).map(|name| (*name).to_owned()));
        assert_eq!(record.acts, names(&schema["mutation"]["fields"]), "each mutation is one or another");
        assert_eq!(record.actions, names(&schema["action"]["enumValues"]), "each action was done");
    }
}

/// The record of a workspace, as one reads it who runs it, and what was found in it.
struct Record {
    reader: Person,
    lines: usize,
    acts: BTreeSet<String>,
    actions: BTreeSet<String>,
}

impl Record {
    /// Does something that leaves one line.
    async fn of(&mut self, person: &Person, mutation: &str, input: Value, fields: &str, action: &str) -> Value {
        let done = does(person, mutation, input, fields).await;
        assert_eq!(done["errors"], json!([]), "{mutation}");
        let news = self.news().await;
        let [line] = news.as_slice() else { panic!("{mutation} left {news:?}") };
        let (at, target) = (text(&line["at"]), text(&line["target"]));
        assert!(!at.is_empty() && !target.is_empty(), "{line}");
        assert_eq!(
            (&line["action"], &line["actor"]["id"], &line["address"]),
            (&json!(action), &json!(person.id), &json!("127.0.0.1")),
            "{mutation}"
        );
        self.acts.insert(mutation.to_owned());
        self.actions.insert(action.to_owned());
        done
    }

    /// What has come to it since it was last looked at.
    async fn news(&mut self) -> Vec<Value> {
        let query =
            "{ auditLog(first: 100) { nodes { action actor { id } address at target } pageInfo { hasNextPage } } }";
        let mut found = self.reader.ask(query, json!({})).await["auditLog"].take();
        assert_eq!(found["pageInfo"]["hasNextPage"], json!(false), "all of it");
        let lines = found["nodes"].as_array_mut().expect("lines").split_off(self.lines);
        self.lines += lines.len();
        lines
    }
}
