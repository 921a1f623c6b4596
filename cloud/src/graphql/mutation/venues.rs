//! Venues and zones.

use async_graphql::{Context, ID, InputObject, Object, Result};
use roomtone_schema::OrganisationId;

use crate::graphql::asking::{Key, cloud, doer, id, key, payload, settle};
use crate::graphql::schedule::LicenceInput;
use crate::graphql::venue::Venue;
use crate::graphql::words::VenueKind;
use crate::graphql::zone::{Zone, ZoneSettingsInput};
use crate::refusal::Unmet;
use crate::venues::{self, NewVenue, VenueChanges, zones};

/// A venue to come.
#[derive(Debug, InputObject)]
pub(crate) struct CreateVenueInput {
    /// A UUID, new for each intent.
    idempotency_key: Key,
    /// Whose it will be; left out: a new organisation.
    organisation_id: Option<ID>,
    /// What the new organisation is called; left out: as the venue.
    organisation_name: Option<String>,
    /// What people will call it.
    name: String,
    /// Its name in addresses: 2 to 63 small letters, digits and hyphens.
    slug: String,
    /// What sort of place it is.
    #[graphql(default_with = "VenueKind::Other")]
    kind: VenueKind,
    /// IANA name, such as Europe/Berlin.
    time_zone: String,
    /// How long a song rests: 1 to 48.
    #[graphql(default = 4)]
    penalty_hours: i32,
    /// Overlap of two songs: 0 to 20,000.
    #[graphql(default = 5000)]
    crossfade_ms: i32,
}

payload!(/// Opened, or why not.
    CreateVenuePayload { /// The venue.
        venue: Venue });

/// What of a venue is to be otherwise; what is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct UpdateVenueInput {
    /// A UUID, new for each intent.
    idempotency_key: Key,
    /// Which.
    id: ID,
    /// Another name.
    name: Option<String>,
    /// Another name in addresses: 2 to 63 small letters, digits and hyphens.
    slug: Option<String>,
    /// Another sort of place.
    kind: Option<VenueKind>,
    /// Another IANA name.
    time_zone: Option<String>,
    /// 1 to 48.
    penalty_hours: Option<i32>,
    /// 0 to 20,000.
    crossfade_ms: Option<i32>,
    /// The whole of what its licence allows.
    licence: Option<LicenceInput>,
}

payload!(/// Changed, or why not.
    UpdateVenuePayload { /// The venue.
        venue: Venue });

/// A venue to put away.
#[derive(Debug, InputObject)]
pub(crate) struct ArchiveVenueInput {
    /// A UUID, new for each intent.
    idempotency_key: Key,
    /// Which.
    id: ID,
}

payload!(/// Put away, or why not.
    ArchiveVenuePayload { /// The venue.
        venue: Venue });

/// A venue to bring back.
#[derive(Debug, InputObject)]
pub(crate) struct UnarchiveVenueInput {
    /// A UUID, new for each intent.
    idempotency_key: Key,
    /// Which.
    id: ID,
}

payload!(/// Brought back, or why not.
    UnarchiveVenuePayload { /// The venue.
        venue: Venue });

/// A zone to come.
#[derive(Debug, InputObject)]
pub(crate) struct CreateZoneInput {
    /// A UUID, new for each intent.
    idempotency_key: Key,
    /// Of which venue.
    venue_id: ID,
    /// What people will call it.
    name: String,
    /// How it behaves; what is left out is as usual.
    #[graphql(default)]
    settings: ZoneSettingsInput,
}

payload!(/// Added, or why not.
    CreateZonePayload { /// The zone.
        zone: Zone });

/// What of a zone is to be otherwise; what is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct UpdateZoneInput {
    /// A UUID, new for each intent.
    idempotency_key: Key,
    /// Which.
    id: ID,
    /// Another name.
    name: Option<String>,
    /// How it behaves.
    #[graphql(default)]
    settings: ZoneSettingsInput,
}

payload!(/// Changed, or why not.
    UpdateZonePayload { /// The zone.
        zone: Zone });

/// A zone to put away.
#[derive(Debug, InputObject)]
pub(crate) struct ArchiveZoneInput {
    /// A UUID, new for each intent.
    idempotency_key: Key,
    /// Which; not the main one.
    id: ID,
}

payload!(/// Put away, or why not.
    ArchiveZonePayload { /// The zone.
        zone: Zone });

/// What changes venues and zones.
#[derive(Debug, Default)]
pub(crate) struct VenueMutation;

/// Changing.
#[Object]
impl VenueMutation {
    /// Opens a venue, with a zone named main and the viewer as its owner.
    async fn create_venue(&self, ctx: &Context<'_>, input: CreateVenueInput) -> Result<CreateVenuePayload> {
        settle(create_venue(ctx, input).await)
    }

    /// Changes a venue; for managers.
    async fn update_venue(&self, ctx: &Context<'_>, input: UpdateVenueInput) -> Result<UpdateVenuePayload> {
        settle(update_venue(ctx, input).await)
    }

    /// Puts a venue away; for owners. Nothing is lost, and its hubs play on.
    async fn archive_venue(
        &self,
        ctx: &Context<'_>,
        input: ArchiveVenueInput,
    ) -> Result<ArchiveVenuePayload> {
        settle(archive(ctx, input.idempotency_key, &input.id, true).await)
    }

    /// Brings a venue back; for owners.
    async fn unarchive_venue(
        &self,
        ctx: &Context<'_>,
        input: UnarchiveVenueInput,
    ) -> Result<UnarchiveVenuePayload> {
        settle(archive(ctx, input.idempotency_key, &input.id, false).await)
    }

    /// Adds a zone to a venue; for managers.
    async fn create_zone(&self, ctx: &Context<'_>, input: CreateZoneInput) -> Result<CreateZonePayload> {
        settle(create_zone(ctx, input).await)
    }

    /// Changes a zone; for managers.
    async fn update_zone(&self, ctx: &Context<'_>, input: UpdateZoneInput) -> Result<UpdateZonePayload> {
        settle(update_zone(ctx, input).await)
    }

    /// Puts a zone away; for managers.
    async fn archive_zone(&self, ctx: &Context<'_>, input: ArchiveZoneInput) -> Result<ArchiveZonePayload> {
        settle(archive_zone(ctx, &input).await)
    }
}

async fn create_venue(ctx: &Context<'_>, input: CreateVenueInput) -> Result<Venue, Unmet> {
    let organisation = input.organisation_id.as_ref();
    let new = NewVenue {
        organisation: organisation.map(|given| id::<OrganisationId>(given, "organisationId")).transpose()?,
        organisation_name: input.organisation_name,
        name: input.name,
        slug: input.slug,
        kind: input.kind.into(),
        time_zone: input.time_zone,
        penalty_hours: input.penalty_hours,
        crossfade_ms: input.crossfade_ms,
    };
    Ok(Venue(venues::create(cloud(ctx), doer(ctx)?, key(input.idempotency_key), new).await?))
}

async fn update_venue(ctx: &Context<'_>, input: UpdateVenueInput) -> Result<Venue, Unmet> {
    let to = VenueChanges {
        id: id(&input.id, "id")?,
        name: input.name,
        slug: input.slug,
        kind: input.kind.map(Into::into),
        time_zone: input.time_zone,
        penalty_hours: input.penalty_hours,
        crossfade_ms: input.crossfade_ms,
        licence: input.licence.map(LicenceInput::read).transpose()?,
    };
    Ok(Venue(venues::update(cloud(ctx), doer(ctx)?, key(input.idempotency_key), to).await?))
}

async fn archive(ctx: &Context<'_>, idempotency_key: Key, venue: &ID, away: bool) -> Result<Venue, Unmet> {
    let user = doer(ctx)?;
    Ok(Venue(venues::archive(cloud(ctx), user, key(idempotency_key), id(venue, "id")?, away).await?))
}

async fn create_zone(ctx: &Context<'_>, input: CreateZoneInput) -> Result<Zone, Unmet> {
    let (user, key) = (doer(ctx)?, key(input.idempotency_key));
    let venue = id(&input.venue_id, "venueId")?;
    let settings = input.settings.read()?;
    Ok(Zone(zones::create(cloud(ctx), user, key, venue, &input.name, &settings).await?))
}

async fn update_zone(ctx: &Context<'_>, input: UpdateZoneInput) -> Result<Zone, Unmet> {
    let (user, key) = (doer(ctx)?, key(input.idempotency_key));
    let zone = id(&input.id, "id")?;
    let settings = input.settings.read()?;
    Ok(Zone(zones::update(cloud(ctx), user, key, zone, input.name.as_deref(), &settings).await?))
}

async fn archive_zone(ctx: &Context<'_>, input: &ArchiveZoneInput) -> Result<Zone, Unmet> {
    let user = doer(ctx)?;
    Ok(Zone(zones::archive(cloud(ctx), user, key(input.idempotency_key), id(&input.id, "id")?).await?))
}
