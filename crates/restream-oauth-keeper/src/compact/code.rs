//! The codes of values, and what else both directions must agree on.

/// The first byte of a compact document.
pub(super) const COMPACT: u8 = 1;
/// How deep values may be nested. Documents of ours have four levels.
pub(super) const DEEPEST: u32 = 16;

pub(super) const END: u8 = 0;
pub(super) const OBJECT: u8 = 1;
pub(super) const LIST: u8 = 2;
pub(super) const TRUE: u8 = 3;
pub(super) const FALSE: u8 = 4;
pub(super) const NULL: u8 = 5;
pub(super) const NUMBER: u8 = 6;
pub(super) const LITERAL: u8 = 7;
pub(super) const TEXT: u8 = 8;
pub(super) const HEX: u8 = 9;
pub(super) const UUID: u8 = 10;
pub(super) const TIME: u8 = 11;
pub(super) const TEXTS: u8 = 12;
pub(super) const BASE64: u8 = 13;
pub(super) const BASE64_JSON: u8 = 14;
/// The first word.
pub(super) const WORDS: u8 = 16;
