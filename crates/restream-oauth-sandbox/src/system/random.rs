//! Random codes, tokens and credentials in the documented format.

use std::fmt::Write as _;

/// 160 bits as 40 hexadecimal digits.
pub(crate) fn hex_40() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().fold(String::with_capacity(40), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_40_lower_case_hex_digits_and_differ() {
        let (one, other) = (hex_40().unwrap(), hex_40().unwrap());
        assert!(one.len() == 40 && one.bytes().all(|byte| b"0123456789abcdef".contains(&byte)));
        assert_ne!(one, other);
    }
}
