//! Uploads as they come along.

use async_graphql::{Context, ID, Result, Subscription};
use futures_util::{Stream, StreamExt as _};
use roomtone_schema::{OrganisationId, UploadId};

use super::{SongUpload, one};
use crate::bus::Topic;
use crate::cloud::Cloud;
use crate::graphql::asking::{asker, cloud, coded, id as read_id};
use crate::graphql::subscription::states;
use crate::uploads::{self, UploadState};

/// Subscriptions to uploads.
#[derive(Debug, Default)]
pub(crate) struct UploadSubscription;

/// State: the current value first, then the latest on change.
#[Subscription]
impl UploadSubscription {
    /// An upload on its way. Ends when it is a song, is refused, given up, or expired.
    async fn song_upload_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(name = "id")] upload_id: ID,
    ) -> Result<impl Stream<Item = SongUpload> + use<>> {
        let user = asker(ctx)?;
        let upload: UploadId = read_id(&upload_id, "id")?;
        one(ctx, upload).await?;
        let look = move |cloud: Cloud| async move { uploads::find(&cloud, user, upload).await };
        let topics = vec![Topic::Upload(upload), Topic::User(user)];
        Ok(until_over(states(cloud(ctx).clone(), topics, look)).map(SongUpload))
    }

    /// The last 100 uploads to an organisation's catalogue, the newest first. Ends where it is not the viewer's any more.
    #[graphql(complexity = "100 * child_complexity")]
    async fn song_uploads_updated(
        &self,
        ctx: &Context<'_>,
        organisation_id: ID,
    ) -> Result<impl Stream<Item = Vec<SongUpload>> + use<>> {
        let user = asker(ctx)?;
        let organisation: OrganisationId = read_id(&organisation_id, "organisationId")?;
        if uploads::latest(cloud(ctx), user, organisation).await?.is_none() {
            return Err(coded("NOT_FOUND", "there is no such organisation, or it is not yours"));
        }
        let look = move |cloud: Cloud| async move { uploads::latest(&cloud, user, organisation).await };
        let topics = vec![Topic::Organisation(organisation), Topic::User(user)];
        let lists = states(cloud(ctx).clone(), topics, look);
        Ok(lists.map(|list| list.into_iter().map(SongUpload).collect()))
    }
}

/// The last state is shown, too; what has not changed is not shown again.
fn until_over(states: impl Stream<Item = uploads::Upload>) -> impl Stream<Item = uploads::Upload> {
    let is_over =
        |state| !matches!(state, UploadState::Waiting | UploadState::Queued | UploadState::Analysing);
    let until = states.scan(false, move |over, upload: uploads::Upload| {
        let ended = std::mem::replace(over, is_over(upload.state.0));
        std::future::ready((!ended).then_some(upload))
    });
    let mut before = None;
    until.filter(move |upload| {
        let news = before.as_ref() != Some(upload);
        before = Some(upload.clone());
        std::future::ready(news)
    })
}
