//! What a manager says of a song that is on its way: it wins over what the file says.

use roomtone_schema::AXES;
use roomtone_schema::embedding::Embedding;
use roomtone_schema::song::{Explicit, SongKind};
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

/// The longest title, name of an artist, album or label.
const MOST_LETTERS: usize = 300;

/// What is left out comes from the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OwnValues {
    /// What the piece is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artist: Option<String>,
    /// The album it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub album: Option<String>,
    /// International Standard Recording Code, 12 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isrc: Option<String>,
    /// Who published it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Clean, explicit or unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explicit: Option<Explicit>,
    /// Soundscape or instrumental.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<SongKind>,
    /// Beats per minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bpm: Option<i32>,
    /// Musical key, such as `Am` or `D#m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The five axes, -1 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding: Option<Embedding>,
}

impl OwnValues {
    /// Whether the catalogue can hold them.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.title.as_ref().is_some_and(|title| title.trim().is_empty()) {
            return Err(Refusal::invalid(
                "title",
                "a title has at least one letter; leave it out to take the file's",
            ));
        }
        let texts = [
            ("title", &self.title),
            ("artist", &self.artist),
            ("album", &self.album),
            ("label", &self.label),
        ];
        for (field, text) in texts {
            let Some(text) = text else { continue };
            if text.chars().count() > MOST_LETTERS {
                return Err(Refusal::invalid(field, format!("at most {MOST_LETTERS} letters")));
            }
            if text.contains('\0') {
                return Err(Refusal::invalid(field, "a text has no zero bytes in it"));
            }
        }
        if self.isrc.as_deref().is_some_and(|isrc| !is_isrc(isrc)) {
            return Err(Refusal::invalid("isrc", "an ISRC is 12 characters, such as DEUM71500001"));
        }
        if self.bpm.is_some_and(|bpm| !(1..=400).contains(&bpm)) {
            return Err(Refusal::invalid("bpm", "a tempo is 1 to 400 beats per minute"));
        }
        if self.key.as_deref().is_some_and(|key| !is_key(key)) {
            return Err(Refusal::invalid(
                "key",
                "a key is a letter from A to G, with # or b, and m for minor, such as F#m",
            ));
        }
        if self.embedding.is_some_and(|embedding| embedding.values().iter().any(|value| value.abs() > 1.0)) {
            return Err(Refusal::invalid("embedding", format!("{AXES} numbers from -1 to 1")));
        }
        Ok(())
    }

    /// The columns of a song that these are.
    pub fn columns(&self) -> Vec<&'static str> {
        let given = [
            ("title", self.title.is_some()),
            ("artist", self.artist.is_some()),
            ("album", self.album.is_some()),
            ("isrc", self.isrc.is_some()),
            ("label", self.label.is_some()),
            ("explicit", self.explicit.is_some()),
            ("type", self.kind.is_some()),
            ("bpm", self.bpm.is_some()),
            ("key", self.key.is_some()),
            ("embedding", self.embedding.is_some()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(column, _)| column).collect()
    }
}

fn is_isrc(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 12
        && bytes[..2].iter().all(u8::is_ascii_uppercase)
        && bytes[2..5].iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && bytes[5..].iter().all(u8::is_ascii_digit)
}

fn is_key(text: &str) -> bool {
    let rest = text.strip_prefix(|letter: char| ('A'..='G').contains(&letter));
    matches!(rest, Some("" | "m" | "#" | "b" | "#m" | "bm"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::title(OwnValues { title: Some(" ".to_owned()), ..OwnValues::default() }, "title")]
    #[case::artist(OwnValues { artist: Some("x".repeat(301)), ..OwnValues::default() }, "artist")]
    #[case::zero(OwnValues { album: Some("a\0b".to_owned()), ..OwnValues::default() }, "album")]
    #[case::isrc(OwnValues { isrc: Some("deum71500001".to_owned()), ..OwnValues::default() }, "isrc")]
    #[case::bpm(OwnValues { bpm: Some(0), ..OwnValues::default() }, "bpm")]
    #[case::key(OwnValues { key: Some("H".to_owned()), ..OwnValues::default() }, "key")]
    #[case::axes(OwnValues { embedding: Embedding::new([2.0, 0.0, 0.0, 0.0, 0.0]).ok(), ..OwnValues::default() }, "embedding")]
    fn a_value_that_will_not_do_is_named(#[case] own: OwnValues, #[case] field: &str) {
        assert_eq!(own.check().unwrap_err().field, ["input", field]);
    }

    #[test]
    fn what_is_left_out_is_no_value() {
        let own = OwnValues { kind: Some(SongKind::Soundscape), bpm: Some(90), ..OwnValues::default() };
        assert_eq!(own.columns(), ["type", "bpm"]);
        assert_eq!(serde_json::to_string(&own).unwrap(), r#"{"kind":"soundscape","bpm":90}"#);
        assert!(own.check().is_ok() && OwnValues::default().columns().is_empty());
    }
}
