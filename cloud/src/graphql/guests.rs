//! The API of a venue's page for guests: the listeners' part of the hub's, word for word.

use std::sync::Arc;

use async_graphql::{MergedObject, MergedSubscription, Schema};
use roomtone_server::front::FrontSettings;
use roomtone_server::listener::{ListenerMutation, ListenerQuery, ListenerSubscription, Room};

/// Reading; nothing here changes anything.
#[derive(Debug, Default, MergedObject)]
pub struct Query(ListenerQuery);

/// Changing. Every input carries an idempotencyKey (UUID): a retry returns the first result.
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(ListenerMutation);

/// State: the current value first, then the latest on change (slow readers skip, never lag).
#[derive(Debug, Default, MergedSubscription)]
pub struct Subscription(ListenerSubscription);

/// The schema of a venue's page for guests.
pub type GuestSchema = Schema<Query, Mutation, Subscription>;

/// The schema over a venue's room, behind the bounds of a front. The right word for a mistyped one is told to nobody.
pub fn schema(room: Arc<dyn Room>, front: &FrontSettings) -> GuestSchema {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .data(room)
        .limit_complexity(front.bounds.complexity)
        .limit_recursive_depth(super::RECURSION)
        .limit_directives(front.bounds.directives)
        .disable_suggestions()
        .finish()
}

/// The schema as text.
pub fn sdl() -> String {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .finish()
        .sdl_with_options(roomtone_server::sdl::options())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    /// Each line of it, but for what only describes the whole, stands in the hub's: a page that speaks to one speaks to the
    /// other.
    #[test]
    fn what_guests_may_ask_here_they_may_ask_of_the_hub() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schema/hub.graphql");
        let hub = std::fs::read_to_string(path).unwrap();
        let hub: BTreeSet<&str> = hub.lines().map(str::trim).collect();
        let ours = super::sdl();
        let foreign: Vec<&str> = ours.lines().map(str::trim).filter(|line| !hub.contains(line)).collect();
        assert!(foreign.is_empty(), "{foreign:#?}");
        assert!(ours.contains("checkIn(") && !ours.contains("claimNextSong"));
    }
}
