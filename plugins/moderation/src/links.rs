//! Links, and where they lead.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;

/// The links of a text that are not wanted: those to other domains than `only`, and those to one of `never`; all where
/// there is neither. A domain stands for what is under it, too.
pub fn unwanted(text: &str, only: &[String], never: &[String]) -> Vec<Range<usize>> {
    let is_one_of = |host: &str, domains: &[String]| domains.iter().any(|domain| is_under(host, domain));
    let mut found = Vec::new();
    for word in words(text) {
        let Some((host, is_sure)) = host(&text[word.clone()]) else { continue };
        let is_forbidden = is_one_of(&host, never);
        let is_elsewhere = !only.is_empty() && !is_one_of(&host, only);
        let is_any = only.is_empty() && never.is_empty();
        // `example.com` may be a link, or just as well `etc.and` a slip of the keyboard: it counts where it is named.
        if is_forbidden || (is_sure && (is_elsewhere || is_any)) {
            found.push(word);
        }
    }
    found
}

/// What stands between blanks and brackets, of whatever markup they are.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let is_end = |c: char| c.is_whitespace() || "<>()[]{}\"'`|«»“”".contains(c);
    text.split(is_end).map(|word| {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        start..start + word.len()
    })
}

/// Where a word leads, and whether it is surely a link.
fn host(word: &str) -> Option<(String, bool)> {
    // Dots and letters of full width lead to the same place.
    let word: String = word.nfkc().flat_map(char::to_lowercase).filter(|c| !crate::words::is_invisible(*c)).collect();
    let word = word.trim_start_matches(['*', '_', '~', '!', ',', ';', ':']);
    let (rest, is_sure) = match word.split_once("//") {
        Some((scheme, rest)) if scheme.is_empty() || is_scheme(scheme) => (rest.trim_start_matches('/'), true),
        _ => (word, word.starts_with("www.")),
    };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().trim_end_matches(['.', ',', '!', ';', '*', '_', '~', '…']);
    (is_sure && !host.is_empty() || host.contains('.')).then(|| (host.to_owned(), is_sure))
}

fn is_scheme(before: &str) -> bool {
    // `seehttps://…` leads there as well.
    before.strip_suffix(':').is_some_and(|scheme| scheme.ends_with(|c: char| c.is_ascii_alphanumeric()))
}

fn is_under(host: &str, domain: &str) -> bool {
    let domain = domain.trim_start_matches("*.").trim_end_matches('.').to_lowercase();
    host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
