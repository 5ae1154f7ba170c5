//! A login with a browser on this machine.

pub(crate) mod browser;
pub(crate) mod callback_listener;
