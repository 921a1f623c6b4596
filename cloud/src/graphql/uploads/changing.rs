//! Announcing, finalising, giving up.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use roomtone_schema::song::Sha256;
use roomtone_schema::{SongId, UploadId};
use roomtone_server::listener::song::{Explicit, SongKind};
use uuid::Uuid;

use super::SongUpload;
use crate::catalogue;
use crate::graphql::asking::{UserError, cloud, doer, id, ids, key, payload, settle};
use crate::graphql::song::Song;
use crate::refusal::{Refusal, Unmet};
use crate::uploads::{self, Begun, Finalising, NewUpload, OwnValues, Whose};
use crate::venues::zones::five;

/// A file that is to come into a catalogue: its organisation's, or that of a venue's organisation.
#[derive(Debug, InputObject)]
pub(crate) struct CreateSongUploadInput {
    /// A UUID, new for each intent. Repeated, it gives the same upload with fresh addresses.
    idempotency_key: Uuid,
    /// Whose catalogue; give this or venueId.
    organisation_id: Option<ID>,
    /// Of which venue's organisation; give this or organisationId.
    venue_id: Option<ID>,
    /// The file's name.
    filename: String,
    /// audio/mpeg, audio/flac, audio/ogg, audio/wav, audio/mp4 or audio/aac.
    content_type: String,
    /// How long it is; at most 512 MB.
    bytes: i64,
    /// Its sha256, 64 hexadecimal digits.
    sha256: String,
}

/// Announced, or why not.
#[derive(Debug, Default, SimpleObject)]
pub(crate) struct CreateSongUploadPayload {
    /// The upload, with where its bytes go.
    upload: Option<SongUpload>,
    /// The song of these very bytes, where the catalogue has it: nothing need be sent.
    existing_song: Option<Song>,
    /// Why not.
    user_errors: Vec<UserError>,
}

enum Announced {
    New(SongUpload),
    Known(Option<Song>),
}

impl From<Result<Announced, UserError>> for CreateSongUploadPayload {
    fn from(outcome: Result<Announced, UserError>) -> Self {
        match outcome {
            Ok(Announced::New(upload)) => Self { upload: Some(upload), ..Self::default() },
            Ok(Announced::Known(existing_song)) => Self { existing_song, ..Self::default() },
            Err(error) => Self { user_errors: vec![error], ..Self::default() },
        }
    }
}

/// A file whose bytes have all been sent, and what its manager says of it: that wins over what the file says.
#[derive(Debug, InputObject)]
pub(crate) struct FinaliseSongUploadInput {
    /// A UUID, new for each intent.
    idempotency_key: Uuid,
    /// Which upload.
    id: ID,
    /// Where it is to be played: venues of the same organisation.
    #[graphql(default)]
    venue_ids: Vec<ID>,
    /// What it is called.
    title: Option<String>,
    /// Who made it.
    artist: Option<String>,
    /// The album it belongs to.
    album: Option<String>,
    /// Its recording code, 12 characters.
    isrc: Option<String>,
    /// Who published it.
    label: Option<String>,
    /// What its words are like.
    explicit: Option<Explicit>,
    /// Soundscape or instrumental.
    kind: Option<SongKind>,
    /// Beats per minute: 1 to 400.
    bpm: Option<i32>,
    /// Its key, such as Am or D#m.
    key: Option<String>,
    /// Five numbers, -1 to 1, not all zero: energy, brightness, tempo, tonality, density.
    embedding: Option<Vec<f64>>,
}

payload!(/// To be looked at, or why not.
    FinaliseSongUploadPayload { /// The upload.
        upload: SongUpload });

/// An upload that nobody wants any more.
#[derive(Debug, InputObject)]
pub(crate) struct CancelSongUploadInput {
    /// A UUID, new for each intent.
    idempotency_key: Uuid,
    /// Which.
    id: ID,
}

payload!(/// Given up, or why not.
    CancelSongUploadPayload { /// The upload.
        upload: SongUpload });

/// What brings files into a catalogue.
#[derive(Debug, Default)]
pub(crate) struct UploadMutation;

/// Changing.
#[Object]
impl UploadMutation {
    /// Announces a file; for staff. Send its bytes to the upload's target, then finalise it.
    async fn create_song_upload(
        &self,
        ctx: &Context<'_>,
        input: CreateSongUploadInput,
    ) -> Result<CreateSongUploadPayload> {
        settle(create(ctx, input).await)
    }

    /// Has a file looked at whose bytes have all been sent; for staff. It becomes a song, or is refused with a reason.
    async fn finalise_song_upload(
        &self,
        ctx: &Context<'_>,
        input: FinaliseSongUploadInput,
    ) -> Result<FinaliseSongUploadPayload> {
        settle(finalise(ctx, input).await)
    }

    /// Gives an upload up, and removes what was sent; for staff.
    async fn cancel_song_upload(
        &self,
        ctx: &Context<'_>,
        input: CancelSongUploadInput,
    ) -> Result<CancelSongUploadPayload> {
        settle(cancel(ctx, &input).await)
    }
}

impl CreateSongUploadInput {
    fn read(self) -> Result<NewUpload, Unmet> {
        let whose = match (&self.organisation_id, &self.venue_id) {
            (Some(given), None) => Whose::Organisation(id(given, "organisationId")?),
            (None, Some(given)) => Whose::Venue(id(given, "venueId")?),
            _ => {
                return Err(
                    Refusal::invalid("venueId", "give organisationId or venueId, and not both").into()
                );
            }
        };
        let sha256 = self.sha256.parse::<Sha256>();
        Ok(NewUpload {
            whose,
            filename: self.filename,
            content_type: self.content_type,
            bytes: u64::try_from(self.bytes).unwrap_or(0),
            sha256: sha256.map_err(|error| Refusal::invalid("sha256", error.to_string()))?,
        })
    }
}

async fn create(ctx: &Context<'_>, input: CreateSongUploadInput) -> Result<Announced, Unmet> {
    let (user, key, cloud) = (doer(ctx)?, key(input.idempotency_key), cloud(ctx));
    Ok(match uploads::create(cloud, user, key, input.read()?).await? {
        Begun::Upload(id) => Announced::New(SongUpload(uploads::ready(cloud, user, id).await?)),
        Begun::Known(song) => Announced::Known(known(ctx, song).await?),
    })
}

async fn known(ctx: &Context<'_>, song: SongId) -> Result<Option<Song>, Unmet> {
    Ok(catalogue::find(cloud(ctx), doer(ctx)?, &[song]).await?.pop().map(Song))
}

async fn finalise(ctx: &Context<'_>, input: FinaliseSongUploadInput) -> Result<SongUpload, Unmet> {
    let (user, key) = (doer(ctx)?, key(input.idempotency_key));
    let it =
        Finalising { id: id(&input.id, "id")?, venues: ids(&input.venue_ids, "venueIds")?, own: own(input)? };
    found(ctx, uploads::finalise(cloud(ctx), user, key, it).await?).await
}

fn own(input: FinaliseSongUploadInput) -> Result<OwnValues, Refusal> {
    Ok(OwnValues {
        title: input.title,
        artist: input.artist,
        album: input.album,
        isrc: input.isrc,
        label: input.label,
        explicit: input.explicit.map(Into::into),
        kind: input.kind.map(Into::into),
        bpm: input.bpm,
        key: input.key,
        embedding: input.embedding.map(|given| five("embedding", &given)).transpose()?,
    })
}

async fn cancel(ctx: &Context<'_>, input: &CancelSongUploadInput) -> Result<SongUpload, Unmet> {
    let (user, key) = (doer(ctx)?, key(input.idempotency_key));
    found(ctx, uploads::cancel(cloud(ctx), user, key, id(&input.id, "id")?).await?).await
}

async fn found(ctx: &Context<'_>, id: UploadId) -> Result<SongUpload, Unmet> {
    let upload = uploads::find(cloud(ctx), doer(ctx)?, id).await?;
    Ok(SongUpload(upload.ok_or_else(|| Refusal::not_found("upload"))?))
}
