//! Who is here: sessions, what they want and how much they count.
//!
//! All sessions of one device are one listener with one weight, so that a thousand check-ins of one phone weigh as
//! much as one. Presence fades with time since the last sign of life and is nothing from the moment a session runs
//! out, whether or not anybody has swept it up yet.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use roomtone_schema::fairness::Debt;
use roomtone_schema::room::{Listener as Weighed, Room};
use roomtone_schema::session::{Session, SessionStatus};
use roomtone_schema::taste::{TasteState, taste};
use roomtone_schema::vector::Axes;
use roomtone_schema::vibe::presence_weight;
use roomtone_schema::vote::{Hlc, Vote, VoteValue};
use roomtone_schema::{DeviceId, ListenerId, SessionId, SongId, UnixMillis, ZoneId};
use tokio_util::sync::CancellationToken;

use crate::check_in::NoViewer;
use crate::limits::LastMinute;
use crate::secrets::{Hash, Key};
use crate::store::guests::nobodys;
use crate::view::Viewer;

/// So many sessions that have ended are remembered, to tell "your visit has ended" from "check in first".
pub(crate) const REMEMBERED: usize = 4_096;

/// A session that counts.
#[derive(Debug)]
pub(crate) struct Here {
    pub(crate) session: Session,
    key: Key,
    /// The last sign of life that the store knows of.
    pub(crate) saved_at: UnixMillis,
}

/// What is known of somebody who is here.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    pub(crate) state: TasteState,
    /// The newest vote that `state` counts.
    pub(crate) newest: Hlc,
    pub(crate) votes: HashMap<SongId, Vote>,
    pub(crate) minute: LastMinute,
    debts: HashMap<ZoneId, Debt>,
}

impl Listener {
    /// Somebody as the store has them.
    pub(crate) fn new(state: TasteState, votes: Vec<Vote>) -> Self {
        let newest = votes.iter().map(|vote| vote.hlc).max().unwrap_or(Hlc(0));
        let votes = votes.into_iter().map(|vote| (vote.song, vote)).collect();
        Self { state, newest, votes, minute: LastMinute::default(), debts: HashMap::new() }
    }
}

/// Whose a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Of somebody who is here.
    Here(Viewer),
    /// Of somebody whose visit has ended.
    Gone(Viewer),
}

/// Everybody who is here.
#[derive(Debug)]
pub(crate) struct People {
    idle: Duration,
    sessions: HashMap<SessionId, Here>,
    by_token: HashMap<Hash, SessionId>,
    listeners: HashMap<ListenerId, Listener>,
    gone: VecDeque<(Hash, Viewer)>,
}

impl People {
    /// Nobody yet; a session ends after `idle` without a sign of life.
    pub(crate) fn new(idle: Duration) -> Self {
        Self {
            idle,
            sessions: HashMap::new(),
            by_token: HashMap::new(),
            listeners: HashMap::new(),
            gone: VecDeque::new(),
        }
    }

    /// Brings somebody in; `known` is what the store has of the listener.
    pub(crate) fn enter(&mut self, session: Session, token: Hash, known: Listener) {
        let joined_at = session.checked_in_at;
        let listener = self.listeners.entry(session.listener).or_insert(known);
        listener.debts.entry(session.zone).or_default();
        self.by_token.insert(token, session.id);
        self.sessions.insert(session.id, Here { session, key: Key::new(token), saved_at: joined_at });
    }

    /// Takes a session out; what its listener wants goes with their last one.
    pub(crate) fn leave(&mut self, session: SessionId) -> Option<Session> {
        let here = self.sessions.remove(&session)?;
        self.by_token.remove(&here.key.hash);
        self.remember_gone(here.key.hash, &here.session);
        let (listener, zone) = (here.session.listener, here.session.zone);
        if !self.sessions.values().any(|other| other.session.listener == listener) {
            self.listeners.remove(&listener);
        } else if !self.of_zone(zone).any(|other| other.session.listener == listener)
            && let Some(listener) = self.listeners.get_mut(&listener)
        {
            listener.debts.remove(&zone);
        }
        Some(here.session)
    }

    /// Notes that a token was good once, and whose.
    pub(crate) fn remember_gone(&mut self, token: Hash, session: &Session) {
        if self.gone.len() == REMEMBERED {
            self.gone.pop_front();
        }
        self.gone.push_back((token, viewer_of(session)));
    }

    /// Gives a session another token; the old one opens nothing from then on.
    pub(crate) fn renew_token(&mut self, session: SessionId, token: Hash) {
        if let Some(here) = self.sessions.get_mut(&session) {
            self.by_token.remove(&here.key.hash);
            here.key = Key::new(token);
            self.by_token.insert(token, session);
        }
    }

    /// Who somebody is by now: a socket that was opened before they signed in still names the guest.
    pub(crate) fn as_now(&self, viewer: &Viewer) -> Viewer {
        let listener = self.session(viewer.session).map_or(viewer.listener, |session| session.listener);
        Viewer { listener, ..*viewer }
    }

    /// Makes all sessions of a phone those of another listener; `known` is what the store has of them.
    pub(crate) fn become_listener(&mut self, device: DeviceId, listener: ListenerId, known: Listener) {
        let sessions = self.of_device(device);
        let mut zones = BTreeSet::new();
        let mut before = BTreeSet::new();
        for id in sessions {
            if let Some(Here { session, .. }) = self.sessions.get_mut(&id) {
                before.insert(std::mem::replace(&mut session.listener, listener));
                zones.insert(session.zone);
            }
        }
        before.remove(&listener);
        let mut debts: HashMap<ZoneId, Debt> =
            self.listeners.get(&listener).map(|here| here.debts.clone()).unwrap_or_default();
        for guest in before {
            // What the room owed the guest it owes the profile, unless that was here already.
            for (zone, debt) in self.listeners.remove(&guest).map(|guest| guest.debts).unwrap_or_default() {
                debts.entry(zone).or_insert(debt);
            }
        }
        for zone in zones {
            debts.entry(zone).or_default();
        }
        self.listeners.insert(listener, Listener { debts, ..known });
    }

    /// Who holds a token; it is a sign of life. `None` where nobody ever did.
    pub(crate) fn holder(&mut self, token: &Hash, now: UnixMillis) -> Option<Holder> {
        let Some(id) = self.by_token.get(token).copied() else {
            let (_, viewer) = self.gone.iter().find(|(gone, _)| gone == token)?;
            return Some(Holder::Gone(*viewer));
        };
        let is_active = self.is_active(id, now);
        let session = &mut self.sessions.get_mut(&id)?.session;
        if !is_active {
            return Some(Holder::Gone(viewer_of(session)));
        }
        session.last_seen_at = session.last_seen_at.max(now);
        Some(Holder::Here(viewer_of(session)))
    }

    /// Notes a sign of life that was seen elsewhere, and is durable.
    pub(crate) fn seen(&mut self, session: SessionId, at: UnixMillis) {
        if let Some(here) = self.sessions.get_mut(&session) {
            here.session.last_seen_at = here.session.last_seen_at.max(at);
            here.saved_at = here.saved_at.max(at);
        }
    }

    /// Notes what a listener wants, as the store has it; in which zones they are.
    pub(crate) fn wants(
        &mut self,
        listener: ListenerId,
        state: TasteState,
        effective: Vec<Vote>,
    ) -> BTreeSet<ZoneId> {
        if let Some(known) = self.listeners.get_mut(&listener) {
            known.state = state;
            known.newest = effective.iter().map(|vote| vote.hlc).max().unwrap_or(known.newest);
            known.votes = effective.into_iter().map(|vote| (vote.song, vote)).collect();
        }
        let own = self.sessions.values().filter(|here| here.session.listener == listener);
        own.map(|here| here.session.zone).collect()
    }

    /// What is cancelled when a token opens nothing any more: its session has ended, or it has another one.
    pub(crate) fn lease(&self, token: &Hash) -> Option<CancellationToken> {
        let session = self.by_token.get(token)?;
        self.sessions.get(session).map(|here| here.key.void.clone())
    }

    /// Refuses whoever has left or run out since they were let in.
    pub(crate) fn check(&self, viewer: &Viewer, now: UnixMillis) -> Result<(), NoViewer> {
        if self.is_active(viewer.session, now) { Ok(()) } else { Err(NoViewer::Expired) }
    }

    /// Whether a session counts.
    pub(crate) fn is_active(&self, session: SessionId, now: UnixMillis) -> bool {
        self.sessions.get(&session).is_some_and(|here| !self.has_run_out(&here.session, now))
    }

    /// A session that counts, or that nobody has swept up yet.
    pub(crate) fn session(&self, session: SessionId) -> Option<&Session> {
        self.sessions.get(&session).map(|here| &here.session)
    }

    /// What is known of a listener who is here.
    pub(crate) fn listener(&self, listener: ListenerId) -> Option<&Listener> {
        self.listeners.get(&listener)
    }

    /// The same, to change it.
    pub(crate) fn listener_mut(&mut self, listener: ListenerId) -> Option<&mut Listener> {
        self.listeners.get_mut(&listener)
    }

    /// Sessions that have run out and wait to be swept up.
    pub(crate) fn run_out(&self, now: UnixMillis) -> Vec<SessionId> {
        let out = |here: &&Here| self.has_run_out(&here.session, now);
        self.sessions.values().filter(out).map(|here| here.session.id).collect()
    }

    /// Signs of life that the store does not know of and that are `older` than what it knows.
    pub(crate) fn unsaved(&self, older: Duration) -> Vec<(SessionId, UnixMillis)> {
        let unsaved = |here: &&Here| {
            let ahead = here.session.last_seen_at.since(here.saved_at);
            ahead > older || (older.is_zero() && !ahead.is_zero())
        };
        self.sessions
            .values()
            .filter(unsaved)
            .map(|here| (here.session.id, here.session.last_seen_at))
            .collect()
    }

    /// Notes what the store knows now.
    pub(crate) fn saved(&mut self, signs: &[(SessionId, UnixMillis)]) {
        for (session, at) in signs {
            if let Some(here) = self.sessions.get_mut(session) {
                here.saved_at = *at;
            }
        }
    }

    /// How many sessions there are, in all zones.
    pub(crate) fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// The sessions of a device, oldest first.
    pub(crate) fn of_device(&self, device: DeviceId) -> Vec<SessionId> {
        let own = self.sessions.values().filter(|here| here.session.device == device);
        let mut found: Vec<_> = own.map(|here| (here.session.checked_in_at, here.session.id)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id).collect()
    }

    /// When the first of those who are in a zone came.
    pub(crate) fn earliest(&self, zone: ZoneId) -> Option<UnixMillis> {
        self.of_zone(zone).map(|here| here.session.checked_in_at).min()
    }

    /// How many people are in a zone, or in all of them.
    pub(crate) fn count(&self, zone: Option<ZoneId>, now: UnixMillis) -> usize {
        let counts = |here: &&Here| {
            zone.is_none_or(|zone| here.session.zone == zone) && !self.has_run_out(&here.session, now)
        };
        let here = self.sessions.values().filter(counts);
        here.map(|here| here.session.listener).collect::<BTreeSet<_>>().len()
    }

    /// How many people in a zone like each of `songs`, where anybody does.
    pub(crate) fn likes(
        &self,
        zone: ZoneId,
        songs: &HashSet<SongId>,
        now: UnixMillis,
    ) -> HashMap<SongId, usize> {
        let mut likes = HashMap::new();
        for listener in self.weights(zone, now).keys().filter_map(|listener| self.listeners.get(listener)) {
            let favourites = listener.votes.values().filter(|vote| vote.value == VoteValue::Like);
            for vote in favourites.filter(|vote| songs.contains(&vote.song)) {
                *likes.entry(vote.song).or_insert(0) += 1;
            }
        }
        likes
    }

    /// Who of `some` is in a zone.
    pub(crate) fn count_of(&self, some: &HashSet<ListenerId>, zone: ZoneId, now: UnixMillis) -> usize {
        self.weights(zone, now).keys().filter(|listener| some.contains(listener)).count()
    }

    /// How many people in a zone are on the room's own network, and how many of those are among `some`. Whoever is there by a
    /// phone that came by the cloud only may be anywhere.
    pub(crate) fn count_in_reach(
        &self,
        some: &HashSet<ListenerId>,
        zone: ZoneId,
        now: UnixMillis,
    ) -> (usize, usize) {
        let here = self.of_zone(zone).filter(|here| !self.has_run_out(&here.session, now));
        let in_reach: BTreeSet<ListenerId> = here
            .filter(|here| here.key.hash != nobodys(here.session.id))
            .map(|here| here.session.listener)
            .collect();
        (in_reach.len(), in_reach.iter().filter(|listener| some.contains(listener)).count())
    }

    /// A zone as the rules see it, each listener once, in the order of their ids.
    pub(crate) fn room(&self, zone: ZoneId, settings: &RoomSettings, now: UnixMillis) -> Room {
        let weighed = |(listener, weight): (ListenerId, f64)| {
            let known = self.listeners.get(&listener);
            Weighed {
                who: Some(listener),
                weight,
                taste: known.and_then(|known| taste(&known.state, settings.profile)),
                debt: known.and_then(|known| known.debts.get(&zone).copied()).unwrap_or_default(),
            }
        };
        Room {
            listeners: self.weights(zone, now).into_iter().map(weighed).collect(),
            fairness: settings.fairness,
            profile: settings.profile,
            profile_weight: settings.profile_weight,
            catalogue: settings.catalogue,
        }
    }

    /// Keeps what a song did to everybody's debts; `heard` is [`People::room`] after it.
    pub(crate) fn keep_debts(&mut self, zone: ZoneId, heard: &Room, now: UnixMillis) {
        let order: Vec<ListenerId> = self.weights(zone, now).into_keys().collect();
        for (listener, weighed) in order.iter().zip(&heard.listeners) {
            if let Some(known) = self.listeners.get_mut(listener) {
                known.debts.insert(zone, weighed.debt);
            }
        }
    }

    /// Each listener of a zone with the weight of their freshest session.
    fn weights(&self, zone: ZoneId, now: UnixMillis) -> BTreeMap<ListenerId, f64> {
        let mut weights = BTreeMap::new();
        for here in self.of_zone(zone).filter(|here| !self.has_run_out(&here.session, now)) {
            let weight = presence_weight(now, here.session.last_seen_at, here.session.expires_at);
            let heaviest = weights.entry(here.session.listener).or_insert(weight);
            *heaviest = weight.max(*heaviest);
        }
        weights
    }

    fn of_zone(&self, zone: ZoneId) -> impl Iterator<Item = &Here> {
        self.sessions.values().filter(move |here| here.session.zone == zone)
    }

    fn has_run_out(&self, session: &Session, now: UnixMillis) -> bool {
        session.status != SessionStatus::Active
            || now >= session.expires_at
            || now.since(session.last_seen_at) >= self.idle
    }
}

fn viewer_of(session: &Session) -> Viewer {
    let Session { id, listener, device, zone, .. } = *session;
    Viewer { session: id, listener, device, zone }
}

/// What stands in for the people of a zone.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RoomSettings {
    pub(crate) fairness: f64,
    pub(crate) profile: Option<Axes>,
    pub(crate) profile_weight: f64,
    pub(crate) catalogue: Option<Axes>,
}
