//! Runs the command as scripts and people do: as a process, against a sandbox, over real sockets.

mod accounts;
mod answers;
mod api;
mod belonging;
mod completions;
mod crashes;
mod database;
mod database_keep;
mod databases;
mod demo;
mod doubt;
mod input;
mod keep;
mod keep_refused;
mod keep_socket;
mod keeping;
mod leftovers;
mod login;
mod logout;
mod manual;
mod pasting;
mod places;
mod proxy;
#[path = "../../../restream-oauth-conformance/support/proxy_server.rs"]
#[allow(dead_code, reason = "these tests need only tunnels")]
mod proxy_server;
mod regressions;
mod replay_time;
mod sandbox;
mod shells;
mod start;
mod status;
mod steps;
mod support;
mod terminal;
mod token;
mod token_files;
mod token_in_doubt;
mod words;
