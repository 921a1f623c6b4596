//! What Roomtone talks about: the nouns of the product, the rules that hub, cloud and player share, and nothing else.
//!
//! Everything here is a value or a pure function. What is absent on purpose: I/O, async, a database, a clock of
//! its own and randomness of its own. Time and random bits are arguments, so that the same facts give the same
//! answer on every machine, in any order of arrival.

pub mod embedding;
pub mod explanation;
pub mod fairness;
pub mod id;
pub mod licence;
pub mod look_ahead;
pub mod pick;
pub mod play;
pub mod player;
pub mod rank;
pub mod refusal;
pub mod replay;
pub mod rest;
pub mod room;
pub mod schedule;
pub mod seed;
pub mod session;
pub mod song;
pub mod taste;
pub mod time;
pub mod vector;
pub mod venue;
pub mod vibe;
pub mod view;
pub mod visiting;
pub mod vote;

pub use embedding::{AXES, Axis, Embedding, EmbeddingError, EmbeddingVersion};
pub use id::{
    AuditEntryId, BootId, DeadLetterId, DeviceId, ExportId, FactId, HubId, IdempotencyKey, ListenerId,
    OrganisationId, PairingId, PickId, PlayId, PlayerId, SessionId, SongId, UploadId, UserId, VenueId,
    VoteId, ZoneId,
};
pub use time::{Clock, ManualClock, SystemClock, UnixMillis};
