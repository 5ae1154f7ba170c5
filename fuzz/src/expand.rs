//! Short inputs that stand for long ones. libFuzzer works on a few hundred bytes, but problems with memory and depth
//! only show at many thousands.

/// The longest expanded input, in bytes. At this length, memory of five times the input exceeds the bound of four times
/// the input and 64 KiB.
const LONGEST: usize = 96 * 1024;

/// Begins a run. The next byte is its length in units of 256; the byte after it is repeated.
const RUN: u8 = 0x1A;
/// Begins numbered members: `"0":0,"1":0,` and so on. The next byte is their number in units of 256.
const MEMBERS: u8 = 0x1C;

/// Replaces each run and each request for members.
///
/// The two control characters that announce them have no meaning in JSON, HTTP or forms.
pub(crate) fn expand(data: &[u8]) -> Vec<u8> {
    expand_within(data, LONGEST)
}

/// As [`expand`], up to another length in bytes, for targets that take long to read.
pub(crate) fn expand_within(data: &[u8], longest: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    let mut rest = data;
    while let [first, after @ ..] = rest {
        rest = match (*first, after) {
            (RUN, [count, byte, after @ ..]) => {
                let length = (usize::from(*count) * 256).min(longest.saturating_sub(out.len()));
                out.resize(out.len() + length, *byte);
                after
            }
            (MEMBERS, [count, after @ ..]) => {
                for number in 0..u32::from(*count) * 256 {
                    if out.len() > longest {
                        break;
                    }
                    out.extend_from_slice(format!("\"{number}\":0,").as_bytes());
                }
                after
            }
            (byte, after) => {
                out.push(byte);
                after
            }
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_announces_nothing_stays() {
        for plain in [&b"{\"a\":1}"[..], b"", b"\x1A", b"\x1A\x02", b"\x1C"] {
            assert_eq!(expand(plain), plain);
        }
    }

    #[test]
    fn runs_and_members_are_bounded() {
        assert_eq!(expand(b"a\x1A\x01[b"), [b"a", &[b'['; 256][..], b"b"].concat());
        assert!(expand(b"{\x1C\x01").starts_with(b"{\"0\":0,\"1\":0,"));
        let hostile = [&b"\x1A\xFF["[..], b"\x1C\xFF"].concat().repeat(100);
        assert!(expand(&hostile).len() < LONGEST + 100);
    }
}
