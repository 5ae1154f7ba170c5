//! Runs the command as scripts and people do: as a process, against a sandbox, over real sockets.

mod answers;
mod belonging;
mod completions;
mod crashes;
mod demo;
mod input;
mod leftovers;
mod login;
mod places;
mod proxy;
#[path = "../../../restream-oauth-conformance/support/proxy_server.rs"]
#[allow(dead_code, reason = "these tests need only tunnels")]
mod proxy_server;
mod regressions;
mod sandbox;
mod steps;
mod support;
mod token_files;
