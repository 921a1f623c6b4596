//! Songs: finding them, correcting what is known of them, taking them out, saying which venues play them.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use roomtone_schema::song::{Explicit, SongKind, SongStatus};
use roomtone_schema::{Embedding, IdempotencyKey, OrganisationId, SongId, UserId, VenueId};
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;

use crate::bus::Topic;
use crate::cloud::Cloud;
use crate::intents::Intent;
use crate::members::MemberRole;
use crate::refusal::{Code, Refusal, Unmet, text, within};
use crate::store::audit_log::{self, Line};
use crate::store::{access, songs, venue_songs};
use crate::venues::Venue;

pub use crate::store::songs::{Place, Placed, Song};

/// For how long an address of a song's file is good.
const ADDRESS_LIVES: Duration = Duration::from_mins(15);
/// Songs and venues of one assignment at most.
pub const MOST_SONGS: usize = 500;
/// See [`MOST_SONGS`].
pub const MOST_VENUES: usize = 50;
/// Ids that a line of the audit log names at most.
const MOST_NAMED: usize = 50;
/// The longest title, artist, album, label.
const LONGEST_TEXT: usize = 300;
/// The longest key, such as `D#m`.
const LONGEST_KEY: usize = 8;

/// Which songs are meant.
#[derive(Debug, Clone, Default)]
pub struct SongFilter {
    /// Whose title, artist, album, label or ISRC holds this.
    pub search: Option<String>,
    /// Of this kind.
    pub kind: Option<SongKind>,
    /// At this point of their way; where none is given, all but the withdrawn.
    pub status: Option<SongStatus>,
    /// With such words.
    pub explicit: Option<Explicit>,
    /// Which this venue plays.
    pub venue: Option<VenueId>,
    /// Of this catalogue.
    pub organisation: Option<OrganisationId>,
}

/// What a list of songs is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SongOrderField {
    /// Who made it, then the title.
    Artist,
    /// When it joined the catalogue.
    CreatedAt,
    /// The title.
    Title,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the least.
    Asc,
    /// From the greatest.
    Desc,
}

/// How a list of songs is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SongOrder {
    /// By what.
    pub field: SongOrderField,
    /// Which way.
    pub direction: Direction,
}

/// A manager's own values of a song: they win over what the analysis finds. What is left out stays.
#[derive(Debug, Clone, Serialize)]
pub struct SongChanges {
    /// Which.
    pub id: SongId,
    /// What it is called.
    pub title: Option<String>,
    /// Who made it.
    pub artist: Option<String>,
    /// The album it belongs to.
    pub album: Option<String>,
    /// Its recording code.
    pub isrc: Option<String>,
    /// Who published it.
    pub label: Option<String>,
    /// What its words are like.
    pub explicit: Option<Explicit>,
    /// Beats per minute.
    pub bpm: Option<i32>,
    /// Its key.
    pub key: Option<String>,
    /// Soundscape or instrumental.
    pub kind: Option<SongKind>,
    /// Where it stands on the five axes.
    pub embedding: Option<Embedding>,
}

impl SongChanges {
    /// The columns that are set.
    pub fn own_values(&self) -> Vec<&'static str> {
        let set = [
            (self.title.is_some(), "title"),
            (self.artist.is_some(), "artist"),
            (self.album.is_some(), "album"),
            (self.isrc.is_some(), "isrc"),
            (self.label.is_some(), "label"),
            (self.explicit.is_some(), "explicit"),
            (self.bpm.is_some(), "bpm"),
            (self.key.is_some(), "key"),
            (self.kind.is_some(), "type"),
            (self.embedding.is_some(), "embedding"),
        ];
        set.into_iter().filter_map(|(is_set, column)| is_set.then_some(column)).collect()
    }

    fn checked(self) -> Result<Self, Refusal> {
        let short =
            |field, given: Option<String>| given.map(|given| text(field, &given, LONGEST_TEXT)).transpose();
        Ok(Self {
            title: short("title", self.title)?,
            artist: short("artist", self.artist)?,
            album: short("album", self.album)?,
            label: short("label", self.label)?,
            isrc: self.isrc.as_deref().map(isrc).transpose()?,
            key: self.key.map(|given| text("key", &given, LONGEST_KEY)).transpose()?,
            bpm: self.bpm.map(|given| within("bpm", given, 1, 400)).transpose()?,
            ..self
        })
    }
}

/// An ISRC without its hyphens: country, registrant, year, number.
fn isrc(given: &str) -> Result<String, Refusal> {
    let plain: String = given.trim().chars().filter(|c| *c != '-').map(|c| c.to_ascii_uppercase()).collect();
    let fits = |(at, c): (usize, char)| match at {
        0..2 => c.is_ascii_uppercase(),
        2..5 => c.is_ascii_uppercase() || c.is_ascii_digit(),
        _ => c.is_ascii_digit(),
    };
    if plain.len() == 12 && plain.chars().enumerate().all(fits) {
        return Ok(plain);
    }
    Err(Refusal::invalid("isrc", "an ISRC is 12 characters, such as GB-AYE-68-00023"))
}

/// Some of the songs that the caller may see.
///
/// # Errors
/// Where the database fails.
pub async fn list(
    cloud: &Cloud,
    user: UserId,
    filter: &SongFilter,
    order: SongOrder,
    slice: &crate::venues::Slice<Place>,
) -> Result<Vec<Placed>, Unmet> {
    Ok(songs::list(&mut *cloud.database.as_user(user).await?, filter, order, slice).await?)
}

/// How many there are.
///
/// # Errors
/// Where the database fails.
pub async fn count(cloud: &Cloud, user: UserId, filter: &SongFilter) -> Result<i64, Unmet> {
    Ok(songs::count(&mut *cloud.database.as_user(user).await?, filter).await?)
}

/// Those of some songs that the caller may see.
///
/// # Errors
/// Where the database fails.
pub async fn find(cloud: &Cloud, user: UserId, ids: &[SongId]) -> Result<Vec<Song>, Unmet> {
    Ok(songs::find(&mut *cloud.database.as_user(user).await?, ids).await?)
}

/// How many songs some venues play.
///
/// # Errors
/// Where the database fails.
pub async fn count_of_venues(
    cloud: &Cloud,
    user: UserId,
    ids: &[VenueId],
) -> Result<HashMap<VenueId, i64>, Unmet> {
    let counts = songs::count_of_venues(&mut *cloud.database.as_user(user).await?, ids).await?;
    Ok(counts.into_iter().map(|(venue, songs)| (*venue, songs)).collect())
}

/// The venues that play some songs, among those that the caller may see.
///
/// # Errors
/// Where the database fails.
pub async fn venues_of(
    cloud: &Cloud,
    user: UserId,
    ids: &[SongId],
) -> Result<HashMap<SongId, Vec<VenueId>>, Unmet> {
    let pairs = venue_songs::of_songs(&mut *cloud.database.as_user(user).await?, ids).await?;
    let mut venues: HashMap<SongId, Vec<VenueId>> = HashMap::new();
    for (song, venue) in pairs {
        venues.entry(*song).or_default().push(*venue);
    }
    Ok(venues)
}

/// Those of some organisations in which somebody works: what only staff may see of songs and uploads hangs on it.
///
/// # Errors
/// Where the database fails.
pub async fn working_in(
    cloud: &Cloud,
    user: UserId,
    organisations: &[OrganisationId],
) -> Result<Vec<OrganisationId>, Unmet> {
    let found = access::working_in(&mut *cloud.database.as_user(user).await?, organisations).await?;
    Ok(found.into_iter().map(|organisation| *organisation).collect())
}

/// Where a song's file can be had, for a quarter of an hour. For whoever works for its organisation: see [`working_in`].
///
/// # Errors
/// Where the store fails.
pub async fn download_url(cloud: &Cloud, song: &Song) -> Result<String, Unmet> {
    let url = cloud.media.download_url(&song.object_key, Some(&song.title), ADDRESS_LIVES);
    Ok(url.await.map_err(anyhow::Error::from)?)
}

/// Corrects what is known of a song.
///
/// # Errors
/// Refused where the input cannot be meant, or the caller may not.
pub async fn update(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    to: SongChanges,
) -> Result<Song, Unmet> {
    let to = to.checked()?;
    let intent = Intent::new(user, key, "updateSong", &to);
    let mut work = cloud.database.as_user(user).await?;
    let before = one(&mut work, to.id).await?;
    if intent.answered::<SongId>(&mut work).await?.is_none() {
        access::require_in(&mut work, *before.organisation_id, MemberRole::Staff).await?;
        songs::change(&mut work, &to).await?;
        log(&mut work, &before, "song.updated", json!({ "set": to.own_values() })).await?;
        intent.answer(&mut work, &to.id).await?;
    }
    done(cloud, work, to.id).await
}

/// Takes a song out of the catalogue, or brings it back. Its history stays, and so do the venues that play it.
///
/// # Errors
/// Refused where the caller may not, or the same music is in the catalogue again.
pub async fn withdraw(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    id: SongId,
    out: bool,
) -> Result<Song, Unmet> {
    let intent = Intent::new(user, key, if out { "withdrawSong" } else { "restoreSong" }, &id);
    let mut work = cloud.database.as_user(user).await?;
    if intent.answered::<SongId>(&mut work).await?.is_none() {
        songs::withdraw(&mut work, id, out).await.map_err(there_again)?;
        intent.answer(&mut work, &id).await?;
    }
    done(cloud, work, id).await
}

/// Has some venues play some songs, or not any more; says how many of these pairs were otherwise before.
///
/// # Errors
/// Refused as a whole where one of the songs is not in one of the venues' catalogue, or the caller may not.
pub async fn assign(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    songs: Vec<SongId>,
    venues: Vec<VenueId>,
    plays: bool,
) -> Result<u64, Unmet> {
    let (songs, venues) = (some("songIds", songs, MOST_SONGS)?, some("venueIds", venues, MOST_VENUES)?);
    let operation = if plays { "assignSongs" } else { "unassignSongs" };
    let intent = Intent::new(user, key, operation, &(&songs, &venues));
    let mut work = cloud.database.as_user(user).await?;
    if let Some(before) = intent.answered(&mut work).await? {
        return Ok(before);
    }
    let mut changed = 0;
    for venue in &venues {
        access::require(&mut work, *venue, MemberRole::Staff).await?;
        let venue = crate::venues::one(&mut work, *venue).await?;
        changed += assign_one(&mut work, &venue, &songs, plays).await?;
    }
    intent.answer(&mut work, &changed).await?;
    work.commit().await?;
    for venue in &venues {
        cloud.bus.publish(Topic::Venue(*venue));
    }
    Ok(changed)
}

async fn assign_one(
    work: &mut PgConnection,
    venue: &Venue,
    songs: &[SongId],
    plays: bool,
) -> Result<u64, Unmet> {
    let changed = if plays {
        let own = venue_songs::count_own(work, venue, songs).await?;
        if usize::try_from(own).unwrap_or(0) != songs.len() {
            let why =
                format!("one of these songs is not in the catalogue of {}; nothing was changed", venue.name);
            return Err(Refusal::new(Code::NotFound, why).at("songIds").into());
        }
        venue_songs::assign(work, *venue.id, songs).await?
    } else {
        venue_songs::unassign(work, *venue.id, songs).await?
    };
    let named: Vec<_> = songs.iter().take(MOST_NAMED).collect();
    let target = format!("Venue:{}", *venue.id);
    let line = Line {
        organisation: None,
        venue: Some(*venue.id),
        action: if plays { "songs.assigned" } else { "songs.unassigned" },
        target: &target,
        detail: json!({ "asked": songs.len(), "changed": changed, "songs": named }),
    };
    audit_log::write(work, line).await?;
    Ok(changed)
}

/// What is named, once each and in order, so that two who name the same never wait for each other for ever.
fn some<T: Ord>(field: &str, given: Vec<T>, most: usize) -> Result<Vec<T>, Refusal> {
    if given.is_empty() {
        return Err(Refusal::invalid(field, "name at least one"));
    }
    if given.len() > most {
        return Err(Refusal::new(Code::TooLarge, format!("name at most {most} at once")).at(field));
    }
    Ok(given.into_iter().collect::<BTreeSet<_>>().into_iter().collect())
}

async fn one(work: &mut PgConnection, id: SongId) -> Result<Song, Unmet> {
    Ok(songs::find(work, &[id]).await?.pop().ok_or_else(|| Refusal::not_found("song"))?)
}

async fn done(cloud: &Cloud, mut work: crate::database::Work, id: SongId) -> Result<Song, Unmet> {
    let song = one(&mut work, id).await?;
    work.commit().await?;
    cloud.bus.publish(Topic::Organisation(*song.organisation_id));
    Ok(song)
}

async fn log(
    work: &mut PgConnection,
    song: &Song,
    action: &'static str,
    detail: serde_json::Value,
) -> Result<(), sqlx::Error> {
    let target = format!("Song:{}", *song.id);
    let line =
        Line { organisation: Some(*song.organisation_id), venue: None, action, target: &target, detail };
    audit_log::write(work, line).await
}

fn there_again(error: sqlx::Error) -> Unmet {
    match Unmet::from(error) {
        Unmet::Refused(Refusal { code: Code::Conflict, .. }) => {
            let why = "the same music has been added again since; withdraw that song first, or keep it";
            Refusal::new(Code::Conflict, why).into()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::isrc;

    #[test]
    fn an_isrc_is_taken_with_and_without_hyphens() {
        assert_eq!(isrc("gb-aye-68-00023").unwrap(), "GBAYE6800023");
        assert_eq!(isrc("USRC17607839").unwrap(), "USRC17607839");
        for wrong in ["", "USRC1760783", "USRC176078399", "1SRC17607839", "ÜSRC1760783", "US RC17607839"] {
            assert!(isrc(wrong).is_err(), "{wrong}");
        }
    }
}
