//! Who may do what is decided from these two words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ::serde::Serialize, ::serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every word there is, in the order of their definition.
            pub const ALL: &[$name] = &[$($name::$variant),*];

            /// The word as it is stored.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// The other way round.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some($name::$variant),)* _ => None }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What a user is in the whole workspace.
    WorkspaceRole {
        /// May do everything in the workspace, and cannot be removed by anyone else.
        Owner = "owner",
        /// Runs the workspace.
        Admin = "admin",
        /// Keeps the peace.
        Moderator = "moderator",
        /// Takes part.
        Member = "member",
        /// A program.
        Bot = "bot",
    }
}

words! {
    /// What a user is in one conversation.
    ConversationRole {
        /// Made the conversation, or was handed it.
        Owner = "owner",
        /// Runs the conversation.
        Admin = "admin",
        /// Takes part.
        Member = "member",
    }
}
