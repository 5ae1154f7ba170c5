//! Text in base64 as the bytes that it stands for (RFC 4648 §4), three bytes at a time, so that no copy of a token stays
//! behind.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// The shortest text that is taken for base64. A shorter word may just look like it.
const SHORTEST: usize = 24;

/// How many bytes a text stands for; `None` if it is not what an encoder writes.
pub(super) fn length(text: &[u8]) -> Option<usize> {
    if text.len() < SHORTEST || text.len() % 4 != 0 {
        return None;
    }
    let mut length = 0_usize;
    let mut groups = text.chunks_exact(4).peekable();
    while let Some(group) = groups.next() {
        let (_, bytes) = group_of(group)?;
        if bytes < 3 && groups.peek().is_some() {
            return None;
        }
        length = length.checked_add(bytes)?;
    }
    Some(length)
}

/// Emits the bytes of a text that has a [`length`].
pub(super) fn decode(text: &[u8], emit: &mut dyn FnMut(&[u8])) {
    for (bytes, length) in text.chunks_exact(4).filter_map(group_of) {
        emit(bytes.get(..length).unwrap_or_default());
    }
}

/// Emits the text of bytes.
pub(super) fn encode(bytes: &[u8], emit: &mut dyn FnMut(&[u8])) {
    for group in bytes.chunks(3) {
        let byte = |index| group.get(index).copied().map_or(0, u32::from);
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        let digits = [18, 12, 6, 0].map(|shift| {
            let digit = usize::try_from((bits >> shift) & 63).unwrap_or_default();
            ALPHABET.get(digit).copied().unwrap_or(b'=')
        });
        emit(digits.get(..=group.len()).unwrap_or_default());
        emit(b"==".get(group.len().saturating_sub(1)..).unwrap_or_default());
    }
}

/// The bytes that four digits stand for, and how many: fewer than three if the last digits are `=`.
fn group_of(group: &[u8]) -> Option<([u8; 3], usize)> {
    let digits = group.iter().take_while(|byte| **byte != b'=').count();
    let bytes = digits.checked_sub(1).filter(|bytes| *bytes > 0)?;
    let mut bits = 0_u32;
    for byte in group {
        let digit = match byte {
            b'A'..=b'Z' => byte.wrapping_sub(b'A'),
            b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b'/' => 63,
            _ => 0,
        };
        bits = (bits << 6) | u32::from(digit);
    }
    let [_, decoded @ ..] = bits.to_be_bytes();
    let mut again = [0; 4];
    let mut place = again.iter_mut();
    encode(decoded.get(..bytes)?, &mut |digits| {
        digits.iter().zip(&mut place).for_each(|(digit, place)| *place = *digit);
    });
    (again == group).then_some((decoded, bytes))
}
