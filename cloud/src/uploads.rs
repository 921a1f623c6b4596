//! Files on their way into a catalogue: announced here, sent straight to the store, looked at by [`crate::analysing`].
//!
//! Bytes arrive under a key of the upload's own (`staging/<upload>`), which is all that a signed address opens. Nobody
//! outside ever gets an address to write to a song's key (`org/<organisation>/<sha256>`): that is written once, by us,
//! with bytes that we have read and summed up ourselves. So what arrives late, twice or under a false name can replace
//! nothing. What is absent: any byte of a file in this process before the analysis.

use std::time::Duration;

use roomtone_schema::id::Id as _;
use roomtone_schema::song::Sha256;
use roomtone_schema::{IdempotencyKey, OrganisationId, SongId, UploadId, UserId, VenueId};
use serde::{Deserialize, Serialize};

pub use crate::store::Slice;
pub use crate::store::uploads::{Upload, Wanted};
pub use own_values::OwnValues;
pub use target::{Part, Target, parts, ready, target};

use crate::bus::Topic;
use crate::cloud::Cloud;
use crate::database::Work;
use crate::intents::Intent;
use crate::media::{Media, MediaError, safe_file_name};
use crate::members::MemberRole;
use crate::refusal::{Code, Refusal, Unmet};
use crate::store;

mod own_values;
mod target;

/// The largest file.
pub const MOST_BYTES: u64 = 512 << 20;

/// A file that is larger than this goes in parts.
pub const WHOLE_UP_TO: u64 = 64 << 20;

/// How long each part but the last is.
pub const PART_BYTES: u64 = 16 << 20;

/// For how long an address is good; another one is there for the asking.
const ADDRESS_FOR: Duration = Duration::from_hours(1);

/// For how long bytes are waited for.
const OPEN_FOR: Duration = Duration::from_hours(24);

/// The most uploads that one person may have under way.
const MOST_OPEN: i32 = 200;

/// The most uploads that are watched at once.
const MOST_WATCHED: i64 = 100;

/// The most venues that a song is assigned to at once.
const MOST_VENUES: usize = 200;

/// What people call a kind of file, and what we call it.
const TYPES: [(&str, &[&str]); 6] = [
    ("audio/mpeg", &["audio/mp3", "audio/x-mp3", "audio/mpeg3"]),
    ("audio/flac", &["audio/x-flac"]),
    ("audio/ogg", &["application/ogg", "audio/vorbis", "audio/x-vorbis+ogg"]),
    ("audio/wav", &["audio/x-wav", "audio/wave", "audio/vnd.wave"]),
    ("audio/mp4", &["audio/x-m4a", "audio/m4a", "video/mp4"]),
    ("audio/aac", &["audio/x-aac", "audio/aacp"]),
];

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UploadState {
    /// For its bytes.
    Waiting,
    /// All bytes are there; nobody has looked at them yet.
    Queued,
    /// Somebody looks at them.
    Analysing,
    /// It is a song of the catalogue.
    Done,
    /// It is none, and the upload says why.
    Refused,
    /// Somebody gave it up.
    Cancelled,
    /// Its bytes did not come in time.
    Expired,
}

impl UploadState {
    /// As a column holds it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Analysing => "analysing",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

/// Whose catalogue a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Whose {
    /// An organisation's.
    Organisation(OrganisationId),
    /// That of the organisation of a venue.
    Venue(VenueId),
}

/// A file that is announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewUpload {
    /// Whose catalogue it is for.
    pub whose: Whose,
    /// Its name where it comes from.
    pub filename: String,
    /// What kind of file it is.
    pub content_type: String,
    /// How long it is.
    pub bytes: u64,
    /// What its bytes sum up to.
    pub sha256: Sha256,
}

/// What an announcement came to; kept for whoever announces it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Begun {
    /// Its bytes may come.
    Upload(UploadId),
    /// The catalogue has these very bytes.
    Known(SongId),
}

impl NewUpload {
    /// The same with a harmless name and our own word for its kind, where it may come at all.
    fn checked(self) -> Result<Self, Refusal> {
        if self.bytes == 0 {
            return Err(Refusal::invalid("bytes", "the file is empty"));
        }
        if self.bytes > MOST_BYTES {
            let why = format!("the file is larger than {} MB; split or compress it", MOST_BYTES >> 20);
            return Err(Refusal::new(Code::TooLarge, why).at("bytes"));
        }
        let Some(content_type) = known_type(&self.content_type) else {
            let why =
                "this is no kind of file that can be played; MP3, FLAC, Ogg Vorbis, WAV, M4A and AAC can";
            return Err(Refusal::new(Code::Unsupported, why).at("contentType"));
        };
        let filename = safe_file_name(&self.filename);
        Ok(Self { filename, content_type: content_type.to_owned(), ..self })
    }
}

/// Our own word for a kind of file.
pub(crate) fn known_type(announced: &str) -> Option<&'static str> {
    let plain = announced.split(';').next()?.trim().to_ascii_lowercase();
    TYPES
        .iter()
        .find(|(ours, others)| *ours == plain || others.contains(&plain.as_str()))
        .map(|known| known.0)
}

/// Announces a file: what it came to is the same however often it is announced with one key.
///
/// # Errors
/// Refused where it may not come; where the database fails.
pub async fn create(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    new: NewUpload,
) -> Result<Begun, Unmet> {
    let new = new.checked()?;
    let mut work = cloud.database.as_user(user).await?;
    let intent = Intent::new(user, key, "createSongUpload", &new);
    if let Some(before) = intent.answered(&mut work).await? {
        return Ok(before);
    }
    let organisation = organisation_of(&mut work, new.whose).await?;
    store::access::require_in(&mut work, organisation, MemberRole::Staff).await?;
    let begun = if let Some(song) = store::uploads::song_of(&mut work, organisation, new.sha256).await? {
        Begun::Known(song)
    } else {
        let id = UploadId::mint(cloud.now(), random());
        store::uploads::begin(&mut work, id, organisation, &new, OPEN_FOR, MOST_OPEN).await?;
        Begun::Upload(id)
    };
    intent.answer(&mut work, &begun).await?;
    work.commit().await?;
    if let Begun::Upload(id) = begun {
        tell(cloud, id, organisation);
    }
    Ok(begun)
}

async fn organisation_of(work: &mut Work, whose: Whose) -> Result<OrganisationId, Unmet> {
    match whose {
        Whose::Organisation(id) => Ok(id),
        Whose::Venue(id) => {
            let found = store::uploads::organisation_of(work, id).await?;
            found.ok_or_else(|| Refusal::not_found("venue").at("venueId").into())
        }
    }
}

/// The upload, where this person may see it.
///
/// # Errors
/// Where the database fails.
pub async fn find(cloud: &Cloud, user: UserId, id: UploadId) -> Result<Option<Upload>, Unmet> {
    let mut work = cloud.database.as_user(user).await?;
    Ok(store::uploads::find(&mut work, id).await?)
}

/// A part of an organisation's uploads, the newest first.
///
/// # Errors
/// Where the database fails.
pub async fn list(
    cloud: &Cloud,
    user: UserId,
    wanted: &Wanted,
    slice: &Slice<uuid::Uuid>,
) -> Result<Vec<Upload>, Unmet> {
    Ok(store::uploads::list(&mut *cloud.database.as_user(user).await?, wanted, slice).await?)
}

/// How many there are.
///
/// # Errors
/// Where the database fails.
pub async fn count(cloud: &Cloud, user: UserId, wanted: &Wanted) -> Result<i64, Unmet> {
    Ok(store::uploads::count(&mut *cloud.database.as_user(user).await?, wanted).await?)
}

/// The uploads of an organisation that are under way, and those that ended last, the newest first; `None` where it is
/// not this person's to see.
///
/// # Errors
/// Where the database fails.
pub async fn latest(
    cloud: &Cloud,
    user: UserId,
    organisation: OrganisationId,
) -> Result<Option<Vec<Upload>>, Unmet> {
    let mut work = cloud.database.as_user(user).await?;
    if !store::uploads::may_look(&mut work, organisation).await? {
        return Ok(None);
    }
    let wanted = Wanted { organisation, states: Vec::new() };
    let slice = Slice { limit: MOST_WATCHED, after: None, before: None, backwards: false };
    Ok(Some(store::uploads::list(&mut work, &wanted, &slice).await?))
}

/// What finalising takes besides the bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finalising {
    /// Which upload.
    pub id: UploadId,
    /// What the manager says of the song: it wins over what the file says.
    pub own: OwnValues,
    /// Where it is to be played.
    pub venues: Vec<VenueId>,
}

/// Has a file looked at whose bytes have all arrived.
///
/// # Errors
/// Refused where bytes are missing, a value will not do, or the upload waits for nothing any more.
pub async fn finalise(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    it: Finalising,
) -> Result<UploadId, Unmet> {
    it.own.check()?;
    if it.venues.len() > MOST_VENUES {
        return Err(Refusal::invalid("venueIds", format!("at most {MOST_VENUES} venues at once")).into());
    }
    let intent = Intent::new(user, key, "finaliseSongUpload", &it);
    let mut work = cloud.database.as_user(user).await?;
    if let Some(before) = intent.answered(&mut work).await? {
        return Ok(before);
    }
    let upload = store::uploads::find(&mut work, it.id).await?;
    let upload = upload.ok_or_else(|| Refusal::not_found("upload").at("id"))?;
    // The store may take its time; no transaction waits for it.
    drop(work);
    if upload.state.0 == UploadState::Waiting {
        all_there(&cloud.media, &upload).await?;
    }
    let mut work = cloud.database.as_user(user).await?;
    if let Some(before) = intent.answered(&mut work).await? {
        return Ok(before);
    }
    store::uploads::finalise(&mut work, it.id, &it.own, &it.venues).await?;
    intent.answer(&mut work, &it.id).await?;
    work.commit().await?;
    tell(cloud, it.id, *upload.organisation_id);
    Ok(it.id)
}

/// Sees to it that there is one object of the announced length.
async fn all_there(media: &Media, upload: &Upload) -> Result<(), Unmet> {
    if let Some(multipart) = &upload.multipart_id {
        target::join(media, upload, multipart).await?;
    }
    match media.head(&upload.object_key).await.map_err(store_failed)? {
        Some(stored) if stored.bytes == upload.bytes() => Ok(()),
        Some(stored) => {
            let why = format!(
                "{} bytes have arrived where {} were announced; send the file again",
                stored.bytes,
                upload.bytes()
            );
            Err(Refusal::new(Code::ChecksumMismatch, why).at("id").into())
        }
        None => {
            Err(Refusal::invalid("id", "the file has not arrived yet; send it to the upload's address first")
                .into())
        }
    }
}

/// Gives an upload up. What has arrived is removed.
///
/// # Errors
/// Refused where it is a song already, or is about to be.
pub async fn cancel(
    cloud: &Cloud,
    user: UserId,
    key: IdempotencyKey,
    id: UploadId,
) -> Result<UploadId, Unmet> {
    let intent = Intent::new(user, key, "cancelSongUpload", &id);
    let mut work = cloud.database.as_user(user).await?;
    if let Some(before) = intent.answered(&mut work).await? {
        return Ok(before);
    }
    store::uploads::cancel(&mut work, id).await?;
    let upload = store::uploads::find(&mut work, id).await?;
    intent.answer(&mut work, &id).await?;
    work.commit().await?;
    if let Some(upload) = upload {
        tell(cloud, id, *upload.organisation_id);
    }
    Ok(id)
}

/// Says that an upload is further than it was.
pub(crate) fn tell(cloud: &Cloud, id: UploadId, organisation: OrganisationId) {
    cloud.bus.publish(Topic::Upload(id));
    cloud.bus.publish(Topic::Organisation(organisation));
}

/// Whatever the store's trouble is, it is ours.
fn store_failed(error: MediaError) -> Unmet {
    Unmet::Broken(error.into())
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system always has random bytes once it has started");
    bytes
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn announced() -> NewUpload {
        NewUpload {
            whose: Whose::Venue(VenueId(uuid::Uuid::nil())),
            filename: "../rain.MP3".to_owned(),
            content_type: "audio/x-mp3; x=y".to_owned(),
            bytes: 5,
            sha256: Sha256([0; 32]),
        }
    }

    #[test]
    fn a_kind_of_file_has_one_name() {
        let checked = announced().checked().unwrap();
        assert_eq!((checked.content_type.as_str(), checked.filename.as_str()), ("audio/mpeg", "rain.MP3"));
    }

    #[rstest]
    #[case::empty(0, Code::Invalid)]
    #[case::enormous(MOST_BYTES + 1, Code::TooLarge)]
    #[case::absurd(u64::MAX, Code::TooLarge)]
    fn a_length_has_bounds(#[case] bytes: u64, #[case] code: Code) {
        assert_eq!(NewUpload { bytes, ..announced() }.checked().unwrap_err().code, code);
    }

    #[rstest]
    #[case("image/png")]
    #[case("")]
    #[case("application/octet-stream")]
    #[case("audio/x-ms-wma")]
    fn what_cannot_be_played_need_not_come(#[case] content_type: &str) {
        let refused =
            NewUpload { content_type: content_type.to_owned(), ..announced() }.checked().unwrap_err();
        assert_eq!(refused.code, Code::Unsupported);
    }
}
