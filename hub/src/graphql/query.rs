//! Queries that only a hub answers.

use async_graphql::{Context, Object};

use super::sync_status::SyncStatus;
use crate::hub::Hub;

#[derive(Debug, Default)]
pub(super) struct HubQuery;

#[Object]
impl HubQuery {
    /// How the hub stands with the cloud.
    async fn sync_status(&self, ctx: &Context<'_>) -> SyncStatus {
        let status = ctx.data_unchecked::<Hub>().sync_status();
        (&**status.borrow()).into()
    }
}
