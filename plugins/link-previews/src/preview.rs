//! What is shown of a link. All of it is the word of a stranger: short, of one line, and without characters that play tricks.

use jackfield_plugin::prelude::*;

/// So many characters are shown.
pub const TITLE_MAX: usize = 200;
pub const DESCRIPTION_MAX: usize = 400;
pub const NAME_MAX: usize = 80;

/// What a page says of itself.
#[data]
#[derive(Default)]
#[serde(default, rename_all = "camelCase")]
pub struct Preview {
    pub title: Option<String>,
    pub description: Option<String>,
    pub site_name: Option<String>,
    pub kind: Option<String>,
    pub author_name: Option<String>,
    pub image_url: Option<String>,
}

impl Preview {
    /// Whether it is worth to be shown: where there is nothing but the name of the site it says no more than the link.
    pub fn says_something(&self) -> bool {
        self.title.is_some() || self.description.is_some() || self.image_url.is_some()
    }

    /// With what is missing taken from another one.
    pub fn or(self, other: Self) -> Self {
        Self {
            title: self.title.or(other.title),
            description: self.description.or(other.description),
            site_name: self.site_name.or(other.site_name),
            kind: self.kind.or(other.kind),
            author_name: self.author_name.or(other.author_name),
            image_url: self.image_url.or(other.image_url),
        }
    }
}

/// A text in one line of at most so many characters; none where nothing of it is left.
pub fn line(text: &str, most: usize) -> Option<String> {
    let mut line = String::new();
    let mut count = 0;
    let mut is_behind_blank = false;
    for c in text.chars() {
        if c.is_whitespace() {
            is_behind_blank = count > 0;
            continue;
        }
        if c.is_control() || is_trick(c) {
            continue;
        }
        let needed = 1 + usize::from(is_behind_blank);
        if count + needed > most {
            line.push('…');
            break;
        }
        if std::mem::take(&mut is_behind_blank) {
            line.push(' ');
        }
        line.push(c);
        count += needed;
    }
    (!line.is_empty()).then_some(line)
}

/// What turns the direction of writing around, also for what stands behind it, and what cannot be seen at all.
fn is_trick(c: char) -> bool {
    matches!(u32::from(c),
        0x00ad | 0x061c | 0x180e | 0x200b | 0x200e | 0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff0..=0xffff
        | 0xe0000..=0x10_ffff)
}
