//! The hub's GraphQL API: the listeners' part, which it shares with the cloud, and what players and managers need.

use std::sync::Arc;

use async_graphql::{MergedObject, MergedSubscription, Schema};
use roomtone_server::front::{FrontSettings, Introspection};
use roomtone_server::listener::{ListenerMutation, ListenerQuery, ListenerSubscription, Room};

use crate::hub::Hub;

mod dead_letters;
mod fares;
#[cfg(test)]
mod guarded;
mod late;
#[cfg(test)]
mod lists;
mod mutation;
mod ordering;
mod player;
mod query;
mod room;
#[cfg(test)]
mod sharing;
mod sign_in;
mod subscription;
mod validator;

pub use validator::Validator;

/// Reading; nothing here changes anything.
#[derive(Debug, Default, MergedObject)]
pub struct Query(ListenerQuery, query::HubQuery);

/// Changing. Every input carries an idempotencyKey (UUID): a retry returns the first result.
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(ListenerMutation, mutation::PlayerMutation, sign_in::SignInMutation);

/// State: the current value first, then the latest on change (slow readers skip, never lag).
#[derive(Debug, Default, MergedSubscription)]
pub struct Subscription(ListenerSubscription, subscription::HubSubscription);

/// The hub's schema.
pub type HubSchema = Schema<Query, Mutation, Subscription>;

/// Selections inside one another with fragments: a second line behind the guard, which counts them first (and counts
/// fields without those of introspection, as the engine's own limit of depth could not).
const RECURSION: usize = 200;

/// The schema over a hub, behind the bounds of a front. A typing error is told to everybody; what the right word would
/// have been, only where everybody may ask for the schema itself.
pub fn schema(hub: Hub, front: &FrontSettings) -> HubSchema {
    let room: Arc<dyn Room> = Arc::new(hub.clone());
    let mut schema = Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .data(room)
        .data(hub)
        .limit_complexity(front.bounds.complexity)
        .limit_recursive_depth(RECURSION)
        .limit_directives(front.bounds.directives);
    if front.introspection == Introspection::Managers {
        schema = schema.disable_suggestions();
    }
    schema.finish()
}

/// The schema as text, as it stands in `schema/hub.graphql`.
pub fn sdl() -> String {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .finish()
        .sdl_with_options(roomtone_server::sdl::options())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// `UPDATE_SDL=1 cargo test -p roomtone-hub sdl` writes the file instead.
    #[test]
    fn the_sdl_is_the_one_in_the_repository() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema/hub.graphql");
        let sdl = super::sdl();
        if std::env::var_os("UPDATE_SDL").is_some() {
            std::fs::write(&path, &sdl).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == sdl,
            "schema/hub.graphql is stale: run UPDATE_SDL=1 cargo test -p roomtone-hub sdl"
        );
    }
}
