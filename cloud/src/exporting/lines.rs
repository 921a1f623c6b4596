//! The lines of a report, as they are written.

use serde::{Serialize, Serializer};

use super::Names;
use crate::history::{ExportFormat, ExportKind};
use crate::store::songs_playing;

/// What the music is transmitted as: by a business establishment service that makes ephemeral recordings (37 CFR
/// 370.4(d)(2)(ii)(K)). A to G are webcasters, H to J subscription services.
const TRANSMISSION_CATEGORY: &str = "K";

/// The columns of a report, in their order.
const REPORTED: [&str; 13] = [
    "NAME_OF_SERVICE",
    "TRANSMISSION_CATEGORY",
    "FEATURED_ARTIST",
    "SOUND_RECORDING_TITLE",
    "ISRC",
    "ALBUM_TITLE",
    "MARKETING_LABEL",
    "ACTUAL_TOTAL_PERFORMANCES",
    "CHANNEL_OR_PROGRAM_NAME",
    "HUB_PLAYS",
    "PLAN_PLAYS",
    "CACHE_PLAYS",
    "SECONDS_HEARD",
];

/// The columns of a list of plays, in their order.
const PLAYED: [&str; 12] = [
    "PLAYED_AT",
    "VENUE",
    "ZONE",
    "PLAYER",
    "FEATURED_ARTIST",
    "SOUND_RECORDING_TITLE",
    "ISRC",
    "ALBUM_TITLE",
    "MARKETING_LABEL",
    "TIER",
    "ENDED",
    "SECONDS_HEARD",
];

/// A text that came from somebody's file or form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell(String);

impl Cell {
    fn of(text: Option<&str>) -> Self {
        Self(text.unwrap_or_default().to_owned())
    }

    /// As a table may hold it: what a spreadsheet would take for a formula begins with an apostrophe instead.
    fn harmless(&self) -> String {
        let is_formula =
            self.0.trim_start().starts_with(['=', '+', '-', '@']) || self.0.starts_with(['\t', '\r', '\n']);
        if is_formula { format!("'{}", self.0) } else { self.0.clone() }
    }
}

/// In JSON it stays what it is.
impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Whole seconds of which no thousandth is lost: what one line has left over is in the next one's, so that the column adds up
/// to what was heard.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Seconds {
    left_ms: i64,
}

impl Seconds {
    fn of(&mut self, ms: i64) -> i64 {
        let ms = self.left_ms + ms;
        self.left_ms = ms % 1_000;
        ms / 1_000
    }
}

/// A line that can be written both ways.
pub(super) trait Line: Serialize {
    /// Its cells, in the order of the columns.
    fn cells(&self) -> Vec<String>;
}

/// One song of a report.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Reported {
    name_of_service: Cell,
    transmission_category: &'static str,
    featured_artist: Cell,
    sound_recording_title: Cell,
    isrc: Cell,
    album_title: Cell,
    marketing_label: Cell,
    actual_total_performances: i64,
    channel_or_program_name: Cell,
    hub_plays: i64,
    plan_plays: i64,
    cache_plays: i64,
    seconds_heard: i64,
}

impl Reported {
    pub(super) fn of(names: &Names, seconds: &mut Seconds, song: &songs_playing::Reported) -> Self {
        Self {
            name_of_service: Cell::of(Some(&names.service)),
            transmission_category: TRANSMISSION_CATEGORY,
            featured_artist: Cell::of(song.artist.as_deref()),
            sound_recording_title: Cell::of(song.title.as_deref()),
            isrc: Cell::of(song.isrc.as_deref()),
            album_title: Cell::of(song.album.as_deref()),
            marketing_label: Cell::of(song.label.as_deref()),
            actual_total_performances: song.plays,
            channel_or_program_name: Cell::of(Some(&names.venue)),
            hub_plays: song.hub_plays,
            plan_plays: song.plan_plays,
            cache_plays: song.cache_plays,
            seconds_heard: seconds.of(song.heard_ms),
        }
    }
}

impl Line for Reported {
    fn cells(&self) -> Vec<String> {
        vec![
            self.name_of_service.harmless(),
            self.transmission_category.to_owned(),
            self.featured_artist.harmless(),
            self.sound_recording_title.harmless(),
            self.isrc.harmless(),
            self.album_title.harmless(),
            self.marketing_label.harmless(),
            self.actual_total_performances.to_string(),
            self.channel_or_program_name.harmless(),
            self.hub_plays.to_string(),
            self.plan_plays.to_string(),
            self.cache_plays.to_string(),
            self.seconds_heard.to_string(),
        ]
    }
}

/// One play.
#[expect(clippy::struct_field_names, reason = "the names of the columns")]
#[derive(Debug, Clone, Serialize)]
pub(super) struct Played {
    played_at: String,
    venue: Cell,
    zone: Cell,
    player: Cell,
    featured_artist: Cell,
    sound_recording_title: Cell,
    isrc: Cell,
    album_title: Cell,
    marketing_label: Cell,
    tier: Cell,
    ended: Cell,
    seconds_heard: i64,
}

impl Played {
    pub(super) fn of(names: &Names, seconds: &mut Seconds, play: &songs_playing::Told) -> Self {
        Self {
            played_at: play.played_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            venue: Cell::of(Some(&names.venue)),
            zone: Cell::of(play.zone.as_deref()),
            player: Cell::of(play.player.as_deref()),
            featured_artist: Cell::of(play.artist.as_deref()),
            sound_recording_title: Cell::of(play.title.as_deref()),
            isrc: Cell::of(play.isrc.as_deref()),
            album_title: Cell::of(play.album.as_deref()),
            marketing_label: Cell::of(play.label.as_deref()),
            tier: Cell::of(Some(&play.tier)),
            ended: Cell::of(play.ended.as_deref()),
            seconds_heard: seconds.of(play.heard_ms),
        }
    }
}

impl Line for Played {
    fn cells(&self) -> Vec<String> {
        let texts = [
            &self.venue,
            &self.zone,
            &self.player,
            &self.featured_artist,
            &self.sound_recording_title,
            &self.isrc,
            &self.album_title,
            &self.marketing_label,
            &self.tier,
            &self.ended,
        ];
        let mut cells = vec![self.played_at.clone()];
        cells.extend(texts.into_iter().map(Cell::harmless));
        cells.push(self.seconds_heard.to_string());
        cells
    }
}

/// The head of a table.
pub(super) fn head(kind: ExportKind) -> anyhow::Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    match kind {
        ExportKind::Report => table.write_record(REPORTED)?,
        ExportKind::Plays => table.write_record(PLAYED)?,
    }
    Ok(table.into_inner()?)
}

/// Lines as they are written.
pub(super) fn written<L: Line>(format: ExportFormat, lines: &[L]) -> anyhow::Result<Vec<u8>> {
    match format {
        ExportFormat::Csv => {
            let mut table = csv::Writer::from_writer(Vec::new());
            for line in lines {
                table.write_record(line.cells())?;
            }
            Ok(table.into_inner()?)
        }
        ExportFormat::Ndjson => {
            let mut out = Vec::new();
            for line in lines {
                serde_json::to_writer(&mut out, line)?;
                out.push(b'\n');
            }
            Ok(out)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_only_read() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", " =1+1", "\t=1", "\r=1"] {
            assert_eq!(Cell(formula.to_owned()).harmless(), format!("'{formula}"));
        }
        assert_eq!(Cell("1-2-3 = go".to_owned()).harmless(), "1-2-3 = go");
        assert_eq!(Cell(String::new()).harmless(), "");
    }

    #[test]
    fn the_seconds_of_all_lines_are_those_of_the_whole() {
        let mut seconds = Seconds::default();
        assert_eq!([999, 999, 2, 0, 1_000, 2_600].map(|ms| seconds.of(ms)), [0, 1, 1, 0, 1, 2]);
    }

    #[test]
    fn every_column_has_a_cell() {
        let names = Names { service: "S".to_owned(), venue: "V".to_owned() };
        let song = songs_playing::Reported {
            song_id: uuid::Uuid::nil(),
            artist: None,
            title: None,
            isrc: None,
            album: None,
            label: None,
            plays: 3,
            hub_plays: 2,
            plan_plays: 1,
            cache_plays: 0,
            heard_ms: 1_999,
        };
        let line = Reported::of(&names, &mut Seconds::default(), &song);
        assert_eq!(line.cells().len(), REPORTED.len());
        let object = serde_json::to_value(&line).unwrap();
        let keys: Vec<String> = object.as_object().unwrap().keys().map(|key| key.to_uppercase()).collect();
        let mut columns: Vec<_> = REPORTED.to_vec();
        columns.sort_unstable();
        let mut keys: Vec<_> = keys.iter().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, columns);
    }
}
