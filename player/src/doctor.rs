//! Why there is no music, or not what the room wants: causes by name, each with what was seen and what to do.
//!
//! Looking and judging are apart: [`gather`] asks the machine and the network and decides nothing, [`judge`] is a pure
//! function of what was seen. What is absent: repairs.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

mod evidence;
mod gather;
mod judge;
mod multicast;
mod neighbours;

pub use evidence::{Call, Evidence, Interface, Multicast, OutputEvidence, Paired, Reached};
pub use gather::gather;
pub use judge::judge;

/// How much a finding matters to the music.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Well,
    /// Music plays; something may stop it one day, or somebody should know.
    Warning,
    /// No music, or not what the room wants.
    Serious,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The cause, for programs: such as `client_isolation`.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The cause, for people.
    pub what: String,
    /// What it was concluded from.
    pub evidence: Vec<String>,
    /// The next step.
    pub todo: String,
}

impl Finding {
    /// Whether it keeps the music from playing as it should.
    pub fn is_serious(&self) -> bool {
        self.severity == Severity::Serious
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.severity {
            Severity::Well => "well",
            Severity::Warning => "warning",
            Severity::Serious => "problem",
        };
        write!(f, "{mark}: {} [{}]", self.what, self.code)?;
        for seen in &self.evidence {
            write!(f, "\n    seen: {seen}")?;
        }
        if !self.todo.is_empty() {
            write!(f, "\n    do:   {}", self.todo)?;
        }
        Ok(())
    }
}

/// Looks at everything and says what was found, the worst first; never nothing.
///
/// `told` is where somebody says that the hub is, `listen` for how long the network is listened to.
pub async fn examine(
    data: &Path,
    told: &[SocketAddr],
    output: OutputEvidence,
    listen: Duration,
) -> Vec<Finding> {
    judge(&gather(data, told, output, listen).await)
}
