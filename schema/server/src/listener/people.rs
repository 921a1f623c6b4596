//! The viewer's own things: who they are, their presence, their votes. All of it private.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roomtone_schema::id::Id as _;
use roomtone_schema::view::Viewer;
use roomtone_schema::{session, vote};

use super::page::{PageArguments, PageInfo};
use super::scalar::{DateTime, VoteValue};
use super::song::Song;
use super::{date, refusal, room};

/// The listener who asks; everything here is private to the viewer.
#[derive(Debug, Clone, Copy)]
pub struct Listener(pub Viewer);

/// The listener who asks; everything here is private to the viewer.
#[Object]
impl Listener {
    /// Opaque, globally unique; same value on hub and cloud.
    pub async fn id(&self) -> ID {
        self.0.listener.to_global().into()
    }

    /// What they call themselves.
    async fn display_name(&self, ctx: &Context<'_>) -> Option<String> {
        room(ctx).session(&self.0)?.display_name
    }

    /// Their presence.
    async fn session(&self, ctx: &Context<'_>) -> Option<Session> {
        room(ctx).session(&self.0).map(Session)
    }

    /// Their taste: energy, brightness, tempo, tonality, density. Empty until votes give it a direction.
    async fn preference(&self, ctx: &Context<'_>) -> Vec<f64> {
        room(ctx).taste(&self.0).map_or_else(Vec::new, Vec::from)
    }

    /// Their votes as they stand, newest first; at most 100 at a time.
    #[graphql(complexity = "first.or(last).unwrap_or(20).clamp(0, 100) as usize * child_complexity")]
    async fn votes(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<VoteConnection> {
        let votes = room(ctx).viewer_votes(&self.0);
        let page = PageArguments { first, after, last, before };
        // Newest first: what is greater comes earlier.
        let compare = |at: usize, mark: &Place| mark.cmp(&Place::of(&votes[at]));
        let range = page.range(votes.len(), Place::from_cursor, compare)?;
        let page_info = PageInfo::of(&range, votes.len(), |at| Place::of(&votes[at]).cursor());
        let edge = |vote: &vote::Vote| VoteEdge { cursor: Place::of(vote).cursor(), node: Vote(*vote) };
        Ok(VoteConnection {
            edges: votes[range].iter().map(edge).collect(),
            page_info,
            total_count: votes.len(),
        })
    }
}

/// Where a vote stands among its listener's: by when it was cast, then by id. It is still a place when the vote has been
/// replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    hlc: u64,
    id: [u8; 16],
}

impl Place {
    fn of(vote: &vote::Vote) -> Self {
        Self { hlc: vote.hlc.0, id: vote.id.to_bytes() }
    }

    fn cursor(self) -> String {
        URL_SAFE_NO_PAD.encode([b"v", self.id.as_slice(), &self.hlc.to_be_bytes()].concat())
    }

    fn from_cursor(cursor: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (id, hlc) = bytes.strip_prefix(b"v")?.split_at_checked(16)?;
        Some(Self { hlc: u64::from_be_bytes(hlc.try_into().ok()?), id: id.try_into().ok()? })
    }
}

/// A presence, from check-in to check-out or expiry.
#[derive(Debug, Clone)]
pub struct Session(pub session::Session);

/// A presence, from check-in to check-out or expiry.
#[Object]
impl Session {
    /// Opaque, globally unique; same value on hub and cloud.
    pub async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// Active, ended, expired.
    async fn status(&self) -> SessionStatus {
        self.0.status.into()
    }

    /// When it began.
    async fn checked_in_at(&self) -> DateTime {
        date(self.0.checked_in_at)
    }

    /// When it ends at the latest.
    async fn expires_at(&self) -> DateTime {
        date(self.0.expires_at)
    }
}

/// How a presence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "session::SessionStatus")]
pub enum SessionStatus {
    /// Counts in the room.
    Active,
    /// Checked out.
    Ended,
    /// Ran out.
    Expired,
}

/// A like or dislike.
#[derive(Debug, Clone, Copy)]
pub struct Vote(pub vote::Vote);

/// A like or dislike.
#[Object]
impl Vote {
    /// Opaque, globally unique; same value on hub and cloud.
    pub async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// For what.
    async fn song(&self, ctx: &Context<'_>) -> Result<Song> {
        room(ctx).song(self.0.song).map(Song).ok_or_else(|| refusal::coded("NOT_FOUND", "this song is gone"))
    }

    /// Like or dislike.
    async fn value(&self) -> VoteValue {
        self.0.value.into()
    }

    /// When it was cast.
    async fn created_at(&self) -> DateTime {
        date(self.0.cast_at)
    }

    /// False until the cloud has acknowledged it.
    async fn is_synced(&self) -> bool {
        false
    }
}

/// A page of votes.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct VoteConnection {
    /// The votes with their cursors.
    edges: Vec<VoteEdge>,
    /// What lies around the page.
    page_info: PageInfo,
    /// How many there are in all.
    total_count: usize,
}

#[async_graphql::ComplexObject]
impl VoteConnection {
    /// The votes.
    async fn nodes(&self) -> Vec<Vote> {
        self.edges.iter().map(|edge| edge.node).collect()
    }
}

/// A vote and where it stands.
#[derive(Debug, SimpleObject)]
pub struct VoteEdge {
    /// For `after` and `before`.
    cursor: String,
    /// The vote.
    node: Vote,
}
