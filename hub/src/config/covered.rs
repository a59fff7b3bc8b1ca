//! What is shown of a configuration: everything but what opens doors.

use super::Config;

const COVERED: &str = "(hidden)";

impl Config {
    /// The same with every secret covered, to be shown.
    pub fn without_secrets(&self) -> Config {
        let mut shown = self.clone();
        shown.database = self.database.as_deref().map(cover);
        shown.bus = cover(&self.bus);
        shown.blobs = self.blobs.as_deref().map(cover);
        shown.public_url = self.public_url.as_deref().map(cover);
        shown.traces.endpoint = self.traces.endpoint.as_deref().map(cover);
        for value in shown.traces.headers.values_mut() {
            COVERED.clone_into(value);
        }
        for issuer in &mut shown.identity.issuers {
            issuer.secret = issuer.secret.as_ref().map(|_| COVERED.to_owned());
            issuer.jwks_url = issuer.jwks_url.as_deref().map(cover);
        }
        shown
    }
}

/// The URL without what may be a secret: its password, and every value of its query.
pub fn cover(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // Before the last @, wherever it stands: a password may hold anything that nobody escaped.
    let (who, rest) = match rest.rsplit_once('@') {
        None => (String::new(), rest),
        Some((who, rest)) => match who.split_once(':') {
            Some((name, _)) if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') => {
                (format!("{name}:{COVERED}@"), rest)
            }
            None if scheme.starts_with("postgres") && !who.contains(['/', '?', '#', '=']) => (format!("{who}@"), rest),
            _ => (format!("{COVERED}@"), rest),
        },
    };
    let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
    let Some((place, query)) = rest.split_once('?') else { return format!("{scheme}://{who}{rest}") };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) => format!("{name}={COVERED}"),
        None => COVERED.to_owned(),
    });
    format!("{scheme}://{who}{place}?{}", pairs.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_covered() {
        for (url, shown) in [
            ("postgres://me:s3cret@db/x", "postgres://me:(hidden)@db/x"),
            ("postgres://me@db/x", "postgres://me@db/x"),
            ("postgres://h/db?user=a&password=s3cret", "postgres://h/db?user=(hidden)&password=(hidden)"),
            ("postgres://me:pa/s3cret@db/x", "postgres://me:(hidden)@db/x"),
            ("postgres://me:pa?s3cret@db/x", "postgres://me:(hidden)@db/x"),
            ("postgres://me:pa#s3cret@db/x", "postgres://me:(hidden)@db/x"),
            ("postgres://h/db?password=s3c@ret", "postgres://(hidden)@ret"),
            ("redis://:p@s3cret@host:1", "redis://:(hidden)@host:1"),
            ("redis://s3cret@host:1", "redis://(hidden)@host:1"),
            ("rediss://host:1/0?password=s3cret", "rediss://host:1/0?password=(hidden)"),
            ("https://id.example/keys?s3cret", "https://id.example/keys?(hidden)"),
            ("https://id.example/keys", "https://id.example/keys"),
            ("sqlite:/var/x.db", "sqlite:/var/x.db"),
            ("in-process", "in-process"),
        ] {
            assert_eq!(cover(url), shown);
        }
    }
}
