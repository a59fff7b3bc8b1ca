//! A place in a trace, in the words of W3C Trace Context: what goes along with whatever a request causes elsewhere.

use std::{fmt, num::NonZero, str::FromStr};

use serde::{Deserialize, Serialize};

/// Which trace, and what in it was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TracePlace {
    trace: NonZero<u128>,
    span: NonZero<u64>,
}

/// What is there is no place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that is no traceparent")]
pub struct NoTracePlace;

impl TracePlace {
    pub fn new(trace: u128, span: u64) -> Option<Self> {
        Some(TracePlace { trace: NonZero::new(trace)?, span: NonZero::new(span)? })
    }

    pub fn trace(self) -> u128 {
        self.trace.get()
    }

    pub fn span(self) -> u64 {
        self.span.get()
    }
}

/// As in the header `traceparent`. Whether whoever sent it keeps the trace is their affair, and is not read.
impl FromStr for TracePlace {
    type Err = NoTracePlace;

    fn from_str(text: &str) -> Result<Self, NoTracePlace> {
        let mut parts = text.split('-');
        let mut hex = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits).ok_or(NoTracePlace)?;
            let is_hex = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            is_hex.then_some(part).ok_or(NoTracePlace)
        };
        let (version, trace, span, _flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
        // Later versions may have more to say, which is none of our business; the first one has not.
        if version == "ff" || version == "00" && parts.next().is_some() {
            return Err(NoTracePlace);
        }
        let trace = u128::from_str_radix(trace, 16).map_err(|_| NoTracePlace)?;
        let span = u64::from_str_radix(span, 16).map_err(|_| NoTracePlace)?;
        TracePlace::new(trace, span).ok_or(NoTracePlace)
    }
}

/// Only what is kept is handed on, and so it says that it is.
impl fmt::Display for TracePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-01", self.trace, self.span)
    }
}

impl TryFrom<String> for TracePlace {
    type Error = NoTracePlace;

    fn try_from(text: String) -> Result<Self, NoTracePlace> {
        text.parse()
    }
}

impl From<TracePlace> for String {
    fn from(place: TracePlace) -> Self {
        place.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written_and_nothing_else_is() {
        let written = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let read = written.parse::<TracePlace>().expect("a place");
        assert_eq!((read.trace(), read.span()), (0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c, 0xb7ad_6b71_6920_3331));
        assert_eq!(read.to_string(), written);
        assert_eq!(written.replace("-01", "-00").parse(), Ok(read), "nobody forces anything upon us");
        assert_eq!(format!("cc{}-what-else", &written[2..]).parse(), Ok(read), "of a version to come");
        for wrong in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b71692033310-01",
        ] {
            assert_eq!(wrong.parse::<TracePlace>(), Err(NoTracePlace), "{wrong}");
        }
    }
}
