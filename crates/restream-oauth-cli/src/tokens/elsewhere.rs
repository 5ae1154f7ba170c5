//! Saves tokens and responses to the folder for temporary files, when they have no place beside the token file.

use std::io;
use std::path::PathBuf;

use restream_oauth_core::Tokens;
use restream_oauth_keeper::store::file::private_file;

use crate::failure::Failure;
use crate::terminal::alert;
use crate::tokens::document::line;

/// Saves tokens that could not be stored, so that the grant is not lost. Adds to `failure` where they are.
pub(crate) fn rescue(failure: Failure, tokens: &Tokens) -> Failure {
    failure.and(&words_of(&save_elsewhere(tokens)))
}

/// Saves tokens to the folder for temporary files. The error names the path that failed.
pub(crate) fn save_elsewhere(tokens: &Tokens) -> Result<PathBuf, (PathBuf, io::Error)> {
    save_document_elsewhere(&line(&tokens.to_saved()))
}

/// Saves a document with tokens to the folder for temporary files.
pub(crate) fn save_document_elsewhere(document: &str) -> Result<PathBuf, (PathBuf, io::Error)> {
    let path = elsewhere("tokens");
    match private_file::create(&path, document.as_bytes()) {
        Ok(()) => Ok(path),
        Err(error) => Err((path, error)),
    }
}

/// Says where the tokens were saved, or why they were not.
pub(crate) fn words_of(saved: &Result<PathBuf, (PathBuf, io::Error)>) -> String {
    match saved {
        Ok(path) => format!("the new tokens are in {}: move them to a safe place", path.display()),
        Err((path, error)) => format!("the new tokens could not be saved in {}: {error}", path.display()),
    }
}

/// Keeps a response that has no place beside a token file, and says where.
pub(crate) fn keep_answer_elsewhere(body: &[u8]) -> Option<PathBuf> {
    let path = elsewhere("answer");
    match private_file::create(&path, body) {
        Ok(()) => {
            alert(&format!(
                "the answer is kept in {}, because it may hold a token: remove it when you have a new pair",
                path.display()
            ));
            Some(path)
        }
        Err(error) => {
            alert(&format!("the answer could not be kept in {}: {error}", path.display()));
            None
        }
    }
}

/// Returns a new path in the folder for temporary files.
fn elsewhere(what: &str) -> PathBuf {
    let mut random = [0; 8];
    // Without randomness the name can be guessed. That is harmless: an existing file or link is never written to.
    let _ = getrandom::fill(&mut random);
    std::env::temp_dir().join(format!("restream-oauth-{what}-{:016x}.json", u64::from_le_bytes(random)))
}
