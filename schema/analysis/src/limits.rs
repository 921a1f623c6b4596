//! What one file may cost.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

/// The longest song.
pub(crate) const MAX_HOURS: u64 = 6;
/// The largest file: six hours in CD quality are 3.8 GB, and a WAV cannot be larger than this.
pub(crate) const MAX_BYTES: u64 = 4 << 30;
/// Each so many seconds of decoded audio earn one more second of processor time.
const AUDIO_PER_CPU_SECOND: u64 = 10;

/// The limits that a child process sets upon itself before it opens the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Address space in bytes.
    pub memory: u64,
    /// Processor seconds before any audio is decoded; 10 s of decoded audio earn another one.
    pub cpu_seconds: u64,
    /// How long the child may go without progress before the parent ends it.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        // A song takes about 40 MB and a second; a stall of two minutes is a dead disk, not a busy machine.
        Self { memory: 512 << 20, cpu_seconds: 60, stall: Duration::from_mins(2) }
    }
}

impl Limits {
    /// Holds this process to the limits, for good.
    ///
    /// # Errors
    /// What the operating system says, where a limit may not be set.
    pub(crate) fn apply(&self) -> std::io::Result<()> {
        lower(Resource::Core, 0, 0)?;
        lower(Resource::As, self.memory, self.memory)?;
        let most = self.cpu_seconds + MAX_HOURS * 3600 / AUDIO_PER_CPU_SECOND;
        lower(Resource::Cpu, self.cpu_seconds, most)
    }

    /// Earns processor time by progress: a file that promises six hours gets none for the promise.
    pub(crate) fn earn(&self, decoded: Duration) {
        let earned = self.cpu_seconds + decoded.as_secs() / AUDIO_PER_CPU_SECOND;
        let hard = getrlimit(Resource::Cpu).maximum;
        // Failing to raise our own soft limit leaves the stricter one in force.
        let _still_limited = setrlimit(Resource::Cpu, Rlimit { current: Some(earned), maximum: hard });
    }

    /// The longest that any child may live, however busy the machine: twice its processor time.
    pub(crate) fn life(&self) -> Duration {
        Duration::from_secs(2 * (self.cpu_seconds + MAX_HOURS * 3600 / AUDIO_PER_CPU_SECOND))
    }
}

/// Sets a limit, or keeps the lower one that we were born with.
fn lower(resource: Resource, soft: u64, hard: u64) -> std::io::Result<()> {
    let born = getrlimit(resource).maximum;
    let hard = born.map_or(hard, |born| born.min(hard));
    setrlimit(resource, Rlimit { current: Some(soft.min(hard)), maximum: Some(hard) })?;
    Ok(())
}
