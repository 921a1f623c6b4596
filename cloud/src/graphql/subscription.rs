//! Subscriptions: state, not news. The current value first, then the latest on change; whoever reads slowly skips.
//!
//! Each time it is read again in the name of whoever asks, so it ends when they may not look any more.

use std::collections::BTreeSet;

use async_graphql::{Context, ID, Result, Subscription};
use futures_util::Stream;
use futures_util::stream::{self, StreamExt as _};
use roomtone_schema::{ExportId, UserId, VenueId};

use super::asking::{asker, cloud, coded, id, ids};
use super::export::HistoryExport;
use super::hub::Hub;
use crate::bus::Topic;
use crate::cloud::Cloud;
use crate::history::ExportStatus;
use crate::refusal::Unmet;
use crate::venues::{Slice, Wanted};
use crate::{history, hubs, venues};

/// Of so few venues a subscription is woken by what their rooms show, too: of a fleet that would be every moment.
const MOST_ROOMS: usize = 20;

/// Venues that one subscription watches at most.
const MOST_WATCHED: usize = 200;

/// Subscriptions of managers.
#[derive(Debug, Default)]
pub(super) struct AdminSubscription;

/// State: the current value first, then the latest on change.
#[Subscription]
impl AdminSubscription {
    /// The hubs of these venues; where none is named, of the viewer's. Ends when a named one is not theirs any more.
    #[graphql(complexity = "50 * child_complexity")]
    async fn fleet_status(
        &self,
        ctx: &Context<'_>,
        #[graphql(default, desc = "At most 200; empty: all of the viewer's.")] venue_ids: Vec<ID>,
    ) -> Result<impl Stream<Item = Vec<Hub>> + use<>> {
        let user = asker(ctx)?;
        if venue_ids.len() > MOST_WATCHED {
            return Err(coded("TOO_LARGE", "watch at most 200 venues at once"));
        }
        let named: BTreeSet<VenueId> = ids(&venue_ids, "venueIds")?.into_iter().collect();
        let cloud = cloud(ctx).clone();
        let named: Vec<VenueId> = named.into_iter().collect();
        let Some((_, topics)) = fleet(&cloud, user, &named).await? else {
            return Err(coded("NOT_FOUND", "there is no such venue, or it is not yours"));
        };
        let look = move |cloud: Cloud| {
            let named = named.clone();
            async move { fleet(&cloud, user, &named).await }
        };
        Ok(moving_states(cloud, topics, look))
    }

    /// A report as it grows. Ends when it is ready or given up.
    async fn export_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(name = "id")] export_id: ID,
    ) -> Result<impl Stream<Item = HistoryExport> + use<>> {
        let user = asker(ctx)?;
        let export: ExportId = id(&export_id, "id")?;
        let cloud = cloud(ctx).clone();
        if history::find_export(&cloud, user, export).await?.is_none() {
            return Err(coded("NOT_FOUND", "there is no such report, or it is not yours"));
        }
        let look = move |cloud: Cloud| async move { history::find_export(&cloud, user, export).await };
        let topics = vec![Topic::Export(export), Topic::User(user)];
        Ok(until(states(cloud, topics, look), is_written).map(HistoryExport))
    }
}

/// Reads at once, then each time that one of the topics changes; ends where there is nothing to see any more.
pub(super) fn states<T, F, L>(
    cloud: Cloud,
    topics: Vec<Topic>,
    look: L,
) -> impl Stream<Item = T> + use<T, F, L>
where
    F: Future<Output = Result<Option<T>, Unmet>> + Send,
    L: Fn(Cloud) -> F + Send,
{
    let same = topics.clone();
    moving_states(cloud, topics, move |cloud| {
        let (looked, same) = (look(cloud), same.clone());
        async move { Ok(looked.await?.map(|state| (state, same))) }
    })
}

/// The same where each look says, too, what is to be watched from then on.
fn moving_states<T, F, L>(cloud: Cloud, topics: Vec<Topic>, look: L) -> impl Stream<Item = T> + use<T, F, L>
where
    F: Future<Output = Result<Option<(T, Vec<Topic>)>, Unmet>> + Send,
    L: Fn(Cloud) -> F + Send,
{
    // Subscribed before the first look, so that nothing is missed in between.
    let changes = cloud.bus.subscribe(topics);
    stream::unfold((cloud, changes, look, true), |(cloud, mut changes, look, first)| async move {
        if !first && !changes.next().await {
            return None;
        }
        loop {
            match look(cloud.clone()).await {
                Ok(Some((state, topics))) => {
                    changes.watch(topics);
                    return Some((state, (cloud, changes, look, false)));
                }
                Ok(None) | Err(Unmet::Refused(_)) => return None,
                Err(ours) => {
                    tracing::warn!(error = ?ours, "a subscription could not look again; it looks at the next change");
                    if !changes.next().await {
                        return None;
                    }
                }
            }
        }
    })
}

/// Ends with the first state after which nothing more will come; that one is shown, too.
pub(super) fn until<T>(states: impl Stream<Item = T>, is_last: fn(&T) -> bool) -> impl Stream<Item = T> {
    stream::unfold((Box::pin(states), false), move |(mut states, over)| async move {
        if over {
            return None;
        }
        let state = states.next().await?;
        let over = is_last(&state);
        Some((state, (states, over)))
    })
}

fn is_written(export: &history::Export) -> bool {
    matches!(export.status.0, ExportStatus::Ready | ExportStatus::Failed)
}

/// All hubs of the venues that are named, or of all there are by now, and what to watch; none where a named one is not
/// theirs.
async fn fleet(
    cloud: &Cloud,
    user: UserId,
    named: &[VenueId],
) -> Result<Option<(Vec<Hub>, Vec<Topic>)>, Unmet> {
    let venues = if named.is_empty() { mine(cloud, user).await? } else { named.to_vec() };
    if !named.is_empty() && venues::find(cloud, user, named).await?.len() < named.len() {
        return Ok(None);
    }
    let hubs = hubs::of_venues(cloud, user, &venues).await?;
    let rooms = venues.iter().copied().filter(|_| venues.len() <= MOST_ROOMS).map(Topic::Room);
    let topics = venues.iter().copied().map(Topic::Venue).chain(rooms).chain([Topic::User(user)]).collect();
    Ok(Some((hubs.into_iter().map(Hub).collect(), topics)))
}

async fn mine(cloud: &Cloud, user: UserId) -> Result<Vec<VenueId>, Unmet> {
    let limit = i64::try_from(MOST_WATCHED).unwrap_or(i64::MAX);
    let slice = Slice { limit, after: None, before: None, backwards: false };
    let venues = venues::list(cloud, user, &Wanted::default(), &slice).await?;
    Ok(venues.into_iter().map(|venue| *venue.id).collect())
}
