//! Reading facts: from what a hub sends to nouns, and which of them can be applied.

use std::collections::{BTreeMap, HashMap};

use chrono::DateTime;
use roomtone_schema::play::Play;
use roomtone_schema::player::Player;
use roomtone_schema::session::Session;
use roomtone_schema::song::Song;
use roomtone_schema::vote::{Hlc, Vote};
use roomtone_schema::{ListenerId, PickId, SessionId, SongId, UnixMillis, VenueId};
use roomtone_sync::clocks::Mended;
use roomtone_sync::credential::Ticket;
use roomtone_sync::wire::Hash;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use super::Item;
use crate::store::aliases::SignIn;
use crate::store::facts::{Quarantined, WeighedPlay};

/// Kept until what it depends on is there.
pub(super) const PARKED: &str = "parked";

/// Kept for a person to look at.
pub(super) const REJECTED: &str = "rejected";

/// So much of an error is kept.
const LONGEST_REASON: usize = 500;

/// A batch, read.
#[derive(Debug, Default)]
pub(super) struct Reading<'a> {
    /// What can be applied, in the order of the numbers.
    pub(super) told: Vec<Told<'a>>,
    /// What cannot.
    pub(super) apart: Vec<Quarantined>,
}

/// A fact with its noun.
#[derive(Debug)]
pub(super) struct Told<'a> {
    /// As it came.
    pub(super) item: &'a Item,
    noun: Noun,
}

#[derive(Debug)]
enum Noun {
    Session(Session),
    Vote(Vote),
    Play(WeighedPlay),
    Player(Player, Option<UnixMillis>),
    Song(Box<Song>),
    Withdrawal(SongId),
    SignIn(SignIn),
    Claim(Claim),
    /// Decisions are not kept here: what they weighed is, with the play that came of them.
    Pick,
}

/// A guest's votes are a profile's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Claim {
    pub(super) guest: ListenerId,
    pub(super) listener: ListenerId,
}

/// The nouns of some facts, one of each id: the newest.
#[derive(Debug, Default)]
pub(super) struct Nouns {
    pub(super) players: Vec<(Player, Option<UnixMillis>)>,
    pub(super) sessions: Vec<Session>,
    /// With the number of the fact.
    pub(super) votes: Vec<(i64, Vote)>,
    pub(super) plays: Vec<WeighedPlay>,
    /// As JSON: a function of the database reads them.
    pub(super) songs: Vec<Value>,
    pub(super) withdrawn: Vec<Uuid>,
    pub(super) sign_ins: Vec<SignIn>,
    pub(super) claims: Vec<(i64, Claim)>,
}

/// What is needed to understand a fact.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    /// Where the hub stands.
    pub(super) venue: VenueId,
    /// What tickets are signed with.
    pub(super) ticket_keys: &'a [Hash],
}

/// How `listener_signed_in` looks.
#[derive(Debug, Deserialize)]
struct SignedIn {
    session: SessionId,
    listener: ListenerId,
    ticket: String,
    at: UnixMillis,
}

/// As much of `song_withdrawn` as is wanted.
#[derive(Debug, Deserialize)]
struct Withdrawal {
    song: SongId,
}

/// As much of a decision as is kept with its play.
#[derive(Debug, Clone, Deserialize)]
struct Pick {
    id: PickId,
    terms: Weights,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Weights {
    similarity: f32,
    penalty: f32,
}

/// Reads a batch; `mended` is when each fact really was.
pub(super) fn read<'a>(items: &'a [Item], mended: &[Mended], reader: Reader<'_>) -> Reading<'a> {
    let mut reading = Reading::default();
    let mut picks = HashMap::new();
    for (item, mended) in items.iter().zip(mended) {
        match noun(item, mended, reader, &mut picks) {
            Ok(noun) => reading.told.push(Told { item, noun }),
            Err(apart) => reading.apart.push(*apart),
        }
    }
    reading
}

impl Told<'_> {
    /// Who it says was there, voted, or has a guest's votes.
    pub(super) fn listener(&self) -> Option<Uuid> {
        match &self.noun {
            Noun::Session(session) => Some(session.listener.0),
            Noun::Vote(vote) => Some(vote.listener.0),
            Noun::Claim(claim) => Some(claim.listener.0),
            _ => None,
        }
    }

    /// Who has signed in by it.
    pub(super) fn signs_in(&self) -> Option<Uuid> {
        match &self.noun {
            Noun::SignIn(sign_in) => Some(sign_in.profile),
            _ => None,
        }
    }

    /// Whether facts that wait may wait for this.
    pub(super) fn is_waited_for(&self) -> bool {
        matches!(self.noun, Noun::SignIn(_) | Noun::Song(_))
    }

    /// Whether it only makes sense of somebody with an account.
    pub(super) fn is_claim(&self) -> bool {
        matches!(self.noun, Noun::Claim(_))
    }
}

/// A fact that can never be applied.
pub(super) fn rejected(item: &Item, reason: String) -> Quarantined {
    quarantined(item, REJECTED, reason)
}

/// A fact that may be applied once something is there that is not.
pub(super) fn parked(item: &Item, reason: String) -> Quarantined {
    quarantined(item, PARKED, reason)
}

/// Sorts facts by what they are about. What was told of twice is what was told last.
pub(super) fn by_noun(told: &[Told<'_>]) -> Nouns {
    let mut sessions = BTreeMap::new();
    let mut plays = BTreeMap::new();
    let mut players = BTreeMap::new();
    let mut nouns = Nouns::default();
    for fact in told {
        match &fact.noun {
            Noun::Session(session) => {
                sessions.insert(session.id, session.clone());
            }
            Noun::Vote(vote) => nouns.votes.push((fact.item.seq, *vote)),
            Noun::Song(song) => nouns.songs.extend(serde_json::to_value(song)),
            Noun::Withdrawal(song) => nouns.withdrawn.push(song.0),
            Noun::SignIn(sign_in) => nouns.sign_ins.push(*sign_in),
            Noun::Claim(claim) => nouns.claims.push((fact.item.seq, *claim)),
            Noun::Play(play) => {
                plays.insert(play.play.id, play.clone());
            }
            Noun::Player(player, removed) => {
                players.insert(player.id, (player.clone(), *removed));
            }
            Noun::Pick => {}
        }
    }
    // Always in the order of their keys, so that two batches never wait for each other.
    nouns.votes.sort_unstable_by_key(|(_, vote)| vote.id);
    nouns.sessions = sessions.into_values().collect();
    nouns.plays = plays.into_values().collect();
    nouns.players = players.into_values().collect();
    nouns
}

fn noun(
    item: &Item,
    mended: &Mended,
    reader: Reader<'_>,
    picks: &mut HashMap<PickId, Weights>,
) -> Result<Noun, Box<Quarantined>> {
    let shift = |at: UnixMillis| UnixMillis(at.0.saturating_add(mended.shift_ms));
    match item.kind.as_str() {
        "session_started" | "session_ended" => {
            let mut session: Session = parse(item)?;
            for at in [&mut session.checked_in_at, &mut session.last_seen_at, &mut session.expires_at] {
                in_time(item, &[*at])?;
                *at = shift(*at);
            }
            in_time(item, &[session.checked_in_at, session.last_seen_at, session.expires_at])?;
            Ok(Noun::Session(session))
        }
        "vote_cast" => {
            let mut vote: Vote = parse(item)?;
            in_time(item, &[vote.cast_at])?;
            (vote.cast_at, vote.hlc) = (shift(vote.cast_at), Hlc(mended.hlc));
            in_time(item, &[vote.cast_at])?;
            Ok(Noun::Vote(vote))
        }
        "play_started" | "play_ended" => {
            let mut play: Play = parse(item)?;
            in_time(item, &[play.started_at, play.ended_at.unwrap_or(play.started_at)])?;
            (play.started_at, play.ended_at) = (shift(play.started_at), play.ended_at.map(shift));
            in_time(item, &[play.started_at, play.ended_at.unwrap_or(play.started_at)])?;
            let weights = play.pick.and_then(|pick| picks.get(&pick));
            let (similarity, penalty) = (weights.map(|of| of.similarity), weights.map(|of| of.penalty));
            Ok(Noun::Play(WeighedPlay { play, similarity, penalty }))
        }
        "player_added" | "player_changed" => Ok(Noun::Player(player(item, shift)?, None)),
        "player_removed" => {
            let player = player(item, shift)?;
            let at = player.last_seen_at.unwrap_or(player.created_at);
            Ok(Noun::Player(player, Some(at)))
        }
        "pick_made" => {
            // One that weighed nothing we know is a decision all the same.
            if let Ok(pick) = serde_json::from_slice::<Pick>(&item.payload) {
                picks.insert(pick.id, pick.terms);
            }
            Ok(Noun::Pick)
        }
        "song_added" => {
            let mut song: Song = parse(item)?;
            in_time(item, &[song.created_at])?;
            song.created_at = UnixMillis(shift(song.created_at).0.max(0));
            Ok(Noun::Song(Box::new(song)))
        }
        "song_withdrawn" => Ok(Noun::Withdrawal(parse::<Withdrawal>(item)?.song)),
        "listener_signed_in" => sign_in(item, mended, reader),
        "votes_claimed" => Ok(Noun::Claim(parse(item)?)),
        _ => Err(Box::new(parked(item, "this version does not know what to do with it".to_owned()))),
    }
}

/// Nobody is somebody with an account by a hub's word alone.
fn sign_in(item: &Item, mended: &Mended, reader: Reader<'_>) -> Result<Noun, Box<Quarantined>> {
    let told: SignedIn = parse(item)?;
    let ticket = Ticket::verify_whenever(&told.ticket, reader.ticket_keys)
        .filter(|ticket| ticket.venue == reader.venue && ticket.sub == told.listener.0);
    if ticket.is_none() {
        return Err(Box::new(rejected(
            item,
            "the ticket is not ours, or of somebody or somewhere else".to_owned(),
        )));
    }
    in_time(item, &[told.at])?;
    Ok(Noun::SignIn(SignIn { session: told.session, profile: told.listener.0, at: mended.at }))
}

fn player(item: &Item, shift: impl Fn(UnixMillis) -> UnixMillis) -> Result<Player, Box<Quarantined>> {
    let mut player: Player = parse(item)?;
    in_time(item, &[player.created_at, player.last_seen_at.unwrap_or(player.created_at)])?;
    // A fact of a run tells times of earlier ones, too, and a correction may reach back beyond the first day.
    player.created_at = UnixMillis(shift(player.created_at).0.max(0));
    player.last_seen_at = player.last_seen_at.map(|at| UnixMillis(shift(at).0.max(0)));
    Ok(player)
}

fn parse<T: DeserializeOwned>(item: &Item) -> Result<T, Box<Quarantined>> {
    serde_json::from_slice(&item.payload).map_err(|error| Box::new(rejected(item, error.to_string())))
}

/// Postgres has no time beyond that of the calendar it knows.
fn in_time(item: &Item, times: &[UnixMillis]) -> Result<(), Box<Quarantined>> {
    match times.iter().find(|at| {
        at.0 < 0 || DateTime::from_timestamp_millis(at.0).is_none_or(|at| at.timestamp() > LAST_SECOND)
    }) {
        Some(at) => Err(Box::new(rejected(item, format!("{} is no time that a fact can have", at.0)))),
        None => Ok(()),
    }
}

/// The end of the year 9999: no clock is that wrong by accident.
const LAST_SECOND: i64 = 253_402_300_799;

fn quarantined(item: &Item, outcome: &'static str, mut reason: String) -> Quarantined {
    let end = (0..=LONGEST_REASON.min(reason.len())).rev().find(|at| reason.is_char_boundary(*at));
    reason.truncate(end.unwrap_or(0));
    Quarantined {
        seq: item.seq,
        kind: item.kind.chars().filter(|letter| *letter != '\0').take(80).collect(),
        payload: keepable(&item.payload),
        moment: item.moment,
        outcome,
        error: reason.replace('\0', ""),
    }
}

/// The payload as Postgres can keep it: bytes that are no JSON, or hold a zero character, escaped.
fn keepable(payload: &[u8]) -> Value {
    match serde_json::from_slice(payload) {
        Ok(value) if !payload.windows(6).any(|six| six == b"\\u0000") => value,
        _ => Value::String(payload.escape_ascii().to_string()),
    }
}
