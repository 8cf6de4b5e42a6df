//! The `everseed` program.

fn main() {}
