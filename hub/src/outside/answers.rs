//! Reading what a server answers, within bounds: as it comes, and as it is when it is unpacked.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use jackfield_domain::plugins::{ANSWER_MAX_BYTES, Answered, Header, NoAnswer, Response};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

/// The headers of an answer have at most so many bytes.
const HEADERS_MAX_BYTES: usize = 16 << 10;
/// What was true of the connection, or of what was packed, and is not of what is handed on.
const NOT_HANDED_ON: &[&str] =
    &["connection", "content-encoding", "content-length", "keep-alive", "trailer", "transfer-encoding", "upgrade"];

/// Reads all of an answer, or as much as is enough.
pub async fn read(mut response: reqwest::Response, enough_bytes: Option<u32>) -> Answered {
    let status = response.status().as_u16();
    let url = response.url().to_string();
    let headers = headers(response.headers())?;
    // Who says that more is enough than there may be wants all of it.
    let enough = enough_bytes.map(|enough| enough as usize).filter(|enough| *enough <= ANSWER_MAX_BYTES);
    let mut unpacking = Unpacking::of(response.headers(), enough.unwrap_or(ANSWER_MAX_BYTES))?;
    let mut came = 0;
    while let Some(chunk) = response.chunk().await.map_err(super::failed)? {
        came += chunk.len();
        if came > ANSWER_MAX_BYTES && enough.is_none() {
            return Err(NoAnswer::TooLarge);
        }
        if unpacking.take(&chunk)? {
            // The rest is not read: the connection is closed.
            return match enough {
                Some(_) => Ok(Response { status, url, headers, body: unpacking.into_body(), is_cut: true }),
                None => Err(NoAnswer::TooLarge),
            };
        }
        if came > ANSWER_MAX_BYTES {
            return Err(NoAnswer::TooLarge);
        }
    }
    let (body, is_cut) = unpacking.end()?;
    if is_cut && enough.is_none() {
        return Err(NoAnswer::TooLarge);
    }
    Ok(Response { status, url, headers, body, is_cut })
}

fn headers(given: &HeaderMap) -> Result<Vec<Header>, NoAnswer> {
    if given.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() > HEADERS_MAX_BYTES {
        return Err(NoAnswer::Malformed(format!("its headers have more than {HEADERS_MAX_BYTES} bytes")));
    }
    let handed_on = given.iter().filter(|(name, _)| !NOT_HANDED_ON.contains(&name.as_str()));
    let header = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| Header {
        name: name.as_str().to_owned(),
        value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
    };
    Ok(handed_on.map(header).collect())
}

/// What comes, on its way to what it is.
enum Unpacking {
    Plain(Bounded),
    Gzip(Box<MultiGzDecoder<Bounded>>),
}

impl Unpacking {
    fn of(headers: &HeaderMap, most: usize) -> Result<Self, NoAnswer> {
        let bounded = Bounded { bytes: Vec::new(), most };
        let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
        let (first, more) = (encodings.next(), encodings.next());
        let first = first.map(|encoding| encoding.as_bytes().to_ascii_lowercase());
        match (first.as_deref(), more) {
            (None | Some(b"identity" | b""), None) => Ok(Unpacking::Plain(bounded)),
            (Some(b"gzip" | b"x-gzip"), None) => Ok(Unpacking::Gzip(Box::new(MultiGzDecoder::new(bounded)))),
            // Nothing else was asked for, and nothing that is packed twice.
            _ => Err(NoAnswer::Malformed("it is packed as nobody asked for".to_owned())),
        }
    }

    /// Whether there is more than there may be.
    fn take(&mut self, chunk: &[u8]) -> Result<bool, NoAnswer> {
        let (written, bounded) = match self {
            Unpacking::Plain(bounded) => (bounded.write_all(chunk), &*bounded),
            Unpacking::Gzip(unpacking) => (unpacking.write_all(chunk), unpacking.get_ref()),
        };
        match written {
            _ if bounded.is_over() => Ok(true),
            Ok(()) => Ok(false),
            Err(_) => Err(NoAnswer::Malformed("what it has packed cannot be unpacked".to_owned())),
        }
    }

    /// All of it, and whether there was more of it than there may be.
    fn end(mut self) -> Result<(Vec<u8>, bool), NoAnswer> {
        if let Unpacking::Gzip(unpacking) = &mut self
            && unpacking.try_finish().is_err()
            && !unpacking.get_ref().is_over()
        {
            return Err(NoAnswer::Malformed("what it has packed ends early".to_owned()));
        }
        let is_over = self.bounded().is_over();
        Ok((self.into_body(), is_over))
    }

    fn bounded(&self) -> &Bounded {
        match self {
            Unpacking::Plain(bounded) => bounded,
            Unpacking::Gzip(unpacking) => unpacking.get_ref(),
        }
    }

    fn into_body(mut self) -> Vec<u8> {
        let bounded = match &mut self {
            Unpacking::Plain(bounded) => bounded,
            Unpacking::Gzip(unpacking) => unpacking.get_mut(),
        };
        let mut body = std::mem::take(&mut bounded.bytes);
        body.truncate(bounded.most);
        body
    }
}

/// Takes one byte more than there may be, by which it shows, and no further ones.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl Bounded {
    fn is_over(&self) -> bool {
        self.bytes.len() > self.most
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = (self.most + 1).saturating_sub(self.bytes.len());
        if room == 0 && !bytes.is_empty() {
            return Err(io::Error::other("there is more than there may be"));
        }
        let taken = bytes.len().min(room);
        self.bytes.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacking(encoding: &'static str, most: usize) -> Result<Unpacking, NoAnswer> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, encoding.parse().unwrap());
        Unpacking::of(&headers, most)
    }

    /// F: P-09
    #[test]
    fn what_is_packed_is_unpacked_as_far_as_there_is_room() {
        let tea = packed(b"tea");
        for most in [3, 4] {
            let mut whole = unpacking("gzip", most).unwrap();
            for byte in &tea {
                assert_eq!(whole.take(&[*byte]), Ok(false));
            }
            assert_eq!(whole.end(), Ok((b"tea".to_vec(), false)));
        }
        let mut cut = unpacking("gzip", 2).unwrap();
        let is_over = cut.take(&tea).unwrap();
        let (body, is_cut) = cut.end().unwrap();
        assert!(is_over || is_cut);
        assert_eq!(body, b"te");
        // A hundred megabytes of nothing: no more of it is ever at hand than there may be.
        let mut bomb = unpacking("gzip", 1_000).unwrap();
        assert_eq!(bomb.take(&packed(&vec![0; 100 << 20])), Ok(true));
        assert!(bomb.bounded().bytes.capacity() < 1 << 20);
        let mut early = unpacking("gzip", 9).unwrap();
        assert_eq!(early.take(&tea[..tea.len() - 4]), Ok(false));
        assert!(matches!(early.end(), Err(NoAnswer::Malformed(_))));
        assert!(matches!(unpacking("gzip", 9).unwrap().take(b"tea, and not packed"), Err(NoAnswer::Malformed(_))));
        for other in ["br", "deflate", "gzip, gzip", "zstd"] {
            assert!(matches!(unpacking(other, 9), Err(NoAnswer::Malformed(_))), "{other}");
        }
    }
}
