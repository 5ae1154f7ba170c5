//! Several instances of the broker on one database, which `.ci/postgres` starts.

#[allow(dead_code)] // What only other tests use.
#[path = "../broker/answer.rs"]
mod answer;
#[path = "../database/mod.rs"]
mod database;
mod killed;
mod program;
mod proxy;
mod shared;
mod statements;
#[allow(dead_code)] // What only the tests of one instance use.
#[path = "../broker/support.rs"]
mod support;
