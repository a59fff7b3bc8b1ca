//! What a new plugin can begin as: the examples of the SDK, which are built and tested with it, under another name.

use clap::ValueEnum;
use jackfield_domain::plugins::PluginId;

use super::last_word;

/// What a new plugin does at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// Is asked before messages are sent, and refuses those with certain words.
    Filter,
    /// Is told what happened, and greets whoever says something for the first time.
    Events,
    /// Has a command, which rolls a die.
    Command,
    /// Adds a field to messages, and a mutation, by which people clap for what others say.
    Fields,
}

/// An example: what it is called in words and as an id, and its files.
pub struct Example {
    id: &'static str,
    name: &'static str,
    /// What it does, as one says it of a plugin.
    pub does: &'static str,
    manifest: &'static str,
    files: [(&'static str, &'static str); 3],
}

macro_rules! example {
    ($folder:literal, $name:literal, $does:literal) => {
        Example {
            id: concat!("example.", $folder),
            name: $name,
            does: $does,
            manifest: example!($folder, "/plugin.toml"),
            files: [
                ("src/lib.rs", example!($folder, "/src/lib.rs")),
                ("src/tests.rs", example!($folder, "/src/tests.rs")),
                ("tests/component.rs", example!($folder, "/tests/component.rs")),
            ],
        }
    };
    ($folder:literal, $file:literal) => {
        include_str!(concat!("../../../../../plugin-sdk/examples/", $folder, $file))
    };
}

static FILTER: Example = example!("word-filter", "Word filter", "refuses messages with certain words");
static EVENTS: Example = example!("greeter", "Greeter", "greets whoever says something for the first time");
static COMMAND: Example = example!("dice", "Dice", "rolls a die by the command /roll");
static FIELDS: Example = example!("applause", "Applause", "lets people clap for what others say");

impl Template {
    pub fn example(self) -> &'static Example {
        match self {
            Template::Filter => &FILTER,
            Template::Events => &EVENTS,
            Template::Command => &COMMAND,
            Template::Fields => &FIELDS,
        }
    }
}

impl Example {
    /// Its files as those of a plugin of another name, the manifest first.
    pub fn renamed(&self, id: &PluginId) -> Vec<(&'static str, String)> {
        let (own, other) = (camel(last_word(self.id)), camel(last_word(id.as_str())));
        let types = |text: &str| text.replace(&own, &other).replace(&uncapital(&own), &uncapital(&other));
        let line = |word: &str, value: &str| format!("{word} = \"{value}\"");
        // Types that a plugin adds to the API begin with its name; all else of the manifest is words.
        let manifest = match self.manifest.split_once("\ngraphql = ") {
            Some((head, graphql)) => format!("{head}\ngraphql = {}", types(graphql)),
            None => self.manifest.to_owned(),
        };
        let manifest = manifest.replacen(&line("id", self.id), &line("id", id.as_str()), 1).replacen(
            &line("name", self.name),
            &line("name", &in_words(id)),
            1,
        );
        let files = self.files.iter().map(|(path, text)| (*path, types(text)));
        std::iter::once(("plugin.toml", manifest)).chain(files).collect()
    }
}

/// Types that every plugin has at hand, by Rust or by the SDK; one of the same name would stand before them.
const TAKEN: [&str; 24] = [
    "Box",
    "Command",
    "CommandAnswer",
    "Conversation",
    "Default",
    "Err",
    "Error",
    "Event",
    "Failure",
    "FieldCall",
    "Give",
    "Iterator",
    "Message",
    "MessageVerdict",
    "MutationAnswer",
    "None",
    "Ok",
    "Option",
    "Result",
    "Some",
    "String",
    "User",
    "Value",
    "Vec",
];

/// Whether a plugin's type could not be named after it.
pub fn is_taken(name: &str) -> bool {
    TAKEN.contains(&camel(name).as_str())
}

/// `tea-time` as the name of a type.
fn camel(name: &str) -> String {
    name.split('-').map(capital).collect()
}

fn in_words(id: &PluginId) -> String {
    capital(&last_word(id.as_str()).replace('-', " "))
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

fn uncapital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_gets_another_name() {
        let files = FILTER.renamed(&"acme.tea-time".parse().unwrap());
        let [(_, manifest), (_, source), ..] = files.as_slice() else { panic!("it has files") };
        assert!(manifest.starts_with("id = \"acme.tea-time\"\n") && manifest.contains("\nname = \"Tea time\"\n"));
        assert!(source.contains("struct TeaTime {") && source.contains("impl MessageHooks for TeaTime {"), "{source}");
    }

    #[test]
    fn what_is_added_to_the_api_begins_with_the_name() {
        let files = FIELDS.renamed(&"acme.tea-time".parse().unwrap());
        let manifest = &files[0].1;
        for part in ["input TeaTimeGiveInput {", "  teaTime: Int\n", "teaTimeGive(", "id = \"acme.tea-time\""] {
            assert!(manifest.contains(part), "{part} is not in {manifest}");
        }
        assert!(manifest.contains("description = \"Lets people clap for what others say.\""));
        assert!(files.iter().all(|(_, text)| !text.contains("Applause") && !text.contains("applause")), "{files:?}");
    }

    #[test]
    fn under_its_own_name_an_example_stays_as_it_is() {
        for template in Template::value_variants() {
            let example = template.example();
            let files = example.renamed(&example.id.parse().unwrap());
            let own = std::iter::once(("plugin.toml", example.manifest)).chain(example.files);
            assert!(files.iter().map(|(path, text)| (*path, text.as_str())).eq(own), "{template:?}");
        }
    }
}
