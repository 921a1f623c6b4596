//! A cloud and hubs on a network that fails, in simulated time.
//!
//! The hubs run the engine, the driver and the HTTP client of `roomtone-sync`; the cloud runs the handlers of
//! `roomtone-cloud`. Their databases are small ones in memory. A seed decides everything else: what happens, when, and how
//! long each message takes. `tests/sim/run --seeds N --from S` runs more seeds; a seed that fails is printed, and runs the
//! same way again.

#[expect(
    clippy::missing_panics_doc,
    reason = "they are checks, and end where something is not as it must be"
)]
pub mod conformance_cloud;
#[expect(
    clippy::missing_panics_doc,
    reason = "they are checks, and end where something is not as it must be"
)]
pub mod conformance_hub;
pub mod defences;
pub mod model_cloud;
pub mod model_hub;
pub mod nemesis;
pub mod network;
pub mod objects;
pub mod post;
pub mod versions;
pub mod world;
