//! What somebody sets for themselves in one conversation.

use super::{Notify, Settings};
use crate::{Rejection, Timestamp, text};

/// What it sounds like has at most so many characters.
const SOUND_MAX: usize = 80;

/// What is to change; what is none stays, and what is none within is taken away.
#[derive(Debug, Clone, Default)]
pub struct SettingsDraft {
    pub muted_until: Option<Option<Timestamp>>,
    pub is_pinned: Option<bool>,
    pub notify: Option<Notify>,
    pub sound: Option<Option<String>>,
}

/// What the rules let through: the only form that the store accepts.
#[derive(Debug, Clone)]
pub struct CheckedSettings(SettingsDraft);

impl CheckedSettings {
    pub fn check(draft: SettingsDraft) -> Result<Self, Rejection> {
        let line = |sound: String| text::line("sound", &sound, SOUND_MAX);
        let sound = draft.sound.map(|sound| sound.map(line).transpose()).transpose()?;
        Ok(CheckedSettings(SettingsDraft { sound, ..draft }))
    }

    /// What was set, with these changes.
    pub fn applied_to(&self, settings: &Settings) -> Settings {
        let CheckedSettings(draft) = self;
        Settings {
            muted_until: draft.muted_until.unwrap_or(settings.muted_until),
            is_pinned: draft.is_pinned.unwrap_or(settings.is_pinned),
            notify: draft.notify.unwrap_or(settings.notify),
            sound: draft.sound.clone().unwrap_or_else(|| settings.sound.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_stays_and_what_is_none_goes() {
        let settings = Settings {
            muted_until: Some(Timestamp(7)),
            is_pinned: true,
            notify: Notify::All,
            sound: Some("gong".into()),
        };
        let change = |draft| CheckedSettings::check(draft).map(|checked| checked.applied_to(&settings));
        assert_eq!(change(SettingsDraft::default()), Ok(settings.clone()));
        let quiet = SettingsDraft { muted_until: Some(None), sound: Some(None), ..SettingsDraft::default() };
        assert_eq!(change(quiet), Ok(Settings { muted_until: None, sound: None, ..settings.clone() }));
        let long = SettingsDraft { sound: Some(Some("x".repeat(81))), ..SettingsDraft::default() };
        assert_eq!(change(long).unwrap_err().field(), Some("sound"));
        let blank = SettingsDraft { sound: Some(Some(" ".into())), ..SettingsDraft::default() };
        assert_eq!(change(blank).unwrap_err().code().as_str(), "MISSING");
    }
}
