//! The window in which a player may become one of ours: opened by whoever runs the venue, and closed by the first
//! player that comes in.
//!
//! There are two ways in. A one-time token stands in the code that is scanned; nobody guesses 128 bits. Eight digits
//! can be typed; each guess at them takes one of five tries, and what passes over the network (`exchange`) tells a
//! listener nothing that could be tried elsewhere. What is absent: a clock, randomness, the network.

use std::time::Duration;

use roomtone_schema::{UnixMillis, ZoneId};
use subtle::ConstantTimeEq as _;

pub mod desk;
pub mod exchange;

/// Guesses at the digits while one window is open.
pub const TRIES: u8 = 5;

/// For how long the digits are good: as long as it takes to walk to the player and type them.
pub const DIGITS_LAST: Duration = Duration::from_mins(5);

/// For how long the code is good, and the window open at the longest.
pub const TOKEN_LASTS: Duration = Duration::from_mins(10);

/// Which window: counts up while the hub runs.
pub type WindowId = u64;

/// Eight digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digits(pub [u8; 8]);

impl Digits {
    /// From 8 random bytes.
    pub fn from_chance(chance: [u8; 8]) -> Self {
        let mut number = u64::from_le_bytes(chance) % 100_000_000;
        let mut digits = [b'0'; 8];
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
        Self(digits)
    }

    /// From eight digits and nothing else.
    pub fn read(text: &str) -> Option<Self> {
        let digits: [u8; 8] = text.as_bytes().try_into().ok()?;
        digits.iter().all(u8::is_ascii_digit).then_some(Self(digits))
    }

    /// As people read them: in two halves.
    pub fn to_show(self) -> String {
        let text: String = self.0.iter().map(|digit| char::from(*digit)).collect();
        format!("{} {}", &text[..4], &text[4..])
    }
}

impl std::fmt::Debug for Digits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digits(..)")
    }
}

/// A token of 128 bits.
#[derive(Clone, Copy)]
pub struct Token(pub [u8; 16]);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

/// For whom a window is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meant {
    /// The name that the player gets; where a player of this name exists, it gets another secret.
    pub name: Option<String>,
    /// The zone that it plays in; the main one where none is given.
    pub zone: Option<ZoneId>,
}

/// A window.
#[derive(Debug, Clone)]
pub struct Window {
    /// Which.
    pub id: WindowId,
    /// For whom.
    pub meant: Meant,
    /// What is typed.
    pub digits: Digits,
    /// What is scanned.
    pub token: Token,
    /// When it was opened.
    pub opened_at: UnixMillis,
    /// Guesses at the digits so far.
    pub tries: u8,
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Shut {
    /// None was opened, or it is closed again.
    #[error(
        "nobody is waiting for a player here: run `roomtone-hub pair` on the hub, or open the manager's page"
    )]
    Closed,
    /// All tries were used up, or the digits are too old; the token may still be good.
    #[error("these digits are used up: begin anew with `roomtone-hub pair` on the hub")]
    UsedUp,
    /// Not what the hub shows.
    #[error("that is not what the hub shows: look again, every digit counts")]
    Wrong,
    /// No message of the exchange.
    #[error("this cannot be read; the player's program may be of another version than the hub's")]
    Unreadable,
}

/// All windows there can be: one.
#[derive(Debug, Default)]
pub struct Windows {
    open: Option<Window>,
    opened: WindowId,
}

impl Windows {
    /// Opens a window; one that was open is closed by it.
    pub fn open(&mut self, meant: Meant, digits: Digits, token: Token, now: UnixMillis) -> &Window {
        self.opened += 1;
        self.open.insert(Window { id: self.opened, meant, digits, token, opened_at: now, tries: 0 })
    }

    /// Closes a window, unless it is closed already.
    pub fn close(&mut self, id: WindowId) {
        self.open.take_if(|window| window.id == id);
    }

    /// The window that is open.
    pub fn current(&mut self, now: UnixMillis) -> Option<&Window> {
        self.open.take_if(|window| now.since(window.opened_at) >= TOKEN_LASTS);
        self.open.as_ref()
    }

    /// Takes one of the tries, whatever comes of it.
    pub fn take_try(&mut self, now: UnixMillis) -> Result<(WindowId, Digits), Shut> {
        self.current(now).ok_or(Shut::Closed)?;
        let window = self.open.as_mut().ok_or(Shut::Closed)?;
        if window.tries >= TRIES || now.since(window.opened_at) >= DIGITS_LAST {
            return Err(Shut::UsedUp);
        }
        window.tries += 1;
        Ok((window.id, window.digits))
    }

    /// Whoever shows the token closes the window and is let in.
    pub fn take_by_token(&mut self, shown: &[u8], now: UnixMillis) -> Result<Window, Shut> {
        let window = self.current(now).ok_or(Shut::Closed)?;
        let is_right: bool = window.token.0.as_slice().ct_eq(shown).into();
        if is_right { self.open.take().ok_or(Shut::Closed) } else { Err(Shut::Wrong) }
    }

    /// Whoever has proven to know the digits of a window closes it and is let in.
    pub fn take_by_digits(&mut self, id: WindowId, now: UnixMillis) -> Result<Window, Shut> {
        let window = self.current(now).filter(|window| window.id == id).ok_or(Shut::Closed)?;
        if now.since(window.opened_at) >= DIGITS_LAST {
            return Err(Shut::UsedUp);
        }
        self.open.take().ok_or(Shut::Closed)
    }

    /// Puts back a window whose player could not be saved, unless another was opened since.
    pub fn put_back(&mut self, window: Window) {
        self.open.get_or_insert(window);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixMillis = UnixMillis(1_795_348_800_000);
    const TOKEN: Token = Token([7; 16]);

    fn open(windows: &mut Windows) -> WindowId {
        windows.open(Meant::default(), Digits(*b"12345678"), TOKEN, NOON).id
    }

    #[test]
    fn nobody_comes_in_before_a_window_is_open() {
        let mut windows = Windows::default();
        assert_eq!(windows.take_try(NOON).unwrap_err(), Shut::Closed);
        assert_eq!(windows.take_by_token(&TOKEN.0, NOON).unwrap_err(), Shut::Closed);
    }

    #[test]
    fn the_token_is_good_once() {
        let mut windows = Windows::default();
        open(&mut windows);
        assert_eq!(windows.take_by_token(&[8; 16], NOON).unwrap_err(), Shut::Wrong);
        assert_eq!(windows.take_by_token(&[], NOON).unwrap_err(), Shut::Wrong);
        windows.take_by_token(&TOKEN.0, NOON).unwrap();
        assert_eq!(windows.take_by_token(&TOKEN.0, NOON).unwrap_err(), Shut::Closed);
        assert_eq!(windows.take_try(NOON).unwrap_err(), Shut::Closed);
    }

    #[test]
    fn five_tries_and_no_more_and_the_token_is_good_after_them() {
        let mut windows = Windows::default();
        let id = open(&mut windows);
        for _ in 0..TRIES {
            assert_eq!(windows.take_try(NOON).unwrap(), (id, Digits(*b"12345678")));
        }
        assert_eq!(windows.take_try(NOON).unwrap_err(), Shut::UsedUp);
        windows.take_by_token(&TOKEN.0, NOON).unwrap();
    }

    #[test]
    fn digits_last_five_minutes_and_the_window_ten() {
        let mut windows = Windows::default();
        let id = open(&mut windows);
        let late = NOON + DIGITS_LAST;
        windows.take_try(late - Duration::from_millis(1)).unwrap();
        assert_eq!(windows.take_try(late).unwrap_err(), Shut::UsedUp);
        assert_eq!(windows.take_by_digits(id, late).unwrap_err(), Shut::UsedUp, "also for who began in time");
        let end = NOON + TOKEN_LASTS;
        assert!(windows.current(end - Duration::from_millis(1)).is_some());
        assert_eq!(windows.take_by_token(&TOKEN.0, end).unwrap_err(), Shut::Closed);
        assert!(windows.current(NOON).is_none(), "it does not open again by itself");
    }

    #[test]
    fn a_newer_window_closes_the_older_with_everything_that_was_begun_in_it() {
        let mut windows = Windows::default();
        let first = open(&mut windows);
        windows.take_try(NOON).unwrap();
        let second = windows.open(Meant::default(), Digits(*b"87654321"), Token([9; 16]), NOON).id;
        assert_eq!(windows.take_by_digits(first, NOON).unwrap_err(), Shut::Closed);
        assert_eq!(windows.take_by_token(&TOKEN.0, NOON).unwrap_err(), Shut::Wrong);
        windows.close(first);
        assert_eq!(windows.current(NOON).map(|window| (window.id, window.tries)), Some((second, 0)));
        windows.close(second);
        assert!(windows.current(NOON).is_none());
    }

    #[test]
    fn a_window_whose_player_could_not_be_saved_is_put_back_unless_another_is_open() {
        let mut windows = Windows::default();
        let id = open(&mut windows);
        windows.take_try(NOON).unwrap();
        let taken = windows.take_by_digits(id, NOON).unwrap();
        windows.put_back(taken.clone());
        assert_eq!(windows.current(NOON).map(|window| (window.id, window.tries)), Some((id, 1)));
        let newer = open(&mut windows);
        windows.put_back(taken);
        assert_eq!(windows.current(NOON).map(|window| window.id), Some(newer));
    }

    #[test]
    fn digits_are_eight_and_shown_in_halves() {
        assert_eq!(Digits::from_chance(42_u64.to_le_bytes()).to_show(), "0000 0042");
        assert_eq!(Digits::from_chance(123_456_789_u64.to_le_bytes()).to_show(), "2345 6789");
        assert_eq!(Digits::read("00000042"), Some(Digits::from_chance(42_u64.to_le_bytes())));
        for wrong in ["", "0000 042", "0000004", "000000042", "0000004x"] {
            assert_eq!(Digits::read(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{:?} {TOKEN:?}", Digits(*b"12345678")), "Digits(..) Token(..)");
    }
}
