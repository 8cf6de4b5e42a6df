//! The pure modules that are fuzzed, compiled from where they stand: `wire`, `tracker` and what is below them. An import of
//! anything else shows here first.

#![allow(dead_code, reason = "the crate uses what the targets do not")]

#[path = "../src/bencode.rs"]
pub mod bencode;
#[path = "../src/id.rs"]
pub mod id;
#[path = "../src/tracker/mod.rs"]
pub mod tracker;
#[path = "../src/units.rs"]
pub mod units;
#[path = "../src/wire/mod.rs"]
pub mod wire;
