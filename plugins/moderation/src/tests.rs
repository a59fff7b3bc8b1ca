//! Tables of rules and messages, and what becomes of them.

use super::*;

mod cases;

/// Somebody who wants to say things somewhere.
struct Room {
    hub: MockHub,
    ann: User,
    tea: Conversation,
}

fn room(configuration: Value) -> Room {
    let hub = MockHub::new();
    hub.configure(configuration);
    let (ann, tea) = hub.conversation_of("Ann");
    Room { hub, ann, tea }
}

/// A room with one rule, which may be broken as often as a test likes.
fn rule(mut rule: Value) -> Room {
    rule["strikes"] = json!(0);
    room(json!({ "rules": [rule] }))
}

/// A room with some rules, for which nobody is muted.
fn room_of(rules: Value) -> Room {
    room(json!({ "rules": rules, "strikes": { "limit": 100 } }))
}

impl Room {
    fn verdict(&self, user: &User, text: &str) -> MessageVerdict {
        self.hub.before::<Moderation, _>(|plugin| plugin.before_create(self.hub.draft(user, &self.tea, text))).unwrap()
    }

    /// `ok`, the text that it became, `hold: …`, or the code of the refusal.
    fn say_as(&self, user: &User, text: &str) -> String {
        match self.verdict(user, text) {
            MessageVerdict::Allow => "ok".to_owned(),
            MessageVerdict::Patch(patch) => patch.body.unwrap(),
            MessageVerdict::Hold(reason) => format!("hold: {reason}"),
            MessageVerdict::Reject(refusal) => refusal.code,
        }
    }

    fn say(&self, text: &str) -> String {
        self.say_as(&self.ann, text)
    }

    fn command(&self, user: &User, name: &str, about: &User) -> CommandAnswer {
        let call = CommandCall {
            command: name.to_owned(),
            viewer: user.clone(),
            conversation: Some(self.tea.id.clone()),
            arguments: vec![Argument { name: "user".to_owned(), value: ArgumentValue::User(about.id.clone()) }],
        };
        self.hub.after::<Moderation, _>(|plugin| plugin.run_command(call)).unwrap()
    }
}

#[track_caller]
fn check(room: &Room, cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(room.say(text), *expected, "{text:?}");
    }
}

/// F: P-23
#[test]
fn without_rules_everything_is_allowed() {
    check(&room(json!({})), &[("DARN https://spam.example", "ok"), ("", "ok")]);
}

/// F: P-23
#[test]
fn words_are_masked_whole_and_however_they_are_disguised() {
    let words = ["darn", "heck*", "*blast", "*gee*", "oh my", "тьфу", "馬鹿", "바보", "na*ve"];
    let room = rule(json!({ "kind": "words", "action": "mask", "words": words }));
    check(
        &room,
        &[
            ("fine", "ok"),
            ("darn", "••••"),
            ("well, darn!", "well, ••••!"),
            ("DaRn", "••••"),
            ("därn", "••••"),
            ("da\u{301}rn", "•••••"),
            ("d\u{200b}arn", "•••••"),
            ("ｄａｒｎ", "••••"),
            ("𝐝𝐚𝐫𝐧", "••••"),
            ("darning", "ok"),
            ("undarn", "ok"),
            ("darn_it", "••••_it"),
            ("darn darn", "•••• ••••"),
            ("heck hecking", "•••• ••••ing"),
            ("sandblast blasted", "sand••••• blasted"),
            ("pigeeon", "pi•••on"),
            ("oh  my!", "••  ••!"),
            ("oh\nmy", "••\n••"),
            ("oh myself", "ok"),
            ("Тьфу!", "••••!"),
            ("この馬鹿者", "この••者"),
            ("바보야", "••야"),
            ("na*ve", "•••••"),
        ],
    );
}

/// F: P-23
#[test]
fn words_are_found_whatever_their_capitals() {
    let words = ["σίσυφος", "straße", "ΒΛΑΚΑΣ", "GROSS", "*ςκ*"];
    check(
        &rule(json!({ "kind": "words", "action": "mask", "words": words })),
        &[
            ("ΣΊΣΥΦΟΣ σισυφοσ", "••••••• •••••••"),
            ("STRASSE, Strasse, STRAẞE", "•••••••, •••••••, ••••••"),
            ("βλάκας", "••••••"),
            ("groß", "••••"),
            ("ΑΣΚΩ", "Α••Ω"),
        ],
    );
}

/// F: P-23
#[test]
fn words_are_found_as_they_are_shown() {
    let room = rule(json!({ "kind": "words", "action": "mask", "words": ["darn", "oh my", "f*ck", "바보"] }));
    check(
        &room,
        &[
            ("&#100;arn", "•••••••••"),
            ("da**rn**!", "••**••**!"),
            ("_d_arn", "ok"),
            ("*d*arn", "*•*•••"),
            ("da\\_rn", "ok"),
            ("d`ar`n", "•`••`•"),
            ("[da](https://example.com)rn", "[••](https://example.com)••"),
            ("oh **my**", "•• **••**"),
            ("f*ck y*u", "•••• y*u"),
            ("ᄇ\u{1161}ᄇ\u{1169}", "••••"),
            ("&amp; darn **it**", "&amp; •••• **it**"),
        ],
    );
}

/// F: P-23
#[test]
fn of_two_words_the_longer_is_found_and_each_rule_finds_its_own() {
    let words =
        |action: &str, words: Value| json!({ "kind": "words", "action": action, "words": words, "name": action });
    let room = rule(words("mask", json!(["a", "a b", "*b c*", "x*", "*y"])));
    check(
        &room,
        &[("a b c", "• • •"), ("a d a", "• d •"), ("ab c", "a• •"), ("xylophone", "•ylophone"), ("sexy", "sex•")],
    );
    let both = room_of(json!([words("hold", json!(["heck"])), words("mask", json!(["*heck*", "ec"]))]));
    check(&both, &[("heck", "hold: hold («heck»), mask («heck»)"), ("hecks", "••••s")]);
}

/// F: P-23
#[test]
fn patterns_are_regular_expressions() {
    let room = rule(json!({ "kind": "pattern", "action": "mask", "pattern": r"\b\d{4}[ -]?\d{4}\b|secret" }));
    check(
        &room,
        &[
            ("1234 5678", "•••• ••••"),
            ("call 1234-5678 now", "call ••••••••• now"),
            ("12345678", "••••••••"),
            ("123456789", "ok"),
            ("SECRET", "••••••"),
        ],
    );
    for (pattern, text, expected) in [
        ("a+b|a", "aab ac", "••• •c"),
        ("a.*?b", "acb b", "••• •"),
        ("(ab){2,3}", "ab abab abababab", "ab •••• ••••••ab"),
        ("[^a-y ]", "zebra ZOO", "•ebra •OO"),
        ("^a|b$", "aab b", "•ab •"),
        (r"\Bar", "are bar", "are b••"),
        ("[а-я]+", "tea ЧАЙ", "tea •••"),
        (r"(?i)\w+@\w+\.com", "ann@Tea.COM", "•••••••••••"),
        ("1234", "12**34**", "••**••**"),
        ("(x|yz)?w", "w yzw zw", "• ••• z•"),
        ("a{0}b", "ab", "a•"),
        ("ab{2,}c", "abc abbc abbbbc", "abc •••• ••••••"),
    ] {
        let room = rule(json!({ "kind": "pattern", "action": "mask", "pattern": pattern }));
        assert_eq!(room.say(text), expected, "{pattern} in {text:?}");
    }
    let anything = rule(json!({ "kind": "pattern", "action": "reject", "pattern": "x*" }));
    check(&anything, &[("abc", "ok"), ("axc", "TEXT_NOT_ALLOWED")]);
}

/// F: P-23
#[test]
fn a_pattern_that_ruins_others_takes_no_time() {
    let room = rule(json!({ "kind": "pattern", "action": "reject", "pattern": "^(a+)+$" }));
    assert_eq!(room.say(&format!("{}!", "a".repeat(5_000))), "ok");
    let words: Vec<String> = (0..100).map(|number| format!("*{}b{number}*", "a".repeat(90))).collect();
    let room = rule(json!({ "kind": "words", "action": "reject", "words": words }));
    assert_eq!(room.say(&"a".repeat(10_000)), "ok");
}

/// F: P-23
#[test]
fn links_at_all() {
    let room = rule(json!({ "kind": "links", "action": "reject" }));
    for text in [
        "https://example.com",
        "see http://example.com/a?b#c",
        "HTTPS://EXAMPLE.COM",
        "[tea](https://example.com)",
        "[tea](//example.com)",
        "<ftp://example.com>",
        "www.example.com",
        "(www.example.com)",
        "**https://example.com**",
        "seehttps://example.com",
        "https:\u{200b}//example.com",
        "https://user:word@example.com:8080/",
        "https://localhost",
        "[x](https&colon;//evil.example)",
        "[x](https:&#47;&#47;evil.example)",
        "![x](https&colon;//evil.example/p.png)",
        "[x][1]\n\n[1]: https&colon;//evil.example",
        "[1]\n\n[1]: <https:&sol;/evil.example>",
        "[x](mailto:ann@example.com)",
        "<ann@example.com>",
        "https&colon;//evil.example",
    ] {
        assert_eq!(room.say(text), "LINK_NOT_ALLOWED", "{text:?}");
    }
    for text in ["no link", "end.Then", "file.txt", "1.5", "a // b", "and/or", "ann@example.com", "example.com"] {
        assert_eq!(room.say(text), "ok", "{text:?}");
    }
}

/// F: P-23
#[test]
fn links_to_some_domains() {
    let only = rule(json!({ "kind": "links", "action": "reject", "only": ["example.com", "Wiki.example.ORG"] }));
    let (no, ok) = ("LINK_NOT_ALLOWED", "ok");
    check(
        &only,
        &[
            ("https://example.com/x", ok),
            ("https://docs.example.com", ok),
            ("https://wiki.example.org.", ok),
            ("https://example.org", no),
            ("https://notexample.com", no),
            ("https://example.com.evil.example", no),
            ("https://example.com@evil.example", no),
            ("https://evil.example#example.com", no),
            ("https://evil.example\\@example.com", no),
            ("https://example.com https://evil.example", no),
            ("[x](https://example.com)", ok),
            ("[x](https&colon;//evil.example)", no),
            ("[https://example.com](https://evil.example)", no),
            ("[x](https://example.com%2F@evil.example)", no),
            ("[x](https:///evil.example)", no),
            ("<ann@example.com> [x](mailto:ann@example.com?subject=a)", ok),
            ("[x](mailto:ann@evil.example)", no),
            ("[x](mailto:ann@evil.example,ann@example.com)", no),
            ("[x](tea.html)", ok),
        ],
    );
    let never = rule(json!({ "kind": "links", "action": "mask", "never": ["spam.example"] }));
    check(
        &never,
        &[
            ("https://example.com", ok),
            ("https://spam.example/x y", "•••••••••••••••••••••• y"),
            ("buy at spam.example!", "buy at •••••••••••••"),
            ("at more.spam.example", "at •••••••••••••••••"),
            ("spam．example", "••••••••••••"),
            ("antispam.example", ok),
            ("see [this](https&colon;//spam.example)", "see ••••••••••••••••••••••••••••••••••"),
            ("https://spam%2eexample", "••••••••••••••••••••••"),
        ],
    );
    for domain in ["bücher.de", "xn--bcher-kva.de", "BÜCHER.DE", "*.bu\u{308}cher.de"] {
        let never = rule(json!({ "kind": "links", "action": "reject", "never": [domain] }));
        for text in
            ["https://bücher.de", "http://xn--bcher-kva.de/a", "XN--BCHER-KVA.DE", "[x](https://www.b&uuml;cher.de)"]
        {
            assert_eq!(never.say(text), no, "{domain} {text}");
        }
        check(&never, &[("https://bucher.de", ok), ("https://xn--bcher-.de", ok)]);
    }
}

/// F: P-23
#[test]
fn floods_are_counted_over_a_sliding_time() {
    let room = rule(json!({ "kind": "flood", "action": "reject", "messages": 3, "seconds": 10 }));
    for number in 0..3 {
        assert_eq!(room.say(&format!("{number}")), "ok");
    }
    assert_eq!(room.say("4"), "TOO_MANY_MESSAGES");
    let bob = room.hub.user("Bob");
    assert_eq!(room.say_as(&bob, "5"), "ok", "each for themselves");
    room.hub.pass_seconds(10);
    assert_eq!(room.say("6"), "TOO_MANY_MESSAGES", "what was refused was sent, too");
    room.hub.pass_seconds(20);
    assert_eq!(room.say("7"), "ok");
}

/// F: P-23
#[test]
fn repetitions_are_counted_wherever_they_are() {
    let room = rule(json!({ "kind": "duplicates", "action": "reject", "times": 2, "seconds": 60 }));
    check(
        &room,
        &[
            ("Buy!", "ok"),
            ("buy!  ", "ok"),
            ("BUY!", "REPEATED_MESSAGE"),
            ("Sell!", "ok"),
            ("", "ok"),
            ("", "ok"),
            ("", "ok"),
        ],
    );
    room.hub.pass_seconds(60);
    assert_eq!(room.say("Buy!"), "ok");
}

/// F: P-23
#[test]
fn capitals_in_part_and_from_a_length_on() {
    let room = rule(json!({ "kind": "capitals", "action": "reject", "percent": 70, "min_letters": 5 }));
    let no = "TOO_MANY_CAPITALS";
    check(
        &room,
        &[("HELLO", no), ("HELlo", "ok"), ("HELLo!!! 123", no), ("OK", "ok"), ("ПРИВЕТ", no), ("你好你好你好", "ok")],
    );
    let usual = rule(json!({ "kind": "capitals", "action": "reject" }));
    check(&usual, &[("NINETEEN LETTERS OK", "ok"), ("TWENTY LETTERS AND MORE", no)]);
}

/// F: P-23
#[test]
fn new_members_grow_old() {
    let room = rule(json!({
        "kind": "new_members", "action": "reject", "hours": 24, "messages": 2, "links": false
    }));
    check(&room, &[("https://example.com", "TOO_NEW"), ("one", "ok"), ("two", "TOO_NEW")]);
    room.hub.pass_seconds(2 * 3600);
    check(&room, &[("three", "ok"), ("https://example.com", "TOO_NEW")]);
    room.hub.pass_seconds(22 * 3600);
    check(&room, &[("https://example.com", "ok"), ("a", "ok"), ("b", "ok"), ("c", "ok")]);
}

/// F: P-23
#[test]
fn the_sternest_action_is_taken() {
    let words =
        |action: &str, word: &str| json!({ "kind": "words", "action": action, "words": [word], "name": action });
    let room = room(json!({
        "rules": [words("flag", "one"), words("mask", "two"), words("hold", "three"), words("reject", "four")],
        "strikes": { "limit": 100 },
    }));
    check(
        &room,
        &[
            ("one", "ok"),
            ("one two", "one •••"),
            ("one two three", "hold: flag («one»), mask («two»), hold («three»)"),
            ("one two three four", "WORD_NOT_ALLOWED"),
        ],
    );
}

/// F: P-23
#[test]
fn the_sender_reads_what_the_admin_wrote() {
    let room = rule(json!({ "kind": "words", "action": "reject", "words": ["darn"], "reason": "Mind the children." }));
    assert_eq!(room.verdict(&room.ann, "darn"), MessageVerdict::reject("WORD_NOT_ALLOWED", "Mind the children."));
}

/// F: P-23
#[test]
fn those_who_keep_the_peace_are_exempt_unless_the_admin_says_otherwise() {
    let rules = json!([{ "kind": "words", "action": "reject", "words": ["darn"] }]);
    let room = room(json!({ "rules": rules }));
    for (role, expected) in [
        (WorkspaceRole::Owner, "ok"),
        (WorkspaceRole::Admin, "ok"),
        (WorkspaceRole::Moderator, "ok"),
        (WorkspaceRole::Member, "WORD_NOT_ALLOWED"),
        (WorkspaceRole::Bot, "WORD_NOT_ALLOWED"),
    ] {
        let user = room.hub.user_as("Somebody", role);
        assert_eq!(room.say_as(&user, "darn"), expected, "{role:?}");
    }
    room.hub.configure(json!({ "rules": rules, "exempt_roles": ["bot"] }));
    assert_eq!(room.say_as(&room.hub.user_as("Bot", WorkspaceRole::Bot), "darn"), "ok");
    assert_eq!(room.say_as(&room.hub.user_as("Owner", WorkspaceRole::Owner), "darn"), "WORD_NOT_ALLOWED");
}

fn strict() -> Room {
    room(json!({
        "rules": [{ "kind": "words", "action": "reject", "words": ["darn"] }],
        "strikes": { "limit": 2, "decay_hours": 1, "mute_minutes": 30 },
    }))
}

/// F: P-23
#[test]
fn strikes_count_for_what_was_refused_and_mute() {
    let room = strict();
    check(&room, &[("darn", "WORD_NOT_ALLOWED"), ("hello", "ok")]);
    let MessageVerdict::Reject(refusal) = room.verdict(&room.ann, "darn") else { panic!("it was not refused") };
    assert!(refusal.reason.ends_with("You are muted for 30 minutes."), "{}", refusal.reason);
    assert_eq!(room.say("hello"), "MUTED");
    room.hub.pass_seconds(29 * 60);
    assert_eq!(room.verdict(&room.ann, "hello"), MessageVerdict::reject("MUTED", "You are muted for another minute."));
    room.hub.pass_seconds(60);
    check(&room, &[("hello", "ok"), ("darn", "WORD_NOT_ALLOWED"), ("hello", "MUTED")]);
}

/// F: P-23
#[test]
fn whoever_is_muted_gets_no_further_strikes() {
    let room = strict();
    check(&room, &[("darn", "WORD_NOT_ALLOWED"), ("darn", "WORD_NOT_ALLOWED"), ("darn", "MUTED"), ("darn", "MUTED")]);
    room.hub.pass_seconds(3600);
    check(&room, &[("hello", "ok"), ("darn", "WORD_NOT_ALLOWED"), ("hello", "MUTED")]);
}

/// F: P-23
#[test]
fn strikes_are_forgotten_one_by_one() {
    let room = room(json!({
        "rules": [{ "kind": "words", "action": "flag", "words": ["darn"], "strikes": 1 }],
        "strikes": { "limit": 4, "decay_hours": 1 },
    }));
    let eve = room.hub.user_as("Eve", WorkspaceRole::Moderator);
    let tell = || match room.command(&eve, "strikes", &room.ann) {
        CommandAnswer::Reply(reply) => reply.text.unwrap(),
        CommandAnswer::Refuse(refusal) => panic!("{refusal:?}"),
    };
    assert_eq!(tell(), "No strikes.");
    check(&room, &[("darn", "ok"), ("darn", "ok"), ("darn", "ok")]);
    for (seconds, expected) in [
        (0, "3 strikes of 4."),
        (3599, "3 strikes of 4."),
        (1, "2 strikes of 4."),
        (3600, "1 strike of 4."),
        (3600, "No strikes."),
    ] {
        room.hub.pass_seconds(seconds);
        assert_eq!(tell(), expected);
    }
}

/// F: P-23
#[test]
fn masks_and_flags_give_no_strike_unless_the_admin_says_so() {
    for (action, strikes, expected) in [
        ("mask", None, "••••"),
        ("flag", None, "ok"),
        ("mask", Some(2), "MUTED"),
        ("flag", Some(2), "MUTED"),
        ("reject", Some(0), "WORD_NOT_ALLOWED"),
        ("hold", None, "MUTED"),
    ] {
        let room = room(json!({
            "rules": [{ "kind": "words", "action": action, "words": ["darn"], "strikes": strikes }],
            "strikes": { "limit": 2 },
        }));
        room.say("darn");
        room.say("darn");
        assert_eq!(room.say("darn"), expected, "{action} {strikes:?}");
    }
}

/// F: P-23
#[test]
fn who_is_muted_by_what_is_held_reads_of_it_when_they_speak_again() {
    let room = room(json!({
        "rules": [{ "kind": "words", "action": "hold", "words": ["darn"] }],
        "strikes": { "limit": 1, "mute_minutes": 30 },
    }));
    assert_eq!(room.say("darn"), "hold: words («darn»)");
    let told = "You are muted for another 30 minutes. A message of yours that waits for a moderator was one too many.";
    assert_eq!(room.verdict(&room.ann, "hello"), MessageVerdict::reject("MUTED", told));
}

/// F: P-23
#[test]
fn the_moderator_reads_of_all_that_was_found_in_what_is_held() {
    let room = room_of(json!([
        { "kind": "words", "action": "hold", "words": ["perhaps", "oh*"], "name": "doubts" },
        { "kind": "words", "action": "mask", "words": ["darn", "heck", "blast", "gee"] },
        { "kind": "links", "action": "flag" },
        { "kind": "capitals", "action": "flag", "min_letters": 40 },
    ]));
    check(
        &room,
        &[
            ("Perhaps, perhaps", "hold: doubts («Perhaps», «perhaps»)"),
            ("perhaps darn heck blast gee", "hold: doubts («perhaps»), words («darn», «heck», «blast»)"),
            ("oh https://example.com/a", "hold: doubts («oh»), links («example.com»)"),
            (&format!("PERHAPS {}", "A".repeat(50)), "hold: doubts («PERHAPS»), capitals"),
        ],
    );
    let pattern = rule(json!({ "kind": "pattern", "action": "hold", "pattern": "a+ +a+" }));
    let long = "a".repeat(50);
    check(&pattern, &[(&format!("{long}   {long}"), &format!("hold: pattern («{}…»)", "a".repeat(40)))]);
}

/// F: P-23
#[test]
fn what_is_too_much_to_look_at_is_refused() {
    let (letters, greek) = ("a".repeat(10_000), "Σ".repeat(10_000));
    let words = rule(json!({ "kind": "words", "action": "flag", "words": ["darn"] }));
    check(&words, &[(&letters, "ok"), (&greek, "ok"), (&format!("*{greek}"), "TOO_LONG")]);
    check(
        &words,
        &[(&"*a*".repeat(1_200), "ok"), (&"*a*".repeat(1_300), "TOO_MUCH_MARKUP"), (&"!".repeat(9_999), "ok")],
    );
    let links = rule(json!({ "kind": "links", "action": "flag", "never": ["spam.example"] }));
    check(&links, &[(&"a.b ".repeat(1_000), "ok"), (&"a.b ".repeat(1_001), "TOO_MANY_LINKS")]);
    let all = json!([
        { "kind": "words", "action": "flag", "words": ["darn"] },
        { "kind": "pattern", "action": "flag", "pattern": "darn" },
        { "kind": "pattern", "action": "flag", "pattern": "heck" },
        { "kind": "links", "action": "flag" },
    ]);
    check(&room_of(all), &[(&letters, "ok"), (&greek, "TOO_LONG"), (&greek[..8_000], "ok")]);
    let flood = rule(json!({ "kind": "flood", "action": "flag", "messages": 9, "seconds": 9 }));
    check(&flood, &[(&greek, "ok"), (&"*a*".repeat(3_000), "ok")]);
}

/// F: P-23
#[test]
fn moderators_pardon_and_others_do_not() {
    let room = strict();
    let eve = room.hub.user_as("Eve", WorkspaceRole::Moderator);
    check(&room, &[("darn", "WORD_NOT_ALLOWED"), ("darn", "WORD_NOT_ALLOWED")]);
    assert!(matches!(room.command(&room.ann, "pardon", &room.ann), CommandAnswer::Refuse(_)));
    assert!(matches!(room.command(&room.ann, "strikes", &room.ann), CommandAnswer::Refuse(_)));
    assert_eq!(
        room.command(&eve, "strikes", &room.ann),
        CommandAnswer::say("2 strikes of 2, muted for another 30 minutes.")
    );
    assert_eq!(room.say("hello"), "MUTED");
    assert_eq!(room.command(&eve, "pardon", &room.ann), CommandAnswer::say("All strikes are forgotten."));
    assert_eq!(room.command(&eve, "strikes", &room.ann), CommandAnswer::say("No strikes."));
    check(&room, &[("hello", "ok"), ("darn", "WORD_NOT_ALLOWED"), ("hello", "ok")]);
}

/// F: P-23
#[test]
fn moderators_are_told_of_what_was_flagged_once_it_is_there() {
    let room = room(json!({ "rules": [
        { "kind": "words", "action": "flag", "words": ["darn"], "name": "language" },
        { "kind": "words", "action": "mask", "words": ["heck"] },
    ] }));
    let tell = |kind: &str, message: &Message| {
        let events = vec![room.hub.event(kind, message)];
        room.hub.after::<Moderation, _>(|plugin| plugin.on_events(EventBatch { events, attempt: 1 })).unwrap();
    };
    let sent = room.say("darn heck");
    assert_eq!(sent, "darn ••••");
    assert!(room.hub.notices().is_empty());
    let message = room.hub.message(&room.ann, &room.tea, &sent);
    tell("message_sent", &message);
    assert_eq!(room.hub.annotation(&message).unwrap()["flags"], json!(["language"]));
    let notices = room.hub.notices();
    assert_eq!((notices.len(), notices[0].kind.as_str()), (1, "flagged"));
    assert_eq!(notices[0].audience, notices::Audience::Moderators);
    let payload: Value = serde_json_of(&notices[0].payload);
    assert_eq!((&payload["message"], &payload["rules"]), (&json!(message.id), &json!(["language"])));

    let harmless = room.hub.message(&room.ann, &room.tea, "hello");
    tell("message_sent", &harmless);
    assert_eq!((room.hub.annotation(&harmless), room.hub.notices().len()), (None, 1));
}

fn serde_json_of(text: &str) -> Value {
    jackfield_plugin::serde_json::from_str(text).unwrap()
}

/// F: P-23
#[test]
fn edits_are_looked_at_but_are_no_flood() {
    let room = room(json!({ "rules": [
        { "kind": "words", "action": "mask", "words": ["heck"] },
        { "kind": "words", "action": "hold", "words": ["blast"] },
        { "kind": "words", "action": "reject", "words": ["darn"] },
        { "kind": "flood", "action": "reject", "messages": 1, "seconds": 60 },
        { "kind": "duplicates", "action": "reject", "times": 1, "seconds": 60 },
    ] }));
    let message = room.hub.message(&room.ann, &room.tea, "hello");
    let edit = |text| {
        room.hub.before::<Moderation, _>(|plugin| plugin.before_edit(room.hub.edit_draft(&message, text))).unwrap()
    };
    for _ in 0..3 {
        assert_eq!(edit("well"), EditVerdict::Allow);
    }
    assert_eq!(edit("heck"), EditVerdict::Patch("••••".to_owned()));
    for (text, code) in [("blast", "EDIT_NOT_ALLOWED"), ("darn", "WORD_NOT_ALLOWED")] {
        let EditVerdict::Reject(refusal) = edit(text) else { panic!("{text} was not refused") };
        assert_eq!(refusal.code, code);
    }
}

/// F: P-23
#[test]
fn what_is_encrypted_is_counted_and_not_read() {
    let room = room(json!({ "rules": [
        { "kind": "links", "action": "reject" },
        { "kind": "flood", "action": "reject", "messages": 1, "seconds": 60 },
    ] }));
    let draft = || MessageDraft { body: Body::Encrypted, ..room.hub.draft(&room.ann, &room.tea, "") };
    let verdict = || room.hub.before::<Moderation, _>(|plugin| plugin.before_create(draft())).unwrap();
    assert_eq!(verdict(), MessageVerdict::Allow);
    assert!(matches!(verdict(), MessageVerdict::Reject(_)));
}

/// F: P-23
#[test]
fn the_log_says_what_was_done_and_not_what_was_said() {
    let room = rule(json!({ "kind": "words", "action": "reject", "words": ["darn"] }));
    room.say("darn the weather");
    let logged = room.hub.logged();
    assert!(logged[0].1.contains("words (Reject)") && logged[0].1.contains(&room.ann.id), "{logged:?}");
    assert!(!format!("{logged:?}").contains("darn"));
}

/// F: P-23
#[test]
fn a_configuration_that_cannot_be_is_refused_in_words() {
    let hub = MockHub::new();
    let problem = |rule: Value| {
        let found = hub.validate::<Moderation>(&json!({ "rules": [rule] })).unwrap_err();
        format!("{} {}", found[0].path, found[0].message)
    };
    for (rule, expected) in [
        (json!({ "kind": "pattern", "action": "reject", "pattern": "(" }), "is not good"),
        (json!({ "kind": "pattern", "action": "reject", "pattern": "a{1000}{1000}" }), "is not good"),
        (json!({ "kind": "pattern", "action": "reject" }), "missing field `pattern`"),
        (json!({ "kind": "flood", "action": "mask", "messages": 1, "seconds": 1 }), "/rules/0/action only words"),
        (json!({ "kind": "capitals", "action": "mask" }), "/rules/0/action only words"),
        (json!({ "kind": "dance", "action": "flag" }), "unknown variant `dance`"),
        (json!({ "kind": "links", "action": "burn" }), "unknown variant `burn`"),
        (json!({ "kind": "pattern", "action": "flag", "pattern": r"(\w+\s*){1,40}zzz9" }), "/rules/0/pattern"),
        (json!({ "kind": "pattern", "action": "flag", "pattern": "a{65}" }), "more than 64 characters"),
        (json!({ "kind": "pattern", "action": "flag", "pattern": r"\p{L}" }), "Unicode classes"),
        (json!({ "kind": "pattern", "action": "flag", "pattern": r"(a)\1" }), "is not good"),
        (json!({ "kind": "words", "action": "flag" }), "/rules/0/words missing field `words`"),
        (json!({ "kind": "words", "action": "flag", "words": [] }), "/rules/0/words there are no words"),
        (json!({ "kind": "words", "action": "flag", "words": ["a", " "] }), "/rules/0/words \" \" is no word"),
        (json!({ "kind": "words", "action": "flag", "words": ["*"] }), "/rules/0/words \"*\" is no word"),
        (json!({ "kind": "words", "action": "flag", "words": ["**"] }), "is no word"),
        (json!({ "kind": "words", "action": "flag", "words": ["\u{200b}"] }), "is no word"),
        (
            json!({ "kind": "links", "action": "flag", "words": ["a"] }),
            "/rules/0/words rules of the kind `links` have no",
        ),
        (json!({ "kind": "flood", "action": "flag", "messages": 1, "seconds": 1, "times": 2 }), "/rules/0/times"),
        (json!({ "kind": "flood", "action": "flag", "messages": 1 }), "/rules/0/seconds missing field"),
        (json!({ "kind": "links", "action": "flag", "only": ["https://example.com"] }), "/rules/0/only"),
        (json!({ "kind": "links", "action": "flag", "never": ["example.com/a"] }), "is no domain"),
        (json!({ "kind": "new_members", "action": "flag", "hours": 1 }), "/rules/0/messages it limits nothing"),
        (json!({ "kind": "new_members", "action": "flag", "hours": 1, "links": true }), "it limits nothing"),
        (json!({ "kind": "new_members", "action": "flag", "messages": 1 }), "/rules/0/hours missing field"),
    ] {
        let found = problem(rule);
        assert!(found.contains(expected), "{expected}: {found}");
    }
    let good =
        json!({ "rules": [{ "kind": "words", "action": "mask", "words": ["darn"] }], "strikes": { "limit": 1 } });
    assert_eq!(hub.validate::<Moderation>(&good), Ok(()));
    assert_eq!(hub.validate::<Moderation>(&json!({})), Ok(()));
}

/// F: P-23
#[test]
fn a_configuration_that_is_too_dear_is_refused_where_it_becomes_so() {
    let hub = MockHub::new();
    let problems = |rules: &[Value]| match hub.validate::<Moderation>(&json!({ "rules": rules })) {
        Ok(()) => String::new(),
        Err(found) => found.iter().map(|it| format!("{} {}\n", it.path, it.message)).collect(),
    };
    let list = |count: usize| -> Value { (0..count).map(|number| format!("{number:06}")).collect() };
    let words = |count| json!({ "kind": "words", "action": "flag", "words": list(count) });
    let pattern = json!({ "kind": "pattern", "action": "flag", "pattern": "a" });
    let links = |count: usize| {
        let domains: Value = (0..count).map(|number| format!("d{number}.example")).collect();
        json!({ "kind": "links", "action": "flag", "never": domains })
    };
    for (rules, expected) in [
        (vec![words(1), words(1), words(373)], ""),
        (vec![words(1), words(1), words(374)], "/rules/2/words the words of all rules"),
        (vec![words(1), words(1), words(1), words(1), words(1)], "/rules/3/kind there can be 3"),
        (vec![pattern.clone(), pattern.clone()], ""),
        (vec![pattern.clone(), pattern.clone(), pattern.clone()], "/rules/2/kind there can be 2"),
        (vec![links(500)], ""),
        (vec![links(501)], "/rules/0/kind all rules can name 500"),
        (vec![links(1), links(1)], "/rules/1/kind there can be 1"),
        (
            vec![json!({ "kind": "links", "action": "flag", "only": ["a.b.c.d.e.f.g"] })],
            "/rules/0/kind a domain can have 6",
        ),
    ] {
        let found = problems(&rules);
        assert!(found.starts_with(expected) && found.is_empty() == expected.is_empty(), "{expected}: {found}");
    }
}
