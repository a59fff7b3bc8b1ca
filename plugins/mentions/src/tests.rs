//! Tables of messages, and whom they mention.

use super::*;

/// Somebody with each of these names, the first of whom writes, in one conversation; and Ned, who is not in it.
struct Room {
    hub: MockHub,
    people: Vec<User>,
    tea: Conversation,
}

fn room(names: &[&str]) -> Room {
    let hub = MockHub::new();
    let people: Vec<User> = names.iter().map(|name| hub.user(name)).collect();
    hub.user("Ned");
    let tea = hub.conversation(&people.iter().collect::<Vec<_>>());
    Room { hub, people, tea }
}

impl Room {
    fn tell(&self, kind: &str, message: &Message) {
        self.hub.after::<Mentions, _>(|plugin| plugin.on_event(self.hub.event(kind, message))).unwrap();
    }

    fn send(&self, text: &str) -> Message {
        let message = self.hub.message(&self.people[0], &self.tea, text);
        self.tell("message_sent", &message);
        message
    }

    /// In words: names, and what stands for groups.
    fn mentioned(&self, message: &Message) -> Vec<String> {
        let name = |target| match target {
            Target::User(id) => self.people.iter().find(|user| user.id == id).expect("a member").name.clone(),
            Target::Everyone => "everyone".to_owned(),
            Target::Online => "online".to_owned(),
            Target::WorkspaceRole(role) => format!("{role:?}").replace("WorkspaceRole::", ""),
            Target::ConversationRole(role) => format!("{role:?}"),
        };
        self.hub.mentioned(message).into_iter().map(name).collect()
    }
}

#[track_caller]
fn check(names: &[&str], cases: &[(&str, &[&str])]) {
    let room = room(names);
    for (text, expected) in cases {
        let message = room.send(text);
        assert_eq!(room.mentioned(&message), *expected, "{text:?}");
    }
}

const PEOPLE: &[&str] = &["Ann", "Bob", "Bob Dylan", "Anna", "Mary Ann O'Neill", "Zoë", "Jean-Luc", "x_men"];

/// F: P-21
#[test]
fn a_name_after_an_at_sign() {
    check(
        PEOPLE,
        &[
            ("Hello", &[]),
            ("Hello @Bob", &["Bob"]),
            ("@Bob, come", &["Bob"]),
            ("(@Bob)", &["Bob"]),
            ("@bob @BOB", &["Bob"]),
            ("@Bob's tea", &["Bob"]),
            ("@Bob.", &["Bob"]),
            ("@Zoë @Anna", &["Zoë", "Anna"]),
            ("**@Bob** _@Anna_ ~~@Zoë~~", &["Bob", "Anna", "Zoë"]),
            ("> @Bob\n\n- @Anna\n\n# @Zoë", &["Bob", "Anna", "Zoë"]),
            ("@Bobby @Bob2 @Bob_", &[]),
            ("@", &[]),
            ("@ Bob", &[]),
            ("@Ned is not here", &[]),
            ("@Jean-Luc @x_men!", &["Jean-Luc", "x_men"]),
        ],
    );
}

/// F: P-21
#[test]
fn the_sender_is_not_mentioned() {
    check(PEOPLE, &[("I, @Ann", &[]), ("@Ann and @Bob", &["Bob"])]);
}

/// F: P-21
#[test]
fn the_longest_name_is_meant() {
    check(
        PEOPLE,
        &[
            ("@Bob Dylan sings", &["Bob Dylan"]),
            ("@Bob  Dylan", &["Bob Dylan"]),
            ("@Bob\nDylan", &["Bob Dylan"]),
            ("@Bob\n\nDylan", &["Bob"]),
            ("@Bob Dylans", &["Bob"]),
            ("@Bob and @Bob Dylan", &["Bob", "Bob Dylan"]),
            ("@Mary Ann O'Neill?", &["Mary Ann O'Neill"]),
            ("@Mary Ann", &[]),
        ],
    );
}

/// F: P-21
#[test]
fn names_in_any_script_and_however_they_are_typed() {
    check(
        &["Ann", "Zoë", "José García", "Ольга", "田中", "田", "김민준", "Ἀθηνᾶ", "Straße", "İpek", "👑 Queen", "สมชาย"],
        &[
            ("@zoë", &["Zoë"]),
            ("@Zoe\u{308}!", &["Zoë"]),
            ("@Zoeann", &[]),
            ("@josé garcía", &["José García"]),
            ("@ольга", &["Ольга"]),
            ("@田中さん、おはよう", &["田中"]),
            ("こんにちは@田中", &["田中"]),
            ("@田さん", &["田"]),
            ("@김민준이 왔다", &["김민준"]),
            ("@ἀθηνᾶ", &["Ἀθηνᾶ"]),
            ("@STRASSE", &["Straße"]),
            ("@Straße", &["Straße"]),
            ("@İpek", &["İpek"]),
            ("@สมชายครับ", &["สมชาย"]),
        ],
    );
}

/// F: P-21
#[test]
fn names_whatever_their_capitals() {
    check(
        &["Ann", "ΝΙΚΟΣ", "Weiß", "STRAẞE"],
        &[
            ("@νικος", &["ΝΙΚΟΣ"]),
            ("@Νικος!", &["ΝΙΚΟΣ"]),
            ("@WEISS", &["Weiß"]),
            ("@weiss @straße @Strasse", &["Weiß", "STRAẞE"]),
        ],
    );
}

/// F: P-21
#[test]
fn blanks_of_any_kind_and_number_are_one() {
    check(
        &["Ann", "Zoë", "Zoë  Ann Müller", "Bob\u{a0}Dylan", " Eve\u{3000} \u{2009}May "],
        &[
            ("@Zoë Ann Müller", &["Zoë  Ann Müller"]),
            ("@Zoë\u{a0}Ann   Müller", &["Zoë  Ann Müller"]),
            ("@Zoë", &["Zoë"]),
            ("@Bob Dylan", &["Bob\u{a0}Dylan"]),
            ("@Bob\u{2003}\u{a0}Dylan", &["Bob\u{a0}Dylan"]),
            ("@eve may", &[" Eve\u{3000} \u{2009}May "]),
        ],
    );
}

/// F: P-21
#[test]
fn none_in_code() {
    check(
        PEOPLE,
        &[
            ("`@Bob`", &[]),
            ("``a ` @Bob``", &[]),
            ("```\n@Bob\n```", &[]),
            ("~~~rust\n@Bob\n~~~\n@Anna", &["Anna"]),
            ("text\n\n    @Bob\n", &[]),
            ("`a @Bob", &["Bob"]),
            ("`@Bob` @Anna", &["Anna"]),
            ("@`Bob`", &[]),
        ],
    );
}

/// F: P-21
#[test]
fn none_in_links_and_addresses() {
    check(
        PEOPLE,
        &[
            ("[@Bob](https://example.com)", &[]),
            ("[tea](https://example.com/@Bob)", &[]),
            ("![@Bob](https://example.com/a.png)", &[]),
            ("<https://example.com/@Bob>", &[]),
            ("https://example.com/@Bob", &[]),
            ("https://example.com/?to=@Bob", &[]),
            ("www.example.com/(@Bob", &[]),
            ("ann@Bob", &[]),
            ("ann@Bob.example", &[]),
            ("a.@Bob", &[]),
            ("[@Bob] @Anna", &["Bob", "Anna"]),
            ("https://example.com @Bob", &["Bob"]),
        ],
    );
}

/// F: P-21
#[test]
fn none_where_it_is_escaped_or_markup() {
    check(
        PEOPLE,
        &[("\\@Bob", &[]), ("\\\\ @Bob", &["Bob"]), ("<b title=\"@Bob\">x</b>", &[]), ("<b>@Bob</b>", &["Bob"])],
    );
}

/// F: P-21
#[test]
fn groups_by_their_words() {
    check(
        &["Ann", "All", "All Hands", "Here"],
        &[
            ("@all", &["everyone"]),
            ("@ALL!", &["everyone"]),
            ("@All Hands", &["All Hands"]),
            ("@here", &["online"]),
            ("@admins @moderators @owners", &["Admin", "Moderator", "Owner"]),
            ("@all @all @here", &["everyone", "online"]),
            ("@allies", &[]),
            ("`@all`", &[]),
        ],
    );
}

/// F: P-21
#[test]
fn the_words_for_groups_can_be_others() {
    let room = room(&["Ann", "Bob"]);
    room.hub.configure(json!({"everyone": ["alle", "tutti quanti"], "roles": {"chefs": "admin"}}));
    for (text, expected) in
        [("@alle", &["everyone"][..]), ("@Tutti Quanti!", &["everyone"]), ("@chefs", &["Admin"]), ("@all @admins", &[])]
    {
        assert_eq!(room.mentioned(&room.send(text)), expected, "{text}");
    }
}

/// F: P-21
#[test]
fn an_edit_adds_and_removes() {
    let room = room(&["Ann", "Bob", "Eve"]);
    let message = room.send("@Bob");
    for (text, expected) in
        [("@Bob @Eve", &["Bob", "Eve"][..]), ("@Eve", &["Eve"]), ("nobody", &[]), ("@all", &["everyone"])]
    {
        let message = room.hub.edit(&message, text);
        room.tell("message_edited", &message);
        assert_eq!(room.mentioned(&message), expected, "{text}");
    }
}

/// F: P-21
#[test]
fn what_the_message_says_by_now_counts() {
    let room = room(&["Ann", "Bob", "Eve"]);
    let message = room.hub.message(&room.people[0], &room.tea, "@Bob");
    let sent = room.hub.event("message_sent", &message);
    let message = room.hub.edit(&message, "@Eve");
    let edited = room.hub.event("message_edited", &message);
    let sent = Event { message: Some(message.clone()), ..sent };
    let batch = EventBatch { events: vec![sent, edited], attempt: 1 };
    room.hub.after::<Mentions, _>(|plugin| plugin.on_events(batch)).unwrap();
    assert_eq!(room.mentioned(&message), ["Eve"]);
}

/// F: P-21
#[test]
fn people_of_the_same_name_are_all_meant() {
    let room = room(&["Ann", "Bob", "Bob", "Ann"]);
    let message = room.send("@bob and @ann");
    assert_eq!(room.mentioned(&message), ["Bob", "Bob", "Ann"], "and the Ann who writes is not");
}

/// F: P-21
#[test]
fn one_of_many_of_a_kind_is_found() {
    let names: Vec<String> = (100..350).map(|number| format!("Bob {number}")).collect();
    let names: Vec<&str> = ["Ann"].into_iter().chain(names.iter().map(String::as_str)).collect();
    check(&names, &[("@Bob 349", &["Bob 349"]), ("@Bob 349 and @Bob 101", &["Bob 349", "Bob 101"])]);
}

/// F: P-21
#[test]
fn at_most_a_hundred_are_told() {
    let names: Vec<String> = (0..120).map(|number| format!("n{number}")).collect();
    let room = room(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let text: Vec<String> = names.iter().map(|name| format!("@{name}")).collect();
    let message = room.send(&text.join(" "));
    assert_eq!(room.mentioned(&message).len(), 100);
    assert!(room.hub.logged()[0].1.starts_with("119 are mentioned"), "{:?}", room.hub.logged());
}

/// F: P-21
#[test]
fn what_has_no_words_mentions_nobody() {
    let room = room(&["Ann", "Bob"]);
    let message = room.hub.message(&room.people[0], &room.tea, "@Bob");
    let encrypted = Message { body: Body::Encrypted, ..message.clone() };
    let deleted = Message { deleted_at: Some(room.hub.now()), ..message.clone() };
    let system = Message { kind: MessageKind::System, ..message.clone() };
    for other in [Some(encrypted), Some(deleted), Some(system), None] {
        let event = Event { message: other, ..room.hub.event("message_sent", &message) };
        room.hub.after::<Mentions, _>(|plugin| plugin.on_event(event)).unwrap();
        assert!(room.mentioned(&message).is_empty());
    }
    room.tell("message_sent", &message);
    assert_eq!(room.mentioned(&message), ["Bob"]);
}

/// F: P-21
#[test]
fn a_capability_that_was_not_granted_is_a_failure_and_nothing_is_done() {
    let room = room(&["Ann", "Bob"]);
    room.hub.deny("users.read");
    let message = room.hub.message(&room.people[0], &room.tea, "@Bob");
    let event = room.hub.event("message_sent", &message);
    let failure = room.hub.after::<Mentions, _>(|plugin| plugin.on_event(event)).unwrap_err();
    assert!(failure.to_string().contains("users.read"), "{failure}");
    assert!(room.mentioned(&message).is_empty());
}

/// F: P-21
#[test]
fn long_hostile_texts_take_no_time() {
    let room = room(&["Ann", "Bob"]);
    for text in
        ["@".repeat(20_000), "@B ".repeat(300), "`".repeat(20_000), "[".repeat(20_000), "@Bob\u{308}".repeat(50)]
    {
        room.send(&text);
    }
}
