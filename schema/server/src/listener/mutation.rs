//! Mutations. Every input carries an idempotencyKey (UUID): a retry returns the first result.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use roomtone_schema::visiting::{Arrival, Opinion};
use roomtone_schema::{SongId, ZoneId};

use super::people::{Session, Vote};
use super::play::{NowPlaying, Vibe};
use super::refusal::{Payload, Unmet, UserError, UserErrorCode, settle};
use super::scalar::{Axis, VoteValue, axes};
use super::{id, key, room, visit, visitor};
use crate::caller::DEVICE_COOKIE;

/// How long a phone is known again: one year.
const COOKIE_SECONDS: u32 = 365 * 24 * 3_600;

/// What it takes to check in.
#[derive(Debug, InputObject)]
pub struct CheckInInput {
    /// A UUID, new for each intent.
    pub idempotency_key: ID,
    /// From the QR code, the screen or the poster.
    pub venue_code: String,
    /// Where to, if not where the code says.
    pub zone_id: Option<ID>,
    /// A signed-in listener's ticket from the cloud.
    pub ticket: Option<String>,
    /// What you would like to be called.
    pub display_name: Option<String>,
}

/// Checked in, or why not.
#[derive(Debug, Default, SimpleObject)]
pub struct CheckInPayload {
    /// The presence.
    session: Option<Session>,
    /// The session's own secret, shown once; `Authorization: Bearer`, and `connection_init` for subscriptions.
    token: Option<String>,
    /// What the room wants.
    vibe: Option<Vibe>,
    /// Why not.
    user_errors: Vec<UserError>,
}

impl Payload for CheckInPayload {
    fn refused(error: UserError) -> Self {
        Self { user_errors: vec![error], ..Self::default() }
    }
}

/// What it takes to check out.
#[derive(Debug, InputObject)]
pub struct CheckOutInput {
    /// A UUID, new for each intent.
    pub idempotency_key: ID,
}

/// Checked out, or why not.
#[derive(Debug, Default, SimpleObject)]
pub struct CheckOutPayload {
    /// The presence that has ended.
    session: Option<Session>,
    /// Why not.
    user_errors: Vec<UserError>,
}

impl Payload for CheckOutPayload {
    fn refused(error: UserError) -> Self {
        Self { user_errors: vec![error], ..Self::default() }
    }
}

/// A like or dislike.
#[derive(Debug, InputObject)]
pub struct VoteInput {
    /// A UUID, new for each intent.
    pub idempotency_key: ID,
    /// For what.
    pub song_id: ID,
    /// Which.
    pub value: VoteValue,
}

/// Recorded, or why not.
#[derive(Debug, Default, SimpleObject)]
pub struct VotePayload {
    /// The vote as it stands.
    vote: Option<Vote>,
    /// The taste after the vote.
    taste: Option<Vec<Axis>>,
    /// Why not.
    user_errors: Vec<UserError>,
}

impl Payload for VotePayload {
    fn refused(error: UserError) -> Self {
        Self { user_errors: vec![error], ..Self::default() }
    }
}

/// A wish to leave the current song.
#[derive(Debug, InputObject)]
pub struct VoteToSkipInput {
    /// A UUID, new for each intent.
    pub idempotency_key: ID,
}

/// Counted, or why not.
#[derive(Debug, Default, SimpleObject)]
pub struct VoteToSkipPayload {
    /// What plays now: another song, where this vote was the one that was missing.
    now_playing: Option<NowPlaying>,
    /// Why not.
    user_errors: Vec<UserError>,
}

impl Payload for VoteToSkipPayload {
    fn refused(error: UserError) -> Self {
        Self { user_errors: vec![error], ..Self::default() }
    }
}

/// Mutations that listeners send, to hub and cloud alike.
#[derive(Debug, Default)]
pub struct ListenerMutation;

/// Changing. An answer that says "recorded" is sent after it is on the disk.
#[Object]
impl ListenerMutation {
    /// Brings a listener into the room.
    async fn check_in(&self, ctx: &Context<'_>, input: CheckInInput) -> Result<CheckInPayload> {
        settle(check_in(ctx, input).await)
    }

    /// Takes a listener out; their weight goes at once.
    async fn check_out(&self, ctx: &Context<'_>, input: CheckOutInput) -> Result<CheckOutPayload> {
        settle(check_out(ctx, &input).await)
    }

    /// Likes or dislikes a song; the same vote again changes nothing, the other value replaces it.
    async fn vote(&self, ctx: &Context<'_>, input: VoteInput) -> Result<VotePayload> {
        settle(vote(ctx, &input).await)
    }

    /// Counts toward skipping the current song; a share of the room decides, never one phone.
    async fn vote_to_skip(&self, ctx: &Context<'_>, input: VoteToSkipInput) -> Result<VoteToSkipPayload> {
        settle(vote_to_skip(ctx, &input).await)
    }
}

async fn check_in(ctx: &Context<'_>, input: CheckInInput) -> Result<CheckInPayload, Unmet> {
    if input.ticket.is_some() {
        let why = "this hub takes no tickets; check in with the room's code alone";
        return Err(UserError::new(UserErrorCode::Invalid, why).at(["input", "ticket"]).into());
    }
    let visit = visit(ctx);
    let arrival = Arrival {
        key: key(&input.idempotency_key)?,
        code: input.venue_code,
        zone: input.zone_id.as_ref().map(|given| id::<ZoneId>(given, "zoneId")).transpose()?,
        display_name: input.display_name,
        device_cookie: visit.device_cookie,
        address: visit.address,
    };
    let done = room(ctx).check_in(arrival).await?;
    if let Some(cookie) = done.new_device_cookie {
        ctx.append_http_header("set-cookie", device_cookie(&cookie, room(ctx).cookie_path().unwrap_or("/")));
    }
    Ok(CheckInPayload {
        session: Some(Session(done.session)),
        token: Some(done.token),
        vibe: Some((&*done.vibe).into()),
        user_errors: Vec::new(),
    })
}

/// No `Secure`: phones reach a hub by plain HTTP, and the cookie names a phone without letting it do anything.
fn device_cookie(value: &str, path: &str) -> String {
    format!("{DEVICE_COOKIE}={value}; Path={path}; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Lax")
}

async fn check_out(ctx: &Context<'_>, input: &CheckOutInput) -> Result<CheckOutPayload, Unmet> {
    let session = room(ctx).check_out(visitor(ctx)?, key(&input.idempotency_key)?).await?;
    Ok(CheckOutPayload { session: Some(Session(session)), user_errors: Vec::new() })
}

async fn vote(ctx: &Context<'_>, input: &VoteInput) -> Result<VotePayload, Unmet> {
    let opinion = Opinion {
        song: id::<SongId>(&input.song_id, "songId")?,
        value: input.value.into(),
        key: key(&input.idempotency_key)?,
    };
    let voted = room(ctx).vote(visitor(ctx)?, opinion).await?;
    Ok(VotePayload { vote: Some(Vote(voted.vote)), taste: voted.taste.map(axes), user_errors: Vec::new() })
}

async fn vote_to_skip(ctx: &Context<'_>, input: &VoteToSkipInput) -> Result<VoteToSkipPayload, Unmet> {
    let now = room(ctx).vote_to_skip(visitor(ctx)?, key(&input.idempotency_key)?).await?;
    Ok(VoteToSkipPayload { now_playing: now.map(NowPlaying), user_errors: Vec::new() })
}
