//! The package: a component that carries its manifest.

use serde_json::{Map, Value};
use wit_component::ComponentEncoder;

use crate::Error;

/// The custom section, at the outermost level of the component, that holds the manifest as JSON.
pub const MANIFEST_SECTION: &str = "jackfield:manifest";

/// A plugin as it is installed.
#[derive(Clone, Debug)]
pub struct Package {
    /// The plugin's id, such as `jackfield.mentions`.
    pub id: String,
    /// Its version.
    pub version: String,
    /// The component, with the manifest inside.
    pub bytes: Vec<u8>,
}

/// What `plugin.toml` says, as the JSON that travels in the package: nothing renamed, nothing added.
pub(crate) fn manifest(text: &str) -> Result<Map<String, Value>, Error> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| Error(error.to_string()))?;
    Ok(table.into_iter().map(|(key, value)| (key, json(value))).collect())
}

fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(yes) => yes.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(values) => values.into_iter().map(json).collect(),
        toml::Value::Table(table) => Value::Object(table.into_iter().map(|(key, value)| (key, json(value))).collect()),
    }
}

/// Makes a component of a core module, and puts the manifest into it.
pub(crate) fn package(module: &[u8], manifest: Map<String, Value>) -> Result<Package, Error> {
    let word = |key: &str| {
        let word = manifest.get(key).and_then(Value::as_str).filter(|word| !word.is_empty());
        word.map(str::to_owned).ok_or_else(|| Error(format!("plugin.toml has no {key} = \"…\"")))
    };
    let (id, version) = (word("id")?, word("version")?);
    let mut bytes = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| Error(format!("the module of {id} does not become a component: {error:#}")))?;
    custom_section(&mut bytes, MANIFEST_SECTION, Value::Object(manifest).to_string().as_bytes());
    Ok(Package { id, version, bytes })
}

fn custom_section(component: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut section = Vec::new();
    length(&mut section, name.len());
    section.extend_from_slice(name.as_bytes());
    section.extend_from_slice(content);
    component.push(0);
    length(component, section.len());
    component.extend(section);
}

/// A number as WebAssembly writes it: seven bits a byte, the least first.
fn length(bytes: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The smallest core module: the magic word and the version.
    const EMPTY: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn a_manifest_becomes_json_key_by_key() {
        let read =
            manifest("id = 'a.b'\nlimits = { memory_mib = 8 }\nday = 2026-01-02\nshare = 0.5\nhooks = ['x', 'y']\n");
        assert_eq!(
            Value::Object(read.unwrap()),
            json!({"id": "a.b", "limits": {"memory_mib": 8}, "day": "2026-01-02", "share": 0.5, "hooks": ["x", "y"]})
        );
        assert!(manifest("id = ").is_err());
    }

    #[test]
    fn a_package_is_a_component_with_its_manifest_at_the_end() {
        let read = manifest(&format!("id = 'a.b'\nversion = '1.0.0'\ndescription = '{}'\n", "x".repeat(300))).unwrap();
        let made = package(EMPTY, read.clone()).unwrap();
        assert_eq!((made.id.as_str(), made.version.as_str()), ("a.b", "1.0.0"));
        assert_eq!(&made.bytes[..8], b"\0asm\x0d\0\x01\0", "the header of a component");
        let json = Value::Object(read).to_string();
        assert!(made.bytes.ends_with(format!("{MANIFEST_SECTION}{json}").as_bytes()));
    }

    #[test]
    fn what_is_no_plugin_is_told_so() {
        let read = |text| manifest(text).unwrap();
        let error = package(EMPTY, read("version = '1.0.0'")).unwrap_err().to_string();
        assert_eq!(error, "plugin.toml has no id = \"…\"");
        let error = package(b"not Wasm", read("id = 'a.b'\nversion = '1'")).unwrap_err().to_string();
        assert!(error.starts_with("the module of a.b does not become a component"), "{error}");
    }

    #[test]
    fn numbers_are_written_as_webassembly_has_them() {
        for (number, bytes) in [(0, &[0_u8][..]), (127, &[127]), (128, &[0x80, 1]), (624_485, &[0xe5, 0x8e, 0x26])] {
            let mut written = Vec::new();
            length(&mut written, number);
            assert_eq!(written, bytes);
        }
    }
}
