//! Analyses files from the command line, each in a child process, and prints what was found as JSON lines.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use roomtone_analysis::{Limits, Worker, run_child_if_asked};

fn main() -> ExitCode {
    if let Some(code) = run_child_if_asked() {
        return code;
    }
    match analyse_all() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every file became a song.
fn analyse_all() -> std::io::Result<bool> {
    let worker = Worker::new(std::env::current_exe()?, Limits::default());
    let mut out = std::io::stdout();
    let mut all = true;
    for file in std::env::args_os().skip(1) {
        match worker.analyse(Path::new(&file)) {
            Ok(facts) => {
                serde_json::to_writer(&mut out, &facts)?;
                out.write_all(b"\n")?;
            }
            Err(error) => {
                all = false;
                eprintln!("{error}");
            }
        }
    }
    Ok(all)
}
