//! The migrations are compiled in: a new file among them is a change of the program.

use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    writeln!(io::stdout(), "cargo:rerun-if-changed=../migrations/cloud")
}
