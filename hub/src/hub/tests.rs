//! The room from the inside: a hub in a temporary folder, with a clock that moves when the test says so.

mod code_and_limits;
mod fairness;
mod hours;
mod music;
mod plays;
mod replay;
mod restart;
mod room;
mod sign_in;
pub(crate) mod venue;
