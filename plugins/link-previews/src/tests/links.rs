//! Tables of messages, and the links in them.

use super::*;

#[track_caller]
fn check(cases: &[(&str, &[&str])]) {
    for (body, expected) in cases {
        let found: Vec<String> = links(body, &Hosts::default()).into_iter().map(|link| link.written).collect();
        assert_eq!(found, *expected, "{body:?}");
    }
}

/// F: P-20
#[test]
fn links_in_words() {
    check(&[
        ("https://a.example", &["https://a.example"]),
        ("HTTP://A.example/B", &["HTTP://A.example/B"]),
        ("see (https://a.example/x_(y)).", &["https://a.example/x_(y)"]),
        ("https://a.example/?q=1&r=2, and", &["https://a.example/?q=1&r=2"]),
        ("https://a.example/?q=1&amp;r=2", &["https://a.example/?q=1&r=2"]),
        ("https://a.example/snake_case_name and so", &["https://a.example/snake_case_name"]),
        ("«https://a.example»", &["https://a.example"]),
        ("「https://a.example」。", &["https://a.example"]),
        ("**https://a.example** _https://b.example_", &["https://a.example", "https://b.example"]),
        (
            "# https://a.example\n> https://b.example\n- https://c.example",
            &["https://a.example", "https://b.example", "https://c.example"],
        ),
        ("https://a.example\nhttps://b.example", &["https://a.example", "https://b.example"]),
        ("https://a.example/?to=https://b.example", &["https://a.example/?to=https://b.example"]),
        ("https://bücher.example/ü", &["https://bücher.example/ü"]),
        ("https://a.example https://a.example/ https://A.example#x", &["https://a.example"]),
        ("https://a.example:8443/x http://192.0.2.7/", &["https://a.example:8443/x", "http://192.0.2.7/"]),
    ]);
}

/// F: P-20
#[test]
fn links_of_markdown() {
    check(&[
        ("[tea](https://a.example/tea)", &["https://a.example/tea"]),
        ("![tea](https://a.example/tea.png \"Tea\")", &["https://a.example/tea.png"]),
        ("[https://b.example](https://a.example)", &["https://a.example"]),
        ("[tea][1]\n\n[1]: https://a.example", &["https://a.example"]),
        (
            "x https://a.example [y](https://b.example) https://c.example",
            &["https://a.example", "https://b.example", "https://c.example"],
        ),
    ]);
}

/// F: P-20
#[test]
fn what_is_no_link_that_is_looked_at() {
    check(&[
        ("a.example www.a.example //a.example", &[]),
        ("`https://a.example`", &[]),
        ("```\nhttps://a.example\n```", &[]),
        ("    https://a.example", &[]),
        ("<https://a.example>", &[]),
        ("ftp://a.example javascript://a.example/%0aalert(1) file:///etc/passwd", &[]),
        ("https:// https://? http:///", &[]),
        ("https://ann:secret@a.example https://ann@a.example", &[]),
        ("https://localhost/x https://router/ https://localhost./", &[]),
        ("xhttps://a.example git+https://a.example", &[]),
        ("mailto:ann@a.example <ann@a.example>", &[]),
        ("[tea](/tea) [tea](javascript:alert(1))", &[]),
    ]);
    let long = format!("https://a.example/{}", "x".repeat(2_048));
    check(&[(&long, &[])]);
}

/// F: P-20
#[test]
fn different_links_are_different() {
    let digests = |text: &str| links(text, &Hosts::default()).into_iter().map(|link| link.digest).collect::<Vec<_>>();
    assert_eq!(digests("https://a.example"), digests("https://A.EXAMPLE:443/#x"));
    assert_ne!(digests("https://a.example"), digests("http://a.example"));
    assert_ne!(digests("https://a.example/a"), digests("https://a.example/A"));
}

/// F: P-20
#[test]
fn whatever_somebody_writes_is_read_in_time() {
    for part in ["https://", "://", "[](https://a.example", "https://a.example)", "(((https://a.b/", "*_~`<https://"] {
        let body = part.repeat(64 * 1024 / part.len());
        let started = std::hint::black_box(links(&body, &Hosts::default()));
        assert!(started.len() <= 5);
    }
}
