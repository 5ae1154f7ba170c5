//! Numbers as bytes, and texts of digits as the bytes that they stand for.

/// A number in seven bits a byte, the lowest first.
pub(super) struct Bytes {
    bytes: [u8; 10],
    length: usize,
}

impl Bytes {
    pub(super) fn of(mut number: u64) -> Self {
        let (mut bytes, mut length) = ([0; 10], 0_usize);
        for byte in &mut bytes {
            let low = u8::try_from(number & 0x7F).unwrap_or_default();
            number >>= 7;
            length = length.saturating_add(1);
            *byte = if number == 0 { low } else { low | 0x80 };
            if number == 0 {
                break;
            }
        }
        Self { bytes, length }
    }

    pub(super) fn of_length(length: usize) -> Self {
        Self::of(u64::try_from(length).unwrap_or(u64::MAX))
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Reads such a number. Returns it, and what follows.
pub(super) fn read_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        let shift = u32::try_from(index).ok()?.checked_mul(7)?;
        let part = u64::from(byte & 0x7F);
        // Of the tenth byte, one bit is left.
        if part.leading_zeros() < shift {
            return None;
        }
        number |= part << shift;
        if byte & 0x80 == 0 {
            return Some((number, bytes.get(index.checked_add(1)?..)?));
        }
    }
    None
}

/// A whole number as JSON writes it: digits alone, no needless zero.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let is_plain = text.iter().all(u8::is_ascii_digit) && (text.len() == 1 || text.first() != Some(&b'0'));
    std::str::from_utf8(text).ok().filter(|_| is_plain)?.parse().ok()
}

/// Seconds and nanoseconds of a text such as `1700000000.000000001`.
pub(super) fn time(text: &[u8]) -> Option<(u64, u64)> {
    let (seconds, rest) = text.split_at_checked(text.iter().position(|byte| *byte == b'.')?)?;
    let nanoseconds = rest.strip_prefix(b".").filter(|digits| digits.len() == 9)?;
    if !nanoseconds.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some((number(seconds)?, std::str::from_utf8(nanoseconds).ok()?.parse().ok()?))
}

/// The shortest text of digits that is worth its own code.
const SHORTEST: usize = 6;
/// How many bytes each group of a UUID stands for.
pub(super) const UUID_GROUPS: [usize; 5] = [4, 2, 2, 2, 6];
const DIGITS: &[u8; 16] = b"0123456789abcdef";

pub(super) fn is_hex(text: &[u8]) -> bool {
    text.len() >= SHORTEST && text.len() % 2 == 0 && text.iter().all(|byte| DIGITS.contains(byte))
}

pub(super) fn is_uuid(text: &[u8]) -> bool {
    let mut groups = text.split(|byte| *byte == b'-');
    let fits = UUID_GROUPS
        .into_iter()
        .all(|length| groups.next().is_some_and(|group| group.len() / 2 == length && group.len() % 2 == 0));
    fits && groups.next().is_none() && text.iter().all(|byte| *byte == b'-' || DIGITS.contains(byte))
}

/// Emits a byte for each two digits, one at a time, so that no copy of a token stays behind.
pub(super) fn pairs(digits: &[u8], emit: &mut dyn FnMut(&[u8])) {
    let value = |digit: u8| DIGITS.iter().position(|it| *it == digit).and_then(|it| u8::try_from(it).ok());
    for pair in digits.chunks_exact(2) {
        if let [high, low] = *pair {
            emit(&[(value(high).unwrap_or_default() << 4) | value(low).unwrap_or_default()]);
        }
    }
}

/// Emits two digits for each byte.
pub(super) fn hex(bytes: &[u8], emit: &mut dyn FnMut(&[u8])) {
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            emit(DIGITS.get(usize::from(nibble)..).and_then(|digits| digits.first_chunk::<1>()).map_or(b"", |it| it));
        }
    }
}
