//! Room codes: how somebody shows that they are in the room.
//!
//! A poster carries a static code of 50 bits, which nobody guesses and a manager can revoke. A screen shows a short
//! one of 30 bits that changes every ten minutes and is good for thirty; guesses of it are limited. Both are derived
//! from a stored secret over the steady clock, so they survive a restart and no clock step brings an old one back.

use std::time::Duration;

use roomtone_schema::id::Id as _;
use roomtone_schema::{UnixMillis, ZoneId};
use subtle::ConstantTimeEq as _;

/// Crockford's 32 characters: none that is taken for another, and no U, so that no code is a rude word.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// 50 bits.
const POSTER_LENGTH: usize = 10;

/// 30 bits: short enough to type from a screen.
const ROTATING_LENGTH: usize = 6;

/// How long a screen shows the same code.
const ROTATES_EVERY: Duration = Duration::from_mins(10);

/// The code on the screen and the two before it are good: whoever has just scanned one is not turned away.
const GOOD_FOR_TURNS: i64 = 3;

/// The codes that are good in a zone right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomCode {
    /// For the poster: `7K3MQ-X2D9T`.
    pub poster: String,
    /// For screens: `4F7-Q2M`.
    pub rotating: String,
    /// Until when screens should show it; it is accepted for longer.
    pub rotating_changes_at: UnixMillis,
    /// Whether the zone takes the rotating code only.
    pub rotating_required: bool,
}

impl RoomCode {
    /// The one to put into the zone's QR code.
    pub fn for_screens(&self) -> &str {
        if self.rotating_required { &self.rotating } else { &self.poster }
    }
}

/// What a code that somebody typed turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matched {
    /// The venue's poster.
    Poster,
    /// The screen of this zone.
    Rotating(ZoneId),
}

/// What all codes of a venue are made from.
#[derive(Clone)]
pub(crate) struct CodeMaker {
    key: [u8; 32],
    poster_serial: u64,
}

impl std::fmt::Debug for CodeMaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CodeMaker").field("poster_serial", &self.poster_serial).finish_non_exhaustive()
    }
}

impl CodeMaker {
    /// `poster_serial` counts how often the poster was renewed.
    pub(crate) fn new(key: [u8; 32], poster_serial: u64) -> Self {
        Self { key, poster_serial }
    }

    /// The codes of a zone as they are to be shown.
    pub(crate) fn codes(&self, zone: ZoneId, now: UnixMillis, rotating_required: bool) -> RoomCode {
        let turn = turn(now);
        RoomCode {
            poster: grouped(&self.poster(), POSTER_LENGTH / 2),
            rotating: grouped(&self.rotating(zone, turn), ROTATING_LENGTH / 2),
            rotating_changes_at: UnixMillis((turn + 1) * turn_ms()),
            rotating_required,
        }
    }

    /// What a typed code is, if it is any; compares in constant time.
    pub(crate) fn matched(
        &self,
        typed: &str,
        zones: impl Iterator<Item = ZoneId>,
        now: UnixMillis,
    ) -> Option<Matched> {
        let typed = plain(typed);
        if same(&typed, &self.poster()) {
            return Some(Matched::Poster);
        }
        let turn = turn(now);
        let is_shown = |zone: &ZoneId| {
            (turn - GOOD_FOR_TURNS + 1..=turn)
                .fold(false, |hit, t| hit | same(&typed, &self.rotating(*zone, t)))
        };
        zones.into_iter().find(is_shown).map(Matched::Rotating)
    }

    fn poster(&self) -> String {
        self.characters(b"poster", &self.poster_serial.to_le_bytes(), POSTER_LENGTH)
    }

    fn rotating(&self, zone: ZoneId, turn: i64) -> String {
        let mut what = zone.to_bytes().to_vec();
        what.extend(turn.to_le_bytes());
        self.characters(b"screen", &what, ROTATING_LENGTH)
    }

    fn characters(&self, kind: &[u8], what: &[u8], length: usize) -> String {
        let mut mac = blake3::Hasher::new_keyed(&self.key);
        mac.update(kind).update(what);
        let digest = mac.finalize();
        digest.as_bytes()[..length].iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
    }
}

fn turn_ms() -> i64 {
    ROTATES_EVERY.as_millis() as i64
}

fn turn(now: UnixMillis) -> i64 {
    now.0.div_euclid(turn_ms())
}

/// As people type it: any case, with blanks and dashes, O for 0, I or L for 1, U for V.
fn plain(typed: &str) -> String {
    let meant = |character: char| match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        'U' => 'V',
        other => other,
    };
    typed.chars().filter(char::is_ascii_alphanumeric).take(POSTER_LENGTH + 1).map(meant).collect()
}

fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

fn grouped(code: &str, size: usize) -> String {
    let (first, second) = code.split_at(size);
    format!("{first}-{second}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_795_348_800_000);

    fn zone() -> ZoneId {
        ZoneId::mint(NOW, [7; 10])
    }

    fn matched(maker: &CodeMaker, typed: &str, now: UnixMillis) -> Option<Matched> {
        maker.matched(typed, [zone()].into_iter(), now)
    }

    #[test]
    fn the_screen_code_changes_every_ten_minutes_and_is_good_for_thirty() {
        let maker = CodeMaker::new([1; 32], 0);
        let shown = maker.codes(zone(), NOW, true);
        let after = |minutes| NOW + Duration::from_mins(minutes);
        assert_ne!(maker.codes(zone(), after(10), true).rotating, shown.rotating);
        assert_eq!(shown.rotating_changes_at, after(10));
        assert_eq!(matched(&maker, &shown.rotating, after(29)), Some(Matched::Rotating(zone())));
        assert_eq!(matched(&maker, &shown.rotating, after(30)), None);
        assert_eq!(matched(&maker, &shown.rotating, UnixMillis(NOW.0 - 1)), None, "not before it was shown");
    }

    #[test]
    fn a_renewed_poster_makes_the_old_one_void() {
        let old = CodeMaker::new([1; 32], 0).codes(zone(), NOW, false).poster;
        let renewed = CodeMaker::new([1; 32], 1);
        assert_eq!(matched(&renewed, &old, NOW), None);
        let new = renewed.codes(zone(), NOW, false).poster;
        assert_eq!(matched(&renewed, &new, NOW), Some(Matched::Poster));
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let maker = CodeMaker::new([1; 32], 0);
        let poster = maker.codes(zone(), NOW, false).poster;
        let typed =
            format!(" {} ", poster.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l"));
        assert_eq!(matched(&maker, &typed, NOW), Some(Matched::Poster));
        for wrong in ["", "-", "0", "ABCDEFGHJKMN", "ä", "\0"] {
            assert_eq!(matched(&maker, wrong, NOW), None, "{wrong:?}");
        }
        assert_eq!(matched(&maker, &format!("{poster}0"), NOW), None, "one too many");
    }
}
