//! Organisations and their venues.

use async_graphql::{Context, ID, Object, Result};
use roomtone_schema::id::Id as _;
use roomtone_server::listener::scalar::DateTime;

use super::analytics::VenueAnalytics;
use super::asking::{asker, cloud, coded};
use super::audit::{AuditEntryConnection, Lines};
use super::export::HistoryExport;
use super::hub::Hub;
use super::loaders::{HubsOf, MembersOf, PeopleOf, PlayersOf, SongsOf, ZonesOf, load};
use super::member::Member;
use super::page::{Page, PageArguments, size};
use super::play::{PlayConnection, PlaysOf};
use super::player::Player;
use super::schedule::Licence;
use super::song::Song;
use super::songs::{Filtered, SongConnection, SongOrder, page_of};
use super::words::{AnalyticsBucket, DateTimeRange, MemberRole, VenueKind, date};
use super::zone::Zone;
use super::{play, venues::VenueConnection};
use crate::analytics::Question;
use crate::catalogue::SongFilter;
use crate::guests::managing;
use crate::{audit, history, venues};

/// Whoever owns venues: its songs are one catalogue.
#[derive(Debug, Clone)]
pub(super) struct Organisation(pub(super) venues::Organisation);

/// Whoever owns venues: its songs are one catalogue.
#[Object]
impl Organisation {
    /// Opaque, globally unique.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// What it is called.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// When its first venue was opened.
    async fn created_at(&self) -> DateTime {
        date(self.0.created_at)
    }

    /// Those of its venues that the viewer may see, by name; archived ones among them.
    #[graphql(complexity = "1 + size(first, last) * child_complexity")]
    async fn venues(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<VenueConnection> {
        let page = PageArguments { first, after, last, before };
        let wanted = venues::Wanted { organisation: Some(*self.0.id), archived: true, search: None };
        super::venues::page_of(ctx, wanted, &page).await
    }
}

/// One café, spa, gallery.
#[derive(Debug, Clone)]
pub(super) struct Venue(pub(super) venues::Venue);

/// One café, spa, gallery.
#[Object]
impl Venue {
    /// Opaque, globally unique; same value on hub and cloud.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// Whose it is.
    async fn organisation(&self, ctx: &Context<'_>) -> Result<Option<Organisation>> {
        Ok(load(ctx, *self.0.organisation_id).await?.map(Organisation))
    }

    /// Its name in addresses.
    async fn slug(&self) -> &str {
        &self.0.slug
    }

    /// What people call it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What sort of place it is.
    async fn kind(&self) -> VenueKind {
        self.0.kind.0.into()
    }

    /// IANA name, such as Europe/Berlin.
    async fn time_zone(&self) -> &str {
        &self.0.timezone
    }

    /// How long a song rests after it was played, where a zone does not say otherwise.
    async fn penalty_hours(&self) -> i32 {
        self.0.penalty_hours
    }

    /// Overlap of two songs, where a zone does not say otherwise.
    async fn crossfade_ms(&self) -> i32 {
        self.0.crossfade_ms
    }

    /// What its licence allows.
    async fn licence(&self) -> Licence {
        self.0.settings.licence.into()
    }

    /// When it was opened.
    async fn created_at(&self) -> DateTime {
        date(self.0.created_at)
    }

    /// When it was put away; null while it is in use.
    async fn archived_at(&self) -> Option<DateTime> {
        self.0.archived_at.map(date)
    }

    /// What lets guests in by the venue's page at /v/<slug>; for the staff, and null while that page is closed.
    #[graphql(complexity = 5)]
    async fn guest_code(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        Ok(managing::code(cloud(ctx), asker(ctx)?, *self.0.id).await?)
    }

    /// What the viewer may do there.
    async fn viewer_role(&self) -> Option<MemberRole> {
        self.0.my_role.map(|role| role.0.into())
    }

    /// Its zones, the main one first; at most 50.
    #[graphql(complexity = "5 * child_complexity")]
    async fn zones(&self, ctx: &Context<'_>) -> Result<Vec<Zone>> {
        Ok(load(ctx, ZonesOf(*self.0.id)).await?.unwrap_or_default().into_iter().map(Zone).collect())
    }

    /// Who may do what there, owners first; at most 200.
    #[graphql(complexity = "5 * child_complexity")]
    async fn members(&self, ctx: &Context<'_>) -> Result<Vec<Member>> {
        Ok(load(ctx, MembersOf(*self.0.id)).await?.unwrap_or_default().into_iter().map(Member).collect())
    }

    /// Its hubs by name, revoked ones last; at most 100.
    #[graphql(complexity = "5 * child_complexity")]
    async fn hubs(&self, ctx: &Context<'_>) -> Result<Vec<Hub>> {
        Ok(load(ctx, HubsOf(*self.0.id)).await?.unwrap_or_default().into_iter().map(Hub).collect())
    }

    /// Its players by name, revoked ones last; at most 200.
    #[graphql(complexity = "5 * child_complexity")]
    async fn players(&self, ctx: &Context<'_>) -> Result<Vec<Player>> {
        Ok(load(ctx, PlayersOf(*self.0.id)).await?.unwrap_or_default().into_iter().map(Player).collect())
    }

    /// How many people are checked in there now, as far as its hub has told.
    async fn active_listeners(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(load(ctx, PeopleOf(*self.0.id)).await?.unwrap_or_default())
    }

    /// How many songs it plays.
    async fn song_count(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(load(ctx, SongsOf(*self.0.id)).await?.unwrap_or_default())
    }

    /// The songs that it plays; at most 200 at a time.
    #[graphql(complexity = "1 + size(first, last) * child_complexity")]
    async fn songs(
        &self,
        ctx: &Context<'_>,
        order: Option<SongOrder>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<SongConnection> {
        let page = PageArguments { first, after, last, before };
        let filter = SongFilter { venue: Some(*self.0.id), ..SongFilter::default() };
        page_of(ctx, Filtered(filter), order, &page).await
    }

    /// What was played, newest first; at most 200 at a time.
    #[graphql(complexity = "1 + size(first, last) * child_complexity")]
    async fn history(
        &self,
        ctx: &Context<'_>,
        range: Option<DateTimeRange>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<PlayConnection> {
        let page = PageArguments { first, after, last, before };
        play::page_of(ctx, PlaysOf { venue: *self.0.id, range: range.map(Into::into) }, &page).await
    }

    /// What happened there, in numbers.
    #[graphql(complexity = "50 + child_complexity")]
    async fn analytics(
        &self,
        ctx: &Context<'_>,
        range: DateTimeRange,
        #[graphql(default_with = "AnalyticsBucket::Day")] bucket: AnalyticsBucket,
    ) -> Result<VenueAnalytics> {
        let question = Question { venue: *self.0.id, range: range.into(), bucket: bucket.into() }
            .checked(cloud(ctx).now())?;
        VenueAnalytics::of(ctx, question).await
    }

    /// Reports that managers have asked for, the newest first; at most 50.
    #[graphql(complexity = "10 * child_complexity")]
    async fn exports(&self, ctx: &Context<'_>) -> Result<Vec<HistoryExport>> {
        let exports = history::exports(cloud(ctx), asker(ctx)?, *self.0.id).await?;
        Ok(exports.into_iter().map(HistoryExport).collect())
    }

    /// Who changed what, newest first; for managers, others see none. At most 200 at a time.
    #[graphql(complexity = "1 + size(first, last) * child_complexity")]
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<AuditEntryConnection> {
        let page = PageArguments { first, after, last, before };
        let slice = page.slice()?;
        let lines = audit::of_venue(cloud(ctx), asker(ctx)?, *self.0.id, &slice).await?;
        let page = Page::of(&slice, lines.into_iter().map(super::audit::AuditEntry).collect(), |line| {
            line.0.id.uuid()
        });
        Ok(AuditEntryConnection::new(page, Lines(*self.0.id)))
    }
}

/// A venue that must be there because something of it is; it is not where the viewer has just lost it.
pub(super) async fn venue(ctx: &Context<'_>, id: roomtone_schema::VenueId) -> Result<Venue> {
    let gone = || coded("NOT_FOUND", "there is no such venue, or it is not yours any more");
    load(ctx, id).await?.map(Venue).ok_or_else(gone)
}

/// The songs of some ids by id.
pub(super) async fn song(ctx: &Context<'_>, id: roomtone_schema::SongId) -> Result<Option<Song>> {
    Ok(load(ctx, id).await?.map(Song))
}
