//! Reading facts: from what a hub sends to nouns, and which of them can be applied.

use std::collections::{BTreeMap, HashMap};

use chrono::DateTime;
use roomtone_schema::play::Play;
use roomtone_schema::player::Player;
use roomtone_schema::session::Session;
use roomtone_schema::vote::Vote;
use roomtone_schema::{ListenerId, PickId, UnixMillis};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Item;
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
    /// Decisions are not kept here: what they weighed is, with the play that came of them.
    Pick,
}

/// The nouns of some facts, one of each id: the newest.
#[derive(Debug, Default)]
pub(super) struct Nouns {
    pub(super) guests: Vec<ListenerId>,
    pub(super) players: Vec<(Player, Option<UnixMillis>)>,
    pub(super) sessions: Vec<Session>,
    pub(super) votes: Vec<Vote>,
    pub(super) plays: Vec<WeighedPlay>,
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

/// Reads a batch.
pub(super) fn read(items: &[Item]) -> Reading<'_> {
    let mut reading = Reading::default();
    let mut picks = HashMap::new();
    for item in items {
        match noun(item, &mut picks) {
            Ok(noun) => reading.told.push(Told { item, noun }),
            Err(apart) => reading.apart.push(*apart),
        }
    }
    reading
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
                nouns.guests.push(session.listener);
                sessions.insert(session.id, session.clone());
            }
            Noun::Vote(vote) => nouns.votes.push(*vote),
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
    nouns.votes.sort_unstable_by_key(|vote| vote.id);
    nouns.guests.sort_unstable();
    nouns.guests.dedup();
    nouns.sessions = sessions.into_values().collect();
    nouns.plays = plays.into_values().collect();
    nouns.players = players.into_values().collect();
    nouns
}

fn noun(item: &Item, picks: &mut HashMap<PickId, Weights>) -> Result<Noun, Box<Quarantined>> {
    match item.kind.as_str() {
        "session_started" | "session_ended" => {
            let session: Session = parse(item)?;
            in_time(item, &[session.checked_in_at, session.last_seen_at, session.expires_at])?;
            Ok(Noun::Session(session))
        }
        "vote_cast" => {
            let vote: Vote = parse(item)?;
            in_time(item, &[vote.cast_at])?;
            Ok(Noun::Vote(vote))
        }
        "play_started" | "play_ended" => {
            let play: Play = parse(item)?;
            in_time(item, &[play.started_at, play.ended_at.unwrap_or(play.started_at)])?;
            let weights = play.pick.and_then(|pick| picks.get(&pick));
            let (similarity, penalty) = (weights.map(|of| of.similarity), weights.map(|of| of.penalty));
            Ok(Noun::Play(WeighedPlay { play, similarity, penalty }))
        }
        "player_added" | "player_changed" => Ok(Noun::Player(player(item)?, None)),
        "player_removed" => {
            let player = player(item)?;
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
        _ => Err(Box::new(parked(item, "this version does not know what to do with it".to_owned()))),
    }
}

fn player(item: &Item) -> Result<Player, Box<Quarantined>> {
    let player: Player = parse(item)?;
    in_time(item, &[player.created_at, player.last_seen_at.unwrap_or(player.created_at)])?;
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
