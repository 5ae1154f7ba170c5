//! What must hold for every input, as functions of bytes.
//!
//! Each function here is the oracle of one fuzz target. It takes any bytes and panics if the core, the sandbox,
//! the keeper's sealing or the broker's protocol breaks a promise. The targets in `fuzz_targets/` call the oracles with libFuzzer's inputs, on a nightly compiler.
//! `tests/corpus.rs` replays every file of `corpus/` through the oracles, on stable. `README.md` says how to run a
//! target and how to add one.
//!
//! An oracle judges by other means than the code that it judges: another library, the text of an RFC, or a second way
//! to the same result. Each oracle also measures what is allocated (`allocation.rs`), and searches the printed text for
//! secrets (`canary.rs`).

#![allow(clippy::missing_panics_doc, reason = "an oracle reports by a panic")]

mod allocation;
mod basic;
mod broker_request;
mod callback;
mod canary;
mod challenge;
mod chunked_reader;
mod client;
mod error_answer;
mod expand;
mod form_encoding;
mod json;
mod retry_after;
mod sandbox_http;
mod saved_tokens;
mod script;
mod sealed_document;
mod token_answer;
mod written;

pub use basic::basic;
pub use broker_request::broker_request;
pub use callback::callback;
pub use challenge::challenge;
pub use chunked_reader::chunked_reader;
pub use error_answer::error_answer;
pub use form_encoding::form_encoding;
pub use retry_after::retry_after;
pub use sandbox_http::sandbox_http;
pub use saved_tokens::saved_tokens;
pub use sealed_document::sealed_document;
pub use token_answer::token_answer;

/// An oracle.
pub type Target = fn(&[u8]);

/// Every target with its name, which is also the name of its corpus, its dictionary and its binary.
pub const TARGETS: [(&str, Target); 12] = [
    ("basic", basic),
    ("broker_request", broker_request),
    ("callback", callback),
    ("challenge", challenge),
    ("chunked_reader", chunked_reader),
    ("error_answer", error_answer),
    ("form_encoding", form_encoding),
    ("retry_after", retry_after),
    ("sandbox_http", sandbox_http),
    ("saved_tokens", saved_tokens),
    ("sealed_document", sealed_document),
    ("token_answer", token_answer),
];
