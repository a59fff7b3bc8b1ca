//! The policy of a workspace in the API: the list stands in `domain`, with its descriptions.

use async_graphql::{InputObject, SimpleObject};
use jackfield_domain::{Policy, PolicyChanges, for_every_policy};

macro_rules! define {
    (
        numbers { $($(#[$doc:meta])* $name:ident = $default:literal, from $low:literal to $high:literal;)* }
        switches { $($(#[$switch_doc:meta])* $switch:ident = $off_or_on:literal;)* }
    ) => {
        /// The limits of a workspace. More may be added.
        #[derive(SimpleObject)]
        pub struct WorkspacePolicy {
            $($(#[$doc])* $name: u64,)*
            $($(#[$switch_doc])* $switch: bool,)*
        }

        /// What is to change; what is left out stays as it is.
        #[derive(InputObject)]
        pub struct WorkspacePolicyUpdateInput {
            $($(#[$doc])* $name: Option<u64>,)*
            $($(#[$switch_doc])* $switch: Option<bool>,)*
        }

        impl From<Policy> for WorkspacePolicy {
            fn from(policy: Policy) -> Self {
                WorkspacePolicy { $($name: policy.$name,)* $($switch: policy.$switch,)* }
            }
        }

        impl From<WorkspacePolicyUpdateInput> for PolicyChanges {
            fn from(input: WorkspacePolicyUpdateInput) -> Self {
                PolicyChanges { $($name: input.$name,)* $($switch: input.$switch,)* }
            }
        }
    };
}

for_every_policy!(define);
