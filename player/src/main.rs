//! `roomtone-player`: the program. Everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    roomtone_player::cli::run()
}
