//! The look-ahead plan: the same rule run forward, so that a player without its hub goes on with what would have come.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::id::SongId;
use crate::licence::HeardLog;
use crate::pick::{ArtistLog, Pick, PickRules, Scene, pick};
use crate::rank::{Candidate, Ranked, Ranking, place};
use crate::replay::{Made, Occasion};
use crate::room::Room;
use crate::seed;
use crate::song::Song;
use crate::time::UnixMillis;
use crate::vector::Axes;

/// A plan is long enough when it covers this much music ...
pub const PLAN_COVERS: Duration = Duration::from_hours(4);

/// ... or holds this many songs, whichever is less ...
pub const PLAN_AT_MOST: usize = 240;

/// ... but it holds at least this many, where the library does.
pub const PLAN_AT_LEAST: usize = 20;

/// However long the crossfade, a song moves the plan's time forward by at least this.
const SHORTEST_STEP: Duration = Duration::from_secs(1);

/// A zone at the moment when its next song is decided: all that the decision depends on but the ranking.
#[derive(Debug, Clone)]
pub struct Outlook {
    /// When it is looked at: not before what is heard began.
    pub made_at: UnixMillis,
    /// When the next song would begin.
    pub now: UnixMillis,
    /// Who is there.
    pub room: Room,
    /// The zone's.
    pub rules: PickRules,
    /// Who was heard lately.
    pub artists: ArtistLog,
    /// What was heard lately, as a licence counts it.
    pub heard: HeardLog,
    /// What is heard before.
    pub current: Option<SongId>,
    /// Overlap of two songs.
    pub crossfade: Duration,
    /// The zone's, made once.
    pub zone_seed: u64,
    /// How many picks the zone has made.
    pub counter: u64,
}

/// A song of the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The decision, as it would be made.
    pub pick: Pick,
    /// When it would begin.
    pub starts_at: UnixMillis,
    /// What the whole plan was made from.
    pub basis: Arc<Basis>,
    /// How many of its songs come before this one.
    pub place: usize,
}

/// What all songs of a plan were decided by, once for all of them.
#[derive(Debug, PartialEq)]
pub struct Basis {
    /// Who was there when the plan was made.
    pub room: Room,
    /// The zone's.
    pub rules: PickRules,
    /// How long songs rested.
    pub window: Duration,
    /// When that was.
    pub made: Made,
    /// The plan, and when its songs were to begin.
    pub songs: Vec<(SongId, UnixMillis)>,
}

impl Planned {
    /// A decision by itself.
    pub fn alone(pick: Pick, outlook: &Outlook, window: Duration) -> Self {
        let (room, rules, songs) = (outlook.room.clone(), outlook.rules, Vec::new());
        let basis = Arc::new(Basis { room, rules, window, made: outlook.made(), songs });
        Self { pick, starts_at: outlook.now, basis, place: 0 }
    }

    /// What it was decided from: the room as it would have been by then.
    pub fn occasion<'s>(&self, songs: &impl Fn(SongId) -> Option<&'s Song>) -> Occasion {
        let Basis { room, rules, window, made, songs: plan } = &*self.basis;
        let mut room = room.clone();
        let ahead: Vec<(SongId, UnixMillis)> = plan.iter().take(self.place).copied().collect();
        for (song, _) in &ahead {
            room.hear(songs(*song).and_then(direction).as_ref());
        }
        Occasion { now: self.starts_at, rules: *rules, window: *window, room, ahead, made: Some(*made) }
    }
}

/// Where a song points, as far as it can be compared.
pub(crate) fn direction(song: &Song) -> Option<Axes> {
    song.facts.comparable().map(|embedding| embedding.unit())
}

impl Outlook {
    /// The next pick; `None` only where nothing is playable.
    ///
    /// # Errors
    /// Where the ranking's engine fails.
    pub fn next<'s, R: Ranking>(
        &self,
        ranking: &R,
        songs: &impl Fn(SongId) -> Option<&'s Song>,
    ) -> Result<Option<Pick>, R::Error> {
        self.drawn(ranking, songs, seed::of_pick(self.zone_seed, self.counter))
    }

    /// The same with another seed than the zone's next one: a decision that was made before.
    ///
    /// # Errors
    /// Where the ranking's engine fails.
    pub fn drawn<'s, R: Ranking>(
        &self,
        ranking: &R,
        songs: &impl Fn(SongId) -> Option<&'s Song>,
        seed: u64,
    ) -> Result<Option<Pick>, R::Error> {
        let (tastes, dry) = (self.room.tastes(), self.room.dry());
        let scene = Scene {
            now: self.now,
            vibe: self.room.target().axes,
            tastes: &tastes,
            dry: &dry,
            rules: self.rules,
            current: self.current.and_then(songs),
            artists: &self.artists,
            heard: &self.heard,
        };
        pick(ranking, songs, &scene, seed)
    }

    /// The plan from here: its first song is what [`Outlook::next`] picks.
    ///
    /// # Errors
    /// Where the ranking's engine fails.
    pub fn plan<'s, R: Ranking>(
        mut self,
        ranking: &R,
        songs: &impl Fn(SongId) -> Option<&'s Song>,
    ) -> Result<Vec<Planned>, R::Error> {
        let (begins_at, made) = (self.now, self.made());
        let (room, rules, window) = (self.room.clone(), self.rules, ranking.window());
        let mut ahead = Ahead::of(ranking);
        let mut planned = Vec::new();
        while !is_long_enough(planned.len(), self.now.since(begins_at)) {
            let Some(pick) = self.next(&ahead, songs)? else { break };
            let Some(song) = songs(pick.song) else { break };
            planned.push((pick, self.now));
            ahead.play(song, self.now);
            self.play(song);
        }
        let songs = planned.iter().map(|(pick, starts_at)| (pick.song, *starts_at)).collect();
        let basis = Arc::new(Basis { room, rules, window, made, songs });
        let plan = |(place, (pick, starts_at))| Planned { pick, starts_at, basis: Arc::clone(&basis), place };
        Ok(planned.into_iter().enumerate().map(plan).collect())
    }

    fn made(&self) -> Made {
        Made { at: self.made_at, after: self.current }
    }

    /// Counts a song as heard from `now` on, and moves on to its end.
    fn play(&mut self, song: &Song) {
        self.room.hear(direction(song).as_ref());
        self.artists.hear(song, self.now);
        self.heard.hear(song, self.now);
        self.current = Some(song.id);
        self.counter += 1;
        let length = Duration::from_millis(u64::from(song.facts.duration_ms));
        self.now = self.now + length.saturating_sub(self.crossfade).max(SHORTEST_STEP);
    }
}

fn is_long_enough(songs: usize, covered: Duration) -> bool {
    songs >= PLAN_AT_MOST || (songs >= PLAN_AT_LEAST && covered >= PLAN_COVERS)
}

/// A ranking with other last plays than the one it stands on, which it does not touch.
pub(crate) struct Ahead<'r, R> {
    ranking: &'r R,
    played: HashMap<SongId, Candidate>,
}

impl<'r, R> Ahead<'r, R> {
    pub(crate) fn of(ranking: &'r R) -> Self {
        Self { ranking, played: HashMap::new() }
    }

    pub(crate) fn play(&mut self, song: &Song, at: UnixMillis) {
        self.as_if_played(song, Some(at));
    }

    /// Has a song of the ranking rest as if it had been played last at that time, or never.
    pub(crate) fn as_if_played(&mut self, song: &Song, last_played_at: Option<UnixMillis>) {
        let candidate = Candidate { song: song.id, embedding: song.facts.comparable(), last_played_at };
        self.played.insert(song.id, candidate);
    }
}

impl<R: Ranking> Ranking for Ahead<'_, R> {
    type Error = R::Error;

    fn window(&self) -> Duration {
        self.ranking.window()
    }

    fn top(&self, vibe: &Axes, k: usize, now: UnixMillis) -> Result<Vec<Ranked>, Self::Error> {
        // So many more that k are left when every song of the plan is taken out.
        let mut ranked = self.ranking.top(vibe, k + self.played.len(), now)?;
        ranked.retain(|one| !self.played.contains_key(&one.song));
        ranked.extend(self.played.values().map(|one| place(vibe, one, now, self.window())));
        ranked.sort_unstable_by(Ranked::order);
        ranked.truncate(k);
        Ok(ranked)
    }
}
