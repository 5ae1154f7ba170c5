//! Vectors that grow by an eighth, and not by half or twice: a process may keep a million grants, and few come later.

/// Adds a value.
pub(crate) fn push<T>(values: &mut Vec<T>, value: T) {
    reserve(values);
    values.push(value);
}

/// Makes room for one more value.
pub(crate) fn reserve<T>(values: &mut Vec<T>) {
    if values.len() == values.capacity() {
        values.reserve_exact(more(values.len()));
    }
}

/// Makes room for this many more bytes.
pub(crate) fn reserve_text(text: &mut String, bytes: usize) {
    if text.capacity().saturating_sub(text.len()) < bytes {
        text.reserve_exact(more(text.len()).max(bytes));
    }
}

fn more(length: usize) -> usize {
    (length / 8).max(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eighth_is_free_at_most() {
        let (mut values, mut text) = (Vec::new(), String::new());
        for number in 0..100_000_u32 {
            push(&mut values, number);
            reserve_text(&mut text, 3);
            text.push_str("abc");
        }
        assert!(values.capacity() < 112_600, "{}", values.capacity());
        assert!(text.capacity() < 337_600, "{}", text.capacity());
    }
}
