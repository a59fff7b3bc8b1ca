//! Retention on a hub for tests.

use jackfield_plugin::serde_json;

use super::*;

const DAY: i64 = 24 * 60 * 60;
