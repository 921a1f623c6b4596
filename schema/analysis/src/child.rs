//! The child process: one file, then the end.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use roomtone_schema::song::SongFacts;

use crate::error::Reason;
use crate::limits::Limits;

/// The hidden subcommand with which a [`crate::Worker`] calls the program: `analyse-file <limits> <file>`.
pub const CHILD_COMMAND: &str = "analyse-file";

/// Music that plays on the same machine comes first.
const NICENESS: i32 = 10;

/// What the child writes: the song, or why there is none.
pub(crate) type Answer = Result<SongFacts, Reason>;

/// Acts as the analysing child if this process was started as one.
///
/// Call it first in `main`, before threads and logging: it limits the whole process. `None` means that this is no
/// child, and the program goes on as usual.
pub fn run_child_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != CHILD_COMMAND {
        return None;
    }
    Some(run(arguments))
}

fn run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let limits = arguments.next().and_then(|text| serde_json::from_str(text.to_str()?).ok());
    let (Some(limits), Some(file)) = (limits, arguments.next()) else {
        eprintln!("`{CHILD_COMMAND}` is how the program calls itself; to add music, use `import`");
        return ExitCode::from(2);
    };
    match answer(&limits, Path::new(&file)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn answer(limits: &Limits, file: &Path) -> std::io::Result<()> {
    // An orphan would go on decoding for nobody.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let _as_polite_as_allowed = rustix::process::nice(NICENESS);
    limits.apply()?;
    let mut out = std::io::stdout();
    let answer: Answer = crate::analyse::analyse_with_progress(file, &mut |decoded| {
        limits.earn(decoded);
        sign_of_life(decoded);
    });
    serde_json::to_writer(&mut out, &answer)?;
    out.flush()
}

/// JSON begins with any amount of white space, so a line feed tells the parent that we are getting on.
fn sign_of_life(_decoded: Duration) {
    let mut out = std::io::stdout();
    // A parent that no longer listens ends us by signal, not by this error.
    let _nobody_listens = out.write_all(b"\n").and_then(|()| out.flush());
}
