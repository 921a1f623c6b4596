//! `roomtone-cloud`: the program. Everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // An analysis looks into files in children of this program: such a child does that and nothing else.
    if let Some(code) = roomtone_analysis::run_child_if_asked() {
        return code;
    }
    ExitCode::SUCCESS
}
