//! Short inputs that stand for long ones: libFuzzer works on a few hundred bytes, but memory and depth show at many
//! thousands.

/// As long as an expanded input gets: one that costs five times its length is 64 KiB and more above four times.
const LONGEST: usize = 96 * 1024;

/// Begins a run: the next byte is the length in units of 256, the one after it what is repeated.
const RUN: u8 = 0x1A;
/// Begins numbered members: the next byte tells how many, in units of 256. `"0":0,"1":0,` and so on.
const MEMBERS: u8 = 0x1C;

/// Replaces each run and each request for members.
///
/// The two control characters that announce them have no meaning in JSON, HTTP or forms.
pub(crate) fn expand(data: &[u8]) -> Vec<u8> {
    expand_within(data, LONGEST)
}

/// As [`expand`], to another length, in bytes: where reading takes long.
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
