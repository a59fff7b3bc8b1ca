//! What a configuration must hold to: every number has bounds, every name a form, and a complaint names the key.

use std::str::FromStr;

use reqwest::{
    Url,
    header::{HeaderName, HeaderValue},
};
use tracing_subscriber::EnvFilter;

use super::{Config, Result, wrong};
use crate::identity::is_name;

impl Config {
    pub(super) fn check(&self) -> Result<()> {
        self.place()?;
        self.link()?;
        self.shelf()?;
        self.policy.check().map_err(|refused| wrong(format!("policy.{refused}")))?;
        self.metrics_listen()?;
        self.traces()?;
        self.issuers()?;
        self.numbers()?;
        if let Some(url) = &self.public_url
            && !is_base(url)
        {
            return Err(wrong(
                "public_url must be an address such as https://chat.example.com, with nothing behind its path",
            ));
        }
        for origin in &self.http.cors_origins {
            if origin != "*" && !is_origin(origin) {
                let form = "must be origins such as https://app.example.com, or *";
                return Err(wrong(format!("http.cors_origins {form}, and not «{origin}»")));
            }
        }
        level(&self.log.level)
    }

    fn traces(&self) -> Result<()> {
        self.collector()?;
        let traces = &self.traces;
        if !(0.0..=1.0).contains(&traces.sample) {
            return Err(wrong(format!("traces.sample is {}; it must be from 0 to 1", traces.sample)));
        }
        if !is_name(&traces.service_name) {
            return Err(wrong("traces.service_name must have from 1 to 255 characters, and no control characters"));
        }
        for (name, value) in &traces.headers {
            // The value may be a secret, and is not shown.
            if HeaderName::from_str(name).is_err() || HeaderValue::from_str(value).is_err() {
                return Err(wrong(format!("traces.headers: «{name}» is no header, or what it is to say is none")));
            }
        }
        Ok(())
    }

    fn numbers(&self) -> Result<()> {
        let (graphql, sockets, plugins) = (&self.graphql, &self.sockets, &self.plugins);
        for (key, value, low, high) in [
            ("http.max_connections", self.http.max_connections as u64, 1, 1_000_000),
            // The body of a request has 1 MiB.
            ("graphql.max_document_bytes", graphql.max_document_bytes as u64, 1, 1_048_576),
            ("graphql.max_depth", graphql.max_depth as u64, 1, 100),
            ("graphql.max_cost", graphql.max_cost as u64, 1, 10_000_000),
            ("graphql.max_aliases", graphql.max_aliases as u64, 0, 10_000),
            ("graphql.max_directives", graphql.max_directives as u64, 0, 10_000),
            ("sockets.connection_init_seconds", sockets.connection_init_seconds, 1, 3_600),
            ("sockets.ping_seconds", sockets.ping_seconds, 1, 3_600),
            ("sockets.write_seconds", sockets.write_seconds, 1, 3_600),
            ("sockets.max_subscriptions", sockets.max_subscriptions as u64, 1, 10_000),
            ("sockets.max_waiting", sockets.max_waiting as u64, 1, 65_536),
            ("sockets.max_waiting_bytes", sockets.max_waiting_bytes as u64, 1, 1_073_741_824),
            ("plugins.before_ms", plugins.before_ms, 1, 5_000),
            ("plugins.chain_ms", plugins.chain_ms, 1, 30_000),
        ] {
            if value < low || value > high {
                return Err(wrong(format!("{key} is {value}; it must be from {low} to {high}")));
            }
        }
        Ok(())
    }
}

/// Where OTLP is posted to. What names only a host means the place that the specification has for traces.
pub(super) fn collector(text: &str) -> Option<Url> {
    let plain = |url: &Url| url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let mut url = Url::parse(text).ok().filter(plain)?;
    if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
        return None;
    }
    if url.path() == "/" {
        url.set_path("/v1/traces");
    }
    Some(url)
}

/// Something that paths can be put behind.
fn is_base(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        let plain = url.username().is_empty() && url.password().is_none();
        matches!(url.scheme(), "https" | "http")
            && url.has_host()
            && plain
            && url.query().is_none()
            && url.fragment().is_none()
    })
}

/// A scheme, a host and perhaps a port, as browsers write them. Apps have schemes of their own.
fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ['.', '-', '_', ':', '[', ']'].contains(&c);
    !authority.is_empty()
        && authority.chars().all(known)
        && scheme.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c))
        && Url::parse(text).is_ok_and(|url| url.has_host())
}

/// `RUST_LOG` takes a lone word for the name of a module, so that a slip of the pen would silence everything else.
fn level(text: &str) -> Result<()> {
    let fault =
        |why: &str| wrong(format!("log.level is «{text}»: {why}; write info, or debug, or jackfield=debug,info"));
    EnvFilter::try_new(text).map_err(|error| fault(&error.to_string()))?;
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let words = text.split(',').map(str::trim).filter(|word| !word.contains(['=', '[']));
    match words.into_iter().find(|word| !levels.iter().any(|level| level.eq_ignore_ascii_case(word))) {
        Some(word) => Err(fault(&format!("«{word}» is no level"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let config: Config = toml::from_str(text).expect("it can be read");
        match config.check() {
            Ok(()) => assert_eq!(expect, "", "{text} is let through"),
            Err(error) => assert!(!expect.is_empty() && error.to_string().contains(expect), "{text}: {error}"),
        }
    }

    #[test]
    fn numbers_have_bounds() {
        check("", "");
        check("http.max_connections = 0", "http.max_connections is 0; it must be from 1 to 1000000");
        check("http.max_connections = 9000000000000000000", "http.max_connections");
        check("graphql.max_cost = 0", "graphql.max_cost");
        check("graphql.max_aliases = 0", "");
        check("sockets.max_waiting = 9000000000000000000", "from 1 to 65536");
        check("sockets.max_waiting_bytes = 0", "sockets.max_waiting_bytes is 0; it must be from 1 to 1073741824");
        check("sockets.ping_seconds = 9000000000000000000", "sockets.ping_seconds");
        check("sockets.ping_seconds = 3600", "");
        check("plugins.before_ms = 0", "plugins.before_ms is 0; it must be from 1 to 5000");
        check("plugins.chain_ms = 30001", "plugins.chain_ms");
        check("policy.group_max_members = 1", "policy.group_max_members");
    }

    #[test]
    fn addresses_have_a_form() {
        for good in ["https://chat.example.com", "http://127.0.0.1:8420", "https://example.com/chat/"] {
            check(&format!("public_url = '{good}'"), "");
        }
        for bad in
            ["not a url", "chat.example.com", "ftp://x", "https://me:secret@x", "https://x?a=b", "https://x#a", ""]
        {
            check(&format!("public_url = '{bad}'"), "public_url");
        }
        for good in ["*", "https://app.example.com", "http://localhost:3000", "http://[::1]:3000", "tauri://localhost"]
        {
            check(&format!("http.cors_origins = ['{good}']"), "");
        }
        for bad in ["not an origin", "https://x/", "https://x/path", "app.example.com", "https://", "HTTPS://x", "null"]
        {
            check(&format!("http.cors_origins = ['*', '{bad}']"), "http.cors_origins");
        }
    }

    #[test]
    fn traces_go_somewhere_sensible() {
        for (written, meant) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://otlp.example.com/in/v1/traces", "https://otlp.example.com/in/v1/traces"),
            ("https://otlp.example.com/?key=s3cret", "https://otlp.example.com/v1/traces?key=s3cret"),
        ] {
            check(&format!("traces.endpoint = '{written}'"), "");
            assert_eq!(collector(written).expect("an address").as_str(), meant);
        }
        for bad in ["", "127.0.0.1:4318", "grpc://x:4317", "http://me:s3cret@x", "http://me@x", "http://x#a"] {
            check(&format!("traces.endpoint = '{bad}'"), "traces.endpoint");
        }
        for good in ["0", "1", "0.0", "0.25", "1.0"] {
            check(&format!("traces.sample = {good}"), "");
        }
        for bad in ["-0.1", "1.1", "2", "nan", "inf"] {
            check(&format!("traces.sample = {bad}"), "traces.sample");
        }
        check("traces.service_name = 'chat of the house'", "");
        check("traces.service_name = ''", "traces.service_name");
        check("traces.headers = { Authorization = 'Bearer x', x-key = 'y' }", "");
        check("traces.headers = { 'no header' = 'x' }", "traces.headers: «no header»");
        check("traces.headers = { x-key = \"two\\nlines\" }", "traces.headers: «x-key»");
    }

    #[test]
    fn levels() {
        for good in ["info", "OFF", "jackfield=debug,info", "info,sea_orm_migration=warn"] {
            check(&format!("log.level = '{good}'"), "");
        }
        for bad in ["!!nonsense", "inf", "info,,debug", "", "jackfield=loud"] {
            check(&format!("log.level = '{bad}'"), "log.level");
        }
    }
}
