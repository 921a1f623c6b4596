//! What an operator is told when the cloud cannot do something, in the three sentences that all our programs use.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

pub use roomtone_sync::trouble::{Trouble, sentence};

use crate::config::{ConfigError, DEFAULT_PORT};

/// What a cloud that does not start means.
pub const NOT_STARTED: &str = "The cloud did not start. Venues play on without it; managers cannot reach it.";

/// The address cannot be listened on.
pub fn cannot_listen(address: SocketAddr, error: &io::Error) -> Trouble {
    let (what, remedy) = match error.kind() {
        io::ErrorKind::AddrInUse => (
            format!("Port {} is taken by another program, perhaps another cloud.", address.port()),
            format!("Stop that one, or choose another port: --listen {}.", beside(address)),
        ),
        io::ErrorKind::AddrNotAvailable => (
            format!("This machine has no address {}.", address.ip()),
            format!("Listen on one it has, or on all: --listen [::]:{DEFAULT_PORT}."),
        ),
        io::ErrorKind::PermissionDenied => (
            format!("This user may not listen on port {}.", address.port()),
            format!("Choose a port above 1023: --listen {}.", SocketAddr::new(address.ip(), DEFAULT_PORT)),
        ),
        _ => (
            format!("The cloud cannot listen on {address}: {error}."),
            "Choose another address with --listen.".to_owned(),
        ),
    };
    Trouble::new(what, NOT_STARTED, remedy)
}

fn beside(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port().checked_add(1).unwrap_or(DEFAULT_PORT))
}

/// A file of the cloud's own could not be read or written.
pub fn of_file(doing: &str, path: &Path, error: &io::Error) -> Trouble {
    Trouble::new(
        format!("The cloud could not {doing} {}: {error}.", path.display()),
        NOT_STARTED,
        "Check that the folder exists and belongs to this user, or choose another with --data DIR.",
    )
}

impl From<ConfigError> for Trouble {
    fn from(error: ConfigError) -> Self {
        let remedy = match &error {
            ConfigError::Missing { .. } => {
                "Set it (.env.example shows how), or try things out with `roomtone-cloud dev`, which needs no settings."
            }
            _ => "Mend the setting; cloud.example.toml shows them all, and --print-config what holds now.",
        };
        let what = format!("The configuration cannot be used: {error}");
        Self::new(if what.contains('\n') { what } else { sentence(&what) }, NOT_STARTED, remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_says_what_to_type_instead() {
        let taken = io::Error::from(io::ErrorKind::AddrInUse);
        let told = cannot_listen("127.0.0.1:4800".parse().unwrap(), &taken).to_string();
        assert!(
            told.starts_with("Port 4800 is taken") && told.ends_with("--listen 127.0.0.1:4801."),
            "{told}"
        );
    }
}
