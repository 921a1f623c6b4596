//! What happened, played again: what a room has had, and what it would have had under another setting.
//!
//! A decision is logged with its seed and its [`Occasion`]: who was there, what they wanted, what they had had by then, and
//! the zone's settings. With the history before it and the catalogue that is all it depends on, so the same settings make
//! the same picks again, and others make the picks that would have been. What stays as it was: who came, what they voted
//! for, when they left, and when a song was asked for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fairness::{Debt, Fairness, summary};
use crate::id::{ListenerId, SongId};
use crate::licence::{COMPLEMENT_WINDOW, HeardLog};
use crate::look_ahead::{Ahead, Outlook, direction};
use crate::pick::{ArtistLog, PickRules};
use crate::rank::{Candidate, Ranking, Shelf};
use crate::room::Room;
use crate::song::Song;
use crate::time::UnixMillis;
use crate::vector::{Axes, dot};

/// Whoever has heard fewer songs on a day is not counted in that day's figures: one song says nothing of an evening.
pub const COUNTS_FROM: u32 = 5;

/// What a decision was made from, besides its seed, the history and the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Occasion {
    /// When its song was to begin.
    pub now: UnixMillis,
    /// The zone's rules.
    pub rules: PickRules,
    /// How long songs rested.
    pub window: Duration,
    /// Who was there, with what they had had by then.
    pub room: Room,
    /// The songs of the plan it was part of that came before it, and when they were to begin: it was decided then, and not
    /// when they did.
    pub ahead: Vec<(SongId, UnixMillis)>,
    /// When it was decided, or the plan it was part of; `None` of one that was written before this was kept. Then nothing but
    /// `ahead` was heard since.
    #[serde(default)]
    pub made: Option<Made>,
}

/// When something was decided. It knows nothing of what was heard afterwards, though that may be a lot: a player may hold a plan
/// while its zone moves on without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// By the hub's clock.
    pub at: UnixMillis,
    /// What was heard then: songs may begin within one millisecond.
    pub after: Option<SongId>,
}

/// A decision of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// What played.
    pub song: SongId,
    /// What the draw was seeded with.
    pub seed: u64,
    /// When the zone moved on to it.
    pub decided_at: UnixMillis,
    /// What it was made from; `None` of one that is only history.
    pub occasion: Option<Occasion>,
}

/// Settings that are to be other ones; what is left out stays as it was.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct WhatIf {
    /// 0 = plain mean, 1 = strict turns.
    pub fairness: Option<f64>,
    /// As how many people the profile counts.
    pub profile_weight: Option<f64>,
}

impl WhatIf {
    fn apply(&self, occasion: &Occasion) -> (Room, PickRules) {
        let (mut room, mut rules) = (occasion.room.clone(), occasion.rules);
        if let Some(fairness) = self.fairness {
            (room.fairness, rules.fairness) = (fairness, fairness);
        }
        room.profile_weight = self.profile_weight.unwrap_or(room.profile_weight);
        (room, rules)
    }
}

/// How people fared in some time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Visits that count: somebody who comes on two days is two.
    pub visits: u32,
    /// Songs that were heard.
    pub songs: u32,
    /// Mean satisfaction, worst listener, longest drought.
    pub fares: Fairness,
}

/// What everybody has had, by day.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    visits: BTreeMap<(i32, ListenerId), Debt>,
    songs: BTreeMap<i32, u32>,
}

impl Tally {
    /// Counts a song that a room has heard on a day.
    pub fn hear(&mut self, day: i32, room: &Room, song: Option<&Axes>) {
        *self.songs.entry(day).or_default() += 1;
        let Some(song) = song else { return };
        for one in room.listeners.iter().filter(|one| one.weight > 0.0) {
            if let (Some(who), Some(taste)) = (one.who, &one.taste) {
                self.visits.entry((day, who)).or_default().hear(dot(taste, song), 0.0);
            }
        }
    }

    /// The days on which anything was heard.
    pub fn days(&self) -> BTreeSet<i32> {
        self.songs.keys().copied().collect()
    }

    /// How everybody fared on one day; `None` where nobody was there for long enough.
    pub fn day(&self, day: i32) -> Option<Figures> {
        self.over(|of| of == day)
    }

    /// The same over all days.
    pub fn all(&self) -> Option<Figures> {
        self.over(|_| true)
    }

    fn over(&self, is_meant: impl Fn(i32) -> bool) -> Option<Figures> {
        let visits = self.visits.iter().filter(|((day, _), had)| is_meant(*day) && had.songs >= COUNTS_FROM);
        let visits: Vec<Debt> = visits.map(|(_, had)| *had).collect();
        let songs = self.songs.iter().filter(|(day, _)| is_meant(**day)).map(|(_, songs)| songs).sum();
        Some(Figures { visits: visits.len() as u32, songs, fares: summary(&visits)? })
    }
}

/// A ranking that can be told what the zone hears.
pub trait Remembering: Ranking {
    /// Counts a song as heard.
    fn hear(&mut self, song: SongId, at: UnixMillis);

    /// Lets songs rest for so long from now on.
    fn rest_for(&mut self, window: Duration);

    /// Whether a song is one of those that it ranks.
    fn ranks(&self, song: SongId) -> bool;
}

impl Remembering for Shelf {
    fn hear(&mut self, song: SongId, at: UnixMillis) {
        let played = self.candidates.iter_mut().filter(|candidate: &&mut Candidate| candidate.song == song);
        played.for_each(|candidate| candidate.last_played_at = candidate.last_played_at.max(Some(at)));
    }

    fn rest_for(&mut self, window: Duration) {
        self.window = window;
    }

    fn ranks(&self, song: SongId) -> bool {
        self.candidates.iter().any(|candidate| candidate.song == song)
    }
}

/// A decision, made again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// When it was made.
    pub decided_at: UnixMillis,
    /// What played.
    pub then: SongId,
    /// What would have played; `None` where nothing could have.
    pub now: Option<SongId>,
}

/// A log, played again.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The decisions, in their order.
    pub steps: Vec<Step>,
    /// What everybody had.
    pub then: Tally,
    /// What they would have had.
    pub now: Tally,
}

impl Replay {
    /// How many decisions would have come to the same song.
    pub fn same(&self) -> usize {
        self.steps.iter().filter(|step| step.now == Some(step.then)).count()
    }
}

/// Plays a log again, oldest first, as `what_if` has it. `songs` finds every song that was ever known, `ranking` has the
/// playable ones without a history, `day` says on which day something was.
///
/// # Errors
/// Where the ranking's engine fails.
pub fn replay<'s, R: Remembering>(
    log: &[Logged],
    what_if: &WhatIf,
    ranking: &mut R,
    songs: &impl Fn(SongId) -> Option<&'s Song>,
    day: &impl Fn(UnixMillis) -> i32,
) -> Result<Replay, R::Error> {
    let mut replay = Replay { steps: Vec::new(), then: Tally::default(), now: Tally::default() };
    let mut world = World::default();
    for logged in log {
        let Some(occasion) = &logged.occasion else {
            world.play(ranking, logged, logged.song);
            continue;
        };
        let (mut room, rules) = what_if.apply(occasion);
        world.put_debts(&mut room);
        ranking.rest_for(occasion.window);
        let (now, seen) = world.at(occasion, (room, rules), &*ranking, songs);
        // A song that came later was not to be had.
        let here = |song| songs(song).filter(|song: &&Song| song.created_at <= occasion.now);
        let picked = now.drawn(&seen, &here, logged.seed)?.map(|pick| pick.song);
        let heard = picked.unwrap_or(logged.song);
        let mut would_be = now.room;
        let (then, day) = (songs(logged.song).and_then(direction), day(logged.decided_at));
        let other = songs(heard).and_then(direction);
        replay.then.hear(day, &occasion.room, then.as_ref());
        replay.now.hear(day, &would_be, other.as_ref());
        would_be.hear(other.as_ref());
        world.keep_debts(occasion, then.as_ref(), &would_be);
        world.play(ranking, logged, heard);
        replay.steps.push(Step { decided_at: logged.decided_at, then: logged.song, now: picked });
    }
    Ok(replay)
}

/// What a zone has heard.
#[derive(Debug, Clone, Copy)]
struct Heard {
    /// By the log.
    then: SongId,
    /// In the world that would have been.
    song: SongId,
    at: UnixMillis,
}

/// What a zone remembers from song to song.
#[derive(Debug, Default)]
struct World {
    /// Oldest first.
    heard: Vec<Heard>,
    /// Where in `heard` each song of the world that would have been is.
    places: HashMap<SongId, Vec<usize>>,
    /// What everybody had by the log, and what they would have had.
    debts: HashMap<ListenerId, (Debt, Debt)>,
}

impl World {
    /// How much of what was heard was known when something was decided.
    fn known(&self, occasion: &Occasion) -> usize {
        let Some(made) = occasion.made else { return self.heard.len().saturating_sub(occasion.ahead.len()) };
        let before = self.heard.partition_point(|heard| heard.at < made.at);
        let at_once = self.heard[before..].iter().take_while(|heard| heard.at == made.at);
        let through = at_once.zip(1..).filter(|(heard, _)| Some(heard.then) == made.after).last();
        before + through.map_or(0, |(_, through)| through)
    }

    /// The zone as it was when something was decided, with the songs of the plan that come before it.
    fn at<'r, 's, R: Remembering>(
        &self,
        occasion: &Occasion,
        (room, rules): (Room, PickRules),
        ranking: &'r R,
        songs: &impl Fn(SongId) -> Option<&'s Song>,
    ) -> (Outlook, Ahead<'r, R>) {
        let (known, mut later) = self.heard.split_at(self.known(occasion));
        let mut seen = Ahead::of(ranking);
        for song in
            later.iter().filter(|heard| ranking.ranks(heard.song)).filter_map(|heard| songs(heard.song))
        {
            seen.as_if_played(song, self.last_played_at(song.id, known));
        }
        let (mut artists, mut heard) = logs(known, occasion.now - rules.artist_separation, songs);
        let after = occasion.made.map_or(known.last().map(|last| last.then), |made| made.after);
        let mut current = after.map(|after| {
            let same = known.iter().rev().find(|heard| heard.then == after);
            same.map_or(after, |same| same.song)
        });
        for (song, at) in &occasion.ahead {
            let mut would_be = *song;
            if let Some(place) = later.iter().position(|heard| heard.then == *song) {
                would_be = later[place].song;
                later = &later[place + 1..];
            }
            current = Some(would_be);
            if let Some(song) = songs(would_be) {
                if ranking.ranks(song.id) {
                    seen.as_if_played(song, Some(*at));
                }
                artists.hear(song, *at);
                heard.hear(song, *at);
            }
        }
        let outlook = Outlook {
            made_at: occasion.now,
            now: occasion.now,
            room,
            rules,
            artists,
            heard,
            current,
            crossfade: Duration::ZERO,
            zone_seed: 0,
            counter: 0,
        };
        (outlook, seen)
    }

    fn last_played_at(&self, song: SongId, known: &[Heard]) -> Option<UnixMillis> {
        let mut places = self.places.get(&song)?.iter().rev();
        places.find_map(|place| known.get(*place)).map(|heard| heard.at)
    }

    /// Gives everybody what they would have had. Where the log knows better than its own songs (a new visit, a hub that
    /// was started anew), it begins anew from there.
    fn put_debts(&self, room: &mut Room) {
        for one in &mut room.listeners {
            let known = one.who.and_then(|who| self.debts.get(&who));
            if let Some((_, would)) = known.filter(|(then, _)| *then == one.debt) {
                one.debt = *would;
            }
        }
    }

    fn keep_debts(&mut self, occasion: &Occasion, then: Option<&Axes>, would_be: &Room) {
        let mut was = occasion.room.clone();
        was.hear(then);
        for (then, would) in was.listeners.iter().zip(&would_be.listeners) {
            if let Some(who) = then.who {
                self.debts.insert(who, (then.debt, would.debt));
            }
        }
    }

    /// Counts what a decision came to as heard.
    fn play(&mut self, ranking: &mut impl Remembering, logged: &Logged, song: SongId) {
        ranking.hear(song, logged.decided_at);
        self.places.entry(song).or_default().push(self.heard.len());
        self.heard.push(Heard { then: logged.song, song, at: logged.decided_at });
    }
}

/// Who was heard lately, as far back as `since` and as a licence counts it.
fn logs<'s>(
    heard: &[Heard],
    since: UnixMillis,
    songs: &impl Fn(SongId) -> Option<&'s Song>,
) -> (ArtistLog, HeardLog) {
    let (mut artists, mut log) = (ArtistLog::default(), HeardLog::default());
    let counts = heard.last().map_or(since, |last| since.min(last.at - COMPLEMENT_WINDOW));
    let from = heard.partition_point(|heard| heard.at < counts);
    for (song, at) in heard[from..].iter().filter_map(|heard| Some((songs(heard.song)?, heard.at))) {
        artists.hear(song, at);
        log.hear(song, at);
    }
    (artists, log)
}
