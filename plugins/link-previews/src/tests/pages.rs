//! Pages, and what they say of themselves.

use super::*;
use crate::page::Page;

fn page(response: &Response) -> Page {
    let response = Response { url: "https://tea.example/shop/green".to_owned(), ..response.clone() };
    read(&response, &Hosts::default())
}

fn title(response: &Response) -> Option<String> {
    page(response).preview.title
}

macro_rules! some {
    ($text:literal) => {
        Some($text.to_owned())
    };
}

/// F: P-20
#[test]
fn open_graph_comes_before_twitter_and_both_before_the_rest() {
    let all = r#"<!doctype html><html><head>
        <title>Plain</title>
        <meta name="description" content="A plain description.">
        <meta name="twitter:title" content="Twitter">
        <meta name="twitter:description" content="A card.">
        <meta name="twitter:image" content="/twitter.png">
        <meta property="og:title" content="Open &amp; graph">
        <meta property="og:description" content="A  graph&#10;of two lines.">
        <meta property="og:image" content="/graph.png">
        <meta property="og:image" content="/second.png">
        <meta property="og:site_name" content="The tea shop">
        <meta property="og:type" content="article">
        <meta name="author" content="Ann">
        </head><body>Tea</body></html>"#;
    let whole = page(&html(all)).preview;
    assert_eq!(
        whole,
        Preview {
            title: some!("Open & graph"),
            description: some!("A graph of two lines."),
            site_name: some!("The tea shop"),
            kind: some!("article"),
            author_name: some!("Ann"),
            image_url: some!("https://tea.example/graph.png"),
        }
    );
    let cards = page(&html(&all.replace("og:", "no:"))).preview;
    assert_eq!((cards.title, cards.description), (some!("Twitter"), some!("A card.")));
    assert_eq!(cards.image_url, some!("https://tea.example/twitter.png"));
    let plain = page(&html(&all.replace("og:", "no:").replace("twitter:", "no:"))).preview;
    assert_eq!(
        (plain.title, plain.description, plain.image_url),
        (some!("Plain"), some!("A plain description."), None)
    );
}

/// F: P-20
#[test]
fn pages_as_people_write_them() {
    for (text, expected) in [
        ("<title>Tea</title>", Some("Tea")),
        ("<TITLE\n>Tea &lt;b&gt; &eacute;</TITLE>", Some("Tea <b> é")),
        ("<title>Tea<b>x</title>", Some("Tea<b>x")),
        ("<title>Tea", Some("Tea")),
        ("<title></title><title>Second</title>", Some("Second")),
        ("<title>First</title><title>Second</title>", Some("First")),
        ("<meta content=Tea property=og:title", None),
        ("<meta content=Tea property=og:title>", Some("Tea")),
        ("<META CONTENT='Tea' NAME='OG:Title'/>", Some("Tea")),
        ("<meta property=og:title content=A content=B>", Some("A")),
        ("<meta property=og:title content><title>Tea</title>", Some("Tea")),
        ("<script>'<title>No</title>'</script><title>Tea</title>", Some("Tea")),
        ("<!-- <title>No</title> --><title>Tea</title>", Some("Tea")),
        ("<textarea><title>No</title></textarea><title>Tea</title>", Some("Tea")),
        ("<p>nothing <meta", None),
        ("", None),
        ("\0\0\0<title>\u{1}Te\u{0}a\u{7f}</title>", Some("Tea")),
        ("<title> \n\t </title>", None),
        ("<title>a\u{202e}b\u{2066}c\u{200b}</title>", Some("abc")),
    ] {
        assert_eq!(title(&html(text)).as_deref(), expected, "{text:?}");
    }
}

/// F: P-20
#[test]
fn what_is_long_is_cut() {
    let long = "tea ".repeat(10_000);
    let response = html(&format!(
        "<title>{long}</title><meta name=description content='{long}'><meta property=og:type content='{long}'>"
    ));
    let preview = page(&response).preview;
    let lengths = [preview.title, preview.description, preview.kind].map(|text| text.unwrap().chars().count());
    assert!(
        lengths.iter().zip([200, 400, 80]).all(|(length, most)| (most - 1..=most + 1).contains(length)),
        "{lengths:?}"
    );
    let image = format!("<title>Tea</title><meta property=og:image content='/{}'>", "x".repeat(3_000));
    assert_eq!(page(&html(&image)).preview.image_url, None);
}

/// F: P-20
#[test]
fn pages_in_any_encoding() {
    let bytes = |encoding: &'static encoding_rs::Encoding, text: &str| encoding.encode(text).0.into_owned();
    let utf_16 = |text: &str| {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(u16::to_be_bytes).collect::<Vec<u8>>()
    };
    let (russian, japanese) = ("<title>Чай</title>", "<title>お茶</title>");
    let meta = |charset: &str, text: &str| format!("<meta charset={charset}>{text}");
    let old = "<meta http-equiv=Content-Type content='text/html; charset=windows-1251'>";
    let said = |content_type: &str, body: Vec<u8>| title(&Response::new(200, content_type, body));
    let (windows, shift_jis) = (encoding_rs::WINDOWS_1251, encoding_rs::SHIFT_JIS);
    assert_eq!(said("text/html; charset=windows-1251", bytes(windows, russian)), some!("Чай"));
    assert_eq!(said("text/html; Charset=\"CP1251\"; x=y", bytes(windows, russian)), some!("Чай"));
    assert_eq!(said("text/html", bytes(windows, &meta("windows-1251", russian))), some!("Чай"));
    assert_eq!(said("text/html", bytes(windows, &format!("{old}{russian}"))), some!("Чай"));
    assert_eq!(said("text/html; charset=Shift_JIS", bytes(shift_jis, japanese)), some!("お茶"));
    assert_eq!(said("text/html", bytes(shift_jis, &meta("shift_jis", japanese))), some!("お茶"));
    assert_eq!(said("text/html; charset=utf-8", utf_16(japanese)), some!("お茶"), "a mark is stronger");
    assert_eq!(said("text/html", utf_16(japanese)), some!("お茶"));
    assert_eq!(said("text/html", meta("utf-16", japanese).into_bytes()), some!("お茶"));
    assert_eq!(said("text/html", japanese.into()), some!("お茶"));
    assert_eq!(said("text/html; charset=of-our-own", japanese.into()), some!("お茶"));
    assert_eq!(said("text/html", b"<title>Th\xe9</title>".to_vec()), some!("Thé"), "what the web was before");
    let mut cut = format!("{japanese}お").into_bytes();
    cut.pop();
    assert_eq!(said("text/html", cut), some!("お茶"), "the end is missing");
}

/// F: P-20
#[test]
fn pictures_are_links_to_where_they_are() {
    let image = |head: &str| page(&html(&format!("<title>Tea</title>{head}"))).preview.image_url;
    let named = |url: &str| image(&format!("<meta property=og:image content='{url}'>"));
    assert_eq!(named("leaf.png"), some!("https://tea.example/shop/leaf.png"));
    assert_eq!(named("//cdn.example/leaf.png"), some!("https://cdn.example/leaf.png"));
    assert_eq!(named("http://cdn.example/leaf.png?a=1&amp;b=2"), some!("http://cdn.example/leaf.png?a=1&b=2"));
    assert_eq!(
        image("<base href='/x/'><meta property=og:image content=leaf.png>"),
        some!("https://tea.example/x/leaf.png")
    );
    for url in [
        "javascript:alert(1)",
        "data:image/png;base64,AA",
        "file:///etc/passwd",
        "https://ann:secret@cdn.example/x",
        "http://router/x",
    ] {
        assert_eq!(named(url), None, "{url}");
    }
    let picture =
        Response { url: "https://tea.example/leaf.png".to_owned(), ..Response::new(200, "image/png", [0x89, b'P']) };
    let preview = read(&picture, &Hosts::default()).preview;
    assert_eq!((preview.image_url, preview.kind), (some!("https://tea.example/leaf.png"), some!("image")));
}

/// F: P-20
#[test]
fn what_is_no_page_says_nothing() {
    let page = |status, kind: &str| page(&Response::new(status, kind, "<title>Tea</title>")).preview;
    assert_eq!(page(200, "text/html").title, some!("Tea"));
    assert_eq!(page(200, "").title, some!("Tea"));
    for (status, kind) in
        [(404, "text/html"), (500, "text/html"), (302, "text/html"), (200, "text/plain"), (200, "application/pdf")]
    {
        assert_eq!(page(status, kind), Preview::default(), "{status} {kind}");
    }
    assert!(!Preview { site_name: some!("Tea"), ..Preview::default() }.says_something());
}

/// F: P-20
#[test]
fn a_redirect_leads_to_where_things_are_looked_for() {
    let room = room();
    let there = Response {
        url: "https://www.tea.example/shop/".to_owned(),
        ..html("<title>Tea</title><meta property=og:image content=leaf.png>")
    };
    room.hub.answers("https://tea.example/", there);
    let message = room.send("https://tea.example");
    room.deliver();
    assert_eq!(room.shown(&message)[0]["imageUrl"], json!("https://www.tea.example/shop/leaf.png"));
    assert_eq!(room.shown(&message)[0]["url"], json!("https://tea.example"));
}

const VIDEO: &str = "<title>Plain</title><meta property=og:site_name content='The site'>\
                     <link rel='x alternate' type='application/json+oembed' href='/oembed?url=1&amp;x=2'>";

/// F: P-20
#[test]
fn oembed_adds_what_is_missing() {
    let room = room();
    room.hub.answers("https://tea.example/film", html(VIDEO));
    let said = json!({
        "type": "video", "version": "1.0", "title": "Of its own", "author_name": "Ann\u{202e}", "provider_name": "Films",
        "thumbnail_url": "thumb.png", "html": "<script>alert(1)</script>"
    });
    room.hub.answers("https://tea.example/oembed?url=1&x=2", Response::new(200, "application/json", said.to_string()));
    let message = room.send("https://tea.example/film");
    assert_eq!(room.deliver(), 2);
    assert_eq!(
        room.shown(&message),
        [json!({
            "url": "https://tea.example/film", "title": "Plain", "description": null, "siteName": "The site", "kind": "video",
            "authorName": "Ann", "imageUrl": "https://tea.example/thumb.png"
        })]
    );
}

/// F: P-20
#[test]
fn what_is_wrong_with_oembed_takes_nothing_away() {
    let deep = "[".repeat(60_000);
    let wrong = [
        Err(NoAnswer::TimedOut),
        Ok(Response::new(404, "application/json", r#"{"title": "No"}"#)),
        Ok(Response::new(200, "application/json", "no")),
        Ok(Response::new(200, "application/json", deep)),
        Ok(Response::new(
            200,
            "application/json",
            r#"{"title": ["No"], "author_name": 7, "thumbnail_url": "javascript:x"}"#,
        )),
        Ok(Response::new(200, "application/json", " ".repeat(70_000))),
    ];
    for answer in wrong {
        let room = room();
        room.hub.answers("https://tea.example/film", html(VIDEO));
        match answer.clone() {
            Ok(response) => room.hub.answers("https://tea.example/oembed?url=1&x=2", response),
            Err(failure) => room.hub.fails("https://tea.example/oembed?url=1&x=2", failure),
        }
        let message = room.send("https://tea.example/film");
        assert_eq!(room.deliver(), 2);
        let shown = &room.shown(&message)[0];
        assert_eq!((&shown["title"], &shown["imageUrl"]), (&json!("Plain"), &json!(null)), "{answer:?}");
    }
}

/// F: P-20
#[test]
fn a_hostile_page_is_read_in_bounded_memory() {
    let large = 512 * 1024;
    for part in [
        "<",
        "<a ",
        "<meta a b c ",
        "&",
        "&amp",
        "<!--",
        "</",
        "<title>",
        "<meta property=og:title content=",
        "\0",
        "<![CDATA[",
    ] {
        let text = format!("<title>Tea</title>{}", part.repeat(large / part.len()));
        assert_eq!(title(&html(&text)), some!("Tea"), "{part}");
    }
    let attributes = (0..60_000).map(|number| format!(" a{number}")).collect::<String>();
    assert_eq!(title(&html(&format!("<meta{attributes} property=og:title content=Tea>"))), some!("Tea"));
}
