//! What a loudspeaker would get, measured: every test here pulls the same path that a sound card does.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod allocations;
mod channels;
mod clicks;
mod damage;
mod fades;
mod gapless;
mod loudness;
mod orders;
mod properties;
mod quality;
mod reopen;
mod seeking;
mod signals;
mod silence;
mod skip;
mod stage;
