//! Packages of plugins: small guests that allow or refuse, and copies of any package under other names.

use serde_json::{Value, json};

use crate::{
    Result,
    guests::{Guest, add_section, reject},
};

/// What the refusing one says to everybody.
pub const CODE: &str = "LOAD_REFUSED";

const SECTION: &[u8] = b"jackfield:manifest";

/// One that is asked before each message, and lets it pass.
pub fn allowing(id: &str) -> Vec<u8> {
    named(Guest::new(), id).build()
}

/// One that refuses each message.
pub fn refusing(id: &str) -> Vec<u8> {
    const REASON: &str = "Not now";
    let guest = Guest::new().data(1_024, CODE).data(1_100, REASON).before_create(&reject(REASON.len(), CODE.len()));
    named(guest, id).build()
}

fn named(guest: Guest, id: &str) -> Guest {
    guest.id(id).with("/name", json!(id)).with("/description", json!("A guest of the load program."))
}

/// The same package under another name, and what it asks for.
pub fn renamed(package: &[u8], id: &str) -> Result<(Vec<u8>, Vec<String>)> {
    let name = package.windows(SECTION.len()).rposition(|window| window == SECTION);
    let name = name.ok_or("a package without a manifest")?;
    let mut manifest: Value =
        serde_json::from_slice(&package[name + SECTION.len()..]).map_err(|_| "its manifest must be its end")?;
    manifest["id"] = json!(id);
    let wanted = wanted(&manifest);
    // Before the name stand its own length in one byte, that of the section in as many as it needs, and its kind.
    let section = package.len() - name + 1;
    let length = (1..).find(|bytes| section >> (7 * bytes) == 0).expect("a length is finite");
    let mut copy = package[..name - 2 - length].to_vec();
    add_section(&mut copy, "jackfield:manifest", manifest.to_string().as_bytes());
    Ok((copy, wanted))
}

/// The capabilities that a plugin asks for, as the API names them.
pub fn wanted(manifest: &Value) -> Vec<String> {
    let capabilities = manifest["capabilities"].as_array().into_iter().flatten();
    capabilities.filter_map(Value::as_str).map(|word| word.to_uppercase().replace('.', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_differs_in_its_id_alone() {
        let package = allowing("load.one");
        let (copy, wanted) = renamed(&package, "load.another").expect("a package");
        assert!(copy != package);
        assert_eq!(renamed(&copy, "load.one").expect("a package").0, package);
        assert_eq!(wanted, Vec::<String>::new());
        assert!(renamed(b"words", "load.another").is_err());
    }
}
