//! What an operator is told when the hub cannot do something, in the three sentences that all our programs use.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

pub use roomtone_sync::trouble::{Trouble, sentence};

use crate::config::{ConfigError, DEFAULT_PORT};
use crate::store::OpenError;

/// The address cannot be listened on.
pub fn cannot_listen(address: SocketAddr, error: &io::Error) -> Trouble {
    let (what, remedy) = match error.kind() {
        io::ErrorKind::AddrInUse => (
            format!("Port {} is taken by another program, perhaps another hub.", address.port()),
            format!(
                "Stop that one, or choose another port: --listen {}:{}.",
                written(address),
                other_port(address)
            ),
        ),
        io::ErrorKind::AddrNotAvailable => (
            format!("This machine has no address {}.", address.ip()),
            "Listen on one it has, or on all: --listen [::]:4700.".to_owned(),
        ),
        io::ErrorKind::PermissionDenied => (
            format!("This user may not listen on port {}.", address.port()),
            format!("Choose a port above 1023: --listen {}:{DEFAULT_PORT}.", written(address)),
        ),
        _ => (
            format!("The hub cannot listen on {address}: {error}."),
            "Choose another address with --listen.".to_owned(),
        ),
    };
    Trouble::new(what, "This hub did not start; nobody can reach it, and it plays nothing.", remedy)
}

/// A file of the hub's own could not be read or written.
pub fn of_file(doing: &str, path: &Path, error: &io::Error) -> Trouble {
    Trouble::new(
        format!("The hub could not {doing} {}: {error}.", path.display()),
        "Without it the hub does not start.",
        "Check that the folder exists and belongs to this user, or choose another with --data DIR.",
    )
}

impl From<ConfigError> for Trouble {
    fn from(error: ConfigError) -> Self {
        let what = format!("The configuration cannot be used: {error}");
        Self::new(
            if what.contains('\n') { what } else { sentence(&what) },
            "The hub did not start.",
            "Mend the setting; hub.example.toml shows them all, and --print-config what holds now.",
        )
    }
}

impl From<OpenError> for Trouble {
    fn from(error: OpenError) -> Self {
        // The store's own words say what to do where the folder is the matter.
        let remedy = match &error {
            OpenError::Newer { .. } => "Or bring back a backup of this version: roomtone-hub restore FILE.",
            OpenError::Damaged { .. } => "Make room beside it, then start again.",
            OpenError::Io(_) | OpenError::Sqlite(_) => {
                "Check the disk and the folder's owner, then start again."
            }
            _ => "",
        };
        Self::new(sentence(&error.to_string()), "The hub did not start, so it plays nothing.", remedy)
    }
}

fn written(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    }
}

fn other_port(address: SocketAddr) -> u16 {
    address.port().checked_add(1).unwrap_or(DEFAULT_PORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_says_what_to_type_instead() {
        let taken = io::Error::from(io::ErrorKind::AddrInUse);
        let told = cannot_listen("[::]:4700".parse().unwrap(), &taken).to_string();
        assert!(told.starts_with("Port 4700 is taken") && told.ends_with("--listen [::]:4701."), "{told}");
    }
}
