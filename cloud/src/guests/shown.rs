//! What a venue's page shows, worked out from what its hub told last. Pure: the time goes in.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use roomtone_schema::play::Tier;
use roomtone_schema::song::{Sha256, Song, SongFacts, SongStatus};
use roomtone_schema::venue::{Zone, ZoneSettings};
use roomtone_schema::view::{
    Explanation, NowPlayingView, PickView, Recommendation, SyncState, SyncStatusView, VibeSource, VibeView,
};
use roomtone_schema::{Embedding, EmbeddingVersion, PickId, PlayerId, SongId, UnixMillis, ZoneId};
use serde_json::Value;
use uuid::Uuid;

use crate::rooms::{self, Heard, millis};
use crate::store::guests::{self as store, Place, Told};

/// A hub that was heard within this is there: it speaks every 30 seconds.
const HEARD_WITHIN: Duration = Duration::from_secs(75);

/// The songs of a venue by their names.
pub(super) type Songs = HashMap<SongId, Arc<Song>>;

/// The hub's zones; where none was told of yet, one that stands for the room.
pub(super) fn zones(venue: Uuid, place: &Place) -> Vec<Zone> {
    let zone = |zone: &store::Zone| Zone {
        id: ZoneId(zone.id),
        name: zone.name.clone(),
        settings: settings(&zone.settings),
    };
    let mut zones: Vec<Zone> = place.zones.iter().map(zone).collect();
    if zones.is_empty() {
        zones.push(Zone { id: ZoneId(venue), name: "main".to_owned(), settings: ZoneSettings::default() });
    }
    zones
}

/// What a page shows of a zone's settings; the rest is the hub's.
fn settings(set: &Value) -> ZoneSettings {
    let number =
        |key: &str| set.get(key).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    let usual = ZoneSettings::default();
    ZoneSettings {
        penalty_hours: number("penalty_hours").unwrap_or(usual.penalty_hours),
        crossfade_ms: number("crossfade_ms").unwrap_or(usual.crossfade_ms),
        fairness: set.get("fairness").and_then(Value::as_f64).unwrap_or(usual.fairness),
        ..usual
    }
}

/// What plays: what was told last, or the song that has begun since.
pub(super) fn playing(zone: &store::Zone, songs: &Songs, now: UnixMillis) -> Option<NowPlayingView> {
    let told = zone.told.as_ref().map(|(told, at)| (told, *at));
    let heard = rooms::heard(told, zone.newest)?;
    let song = Arc::clone(songs.get(&heard.song)?);
    (!heard.is_over(song.facts.duration_ms, now))
        .then(|| view(ZoneId(zone.id), song, &heard, skip(zone, &heard, now)))
}

/// How many want to skip what plays and how many it takes, as the hub told last; none where it has not been heard for a while, for
/// then it hears of no wish either.
fn skip(zone: &store::Zone, heard: &Heard, now: UnixMillis) -> (u32, u32) {
    let told = zone.told.as_ref().filter(|(_, at)| now.since(millis(*at)) < HEARD_WITHIN);
    let Some(playing) = told.and_then(|(told, _)| told.now) else { return (0, 0) };
    let votes = if playing.song == heard.song { playing.skip_votes } else { 0 };
    (votes, playing.skip_votes_needed)
}

fn view(
    zone: ZoneId,
    song: Arc<Song>,
    heard: &Heard,
    (skip_votes, skip_votes_needed): (u32, u32),
) -> NowPlayingView {
    let Heard { started_at, position_ms, as_of, .. } = *heard;
    let pick =
        PickView { id: PickId(Uuid::nil()), song, crossfade_ms: 0, gain_db: 0.0, explanation: unknown() };
    NowPlayingView {
        pick: Arc::new(pick),
        zone,
        player: PlayerId(Uuid::nil()),
        started_at,
        position_ms,
        as_of,
        skip_votes,
        skip_votes_needed,
        tier: Tier::Hub,
    }
}

/// What was weighed is not told to the cloud before a song is over.
fn unknown() -> Explanation {
    Explanation {
        similarity: 0.0,
        penalty: 0.0,
        score: 0.0,
        last_played_at: None,
        rests_until: None,
        reasons: Vec::new(),
    }
}

/// What comes next, without what plays by now.
pub(super) fn next(told: Option<&Told>, songs: &Songs, playing: Option<SongId>) -> Vec<Recommendation> {
    let next = told.into_iter().flat_map(|told| &told.next).filter(|song| Some(**song) != playing);
    let known = next.filter_map(|song| songs.get(song));
    let entry = |(at, song): (usize, &Arc<Song>)| Recommendation {
        rank: u32::try_from(at + 1).unwrap_or(u32::MAX),
        song: Arc::clone(song),
        explanation: unknown(),
    };
    known.enumerate().map(entry).collect()
}

/// Whether anything is told of that is not among the songs.
pub(super) fn names_unknown(place: &Place, songs: &Songs) -> bool {
    let told =
        place.zones.iter().filter_map(|zone| zone.told.as_ref()).flat_map(|(told, _)| {
            told.now.iter().map(|playing| playing.song).chain(told.next.iter().copied())
        });
    let newest = place.zones.iter().filter_map(|zone| zone.newest).map(|begun| begun.song);
    told.chain(newest).any(|song| !songs.contains_key(&song))
}

/// What the zone wants.
pub(super) fn vibe(told: Option<&(Told, DateTime<Utc>)>) -> VibeView {
    let Some((told, at)) = told else {
        return VibeView {
            axes: Default::default(),
            consensus: 0.0,
            active_listeners: 0,
            source: VibeSource::None,
            updated_at: UnixMillis(0),
        };
    };
    let source = serde_json::from_value(Value::String(told.source.clone())).unwrap_or(VibeSource::None);
    VibeView {
        axes: told.axes,
        consensus: told.consensus,
        active_listeners: told.listeners,
        source,
        updated_at: millis(*at),
    }
}

/// Whether the hub is heard, and when it was last.
pub(super) fn standing(heard_at: Option<DateTime<Utc>>, songs: usize, now: UnixMillis) -> SyncStatusView {
    let heard_at = heard_at.map(millis);
    let is_heard = heard_at.is_some_and(|at| now.since(at) < HEARD_WITHIN);
    SyncStatusView {
        state: if is_heard { SyncState::Synced } else { SyncState::Offline },
        enrolled: heard_at.is_some(),
        dead_letters: 0,
        last_pushed_at: heard_at,
        last_pulled_at: heard_at,
        pending: 0,
        oldest_pending_at: None,
        cached_songs: 0,
        total_songs: songs as u64,
        cached_bytes: 0,
        last_error: (!is_heard).then(|| "the room has not been heard from".to_owned()),
    }
}

/// A song of the catalogue, as far as the page knows it: nothing of its file.
pub(super) fn song(row: store::Song) -> Song {
    let embedding = row.embedding.and_then(|vector| Embedding::from_slice(vector.as_slice()).ok());
    let duration_ms = row.duration_ms.and_then(|ms| u32::try_from(ms).ok()).unwrap_or(0);
    let version = row.embedding_version.map_or(0, i16::cast_unsigned);
    Song {
        id: SongId(row.id),
        status: SongStatus::Ready,
        facts: SongFacts {
            title: row.title,
            artist: row.artist,
            album: row.album,
            isrc: None,
            label: None,
            explicit: row.explicit.0,
            kind: row.kind.map(|kind| kind.0),
            duration_ms,
            bpm: row.bpm.map(|bpm| bpm as f32),
            pulse_clarity: 0.0,
            key: row.key,
            key_strength: 0.0,
            loudness_lufs: row.loudness_lufs,
            true_peak_dbtp: None,
            cue_in_ms: 0,
            cue_out_ms: duration_ms,
            embedding,
            embedding_version: EmbeddingVersion(version),
            sha256: Sha256([0; 32]),
            bytes: 0,
            content_type: String::new(),
        },
        created_at: millis(row.created_at),
    }
}

#[cfg(test)]
mod tests {
    use roomtone_schema::view::OpenHoursView;

    use super::*;
    use crate::rooms::hours;

    const NOON: UnixMillis = UnixMillis(1_795_348_800_000);

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(NOON.0 + seconds * 1_000).unwrap()
    }

    fn songs() -> Songs {
        let row = |number: u128| store::Song {
            id: Uuid::from_u128(number),
            title: number.to_string(),
            artist: None,
            album: None,
            explicit: crate::store::Word(roomtone_schema::song::Explicit::Unknown),
            bpm: None,
            duration_ms: Some(200_000),
            key: None,
            kind: None,
            loudness_lufs: None,
            embedding: None,
            embedding_version: None,
            created_at: at(0),
        };
        [1, 2, 3].map(|number| song(row(number))).map(|song| (song.id, Arc::new(song))).into()
    }

    fn zone(told: Option<(u128, i64, i64)>, newest: Option<(u128, i64, bool)>) -> store::Zone {
        let told = told.map(|(song, began, told)| {
            let now = store::Playing {
                song: SongId(Uuid::from_u128(song)),
                started_at: millis(at(began)),
                position_ms: u32::try_from((told - began) * 1_000).unwrap(),
                skip_votes: 1,
                skip_votes_needed: 2,
            };
            let told_of = Told {
                now: Some(now),
                next: [1, 2].map(|song| SongId(Uuid::from_u128(song))).to_vec(),
                axes: [0.0; 5],
                consensus: 0.0,
                listeners: 0,
                source: "none".to_owned(),
                needs_screen_code: false,
                hours: None,
            };
            (told_of, at(told))
        });
        let newest = newest.map(|(song, began, has_ended)| {
            let song = SongId(Uuid::from_u128(song));
            store::Begun { song, at: at(began), has_ended }
        });
        store::Zone { id: Uuid::nil(), name: "main".to_owned(), settings: Value::Null, told, newest }
    }

    fn shown(zone: &store::Zone, now: i64) -> Option<(u128, u32)> {
        let view = playing(zone, &songs(), millis(at(now)))?;
        let since = u32::try_from(millis(at(now)).since(view.as_of).as_millis()).unwrap();
        Some((view.pick.song.id.0.as_u128(), (view.position_ms + since) / 1_000))
    }

    #[test]
    fn what_was_told_goes_on_until_another_song_has_begun() {
        let told = zone(Some((1, 0, 30)), Some((1, 0, false)));
        assert_eq!(shown(&told, 40), Some((1, 40)));
        assert_eq!(shown(&zone(Some((1, 0, 30)), Some((2, 35, false))), 40), Some((2, 5)));
        assert_eq!(shown(&zone(None, Some((2, 35, false))), 40), Some((2, 5)));
    }

    #[test]
    fn votes_to_skip_are_of_the_song_that_they_were_told_of_while_its_hub_is_heard() {
        let skips = |zone: &store::Zone, now: i64| {
            let view = playing(zone, &songs(), millis(at(now))).unwrap();
            (view.skip_votes, view.skip_votes_needed)
        };
        let told = zone(Some((1, 0, 30)), None);
        assert_eq!([skips(&told, 40), skips(&told, 104), skips(&told, 105)], [(1, 2), (1, 2), (0, 0)]);
        assert_eq!(skips(&zone(Some((1, 0, 30)), Some((2, 35, false))), 40), (0, 2));
        assert_eq!(skips(&zone(None, Some((2, 35, false))), 40), (0, 0), "nobody has told how many it takes");
    }

    #[test]
    fn what_has_ended_long_ago_is_not_shown_as_playing() {
        assert_eq!(shown(&zone(Some((1, 0, 30)), None), 280), Some((1, 280)));
        assert_eq!(shown(&zone(Some((1, 0, 30)), None), 300), None);
        assert_eq!(shown(&zone(None, Some((2, 0, true))), 10), None);
        assert_eq!(shown(&zone(None, None), 10), None);
    }

    #[test]
    fn what_comes_next_is_not_what_plays() {
        let (told, _) = zone(Some((3, 0, 30)), None).told.unwrap();
        let titles = |playing: u128| -> Vec<String> {
            let next = next(Some(&told), &songs(), Some(SongId(Uuid::from_u128(playing))));
            next.into_iter().map(|entry| format!("{} {}", entry.rank, entry.song.facts.title)).collect()
        };
        assert_eq!(titles(3), ["1 1", "2 2"]);
        assert_eq!(titles(1), ["1 2"]);
    }

    #[test]
    fn hours_go_on_while_nothing_is_heard() {
        let told = OpenHoursView {
            as_of: NOON,
            is_open: true,
            closes_at: Some(millis(at(60))),
            opens_at: Some(millis(at(120))),
            daypart: None,
        };
        assert!(hours(&told, millis(at(59))).is_open);
        let closed = hours(&told, millis(at(60)));
        assert_eq!((closed.is_open, closed.opens_at), (false, Some(millis(at(120)))));
        let shut = OpenHoursView { is_open: false, closes_at: None, ..told };
        assert!(hours(&shut, millis(at(120))).is_open && !hours(&shut, millis(at(119))).is_open);
    }

    #[test]
    fn a_hub_that_has_missed_two_words_is_not_heard() {
        assert_eq!(standing(Some(at(0)), 0, millis(at(74))).state, SyncState::Synced);
        let lost = standing(Some(at(0)), 0, millis(at(75)));
        assert_eq!((lost.state, lost.last_pulled_at), (SyncState::Offline, Some(NOON)));
        assert_eq!(standing(None, 0, NOON).state, SyncState::Offline);
    }
}
