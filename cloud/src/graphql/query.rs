//! Queries.

use async_graphql::{Context, ID, Interface, Object, Result};
use roomtone_schema::id::{Id, split_global};
use roomtone_schema::{
    AuditEntryId, DeadLetterId, ExportId, HubId, OrganisationId, PairingId, PlayId, PlayerId, SongId,
    UploadId, UserId, VenueId, ZoneId,
};

use super::asking::{asker, cloud, coded, id as read_id, known};
use super::audit::AuditEntry;
use super::dead_letter::DeadLetter;
use super::export::HistoryExport;
use super::hub::Hub;
use super::loaders::load;
use super::member::User;
use super::page::{PageArguments, size};
use super::pairing::PlayerPairing;
use super::play::Play;
use super::player::Player;
use super::song::Song;
use super::songs::{Filtered, SongConnection, SongFilter, SongOrder};
use super::uploads::SongUpload;
use super::venue::{Organisation, Venue};
use super::venues::VenueConnection;
use super::zone::Zone;
use crate::venues::Wanted;
use crate::{audit, dead_letters, history, members, pairings};

/// Ids that may be looked up in one request.
const NODES_AT_ONCE: usize = 100;

/// What everything with an id has in common.
#[derive(Debug, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Opaque, globally unique; same value on hub and cloud."))]
pub(super) enum Node {
    /// See there.
    AuditEntry(AuditEntry),
    /// See there.
    DeadLetter(DeadLetter),
    /// See there.
    HistoryExport(HistoryExport),
    /// See there.
    Hub(Hub),
    /// See there.
    Organisation(Organisation),
    /// See there.
    Play(Play),
    /// See there.
    Player(Player),
    /// See there.
    PlayerPairing(PlayerPairing),
    /// See there.
    Song(Song),
    /// See there.
    SongUpload(SongUpload),
    /// See there.
    User(User),
    /// See there.
    Venue(Venue),
    /// See there.
    Zone(Zone),
}

/// Queries that managers ask.
#[derive(Debug, Default)]
pub(super) struct AdminQuery;

/// Reading; nothing here changes anything.
#[Object]
impl AdminQuery {
    /// Anything that has an id; null where there is no such thing, or it is somebody else's.
    async fn node(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Node>> {
        find(ctx, &id).await
    }

    /// Several of them, in the order asked for.
    #[graphql(complexity = "100 * child_complexity")]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > NODES_AT_ONCE {
            return Err(coded("INVALID", "ask for at most 100 ids at once"));
        }
        futures_util::future::try_join_all(ids.iter().map(|id| find(ctx, id))).await
    }

    /// Whoever asks; null for whoever has no account.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let Some(user) = known(ctx) else { return Ok(None) };
        Ok(members::viewer(cloud(ctx), user).await?.map(|viewer| User(viewer.person)))
    }

    /// One venue; null where there is none, or it is not the viewer's.
    async fn venue(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Venue>> {
        asker(ctx)?;
        Ok(load(ctx, read_id::<VenueId>(&id, "id")?).await?.map(Venue))
    }

    /// The viewer's venues, by name; all of them for an admin. At most 200 at a time.
    #[graphql(complexity = "1 + size(first, last) * child_complexity")]
    #[expect(clippy::too_many_arguments, reason = "they are the arguments of the field")]
    async fn venues(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose name or slug holds this.")] search: Option<String>,
        #[graphql(default, desc = "Whether archived ones are among them.")] archived: bool,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<VenueConnection> {
        let page = PageArguments { first, after, last, before };
        let search = search.filter(|search| !search.is_empty());
        super::venues::page_of(ctx, Wanted { search, archived, organisation: None }, &page).await
    }

    /// The organisations of the viewer's venues; at most 200.
    #[graphql(complexity = "10 * child_complexity")]
    async fn organisations(&self, ctx: &Context<'_>) -> Result<Vec<Organisation>> {
        let organisations = crate::venues::organisations(cloud(ctx), asker(ctx)?).await?;
        Ok(organisations.into_iter().map(Organisation).collect())
    }

    /// One song; null where there is none, or it is in nobody's catalogue that the viewer may see.
    async fn song(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Song>> {
        asker(ctx)?;
        Ok(load(ctx, read_id::<SongId>(&id, "id")?).await?.map(Song))
    }

    /// Songs of the viewer's catalogues, the newest first where no order is given. At most 200 at a time.
    #[graphql(complexity = "1 + size(first, last) * child_complexity")]
    #[expect(clippy::too_many_arguments, reason = "they are the arguments of the field")]
    async fn songs(
        &self,
        ctx: &Context<'_>,
        filter: Option<SongFilter>,
        order: Option<SongOrder>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<SongConnection> {
        let page = PageArguments { first, after, last, before };
        let filter: Filtered = filter.unwrap_or_default().read()?;
        super::songs::page_of(ctx, filter, order, &page).await
    }
}

/// What an id names, where whoever asks may see it. Nothing is there for whoever has no account.
async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    let Some((kind, uuid)) = split_global(id) else { return Ok(None) };
    let Some(user) = known(ctx) else { return Ok(None) };
    let cloud = cloud(ctx);
    Ok(match kind.as_str() {
        VenueId::TYPE => load(ctx, VenueId(uuid)).await?.map(Venue).map(Node::Venue),
        ZoneId::TYPE => load(ctx, ZoneId(uuid)).await?.map(Zone).map(Node::Zone),
        HubId::TYPE => load(ctx, HubId(uuid)).await?.map(Hub).map(Node::Hub),
        PlayerId::TYPE => load(ctx, PlayerId(uuid)).await?.map(Player).map(Node::Player),
        SongId::TYPE => load(ctx, SongId(uuid)).await?.map(Song).map(Node::Song),
        UserId::TYPE => load(ctx, UserId(uuid)).await?.map(User).map(Node::User),
        OrganisationId::TYPE => {
            load(ctx, OrganisationId(uuid)).await?.map(Organisation).map(Node::Organisation)
        }
        UploadId::TYPE => {
            crate::uploads::find(cloud, user, UploadId(uuid)).await?.map(SongUpload).map(Node::SongUpload)
        }
        PlayId::TYPE => history::find(cloud, user, PlayId(uuid)).await?.map(Play).map(Node::Play),
        ExportId::TYPE => {
            let export = history::find_export(cloud, user, ExportId(uuid)).await?;
            export.map(HistoryExport).map(Node::HistoryExport)
        }
        AuditEntryId::TYPE => {
            let line = audit::find(cloud, user, AuditEntryId(uuid)).await?;
            line.map(AuditEntry).map(Node::AuditEntry)
        }
        PairingId::TYPE => {
            let pairing = pairings::find(cloud, user, PairingId(uuid)).await?;
            pairing.map(PlayerPairing).map(Node::PlayerPairing)
        }
        DeadLetterId::TYPE => {
            let letter = dead_letters::find(cloud, user, DeadLetterId(uuid)).await?;
            letter.map(DeadLetter).map(Node::DeadLetter)
        }
        _ => None,
    })
}
