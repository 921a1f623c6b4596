//! The managers' API: who asks, what of it, which use case, and how its answer is shown. Rules stand in the use cases
//! and in the database.
//!
//! What somebody may not see is not there: `null`, an empty list, or `NOT_FOUND`, as if it did not exist. Where a list
//! would ask the database once per row, a loader asks once for all rows ([`loaders`]).

use async_graphql::{MergedObject, MergedSubscription, Schema, SchemaBuilder};
use roomtone_server::front::{FrontSettings, Introspection};

use crate::cloud::Cloud;

mod analytics;
mod asking;
mod audit;
mod dead_letter;
mod export;
mod fares;
pub mod guests;
mod hub;
mod loaders;
mod member;
mod mutation;
mod page;
mod pairing;
mod play;
mod player;
mod query;
mod room;
mod schedule;
mod song;
mod songs;
mod subscription;
mod uploads;
mod venue;
mod venues;
mod words;
mod zone;

/// Reading; nothing here changes anything.
#[derive(Debug, Default, MergedObject)]
pub struct Query(query::AdminQuery, uploads::UploadQuery);

/// Changing. Every input carries an idempotencyKey (UUID): a retry returns the first result.
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(
    mutation::venues::VenueMutation,
    mutation::members::MemberMutation,
    mutation::hubs::HubMutation,
    mutation::pairings::PairingMutation,
    mutation::songs::SongMutation,
    mutation::exports::ExportMutation,
    mutation::guests::GuestMutation,
    mutation::sync::SyncMutation,
    uploads::UploadMutation,
);

/// State: the current value first, then the latest on change; it ends where the caller may not look any more.
#[derive(Debug, Default, MergedSubscription)]
pub struct Subscription(subscription::AdminSubscription, uploads::UploadSubscription);

/// The cloud's schema.
pub type CloudSchema = Schema<Query, Mutation, Subscription>;

/// Selections inside one another with fragments: a second line behind the guard, which counts them first.
const RECURSION: usize = 200;

fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
}

/// The schema over a cloud, behind the bounds of a front.
pub fn schema(cloud: Cloud, front: &FrontSettings) -> CloudSchema {
    let mut schema = builder()
        .extension(loaders::PerRequest(cloud.clone()))
        .data(cloud)
        .limit_complexity(front.bounds.complexity)
        .limit_recursive_depth(RECURSION)
        .limit_directives(front.bounds.directives);
    if front.introspection == Introspection::Managers {
        schema = schema.disable_suggestions();
    }
    schema.finish()
}

/// The schema as text, as it stands in `schema/cloud.graphql`.
pub fn sdl() -> String {
    builder().finish().sdl_with_options(roomtone_server::sdl::options())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// `UPDATE_SDL=1 cargo test -p roomtone-cloud sdl` writes the file instead.
    #[test]
    fn the_sdl_is_the_one_in_the_repository() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema/cloud.graphql");
        let sdl = super::sdl();
        if std::env::var_os("UPDATE_SDL").is_some() {
            std::fs::write(&path, &sdl).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == sdl,
            "schema/cloud.graphql is stale: run UPDATE_SDL=1 cargo test -p roomtone-cloud sdl"
        );
    }
}
