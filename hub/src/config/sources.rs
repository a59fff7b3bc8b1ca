//! From where a configuration comes: a file, then the environment, then flags; and which of them is at fault.

use std::{ffi::OsString, path::Path};

use super::{Config, Result, wrong};

/// A flag, and the key that it sets.
pub type Flag = (&'static str, Option<String>);

/// Variables that begin as ours do but are for builds, tests and tools, those of commands that speak to a hub, and the one that
/// names the file.
const NOT_OURS: [&str; 3] = ["JACKFIELD_TEST_", "JACKFIELD_WASM_", "JACKFIELD_BINARY"];
const OF_COMMANDS: [&str; 2] = ["JACKFIELD_URL", "JACKFIELD_TOKEN"];
const NAMES_THE_FILE: &str = "JACKFIELD_CONFIG";

/// Reads the file, the environment and the flags, later ones winning, and checks the result.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (OsString, OsString)>,
    flags: &[Flag],
) -> Result<Config> {
    let mut environment: Vec<(OsString, OsString)> = environment.collect();
    // The order of the environment is anybody's guess; that of complaints should not be.
    environment.sort();
    let named = environment.iter().find(|(name, value)| name == NAMES_THE_FILE && !value.is_empty());
    let file = file.or(named.map(|(_, value)| Path::new(value)));
    let mut table = match file {
        None => toml::Table::new(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("{}: {error}", path.display())))?;
            // As text, so that a mistake is shown with its line.
            toml::from_str::<Config>(&text).map_err(|error| wrong(format!("{}: {error}", path.display())))?;
            text.parse().map_err(|error| wrong(format!("{}: {error}", path.display())))?
        }
    };
    for (name, value) in &environment {
        let Some(name) = name.to_str().filter(|name| *name != NAMES_THE_FILE) else { continue };
        let is_for_others = OF_COMMANDS.contains(&name) || NOT_OURS.iter().any(|not| name.starts_with(not));
        let ours = name.strip_prefix("JACKFIELD_").filter(|_| !is_for_others);
        let Some(key) = ours else { continue };
        let value = value.to_str().ok_or_else(|| wrong(format!("{name} is not valid UTF-8")))?;
        let key = key.to_lowercase().replace("__", ".");
        set(&mut table, &key, value).map_err(|fault| wrong(format!("{name} ({key}): {fault}")))?;
    }
    for (key, value) in flags {
        if let Some(value) = value {
            let flag = key.replace('.', "-");
            set(&mut table, key, value).map_err(|fault| wrong(format!("--{flag}: {fault}")))?;
        }
    }
    let config: Config = table.try_into().map_err(|error: toml::de::Error| wrong(error.message().to_owned()))?;
    config.check()?;
    Ok(config)
}

/// Sets one value: as TOML where the text is a number, a truth or a list and the key takes one, and as text otherwise.
/// Each is tried by itself, so that a complaint can name where the value came from.
fn set(table: &mut toml::Table, key: &str, text: &str) -> std::result::Result<(), String> {
    use toml::Value::{Array, Boolean, Float, Integer, String};
    let parsed = format!("value = {text}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("value"));
    let parsed = parsed.filter(|value| matches!(value, Integer(_) | Boolean(_) | Array(_) | Float(_)));
    let mut complaint = None;
    for value in parsed.into_iter().chain([String(text.to_owned())]) {
        let mut tried = table.clone();
        put(&mut tried, key, value)?;
        match tried.clone().try_into::<Config>() {
            Ok(_) => {
                *table = tried;
                return Ok(());
            }
            Err(error) => drop(complaint.get_or_insert_with(|| error.message().trim().to_owned())),
        }
    }
    Err(complaint.expect("at least one form was tried"))
}

fn put(table: &mut toml::Table, key: &str, value: toml::Value) -> std::result::Result<(), String> {
    let (sections, last) = key.rsplit_once('.').map_or((None, key), |(sections, last)| (Some(sections), last));
    let mut section = table;
    for name in sections.into_iter().flat_map(|sections| sections.split('.')) {
        let found = section.entry(name).or_insert_with(|| toml::Table::new().into());
        section = found.as_table_mut().ok_or_else(|| format!("{name} is not a section"))?;
    }
    section.insert(last.to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, environment: &[(&str, &str)], flags: &[Flag]) -> Result<Config> {
        let folder = tempfile::tempdir().expect("a folder for the file");
        let path = folder.path().join("jackfield.toml");
        std::fs::write(&path, file).expect("the file can be written");
        let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        load(Some(&path), environment, flags)
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let file = "listen = '127.0.0.1:1'\nbus = 'in-process'\n[policy]\ngroup_max_members = 5\n";
        let config = read(file, &[], &[]).unwrap();
        assert_eq!((config.listen.port(), config.policy.group_max_members), (1, 5));
        let environment = [("JACKFIELD_LISTEN", "127.0.0.1:2"), ("JACKFIELD_POLICY__GROUP_MAX_MEMBERS", "6")];
        let config = read(file, &environment, &[]).unwrap();
        assert_eq!((config.listen.port(), config.policy.group_max_members), (2, 6));
        let config = read(file, &environment, &[("listen", Some("127.0.0.1:3".into())), ("bus", None)]).unwrap();
        assert_eq!(config.listen.port(), 3);
    }

    #[test]
    fn a_text_that_looks_like_a_number_is_a_text_where_one_is_wanted() {
        let issuers = "[{ issuer = 'x', audience = 'a', algorithms = ['HS256'], workspaces = ['*'], secret = \
                       'a secret of thirty two characters' }]";
        let environment = [("JACKFIELD_DATA", "2026"), ("JACKFIELD_IDENTITY__ISSUERS", issuers)];
        let config = read("", &environment, &[]).unwrap();
        assert_eq!((config.data.as_path(), config.identity.issuers.len()), (Path::new("2026"), 1));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let fails = |file: &str, environment: &[(&str, &str)], word: &str| {
            let error = read(file, environment, &[]).unwrap_err().to_string();
            assert!(error.contains(word), "{error} does not name {word}");
        };
        fails("lisen = '127.0.0.1:1'", &[], "lisen");
        fails("[http]\nport = 1", &[], "port");
        fails("listen = 'here'", &[], "listen");
        fails("database = 'mysql://x'", &[], "database");
        fails("database = 'sqlite::memory:'", &[], "in memory is not supported");
        fails("bus = 'carrier pigeon'", &[], "bus");
        fails("[metrics]\nlisten = 'loud'", &[], "metrics.listen");
        let issuer = "[[identity.issuers]]\nissuer = 'x'\naudience = 'a'\nworkspaces = ['*']\n";
        fails(&format!("{issuer}algorithms = ['HS256']\nsecret = 'short'"), &[], "secret");
        fails(&format!("{issuer}algorithms = ['RS256', 'HS256']\njwks_url = 'http://x'"), &[], "HS256");
        fails(&format!("{issuer}algorithms = ['RS256']\npublic_key = 'x'"), &[], "public_key");
        fails(&format!("{issuer}algorithms = ['RS256']\njwks_url = 'keys'"), &[], "jwks_url");
        fails(&format!("{issuer}algorithms = ['RS256']"), &[], "exactly one");
        fails("", &[("JACKFIELD_POLICY__GROUP_MAX_MEMBERS", "1")], "group_max_members");
    }

    #[test]
    fn a_flag_or_variable_that_is_wrong_is_named_and_not_a_line_that_nobody_wrote() {
        let complaint = |environment: &[(&str, &str)], flags: &[Flag]| {
            read("", environment, flags).expect_err("it is wrong").to_string()
        };
        for (name, value) in [
            ("JACKFIELD_LISEN", "127.0.0.1:1"),
            ("JACKFIELD_POLICY__GROUP_MAX_MEMBERS", "many"),
            ("JACKFIELD_POLICY__GROUP_MAX_MEMBERS", "99999999999999999999"),
            ("JACKFIELD_HTTP__MAX_CONNECTIONS", "-1"),
            ("JACKFIELD_LISTEN__PORT", "1"),
        ] {
            let complaint = complaint(&[("JACKFIELD_LISTEN", "127.0.0.1:1"), (name, value)], &[]);
            assert!(complaint.starts_with(name) && !complaint.contains("line"), "{complaint}");
        }
        let flag = complaint(&[], &[("metrics.listen", Some("off".into())), ("log.format", Some("rainbow".into()))]);
        assert!(flag.starts_with("--log-format: ") && !flag.contains("line"), "{flag}");
    }

    #[test]
    fn what_is_not_meant_for_the_hub_is_passed_over() {
        let environment = [
            ("JACKFIELD_TEST_POSTGRES", "x"),
            ("JACKFIELD_WASM_SETUP", "never"),
            ("JACKFIELD_BINARY", "x"),
            ("JACKFIELD_CONFIG", ""),
        ];
        assert!(read("", &environment, &[]).is_ok());
        assert!(load(None, std::iter::once(("JACKFIELD_CONFIG".into(), "".into())), &[]).is_ok(), "empty is none");
        let named = load(None, std::iter::once(("JACKFIELD_CONFIG".into(), "/nowhere/at/all".into())), &[]);
        assert!(named.expect_err("there is no such file").to_string().contains("/nowhere/at/all"));
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_no_text_is_refused_if_it_is_ours() {
        use std::os::unix::ffi::OsStringExt;
        let odd = || OsString::from_vec(vec![b'a', 0xff]);
        let read = |name: &str| load(None, std::iter::once((name.into(), odd())), &[]);
        assert!(read("PATH").is_ok());
        assert!(read("JACKFIELD_LISTEN").expect_err("no text").to_string().contains("JACKFIELD_LISTEN"));
    }
}
