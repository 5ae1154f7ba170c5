//! What the environment says about the session.

/// True if the command runs in a session of SSH: the user's browser is on another machine.
pub(crate) fn is_remote() -> bool {
    ["SSH_CONNECTION", "SSH_TTY"].iter().any(|name| is_set(name))
}

/// True if a variable is set, and not empty.
pub(crate) fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}
