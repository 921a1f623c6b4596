//! The engine with its threads and a real clock. A program of its own: the renderings beside it in `sound` take every
//! core there is, and a song that must come in time would then be judged by how busy the machine was.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod engine;
#[expect(dead_code, reason = "shared with the renderings, which measure more")]
#[path = "../sound/signals.rs"]
mod signals;
#[path = "../sound/skip.rs"]
mod skip;
#[expect(dead_code, reason = "shared with the renderings, which pull by themselves")]
#[path = "../sound/stage.rs"]
mod stage;
