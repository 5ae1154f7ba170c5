//! The broker as devices and browsers see it: a running one in front of a sandbox, both on one clock that tests set
//! forward.

mod answer;
mod bounds;
mod canary;
mod comparison;
mod connections;
mod cut_off;
mod idle;
mod kills;
mod logins;
mod obs;
mod obs_studio;
mod program;
mod relay;
#[allow(dead_code)] // What only the tests of several instances use.
mod support;
mod tls;
mod tokens;
mod trouble;
mod upstream;
