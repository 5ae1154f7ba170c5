#!/usr/bin/env bash
# Software: keyring 3.6.3 (crates.io), with its default features, on Linux. Rust 1.85 or later.
#
# What was run: a program that stores a refresh token under a service and a user, and reads it back three
# times: through the same handle, through a second handle of the same names, and from a second process.
# Every answer of the crate is printed.
#
# A good engineer would guess: the plain line `keyring = "3"` gives the store of the platform. If there is no
# store, or no support for it was compiled in, then the build fails, or `set_password` gives an error.
#
# What happens: the default features have no store at all. The program builds without a warning, and
# `set_password` says Ok. A mock store is in force, which belongs to the single handle: the same handle reads
# the token back, so a test of write and read in one function passes. A second handle finds no entry, though
# in the same process, and so does the next start.
#
# What follows: a client that opens a handle at each use spends its first refresh token and loses the pair
# that came for it, with "saved" in its log. Cargo joins features: another crate in the build may turn a
# store on, so the loss can come and go with an unrelated dependency.
#
# How to avoid: name the features (on Linux for example `sync-secret-service` or `linux-native`). At the start
# write a probe through one handle, read it through a new one, and refuse to go on if it differs.
# `Entry::new` alone proves nothing. In a library, test your store over two handles, not over one.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "probe"
version = "0.0.0"
edition = "2021"
[dependencies]
keyring = "=3.6.3"
TOML
cat > src/main.rs <<'RS'
use keyring::Entry;

fn entry() -> Entry {
    Entry::new("restream-example", "anna").expect("a handle")
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("read") {
        println!("the next process reads : {:?}", entry().get_password());
        return;
    }
    let first = entry();
    println!("set_password says      : {:?}", first.set_password("rt2"));
    println!("the same handle reads  : {:?}", first.get_password());
    println!("a second handle reads  : {:?}", entry().get_password());
}
RS
cargo build --quiet 2> warnings
echo "keyring $(cargo tree --depth 1 --prefix none | sed -n 's/^keyring v//p'), default features; warnings of the build: $(wc -l < warnings)"
echo "expected: an error at build or at set_password, or the token from every handle"
{ target/debug/probe; target/debug/probe read; } | tee out
grep -q 'set_password says *: Ok' out && grep -q 'same handle reads *: Ok("rt2")' out \
  && grep -q 'second handle reads *: Err(NoEntry)' out && grep -q 'next process reads *: Err(NoEntry)' out \
  && echo "SEEN: saved with Ok, read back by the same handle, and kept nowhere" || { echo "NO LONGER SEEN"; exit 1; }
