//! The `everseed` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    everseed::cli::main()
}
