//! Names of domains as they are written in ASCII (RFC 3492), back in letters.

const BASE: u32 = 36;
/// The longest name that a domain may have in a row.
const MAX_CHARACTERS: usize = 63;

/// What `bcher-kva` stands for, of `xn--bcher-kva`; nothing where it stands for nothing.
pub fn decode(name: &str) -> Option<String> {
    if name.len() > MAX_CHARACTERS {
        return None;
    }
    let (plain, coded) = name.rsplit_once('-').unwrap_or(("", name));
    let mut letters: Vec<char> = plain.chars().collect();
    let (mut code, mut place, mut bias) = (128_u32, 0_u32, 72_u32);
    let mut digits = coded.chars();
    while !digits.as_str().is_empty() {
        let (before, mut weight) = (place, 1_u32);
        for k in (BASE..).step_by(BASE as usize) {
            let digit = match digits.next()? {
                letter @ 'a'..='z' => letter as u32 - 'a' as u32,
                number @ '0'..='9' => number as u32 - '0' as u32 + 26,
                _ => return None,
            };
            place = digit.checked_mul(weight)?.checked_add(place)?;
            let threshold = k.saturating_sub(bias).clamp(1, 26);
            if digit < threshold {
                break;
            }
            weight = weight.checked_mul(BASE - threshold)?;
        }
        let count = letters.len() as u32 + 1;
        bias = adapted(place - before, count, before == 0);
        code = code.checked_add(place / count)?;
        place %= count;
        letters.insert(place as usize, char::from_u32(code)?);
        place += 1;
    }
    Some(letters.into_iter().collect())
}

fn adapted(delta: u32, count: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / 700 } else { delta / 2 };
    delta += delta / count;
    let mut k = 0;
    while delta > 455 {
        delta /= BASE - 1;
        k += BASE;
    }
    k + 36 * delta / (delta + 38)
}
