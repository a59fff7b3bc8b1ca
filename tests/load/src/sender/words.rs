//! What is sent, as bytes: the request changes in four places from message to message.

use std::io::Write;

/// What stands in the body before the time of sending, in nanoseconds since the stage's origin, in 16 digits.
pub const STAMP: &[u8] = b"\"body\":\"t=";

const QUERY: &str = "mutation Send($input: MessageSendInput!) { messageSend(input: $input) { \
                     message { id sequence createdAt } errors { code message } } }";

pub struct Words {
    lane: usize,
    number: u64,
    filler: String,
}

impl Words {
    pub fn new(lane: usize, number: u64, body_bytes: usize) -> Self {
        // "t=" and 16 digits, then as much as is asked for.
        let filler = "The words of a message, of no more weight than the others. ";
        let filler = filler.chars().cycle().take(body_bytes.saturating_sub(19)).collect();
        Words { lane, number, filler }
    }

    /// Appends the next request: JSON that needs no escape, since everything in it is ours.
    pub fn write(&mut self, out: &mut Vec<u8>, room: &str, nanoseconds: u64) {
        let Words { lane, number, filler } = self;
        write!(
            out,
            r#"{{"query":"{QUERY}","variables":{{"input":{{"conversationId":"{room}","clientMessageId":"{lane}-{number}","body":"t={nanoseconds:016} {filler}"}}}}}}"#
        )
        .expect("a vector takes everything");
        self.number += 1;
    }
}

#[cfg(test)]
mod tests {
    use memchr::memmem;

    use super::*;
    use crate::wire::number_at;

    #[test]
    fn a_request_is_json_and_carries_its_time() {
        let mut out = Vec::new();
        Words::new(3, 0, 120).write(&mut out, "conv_x", 42_000);
        let parsed: serde_json::Value = serde_json::from_slice(&out).expect("it is JSON");
        assert_eq!(parsed["variables"]["input"]["body"].as_str().map(str::len), Some(120));
        let stamp = memmem::find(&out, STAMP).expect("the stamp is there");
        assert_eq!(number_at(&out, stamp + STAMP.len()), Some(42_000));
    }
}
