//! Queries that only a hub answers.

use async_graphql::{Context, ID, Object, Result};
use roomtone_schema::replay::WhatIf;
use roomtone_server::caller::Caller;
use roomtone_server::listener::caller;
use roomtone_server::listener::dead_letter::DeadLetter;
use roomtone_server::listener::hours::OpenHours;

use super::fares::{FairnessWhatIf, ZoneFairness};
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
            offline_storage: ahead.offline_storage,
        })
    }

    /// Manager: facts that the cloud keeps apart, newest first, at most 100; null for whoever is no manager.
    async fn dead_letters(&self, ctx: &Context<'_>) -> Result<Option<Vec<DeadLetter>>> {
        super::dead_letters::list(ctx).await
    }

    /// Manager: how people fare in each zone, now and on the last 1 to 400 days; null for whoever is no manager.
    #[graphql(complexity = "500 + child_complexity")]
    async fn room_fairness(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 7)] days: i32,
    ) -> Result<Option<Vec<ZoneFairness>>> {
        Ok(super::fares::all(ctx, days).await?)
    }

    /// Manager: a zone's last 1 to 14 days played again with other settings; what is left out stays as it was.
    #[graphql(complexity = "2_000 + child_complexity")]
    async fn fairness_what_if(
        &self,
        ctx: &Context<'_>,
        zone_id: Option<ID>,
        #[graphql(default = 7)] days: i32,
        fairness: Option<f64>,
        profile_weight: Option<f64>,
    ) -> Result<Option<FairnessWhatIf>> {
        let what_if = WhatIf { fairness, profile_weight };
        Ok(super::fares::what_if(ctx, zone_id.as_ref(), days, what_if).await?)
    }
}
