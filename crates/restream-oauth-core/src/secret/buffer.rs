//! Buffers that leave no copy behind.

use zeroize::Zeroize;

/// A buffer that grows up to a limit. It never leaves a copy behind: when it grows, it wipes its old memory.
pub(crate) struct WipedBuffer {
    bytes: Vec<u8>,
    limit: usize,
    /// The announced number of bytes; 0 if none is announced.
    expected: usize,
}

/// In bytes. Up to this size the buffer doubles; then it takes the whole limit at once. So the old and the new memory
/// together are at most the limit plus this size.
const LARGEST_STEP: usize = 32 * 1024;

impl WipedBuffer {
    /// An empty buffer for at most `limit` bytes.
    #[inline]
    pub(crate) fn of_at_most(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, expected: 0 }
    }

    /// An empty buffer with memory for exactly this many bytes, which is also its limit.
    pub(crate) fn with_room_for(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), limit: bytes, expected: bytes }
    }

    /// Notes the announced length. It is only a hint for the first allocation.
    pub(crate) fn expect_length(&mut self, bytes: usize) {
        self.expected = bytes;
    }

    /// Appends `bytes` if they fit without growing, as most chunks of a response do. Returns false if they do not fit.
    #[inline]
    pub(crate) fn push_if_there_is_room(&mut self, bytes: &[u8]) -> bool {
        // The allocator may give more capacity than the limit.
        let end = self.bytes.len().saturating_add(bytes.len());
        let fits = end <= self.bytes.capacity() && end <= self.limit;
        match bytes {
            _ if !fits => {}
            // For a single byte, the call of a copy function takes longer than the copy.
            &[byte] => self.bytes.push(byte),
            _ => self.bytes.extend_from_slice(bytes),
        }
        fits
    }

    /// Appends as much of `bytes` as the limit allows. Returns false if some bytes did not fit.
    pub(crate) fn push_up_to_limit(&mut self, bytes: &[u8]) -> bool {
        let room = self.limit.saturating_sub(self.bytes.len());
        let (fitting, rest) = bytes.split_at(bytes.len().min(room));
        self.make_room(fitting.len());
        self.bytes.extend_from_slice(fitting);
        rest.is_empty()
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes the bytes out. The caller must wipe them.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    fn make_room(&mut self, additional: usize) {
        let needed = self.bytes.len().saturating_add(additional);
        let capacity = self.bytes.capacity();
        if needed <= capacity {
            return;
        }
        let doubled = needed.max(self.expected.min(LARGEST_STEP)).max(capacity.saturating_mul(2));
        let room = if doubled <= LARGEST_STEP { doubled.min(self.limit) } else { self.limit };
        let mut grown = Vec::with_capacity(room);
        grown.extend_from_slice(&self.bytes);
        wipe(&mut self.bytes);
        self.bytes = grown;
    }
}

impl Drop for WipedBuffer {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
    }
}

/// Wipes the whole capacity of the buffer. Wipes slices, because `zeroize` wipes slices in bulk, but a `Vec` byte by
/// byte.
pub(super) fn wipe(buffer: &mut Vec<u8>) {
    // An empty `Vec` has a dangling address, and even writing zero bytes there takes some processors 100 ns.
    if !buffer.is_empty() {
        buffer.as_mut_slice().zeroize();
    }
    if buffer.len() < buffer.capacity() {
        buffer.spare_capacity_mut().zeroize();
    }
}

/// A fixed number of secret bytes. Dropping them wipes them. Where they are text, the standard library checks whole words
/// of it only if they are aligned.
#[repr(align(8))]
pub(crate) struct SecretBytes<const N: usize>(pub(crate) [u8; N]);

impl<const N: usize> Drop for SecretBytes<N> {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_keeps_what_fits_below_its_limit() {
        let mut buffer = WipedBuffer::of_at_most(5);
        assert!(!buffer.push_if_there_is_room(b"a"), "there is no room yet");
        assert!(buffer.push_up_to_limit(b"abc"));
        assert!(buffer.push_up_to_limit(b"de"));
        assert!(buffer.push_up_to_limit(b""));
        assert!(!buffer.push_if_there_is_room(b"f"));
        assert!(!buffer.push_up_to_limit(b"f"));
        assert_eq!(buffer.as_slice(), b"abcde");
    }

    #[test]
    fn a_buffer_of_many_small_pieces_is_their_concatenation() {
        let pieces: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut buffer = WipedBuffer::of_at_most(256 * 1024);
        for piece in pieces.chunks(7) {
            assert!(buffer.push_if_there_is_room(piece) || buffer.push_up_to_limit(piece));
        }
        assert_eq!(buffer.as_slice(), pieces);
        assert!(buffer.bytes.capacity() <= 256 * 1024);
    }

    #[test]
    fn the_first_allocation_has_the_announced_length_but_at_most_one_step() {
        for (expected, capacity) in [(0, 1), (900, 900), (usize::MAX, 32_768)] {
            let mut buffer = WipedBuffer::of_at_most(256 * 1024);
            buffer.expect_length(expected);
            assert!(buffer.push_up_to_limit(b"a"));
            assert_eq!(buffer.bytes.capacity(), capacity);
        }
    }
}
