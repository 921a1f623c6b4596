//! Songs.

use async_graphql::{Context, ID, InputObject, Object, Result};
use roomtone_server::listener::song::{Explicit, SongKind};
use uuid::Uuid;

use crate::catalogue::{self, SongChanges};
use crate::graphql::asking::{cloud, doer, id, ids, key, payload, settle};
use crate::graphql::song::Song;
use crate::refusal::Unmet;
use crate::venues::zones::five;

/// A manager's own values of a song: they win over what the analysis finds. What is left out stays.
#[derive(Debug, InputObject)]
pub(crate) struct UpdateSongInput {
    /// A UUID, new for each intent.
    idempotency_key: Uuid,
    /// Which.
    id: ID,
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
    /// Five finite numbers, not all zero: energy, brightness, tempo, tonality, density.
    embedding: Option<Vec<f64>>,
}

payload!(/// Corrected, or why not.
    UpdateSongPayload { /// The song.
        song: Song });

/// A song that is to leave the catalogue.
#[derive(Debug, InputObject)]
pub(crate) struct WithdrawSongInput {
    /// A UUID, new for each intent.
    idempotency_key: Uuid,
    /// Which.
    id: ID,
}

payload!(/// Withdrawn, or why not.
    WithdrawSongPayload { /// The song.
        song: Song });

/// A song that is to come back.
#[derive(Debug, InputObject)]
pub(crate) struct RestoreSongInput {
    /// A UUID, new for each intent.
    idempotency_key: Uuid,
    /// Which.
    id: ID,
}

payload!(/// Back, or why not.
    RestoreSongPayload { /// The song.
        song: Song });

/// Songs for venues.
#[derive(Debug, InputObject)]
pub(crate) struct AssignSongsInput {
    /// A UUID, new for each intent.
    idempotency_key: Uuid,
    /// 1 to 500, of the catalogue of all these venues.
    song_ids: Vec<ID>,
    /// 1 to 50.
    venue_ids: Vec<ID>,
}

payload!(/// Assigned, or why not.
    AssignSongsPayload { /// How many pairs of song and venue are new.
        assigned: u64 });

/// Songs that venues are to play no more.
#[derive(Debug, InputObject)]
pub(crate) struct UnassignSongsInput {
    /// A UUID, new for each intent.
    idempotency_key: Uuid,
    /// 1 to 500.
    song_ids: Vec<ID>,
    /// 1 to 50.
    venue_ids: Vec<ID>,
}

payload!(/// Taken out, or why not.
    UnassignSongsPayload { /// How many pairs of song and venue are gone.
        unassigned: u64 });

/// What changes the catalogue and who plays it.
#[derive(Debug, Default)]
pub(crate) struct SongMutation;

/// Changing.
#[Object]
impl SongMutation {
    /// Corrects what is known of a song; for staff.
    async fn update_song(&self, ctx: &Context<'_>, input: UpdateSongInput) -> Result<UpdateSongPayload> {
        settle(update(ctx, input).await)
    }

    /// Takes a song out of the catalogue; for staff. Its history stays.
    async fn withdraw_song(
        &self,
        ctx: &Context<'_>,
        input: WithdrawSongInput,
    ) -> Result<WithdrawSongPayload> {
        settle(withdraw(ctx, input.idempotency_key, &input.id, true).await)
    }

    /// Brings a withdrawn song back; for staff.
    async fn restore_song(&self, ctx: &Context<'_>, input: RestoreSongInput) -> Result<RestoreSongPayload> {
        settle(withdraw(ctx, input.idempotency_key, &input.id, false).await)
    }

    /// Has venues play songs; for staff. All of it or nothing.
    async fn assign_songs(&self, ctx: &Context<'_>, input: AssignSongsInput) -> Result<AssignSongsPayload> {
        let AssignSongsInput { idempotency_key, song_ids, venue_ids } = input;
        settle(assign(ctx, idempotency_key, &song_ids, &venue_ids, true).await)
    }

    /// Has venues play songs no more; for staff. All of it or nothing.
    async fn unassign_songs(
        &self,
        ctx: &Context<'_>,
        input: UnassignSongsInput,
    ) -> Result<UnassignSongsPayload> {
        let UnassignSongsInput { idempotency_key, song_ids, venue_ids } = input;
        settle(assign(ctx, idempotency_key, &song_ids, &venue_ids, false).await)
    }
}

async fn update(ctx: &Context<'_>, input: UpdateSongInput) -> Result<Song, Unmet> {
    let to = SongChanges {
        id: id(&input.id, "id")?,
        title: input.title,
        artist: input.artist,
        album: input.album,
        isrc: input.isrc,
        label: input.label,
        explicit: input.explicit.map(Into::into),
        bpm: input.bpm,
        key: input.key,
        kind: input.kind.map(Into::into),
        embedding: input.embedding.map(|given| five("embedding", &given)).transpose()?,
    };
    Ok(Song(catalogue::update(cloud(ctx), doer(ctx)?, key(input.idempotency_key), to).await?))
}

async fn withdraw(ctx: &Context<'_>, idempotency_key: Uuid, song: &ID, out: bool) -> Result<Song, Unmet> {
    let user = doer(ctx)?;
    Ok(Song(catalogue::withdraw(cloud(ctx), user, key(idempotency_key), id(song, "id")?, out).await?))
}

async fn assign(
    ctx: &Context<'_>,
    idempotency_key: Uuid,
    songs: &[ID],
    venues: &[ID],
    plays: bool,
) -> Result<u64, Unmet> {
    let (user, key) = (doer(ctx)?, key(idempotency_key));
    let (songs, venues) = (ids(songs, "songIds")?, ids(venues, "venueIds")?);
    catalogue::assign(cloud(ctx), user, key, songs, venues, plays).await
}
