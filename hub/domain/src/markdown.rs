//! A body as HTML: a subset of Markdown, safe to be shown as it is.
//!
//! Safe by construction and not by taking away: every tag and every attribute in the answer is written here, and all
//! that comes from the body is escaped. What the subset does not know is shown as the words that were typed.

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag};

/// Longer bodies are not parsed: they are shown as plain lines.
const MOST_BYTES: usize = 65_536;
/// The answer may be so much longer than the body before it is given up for plain lines.
const GROWTH: usize = 8;
const ROOM: usize = 4_096;
/// What is nested more deeply is shown without its tags; some clients are not made for more.
const DEPTH: usize = 16;
/// The beginnings of what a link may lead to. What begins like this is nothing else, however it goes on.
const SCHEMES: [&str; 3] = ["https://", "http://", "mailto:"];

/// The body as HTML. The links say that the page they lead to is to know nothing of this one.
pub fn render(body: &str) -> String {
    if body.len() > MOST_BYTES { plain(body) } else { rendered(body).unwrap_or_else(|| plain(body)) }
}

/// None if it grows too long: links can be defined once and used very often.
fn rendered(body: &str) -> Option<String> {
    let most = body.len() * GROWTH + ROOM;
    let mut html = String::with_capacity(body.len() * 2);
    // What closes each thing that is open, or nothing where it was not opened in the answer.
    let mut open: Vec<Option<&'static str>> = Vec::new();
    let mut depth = 0;
    let mut within_link = false;
    for event in Parser::new_ext(body, Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Start(tag) => {
                let close = if depth < DEPTH { begin(&tag, &mut within_link, &mut html) } else { None };
                depth += usize::from(close.is_some());
                open.push(close);
            }
            Event::End(_) => {
                if let Some(close) = open.pop().flatten() {
                    within_link &= close != "</a>";
                    depth -= 1;
                    html.push_str(close);
                }
            }
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => escape(&text, &mut html),
            Event::Code(text) => {
                html.push_str("<code>");
                escape(&text, &mut html);
                html.push_str("</code>");
            }
            // Who presses the key for a new line wants one.
            Event::SoftBreak | Event::HardBreak => html.push_str("<br>"),
            Event::Rule => html.push_str("<hr>"),
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                escape(&text, &mut html);
            }
            Event::TaskListMarker(_) => {}
        }
        if html.len() > most {
            return None;
        }
    }
    Some(html)
}

/// Opens something, and answers what will close it.
fn begin(tag: &Tag<'_>, within_link: &mut bool, html: &mut String) -> Option<&'static str> {
    let (open, close) = match tag {
        Tag::Paragraph => ("<p>", "</p>"),
        Tag::Heading { level, .. } => match *level as usize {
            1 => ("<h1>", "</h1>"),
            2 => ("<h2>", "</h2>"),
            3 => ("<h3>", "</h3>"),
            4 => ("<h4>", "</h4>"),
            5 => ("<h5>", "</h5>"),
            _ => ("<h6>", "</h6>"),
        },
        Tag::BlockQuote(_) => ("<blockquote>", "</blockquote>"),
        Tag::CodeBlock(_) => ("<pre><code>", "</code></pre>"),
        Tag::List(None) => ("<ul>", "</ul>"),
        Tag::List(Some(start)) => {
            html.push_str("<ol start=\"");
            html.push_str(&start.to_string());
            ("\">", "</ol>")
        }
        Tag::Item => ("<li>", "</li>"),
        Tag::Emphasis => ("<em>", "</em>"),
        Tag::Strong => ("<strong>", "</strong>"),
        Tag::Strikethrough => ("<del>", "</del>"),
        // A picture from elsewhere would tell its host who reads what and when: it becomes a link to it.
        Tag::Link { link_type, dest_url, .. } | Tag::Image { link_type, dest_url, .. } => {
            let scheme = if *link_type == LinkType::Email { "mailto:" } else { "" };
            if *within_link || !(*link_type == LinkType::Email || is_safe(dest_url)) {
                return None;
            }
            *within_link = true;
            html.push_str("<a href=\"");
            html.push_str(scheme);
            escape(dest_url, html);
            ("\" rel=\"noopener nofollow\">", "</a>")
        }
        _ => return None,
    };
    html.push_str(open);
    Some(close)
}

fn is_safe(url: &str) -> bool {
    SCHEMES.iter().any(|scheme| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

/// The lines as they were typed.
fn plain(body: &str) -> String {
    let mut html = String::with_capacity(body.len() * 2);
    html.push_str("<p>");
    for (number, line) in body.lines().enumerate() {
        if number > 0 {
            html.push_str("<br>");
        }
        escape(line, &mut html);
    }
    html.push_str("</p>");
    html
}

fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use html5ever::{ParseOpts, QualName, local_name, ns, parse_fragment, tendril::TendrilSink};
    use markup5ever_rcdom::{Handle, NodeData, RcDom};

    use super::*;

    #[test]
    fn the_subset() {
        for (body, html) in [
            ("tea", "<p>tea</p>"),
            ("*a* **b** ~~c~~ `d < e`", "<p><em>a</em> <strong>b</strong> <del>c</del> <code>d &lt; e</code></p>"),
            ("one\ntwo\n\nthree", "<p>one<br>two</p><p>three</p>"),
            ("# big\n> said\n---", "<h1>big</h1><blockquote><p>said</p></blockquote><hr>"),
            ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
            ("3. a\n4. b", "<ol start=\"3\"><li>a</li><li>b</li></ol>"),
            ("```js\nlet a = '<b>';\n```", "<pre><code>let a = &#39;&lt;b&gt;&#39;;\n</code></pre>"),
            (
                "[tea](https://example.org/?a=1&b=\"2\")",
                "<p><a href=\"https://example.org/?a=1&amp;b=&quot;2&quot;\" rel=\"noopener nofollow\">tea</a></p>",
            ),
            (
                "<https://example.org>",
                "<p><a href=\"https://example.org\" rel=\"noopener nofollow\">https://example.org</a></p>",
            ),
            ("<a@example.org>", "<p><a href=\"mailto:a@example.org\" rel=\"noopener nofollow\">a@example.org</a></p>"),
            ("![x](http://a.b/c.png)", "<p><a href=\"http://a.b/c.png\" rel=\"noopener nofollow\">x</a></p>"),
            ("<b>bold</b>", "<p>&lt;b&gt;bold&lt;/b&gt;</p>"),
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("[x](javascript:alert(1))", "<p>x</p>"),
            ("[x](JaVaScRiPt:alert(1))", "<p>x</p>"),
            ("[x](data:text/html,hi) ![y](data:image/png;base64,AA)", "<p>x y</p>"),
            ("[x](//example.org) [y](/here) [z](ftp://a)", "<p>x y z</p>"),
        ] {
            assert_eq!(render(body), html, "{body}");
        }
    }

    #[test]
    fn what_is_hostile_is_bounded() {
        let deep = ">".repeat(30_000);
        let definition = format!("[a]: https://example.org/{}\n\n{}", "x".repeat(20_000), "[a] ".repeat(8_000));
        for body in [
            deep.clone() + "a",
            "[".repeat(60_000),
            "![[".repeat(20_000),
            "*a _b ".repeat(10_000),
            "`".repeat(60_000),
            (1..300).map(|ticks| "`".repeat(ticks) + " ").collect(),
            "- ".repeat(30_000),
            "<".repeat(60_000),
            "<!--".repeat(15_000),
            "&#".repeat(30_000),
            "\"".repeat(65_536),
            "a\n".repeat(100_000),
            definition,
        ] {
            let html = render(&body);
            assert!(html.len() <= body.len() * GROWTH + ROOM + 64 * 1_024, "{} became {}", body.len(), html.len());
            let depth = check(&body, &html);
            assert!(depth <= DEPTH + 8, "{depth} deep");
        }
    }

    #[test]
    fn no_script_survives_many_thousand_hostile_bodies() {
        // Numbers that look random and are the same each time.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut below = |limit: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % limit as u64) as usize
        };
        for _ in 0..20_000 {
            let mut body = String::new();
            for _ in 0..=below(14) {
                match below(12) {
                    0 => body.extend(char::from_u32(below(0x3_0000) as u32)),
                    1 => body.push(char::from(below(128) as u8)),
                    _ => body.push_str(HOSTILE[below(HOSTILE.len())]),
                }
            }
            check(&body, &render(&body));
            check(&body, &plain(&body));
        }
    }

    const HOSTILE: &[&str] = &[
        "<script>alert(1)</script>",
        "<script src=//e.vil>",
        "</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<a href=\"javascript:alert(1)\">",
        "</a>",
        "[x](javascript:alert(1))",
        "[x](  JAVASCRIPT:alert(1))",
        "[x](java\tscript:alert(1))",
        "[x](java&#x73;cript:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](vbscript:msgbox)",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "![x](javascript:alert(1))",
        "![x](https://e.vil/x.png\" onerror=\"alert(1))",
        "[x](https://a.b/\"onmouseover=\"alert(1))",
        "[x](<https://a.b/ onclick=alert(1)>)",
        "[x](https://a.b 'title\" onclick=\"alert(1)')",
        "<https://a.b/\"><script>alert(1)</script>>",
        "<javascript:alert(1)>",
        "<data:text/html,x>",
        "<JaVaScRiPt:x>",
        "[a]: javascript:alert(1)\n\n[a]",
        "[a]: <data:x>\n[a]",
        "[a][a]",
        "[a]",
        "```\n",
        "~~~html\n",
        "`",
        "``",
        "    ",
        "\n",
        "\n\n",
        "\t",
        "> ",
        "- ",
        "1. ",
        "# ",
        "***",
        "**",
        "*",
        "_",
        "~~",
        "[",
        "](",
        ")",
        "![",
        "<",
        ">",
        "\"",
        "'",
        "&",
        "&lt;script&gt;",
        "&#60;script&#62;",
        "&quot;",
        "\\",
        "\\<script>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?php",
        "?>",
        "<!DOCTYPE x>",
        "<style>@import 'javascript:x'</style>",
        "<iframe srcdoc='<script>alert(1)</script>'>",
        "<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)>",
        "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
        "<template>",
        "<textarea>",
        "<title>",
        "<xmp>",
        "<plaintext>",
        "<base href=//e.vil>",
        "<form action=javascript:alert(1)><button>",
        "<object data=javascript:alert(1)>",
        "<meta http-equiv=refresh content=0;url=javascript:x>",
        "</p>",
        "</code></pre>",
        "\u{0}",
        "\u{202e}",
        "\u{feff}",
        "\u{2028}",
        "javascript:",
        "data:",
        "onload=",
        "style=x:expression(1)",
        "https://a.b",
        "http://",
        "mailto:a@b?x=\"",
        "<a@b.c>",
    ];

    /// Parses the HTML as a browser does, and holds every node of it against what may be there; answers how deep it is.
    fn check(body: &str, html: &str) -> usize {
        let context = QualName::new(None, ns!(html), local_name!("div"));
        let document = parse_fragment(RcDom::default(), ParseOpts::default(), context, Vec::new(), false).one(html);
        // What is left to be looked at, so that what is deep needs no deep stack.
        let mut left: Vec<(Handle, usize)> = vec![(document.document.clone(), 0)];
        let mut deepest = 0;
        while let Some((node, depth)) = left.pop() {
            deepest = deepest.max(depth);
            match &node.data {
                NodeData::Document | NodeData::Text { .. } => {}
                NodeData::Element { name, attrs, .. } => check_element(body, &name.local, &attrs.borrow()),
                NodeData::Comment { .. } | NodeData::Doctype { .. } | NodeData::ProcessingInstruction { .. } => {
                    panic!("«{body}» became «{html}»")
                }
            }
            left.extend(node.children.borrow().iter().map(|child| (child.clone(), depth + 1)));
        }
        deepest
    }

    fn check_element(body: &str, name: &str, attributes: &[html5ever::Attribute]) {
        const TAGS: &[&str] = &[
            "html",
            "p",
            "br",
            "hr",
            "em",
            "strong",
            "del",
            "code",
            "pre",
            "blockquote",
            "ul",
            "ol",
            "li",
            "a",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
        ];
        assert!(TAGS.contains(&name), "«{body}» became a <{name}>");
        for attribute in attributes {
            let (key, value) = (attribute.name.local.as_ref(), attribute.value.as_ref());
            let is_known = match (name, key) {
                ("a", "href") => SCHEMES.iter().any(|scheme| value.to_ascii_lowercase().starts_with(scheme)),
                ("a", "rel") => value == "noopener nofollow",
                ("ol", "start") => value.parse::<u64>().is_ok(),
                _ => false,
            };
            assert!(is_known, "«{body}» became <{name} {key}=\"{value}\">");
        }
        assert!(name != "a" || attributes.len() == 2, "«{body}» became a link without a rel");
    }
}
