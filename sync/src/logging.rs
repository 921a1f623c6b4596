//! The log: for operators, on standard error.

use std::io::{self, IsTerminal as _, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Libraries that write down what they read: below these levels a token would stand in the log, whatever is asked for.
const SECRETIVE: [&str; 2] = ["tungstenite=info", "tokio_tungstenite=info"];

/// Starts logging as `ROOMTONE_LOG` says, and as `default` says where it says nothing.
pub fn start(default: &str) {
    let wanted = std::env::var("ROOMTONE_LOG").unwrap_or_default();
    let filter = EnvFilter::builder().parse(if wanted.is_empty() { default } else { &wanted });
    let (filter, mistake) = match filter {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(default), Some(error)),
    };
    let filter = SECRETIVE
        .iter()
        .filter_map(|directive| directive.parse().ok())
        .fold(filter, EnvFilter::add_directive);
    let terminal = io::stderr().is_terminal();
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_target(false);
    log.with_writer(Lines { clear: terminal }).init();
    if let Some(error) = mistake {
        tracing::warn!(
            "ROOMTONE_LOG={wanted:?} is not understood ({error}); write error, warn, info or debug"
        );
    }
}

/// Standard error, where a line may have to push a status line aside.
#[derive(Debug, Clone, Copy)]
struct Lines {
    clear: bool,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { clear: self.clear }
    }
}

#[derive(Debug)]
struct Line {
    clear: bool,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut err = io::stderr().lock();
        if std::mem::take(&mut self.clear) {
            err.write_all(b"\r\x1b[2K")?;
        }
        err.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
