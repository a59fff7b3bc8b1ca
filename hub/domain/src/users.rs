//! Users: a person or program as one workspace knows it.

use std::{collections::BTreeSet, time::Duration};

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use url::Url;

use crate::{Rejection, Timestamp, UserId, WorkspaceId, WorkspaceRole, roles::words, text};

/// A name to show has at most so many characters.
pub const NAME_MAX: usize = 80;
/// What one says of oneself has at most so many characters.
pub const STATUS_TEXT_MAX: usize = 140;
/// An address of a picture has at most so many characters.
pub const AVATAR_URL_MAX: usize = 2_000;
/// What clients keep for their user has at most so many bytes, written as JSON.
pub const PREFERENCES_MAX_BYTES: usize = 16 * 1_024;
/// So many words of a name can be searched for, and so many bytes of each.
const WORDS: usize = 8;
const WORD_BYTES: usize = 64;

/// How long before the last token that was heard a token may have been made, and still be heard. Somebody may well use
/// several at once; noting each of them would cost a write a token.
const HEARD_TOGETHER: Duration = Duration::from_secs(60);

words! {
    /// Whether somebody can come in.
    UserStatus {
        /// Takes part.
        Active = "active",
        /// Cannot come in until an admin lets them in again; what they said stays theirs.
        Deactivated = "deactivated",
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub workspace: WorkspaceId,
    pub name: String,
    pub role: WorkspaceRole,
    pub status: UserStatus,
    pub avatar_url: Option<String>,
    pub status_text: Option<String>,
    /// Stands above all workspaces of the hub.
    pub is_operator: bool,
    /// When the newest token was made that said who this is, give or take a minute.
    pub vouched_at: Timestamp,
    /// The name was chosen here, and no token changes it any more.
    pub name_is_own: bool,
    /// The role was given here, and no token changes it any more.
    pub role_is_own: bool,
    pub created_at: Timestamp,
}

/// Somebody as an issuer of tokens vouches for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub issuer: String,
    pub subject: String,
    pub name: String,
    /// None says nothing about it: whoever is known keeps their role, whoever is new is a member.
    pub role: Option<WorkspaceRole>,
    /// Counts only together with a role.
    pub is_operator: bool,
    /// When this was said.
    pub vouched_at: Timestamp,
}

impl User {
    pub fn is_active(&self) -> bool {
        self.status == UserStatus::Active
    }

    /// The same user after somebody vouched for them. What was decided here stands: a token neither undoes a role, nor
    /// brings back who was deactivated. And what a newer token says stands: an older one, which may well be good for hours
    /// to come, brings nothing back.
    #[must_use]
    pub fn vouched_for(&self, person: &Person) -> Self {
        let mut user = self.clone();
        // Tokens count in seconds.
        let second = |moment: Timestamp| moment.0.div_euclid(1_000);
        if !self.is_active() || second(person.vouched_at) < second(self.vouched_at) {
            return user;
        }
        if !self.name_is_own {
            user.name.clone_from(&person.name);
        }
        if let Some(role) = person.role {
            if !self.role_is_own {
                user.role = role;
                user.is_operator = person.is_operator;
            }
            // Only the hub's own key makes an operator, and who holds that key may.
            user.is_operator |= person.is_operator;
        }
        if user != *self || person.vouched_at.since(self.vouched_at) >= HEARD_TOGETHER {
            user.vouched_at = person.vouched_at;
        }
        user
    }
}

/// What of one's own profile is to change; what is none stays, and what is none within is taken away.
#[derive(Debug, Clone, Default)]
pub struct ProfileDraft {
    pub name: Option<String>,
    pub avatar_url: Option<Option<String>>,
    pub status_text: Option<Option<String>>,
    /// An object, as JSON.
    pub preferences: Option<String>,
}

/// What the rules let through: the only form that the store accepts.
#[derive(Debug, Clone)]
pub struct CheckedProfile(ProfileDraft);

impl CheckedProfile {
    pub fn check(draft: ProfileDraft) -> Result<Self, Rejection> {
        let name = draft.name.map(|name| text::line("name", &name, NAME_MAX)).transpose()?;
        let avatar_url = draft.avatar_url.map(|url| url.map(|url| picture(&url)).transpose()).transpose()?;
        let words = |words: String| text::line("status_text", &words, STATUS_TEXT_MAX);
        // Nothing said is as good as nothing.
        let status_text = draft.status_text.map(|said| said.filter(|said| !said.trim().is_empty()));
        let status_text = status_text.map(|said| said.map(words).transpose()).transpose()?;
        if let Some(preferences) = &draft.preferences
            && preferences.len() > PREFERENCES_MAX_BYTES
        {
            let (length, max) = (preferences.len(), PREFERENCES_MAX_BYTES);
            return Err(Rejection::TooLong { field: "preferences", length, max });
        }
        Ok(CheckedProfile(ProfileDraft { name, avatar_url, status_text, preferences: draft.preferences }))
    }

    pub fn get(&self) -> &ProfileDraft {
        &self.0
    }
}

/// The address of a picture, which clients show: nothing but the web, and nobody's password in it.
pub(crate) fn picture(url: &str) -> Result<String, Rejection> {
    let field = "avatar_url";
    let url = text::line(field, url, AVATAR_URL_MAX)?;
    let of_the_web = Url::parse(&url).is_ok_and(|url| {
        matches!(url.scheme(), "https" | "http")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    });
    if of_the_web {
        Ok(url)
    } else {
        Err(Rejection::Invalid { field, expected: "an address that begins with https:// or http://" })
    }
}

/// The words by which a name is found: without capitals and without marks on letters.
pub fn folded_words(name: &str) -> Vec<String> {
    let folded: String =
        name.nfkd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase).collect();
    let words: BTreeSet<&str> = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.into_iter().take(WORDS).map(|word| shortened(word).to_owned()).collect()
}

fn shortened(word: &str) -> &str {
    let mut end = word.len().min(WORD_BYTES);
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    &word[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_their_folded_words() {
        let words = |name: &str| folded_words(name).join(" ");
        assert_eq!(words("Zoë O'Brien-Müller"), "brien muller o zoe");
        assert_eq!(words("ＡＮＮ ann Ann"), "ann");
        assert_eq!(words("Ångström Straße"), "angstrom straße");
        assert_eq!(words("李小龍"), "李小龍");
        assert_eq!(words(" -- "), "");
        assert_eq!(folded_words(&"ä".repeat(200))[0].len(), 64);
    }

    fn user() -> User {
        User {
            id: UserId(uuid::Uuid::from_u128(1)),
            workspace: WorkspaceId(uuid::Uuid::from_u128(2)),
            name: "Ann".into(),
            role: WorkspaceRole::Member,
            status: UserStatus::Active,
            avatar_url: None,
            status_text: None,
            is_operator: false,
            name_is_own: false,
            role_is_own: false,
            vouched_at: Timestamp(0),
            created_at: Timestamp(0),
        }
    }

    #[test]
    fn a_token_changes_what_was_not_decided_here() {
        let person = Person {
            issuer: "x".into(),
            subject: "ann".into(),
            name: "Ann B".into(),
            role: Some(WorkspaceRole::Admin),
            is_operator: false,
            vouched_at: Timestamp(0),
        };
        let seen = |user: User| {
            let user = user.vouched_for(&person);
            (user.name, user.role, user.is_operator)
        };
        assert_eq!(seen(user()), ("Ann B".into(), WorkspaceRole::Admin, false));
        assert_eq!(seen(User { name_is_own: true, ..user() }), ("Ann".into(), WorkspaceRole::Admin, false));
        assert_eq!(seen(User { role_is_own: true, ..user() }), ("Ann B".into(), WorkspaceRole::Member, false));
        let operator = User { role_is_own: true, is_operator: true, ..user() };
        assert_eq!(seen(operator), ("Ann B".into(), WorkspaceRole::Member, true));
        let gone = User { status: UserStatus::Deactivated, ..user() };
        assert_eq!(gone.vouched_for(&person), gone);
    }

    #[test]
    fn profiles() {
        let check = |draft: ProfileDraft| CheckedProfile::check(draft).map(drop).map_err(|refused| refused.field());
        let url = |url: &str| check(ProfileDraft { avatar_url: Some(Some(url.into())), ..Default::default() });
        assert_eq!(url("https://pictures.example/ann.png"), Ok(()));
        for bad in ["javascript:alert(1)", "data:image/png;base64,x", "https://me:secret@x.example", "ann.png", ""] {
            assert_eq!(url(bad), Err(Some("avatar_url")), "{bad}");
        }
        assert_eq!(check(ProfileDraft { name: Some(" ".into()), ..Default::default() }), Err(Some("name")));
        let said = |text: &str| ProfileDraft { status_text: Some(Some(text.into())), ..Default::default() };
        assert_eq!(check(said(&"x".repeat(141))), Err(Some("status_text")));
        assert_eq!(CheckedProfile::check(said(" ")).expect("good").get().status_text, Some(None));
        let long = ProfileDraft { preferences: Some("x".repeat(16_385)), ..Default::default() };
        assert_eq!(check(long), Err(Some("preferences")));
    }

    #[test]
    fn what_a_newer_token_says_stands() {
        let minute = |minute: i64| Timestamp(minute * 60_000);
        let ann = User { role: WorkspaceRole::Owner, is_operator: true, vouched_at: minute(5), ..user() };
        let token = |at: Timestamp, role| Person {
            issuer: "x".into(),
            subject: "ann".into(),
            name: "Ann".into(),
            role,
            is_operator: false,
            vouched_at: at,
        };
        let seen = |user: &User| (user.role, user.is_operator, user.vouched_at);
        let (owner, member) = (WorkspaceRole::Owner, WorkspaceRole::Member);

        let demoted = ann.vouched_for(&token(minute(6), Some(member)));
        assert_eq!(seen(&demoted), (member, false, minute(6)));
        assert_eq!(demoted.vouched_for(&token(minute(5), Some(owner))), demoted, "an older token brings nothing back");
        let promoted = demoted.vouched_for(&token(minute(6), Some(owner)));
        assert_eq!(seen(&promoted), (owner, false, minute(6)), "within the same moment the last one counts");

        assert_eq!(ann.vouched_for(&token(minute(6), None)).role, owner, "nothing was said about the role");
        assert!(ann.vouched_for(&token(minute(6), None)).is_operator);
        let confirmed = ann.vouched_for(&Person { is_operator: true, ..token(minute(7), Some(owner)) });
        assert_eq!(seen(&confirmed), (owner, true, minute(7)), "also who only confirms makes older ones void");
        let at_once = Timestamp(minute(5).0 + 59_999);
        assert_eq!(ann.vouched_for(&Person { is_operator: true, ..token(at_once, Some(owner)) }), ann);
    }
}
