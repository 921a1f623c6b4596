//! Asking for a PIN: on the terminal without showing it, twice; else a line of the input.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::orders::Typed;
use crate::trouble::Trouble;

/// What somebody types or sends.
pub(super) fn ask() -> Result<Typed, Trouble> {
    let unreadable = |error: io::Error| {
        Trouble::harmless(error, "Run the command in a terminal, or send the PIN to its input.")
    };
    if !io::stdin().is_terminal() {
        return line().map(Typed).map_err(unreadable);
    }
    let first = hidden("The new PIN (6 to 32 digits, not shown): ").map_err(unreadable)?;
    let again = hidden("Once more: ").map_err(unreadable)?;
    if first != again {
        return Err(Trouble::harmless("these were two different PINs", "Run the command again."));
    }
    Ok(Typed(first))
}

fn line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

fn hidden(question: &str) -> io::Result<String> {
    let mut out = io::stderr().lock();
    write!(out, "{question}")?;
    out.flush()?;
    let _shown_again = Hidden::begin()?;
    let typed = line();
    writeln!(out)?;
    typed
}

/// What is typed is not shown while this lives.
struct Hidden(Termios);

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _terminal_is_gone = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
