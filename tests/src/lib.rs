//! The harness: a venue of the built program, the people in it, and the terminals that play there.
//!
//! Tests stand outside: they start the real `roomtone-hub` on a data folder of their own, speak to it only as a phone,
//! a player or an installer would, and at the end ask for a clean stop and a clean log. Nothing here waits by
//! sleeping a fixed time; [`eventually`] asks again until a deadline.

#![expect(clippy::missing_panics_doc, reason = "a harness panics where the test fails")]

mod eventually;
pub mod faketime;
mod guest;
mod hearing;
mod loudspeaker;
mod program;
mod proxy;
mod skip;
mod sounds;
mod subscription;
mod terminal;
mod trial;
mod venue;
mod voter;
pub mod workspace;

pub use eventually::{SOON, eventually, eventually_within};
pub use guest::{Answer, Guest, new_key};
pub use hearing::{Recording, Stretch};
pub use loudspeaker::Loudspeaker;
pub use program::{
    Finished, Program, RunningHub, cloud, cloud_binary, hub, hub_binary, machines_can_be_restarted, player,
    player_binary,
};
pub use proxy::{Line, Proxy};
pub use skip::skip;
pub use sounds::{write_tone, write_tones};
pub use subscription::Subscription;
pub use terminal::{TestPlayer, TestTerminal};
pub use trial::TestCloud;
pub use venue::TestVenue;
pub use voter::Voter;
