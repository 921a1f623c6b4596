//! From a ranking to one song: filters, relaxed in a fixed order; terms that only the hub knows; a seeded draw.
//!
//! Everything that decided is kept in the pick's [`Terms`], so that any pick can be replayed and explained later.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fairness::{drought, misery};
use crate::id::SongId;
use crate::licence::{HeardLog, Licence};
use crate::rank::{Ranked, Ranking, Standing};
use crate::rest::rests_until;
use crate::seed::Seeded;
use crate::song::{Explicit, Song, SongKind};
use crate::time::UnixMillis;
use crate::vector::Axes;
use crate::venue::ZoneSettings;

mod artists;

pub use artists::ArtistLog;

/// The draw is among this many (m).
pub const DRAWN_FROM: usize = 8;

/// So many of the best are looked at closely (misery, jumps) before the draw; it bounds the work of a pick.
const CONSIDERED: usize = 64;

/// How much score makes a song e times likelier in the draw.
const TEMPERATURE: f64 = 0.1;

/// The most that a jump in energy or tempo costs: people notice abrupt change more than anything.
const JUMP_COST: f64 = 0.2;

/// A zone's settings as far as picking cares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PickRules {
    /// For the misery guard.
    pub fairness: f64,
    /// Whether songs tagged explicit are played; unknown counts as clean.
    pub allow_explicit: bool,
    /// For how long an artist is not repeated, best effort.
    pub artist_separation: Duration,
    /// Which kinds of songs are played.
    pub kinds: Kinds,
    /// Whether the performance complement is kept.
    pub performance_complement: bool,
}

/// Which kinds of songs are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kinds {
    /// All, also those of no known kind.
    All,
    /// Those named, and no song of no known kind.
    Only {
        /// Sounds of places.
        soundscape: bool,
        /// Music without words.
        instrumental: bool,
    },
}

impl Kinds {
    /// Whether a song of this kind is played.
    pub fn allow(self, kind: Option<SongKind>) -> bool {
        match self {
            Self::All => true,
            Self::Only { soundscape, instrumental } => match kind {
                Some(SongKind::Soundscape) => soundscape,
                Some(SongKind::Instrumental) => instrumental,
                None => false,
            },
        }
    }
}

impl From<&[SongKind]> for Kinds {
    fn from(named: &[SongKind]) -> Self {
        if named.is_empty() {
            return Self::All;
        }
        let has = |kind| named.contains(&kind);
        Self::Only { soundscape: has(SongKind::Soundscape), instrumental: has(SongKind::Instrumental) }
    }
}

impl PickRules {
    /// The same under a venue's licence.
    #[must_use]
    pub fn under(self, licence: &Licence) -> Self {
        Self { performance_complement: licence.performance_complement, ..self }
    }
}

/// Under a licence that allows everything.
impl From<&ZoneSettings> for PickRules {
    fn from(settings: &ZoneSettings) -> Self {
        Self {
            fairness: settings.fairness,
            allow_explicit: settings.allow_explicit,
            artist_separation: Duration::from_secs(60 * u64::from(settings.artist_separation_min)),
            kinds: Kinds::from(settings.kinds.as_slice()),
            performance_complement: false,
        }
    }
}

/// What a pick depends on besides the ranking and the seed.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// When the song would begin.
    pub now: UnixMillis,
    /// What songs are measured against.
    pub vibe: Axes,
    /// The tastes in the room, for the misery guard.
    pub tastes: &'a [Axes],
    /// Of these, the tastes of those who have had too many songs against them in a row.
    pub dry: &'a [Axes],
    /// The zone's.
    pub rules: PickRules,
    /// What is heard before, for the jump.
    pub current: Option<&'a Song>,
    /// Who was heard lately.
    pub artists: &'a ArtistLog,
    /// What was heard lately, as a licence counts it.
    pub heard: &'a HeardLog,
}

/// A filter that had to give way: what is only pleasant before what somebody has promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relaxation {
    /// The first to give way: the same artist again too soon.
    ArtistSeparation,
    /// Then: a song that should still rest, the one played longest ago.
    Rest,
    /// Then: a song of a kind that this hour is not meant for.
    Kind,
    /// Then: a song that the performance complement of the licence does not allow yet.
    Licence,
    /// The last: a song tagged explicit.
    Explicit,
}

/// The filters in the order in which they give way; each step keeps those before it relaxed.
const STEPS: [&[Relaxation]; 6] = {
    use Relaxation::{ArtistSeparation, Explicit, Kind, Licence, Rest};
    [
        &[],
        &[ArtistSeparation],
        &[ArtistSeparation, Rest],
        &[ArtistSeparation, Rest, Kind],
        &[ArtistSeparation, Rest, Kind, Licence],
        &[ArtistSeparation, Rest, Kind, Licence, Explicit],
    ]
};

/// One decision of the recommender.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pick {
    /// What to play.
    pub song: SongId,
    /// What the draw was seeded with.
    pub seed: u64,
    /// Why.
    pub terms: Terms,
}

/// All that decided a pick.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// What songs were measured against.
    pub vibe: Axes,
    /// The song's group in the ranking.
    pub standing: Standing,
    /// Dot of vibe and direction.
    pub similarity: f64,
    /// What its last play cost.
    pub penalty: f64,
    /// What somebody's misery cost.
    pub misery: f64,
    /// What it cost that somebody's drought would have lasted too long.
    #[serde(default)]
    pub drought: f64,
    /// What the jump from the song before cost.
    pub jump: f64,
    /// Similarity less all that.
    pub score: f64,
    /// When the zone last heard it.
    pub last_played_at: Option<UnixMillis>,
    /// Until when it should have rested, where it should.
    pub rests_until: Option<UnixMillis>,
    /// The filters that gave way for it.
    pub relaxed: Vec<Relaxation>,
    /// Its place in `drawn_from`, from 1.
    pub place: u32,
    /// The songs of the draw, best first.
    pub drawn_from: Vec<Drawn>,
}

/// A song that could have been drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Drawn {
    /// Which.
    pub song: SongId,
    /// Its score; the draw's chances follow from it.
    pub score: f64,
}

/// Picks the next song; `None` only where nothing is playable.
///
/// `songs` finds a playable song by its id; what it does not find is not played.
///
/// # Errors
/// Where the ranking's engine fails.
pub fn pick<'s, R: Ranking>(
    ranking: &R,
    songs: &impl Fn(SongId) -> Option<&'s Song>,
    scene: &Scene<'_>,
    seed: u64,
) -> Result<Option<Pick>, R::Error> {
    let admitted = admitted(ranking, songs, scene)?;
    let mut weighed: Vec<Weighed<'_>> =
        admitted.into_iter().map(|(ranked, song)| Weighed::new(ranked, song, scene)).collect();
    weighed.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.song.id.cmp(&b.song.id)));
    weighed.truncate(DRAWN_FROM);
    let drawn_from: Vec<Drawn> =
        weighed.iter().map(|one| Drawn { song: one.song.id, score: one.score }).collect();
    let Some(place) = draw(&drawn_from, seed) else { return Ok(None) };
    Ok(Some(weighed[place].pick(place, drawn_from, scene, ranking.window(), seed)))
}

/// Which of `drawn_from` the seed draws: softmax of the scores. Replays a logged pick; `None` where it is empty.
pub fn draw(drawn_from: &[Drawn], seed: u64) -> Option<usize> {
    let best = drawn_from.iter().map(|one| one.score).reduce(f64::max)?;
    let chances: Vec<f64> = drawn_from.iter().map(|one| ((one.score - best) / TEMPERATURE).exp()).collect();
    let mut left = Seeded::new(seed).next_share() * chances.iter().sum::<f64>();
    let drawn = chances.iter().position(|chance| {
        left -= chance;
        left < 0.0
    });
    Some(drawn.unwrap_or(drawn_from.len() - 1))
}

/// What a jump in energy or tempo from one song to the next costs: 0.2 from one end of an axis to the other.
pub fn jump_cost(from: Option<&Song>, to: &Song) -> f64 {
    let axes = |song: &Song| song.facts.comparable().map(|embedding| embedding.values().map(f64::from));
    let (Some(from), Some(to)) = (from.and_then(axes), axes(to)) else { return 0.0 };
    let jump = |axis: usize| (from[axis].clamp(-1.0, 1.0) - to[axis].clamp(-1.0, 1.0)).abs() / 2.0;
    let (energy, tempo) = (0, 2);
    JUMP_COST * jump(energy).max(jump(tempo))
}

/// The songs that may be drawn from, best first, all of one group.
///
/// Asks the ranking for more and more until enough songs pass every filter, or the ranking is exhausted; only then
/// do filters give way.
fn admitted<'s, R: Ranking>(
    ranking: &R,
    songs: &impl Fn(SongId) -> Option<&'s Song>,
    scene: &Scene<'_>,
) -> Result<Vec<(Ranked, &'s Song)>, R::Error> {
    let mut asked = CONSIDERED;
    loop {
        let ranked = ranking.top(&scene.vibe, asked, scene.now)?;
        let exhausted = ranked.len() < asked;
        let known: Vec<(Ranked, &Song)> =
            ranked.into_iter().filter_map(|one| Some((one, songs(one.song)?))).collect();
        let strict = passing(&known, STEPS[0], scene);
        if strict.len() >= DRAWN_FROM || (exhausted && !strict.is_empty()) {
            return Ok(strict);
        }
        if exhausted {
            let relaxed = STEPS[1..].iter().map(|step| passing(&known, step, scene));
            return Ok(relaxed.into_iter().find(|left| !left.is_empty()).unwrap_or_default());
        }
        asked *= 2;
    }
}

/// Those that break no filter but the relaxed ones: of the best group there is, at most as many as are considered.
fn passing<'s>(
    known: &[(Ranked, &'s Song)],
    relaxed: &[Relaxation],
    scene: &Scene<'_>,
) -> Vec<(Ranked, &'s Song)> {
    let passes = |(ranked, song): &(Ranked, &Song)| {
        broken(ranked, song, scene).iter().all(|filter| relaxed.contains(filter))
    };
    let mut left: Vec<(Ranked, &Song)> = known.iter().copied().filter(passes).take(CONSIDERED).collect();
    if let Some((first, _)) = left.first().copied() {
        left.retain(|(ranked, _)| ranked.standing == first.standing);
        if first.standing == Standing::Resting {
            // Of songs that should all rest, the one played longest ago is not a matter of chance.
            left.truncate(1);
        }
    }
    left
}

/// The filters that a song breaks.
fn broken(ranked: &Ranked, song: &Song, scene: &Scene<'_>) -> Vec<Relaxation> {
    let rules = &scene.rules;
    let same_artist = scene.artists.heard_within(song, scene.now, rules.artist_separation);
    let explicit = !rules.allow_explicit && song.facts.explicit == Explicit::Explicit;
    [
        (same_artist, Relaxation::ArtistSeparation),
        (ranked.standing == Standing::Resting, Relaxation::Rest),
        (!rules.kinds.allow(song.facts.kind), Relaxation::Kind),
        (rules.performance_complement && scene.heard.would_break(song, scene.now), Relaxation::Licence),
        (explicit, Relaxation::Explicit),
    ]
    .into_iter()
    .filter_map(|(is_broken, filter)| is_broken.then_some(filter))
    .collect()
}

/// A song with the terms that come after the ranking.
struct Weighed<'s> {
    ranked: Ranked,
    song: &'s Song,
    misery: f64,
    drought: f64,
    jump: f64,
    score: f64,
}

impl<'s> Weighed<'s> {
    fn new(ranked: Ranked, song: &'s Song, scene: &Scene<'_>) -> Self {
        let direction = song.facts.comparable().map(|embedding| embedding.unit());
        let (fairness, present) = (scene.rules.fairness, scene.tastes.len());
        let misery = direction.map_or(0.0, |unit| misery(fairness, scene.tastes, &unit));
        let drought = direction.map_or(0.0, |unit| drought(fairness, scene.dry, present, &unit));
        let jump = jump_cost(scene.current, song);
        Self { ranked, song, misery, drought, jump, score: ranked.score - misery - drought - jump }
    }

    fn pick(
        &self,
        place: usize,
        drawn_from: Vec<Drawn>,
        scene: &Scene<'_>,
        window: Duration,
        seed: u64,
    ) -> Pick {
        let terms = Terms {
            vibe: scene.vibe,
            standing: self.ranked.standing,
            similarity: self.ranked.similarity,
            penalty: self.ranked.penalty,
            misery: self.misery,
            drought: self.drought,
            jump: self.jump,
            score: self.score,
            last_played_at: self.ranked.last_played_at,
            rests_until: rests_until(scene.now, self.ranked.last_played_at, window),
            relaxed: broken(&self.ranked, self.song, scene),
            place: place as u32 + 1,
            drawn_from,
        };
        Pick { song: self.song.id, seed, terms }
    }
}
