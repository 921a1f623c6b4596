//! Queries that only a hub answers.

use async_graphql::{Context, Object};
use roomtone_server::caller::Caller;
use roomtone_server::listener::caller;
use roomtone_server::listener::dead_letter::DeadLetter;
use roomtone_server::listener::hours::OpenHours;

use super::player::{Pick, PlayerPlan};
use crate::health;
use crate::hub::Hub;

#[derive(Debug, Default)]
pub(super) struct HubQuery;

#[Object]
impl HubQuery {
    /// Manager: what somebody should look after, in sentences, as /health tells it; null for whoever is no manager.
    async fn findings(&self, ctx: &Context<'_>) -> Option<Vec<&'static str>> {
        (caller(ctx) == Caller::Manager).then(|| health::findings(ctx.data_unchecked::<Hub>()))
    }

    /// Player: what its zone plays and what comes next, without taking anything; null for whoever is no player.
    async fn player_plan(&self, ctx: &Context<'_>) -> Option<PlayerPlan> {
        let Caller::Player(player) = caller(ctx) else { return None };
        let ahead = ctx.data_unchecked::<Hub>().player_plan(player)?;
        Some(PlayerPlan {
            current: ahead.current.map(Pick),
            plan: ahead.plan.into_iter().map(Pick).collect(),
            hours: OpenHours(ahead.hours),
        })
    }

    /// Manager: facts that the cloud keeps apart, newest first, at most 100; null for whoever is no manager.
    async fn dead_letters(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Vec<DeadLetter>>> {
        super::dead_letters::list(ctx).await
    }
}
