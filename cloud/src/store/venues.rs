//! Venues.

use chrono::{DateTime, Utc};
use roomtone_schema::licence::Licence;
use roomtone_schema::{OrganisationId, VenueId};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Key, Slice, Word, pattern, uuids};
use crate::members::MemberRole;
use crate::venues::{NewVenue, VenueChanges, VenueKind};

/// What a venue has besides its columns.
#[derive(Debug, Clone, Default)]
pub struct VenueSettings {
    /// What its licence allows.
    pub licence: Licence,
}

impl From<Json<Value>> for VenueSettings {
    fn from(Json(told): Json<Value>) -> Self {
        let licence = told.get("licence").cloned();
        Self { licence: licence.and_then(|told| serde_json::from_value(told).ok()).unwrap_or_default() }
    }
}

/// A venue, as whoever asks may see it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Venue {
    /// Made when it was opened.
    pub id: Key<VenueId>,
    /// Whose it is.
    pub organisation_id: Key<OrganisationId>,
    /// Its name in addresses.
    pub slug: String,
    /// What people call it.
    pub name: String,
    /// What sort of place it is.
    pub kind: Word<VenueKind>,
    /// IANA name, such as `Europe/Berlin`.
    pub timezone: String,
    /// How long a song rests.
    pub penalty_hours: i32,
    /// Overlap of two songs.
    pub crossfade_ms: i32,
    /// What its licence allows; a row that says it in a way that we do not understand has the default.
    #[sqlx(try_from = "Json<Value>")]
    pub settings: VenueSettings,
    /// When it was put away.
    pub archived_at: Option<DateTime<Utc>>,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// What the caller may do there.
    pub my_role: Option<Word<MemberRole>>,
    /// What lists of venues are ordered by: the name as the database makes it small.
    pub place: String,
}

const COLUMNS: &str = "select v.id, v.organisation_id, v.slug, v.name, v.kind, v.timezone, v.penalty_hours, \
    v.crossfade_ms, v.settings, v.archived_at, v.created_at, private.my_role(v.id) as my_role, lower(v.name) as place from public.venues v where ";

/// Which venues are meant.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Whose name or slug holds this.
    pub search: Option<String>,
    /// Of one organisation.
    pub organisation: Option<OrganisationId>,
    /// Whether archived ones are among them.
    pub archived: bool,
}

/// Where a venue stands in the list: by name, then by id.
pub type Place = (String, Uuid);

fn restrict(query: &mut QueryBuilder<Postgres>, wanted: &Wanted) {
    query.push("(").push_bind(wanted.archived).push(" or v.archived_at is null)");
    if let Some(organisation) = wanted.organisation {
        query.push(" and v.organisation_id = ").push_bind(organisation.0);
    }
    if let Some(search) = &wanted.search {
        query.push(" and (v.name ilike ").push_bind(pattern(search));
        query.push(" or v.slug ilike ").push_bind(pattern(search)).push(")");
    }
}

/// A part of the caller's venues, by name.
pub async fn list(
    work: &mut PgConnection,
    wanted: &Wanted,
    slice: &Slice<Place>,
) -> Result<Vec<Venue>, sqlx::Error> {
    let mut query = QueryBuilder::new(COLUMNS);
    restrict(&mut query, wanted);
    for (place, sign) in [(&slice.after, " > ("), (&slice.before, " < (")] {
        if let Some((name, id)) = place {
            query.push(" and (lower(v.name), v.id)").push(sign);
            query.push_bind(name).push(", ").push_bind(id).push(")");
        }
    }
    let order = if slice.backwards {
        " order by lower(v.name) desc, v.id desc"
    } else {
        " order by lower(v.name), v.id"
    };
    query.push(order).push(" limit ").push_bind(slice.limit);
    query.build_query_as().fetch_all(work).await
}

/// How many there are.
pub async fn count(work: &mut PgConnection, wanted: &Wanted) -> Result<i64, sqlx::Error> {
    let mut query = QueryBuilder::new("select count(*) from public.venues v where ");
    restrict(&mut query, wanted);
    query.build_query_scalar().fetch_one(work).await
}

/// Those of some ids that the caller may see.
pub async fn find(work: &mut PgConnection, ids: &[VenueId]) -> Result<Vec<Venue>, sqlx::Error> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push("v.id = any (").push_bind(uuids(ids)).push(")");
    query.build_query_as().fetch_all(work).await
}

/// Opens a venue, with its main zone and the caller as its owner.
pub async fn create(work: &mut PgConnection, id: VenueId, new: &NewVenue) -> Result<(), sqlx::Error> {
    sqlx::query("select private.create_venue($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .bind(id.0)
        .bind(new.organisation.map(|id| id.0))
        .bind(new.organisation_name.as_deref().unwrap_or(&new.name))
        .bind(&new.name)
        .bind(&new.slug)
        .bind(Word(new.kind))
        .bind(&new.time_zone)
        .bind(new.penalty_hours)
        .bind(new.crossfade_ms)
        .execute(work)
        .await
        .map(drop)
}

/// Changes what is given; says whether there was such a venue to change.
pub async fn change(work: &mut PgConnection, to: &VenueChanges) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update public.venues set name = coalesce($2, name), slug = coalesce($3, slug), kind = coalesce($4, kind),
           timezone = coalesce($5, timezone), penalty_hours = coalesce($6, penalty_hours),
           crossfade_ms = coalesce($7, crossfade_ms),
           settings = case when $8::jsonb is null then settings else settings || jsonb_build_object('licence', $8::jsonb) end
         where id = $1",
    )
    .bind(to.id.0)
    .bind(&to.name)
    .bind(&to.slug)
    .bind(to.kind.map(Word))
    .bind(&to.time_zone)
    .bind(to.penalty_hours)
    .bind(to.crossfade_ms)
    .bind(to.licence.map(Json))
    .execute(work)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts a venue away or brings it back; says whether that changed anything.
pub async fn archive(work: &mut PgConnection, id: VenueId, away: bool) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select private.archive_venue($1, $2)").bind(id.0).bind(away).fetch_one(work).await
}

/// Whose a venue is, and its name.
pub async fn owner(work: &mut PgConnection, venue: VenueId) -> Result<(OrganisationId, String), sqlx::Error> {
    let (owner, name): (Key<OrganisationId>, String) =
        sqlx::query_as("select organisation_id, name from public.venues where id = $1")
            .bind(venue.0)
            .fetch_one(work)
            .await?;
    Ok((owner.0, name))
}
