//! The manager's PIN, and who has shown it.
//!
//! A PIN is what a person can keep in mind, so it is short: it is kept as an argon2id hash, and wrong tries are slowed, by
//! where they come from and overall, also over a restart. What it opens is a session: a secret of 256 bits that lives in
//! memory alone, ends by itself, and ends at once when the PIN is changed or the hub is started anew.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use roomtone_schema::UnixMillis;
use subtle::ConstantTimeEq as _;

use crate::hub::{Hub, Inner};
use crate::limits::{Allowance, TooOften};
use crate::locks::locked;
use crate::secrets::{Hash, hash, new_token, random};
use crate::store::{StoreError, Tx, TxResult, hub_state, limits};

/// Fewer digits than that could be tried one by one within what the limits let through.
pub const SHORTEST_PIN: usize = 6;

/// More than anybody types; what is hashed has a bound.
pub const LONGEST_PIN: usize = 32;

/// After so long a session ends in any case: a shift, and some.
pub const SESSION: Duration = Duration::from_hours(12);

/// For so long after the start of a new hub its first PIN may be set by the setup code: whoever installs it is there.
pub const SETUP: Duration = Duration::from_hours(1);

/// Sessions at once; beyond that the oldest ends.
const SESSIONS: usize = 16;

/// What one look at a PIN costs: 19 MiB, twice over, in one lane, as OWASP has it. A small box takes a fraction of a
/// second for it, and one look is taken at a time.
const MEMORY_KIB: u32 = 19 * 1024;
const ROUNDS: u32 = 2;
const LANES: u32 = 1;

/// All tries together.
const OVERALL: &str = "pin";

/// Why a PIN was not taken as the new one.
#[derive(Debug, thiserror::Error)]
pub enum SetPinError {
    /// Not what a PIN is made of.
    #[error("a PIN has {SHORTEST_PIN} to {LONGEST_PIN} digits and nothing else")]
    NoPin,
    /// Among the first that anybody tries.
    #[error("this PIN is among the first that anybody would try; take one without such an order")]
    TooPlain,
    /// Not the code of this start, or there is a PIN by now.
    #[error(
        "this setup code opens nothing any more; start the hub again for another, or sign in with the manager's token, which \
         `roomtone-hub manager token` makes"
    )]
    SetupOver,
    /// Ours.
    #[error("the PIN could not be saved: {0}")]
    Store(#[from] StoreError),
    /// Ours.
    #[error("the PIN could not be hashed: {0}")]
    Hash(String),
}

/// Why somebody with a PIN was not let in.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// Nobody has set one.
    #[error(
        "no PIN is set yet: sign in with the manager's token and set one, or run `roomtone-hub manager pin` on the hub"
    )]
    NoneSet,
    /// Another one.
    #[error("this is not the PIN")]
    Wrong,
    /// Too many wrong ones.
    #[error("too many wrong PINs; try again in {retry_s} seconds, or sign in with the manager's token")]
    TooOften {
        /// When to try again.
        retry_s: u64,
    },
    /// Ours.
    #[error("the PIN could not be looked at: {0}")]
    Store(#[from] StoreError),
}

/// Who has shown the PIN, and what it is known by.
#[derive(Debug, Default)]
pub(crate) struct Managers {
    /// The argon2id hash in its usual form, `$argon2id$...`.
    pin: Mutex<Option<String>>,
    sessions: Mutex<Vec<Session>>,
    /// Held while a PIN is looked at: one at a time, so that a crowd of guesses costs the memory of one.
    trying: tokio::sync::Mutex<()>,
    /// Wrong ones since the right one was shown last.
    wrong: Mutex<u32>,
    /// What sets the first PIN, and until when: kept nowhere else, and gone with the first PIN.
    setup: Mutex<Option<(Hash, UnixMillis)>>,
}

#[derive(Debug)]
struct Session {
    hash: Hash,
    until: UnixMillis,
    /// Wrong PINs that were shown before this one.
    wrong_before: u32,
}

impl Managers {
    pub(crate) fn new(pin: Option<String>) -> Self {
        Self { pin: Mutex::new(pin), ..Self::default() }
    }

    /// There is another way in.
    pub(crate) fn close_setup(&self) {
        *locked(&self.setup) = None;
    }
}

/// A manager who has shown the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedIn {
    /// When the session ends.
    pub until: UnixMillis,
    /// Wrong PINs that were shown before.
    pub wrong_before: u32,
}

/// What somebody has typed, as the PIN that it may be: blanks and dashes between the digits say nothing.
///
/// # Errors
/// [`SetPinError`] where it is none, or one that everybody would try.
pub fn new_pin(typed: &str) -> Result<String, SetPinError> {
    let pin = plain(typed);
    let digits: Vec<i16> = pin.bytes().map(|digit| i16::from(digit) - i16::from(b'0')).collect();
    if digits.iter().any(|digit| !(0..10).contains(digit))
        || !(SHORTEST_PIN..=LONGEST_PIN).contains(&digits.len())
    {
        return Err(SetPinError::NoPin);
    }
    let step = digits[1] - digits[0];
    if (-1..=1).contains(&step) && digits.windows(2).all(|pair| pair[1] - pair[0] == step) {
        return Err(SetPinError::TooPlain);
    }
    Ok(pin)
}

fn plain(typed: &str) -> String {
    typed.chars().filter(|character| !character.is_whitespace() && *character != '-').collect()
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, ROUNDS, LANES, None).expect("these are within argon2's ranges");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hashed(pin: &str) -> Result<String, SetPinError> {
    let hashed = argon2().hash_password_with_salt(pin.as_bytes(), &random::<16>());
    hashed.map(|hashed| hashed.to_string()).map_err(|error| SetPinError::Hash(error.to_string()))
}

/// Whether this is the PIN of that hash. One that is no hash any more is nobody's.
fn is_of(pin: &str, known: &str) -> bool {
    PasswordHash::new(known).is_ok_and(|known| argon2().verify_password(pin.as_bytes(), &known).is_ok())
}

impl Hub {
    /// Whether there is a PIN.
    pub fn has_pin(&self) -> bool {
        locked(&self.0.managers.pin).is_some()
    }

    /// Makes this the PIN; every session of the one before ends.
    ///
    /// # Errors
    /// [`SetPinError`]; then the one before is still good.
    pub async fn set_pin(&self, typed: &str) -> Result<(), SetPinError> {
        let pin = new_pin(typed)?;
        let made = tokio::task::spawn_blocking(move || hashed(&pin)).await;
        let hashed = made.map_err(|broke| SetPinError::Hash(broke.to_string()))??;
        let inner = Arc::clone(&self.0);
        let work = async move {
            let _alone = inner.changing_secrets.lock().await;
            let kept = hashed.clone();
            inner.store.write(move |tx| hub_state::put(tx, hub_state::MANAGER_PIN, &kept)).await?;
            *locked(&inner.managers.pin) = Some(hashed);
            inner.managers.close_setup();
            locked(&inner.managers.sessions).clear();
            Ok(())
        };
        self.0.whole(work).await
    }

    /// A code that sets the first PIN within [`SETUP`], once; the one before is void. `None` where somebody has come in
    /// before: by a PIN, or by a manager's token.
    pub fn open_setup(&self) -> Option<String> {
        if self.has_pin() || self.has_manager_token() {
            return None;
        }
        let (code, hash) = new_token();
        *locked(&self.0.managers.setup) = Some((hash, self.now() + SETUP));
        Some(code)
    }

    /// Whether a setup code is good now.
    pub fn awaits_setup(&self) -> bool {
        let now = self.now();
        locked(&self.0.managers.setup).as_ref().is_some_and(|(_, until)| now < *until)
    }

    /// Makes this the first PIN, for whoever shows the setup code.
    ///
    /// # Errors
    /// [`SetPinError`]; a PIN that is refused leaves the code good.
    pub async fn set_up(&self, code: &str, typed: &str) -> Result<(), SetPinError> {
        new_pin(typed)?;
        let now = self.now();
        let shown = hash(code);
        let taken = locked(&self.0.managers.setup)
            .take_if(|(known, until)| now < *until && known.ct_eq(&shown).into());
        let setup = taken.ok_or(SetPinError::SetupOver)?;
        let set = self.set_pin(typed).await;
        if set.is_err() {
            *locked(&self.0.managers.setup) = Some(setup);
        }
        set
    }

    /// Lets somebody in who shows the PIN: gives the session's secret.
    ///
    /// # Errors
    /// [`PinError`].
    pub async fn sign_in_by_pin(&self, typed: &str, from: Option<IpAddr>) -> Result<String, PinError> {
        self.0.show_pin(typed, from).await?;
        let (token, hash) = new_token();
        let wrong_before = std::mem::take(&mut *locked(&self.0.managers.wrong));
        let now = self.now();
        let mut sessions = locked(&self.0.managers.sessions);
        sessions.retain(|session| session.until > now);
        if sessions.len() >= SESSIONS {
            sessions.remove(0);
        }
        sessions.push(Session { hash, until: now + SESSION, wrong_before });
        Ok(token)
    }

    /// Whether this is the PIN; wrong tries count as those of whoever signs in.
    ///
    /// # Errors
    /// [`PinError`].
    pub async fn check_pin(&self, typed: &str, from: Option<IpAddr>) -> Result<(), PinError> {
        self.0.show_pin(typed, from).await
    }

    /// The session of this secret, while it lasts.
    pub fn manager_session(&self, secret: &str) -> Option<SignedIn> {
        let (shown, now) = (hash(secret), self.now());
        let sessions = locked(&self.0.managers.sessions);
        let found = sessions.iter().find(|session| session.hash.ct_eq(&shown).into());
        let live = found.filter(|session| session.until > now);
        live.map(|session| SignedIn { until: session.until, wrong_before: session.wrong_before })
    }

    /// Ends the session of this secret.
    pub fn sign_out_manager(&self, secret: &str) {
        let shown = hash(secret);
        locked(&self.0.managers.sessions).retain(|session| !bool::from(session.hash.ct_eq(&shown)));
    }
}

impl Inner {
    /// A try is written down before it is looked at, and taken back where it was right: pulling the plug gives nobody
    /// another one.
    async fn show_pin(&self, typed: &str, from: Option<IpAddr>) -> Result<(), PinError> {
        let _one_at_a_time = self.managers.trying.lock().await;
        let Some(known) = locked(&self.managers.pin).clone() else { return Err(PinError::NoneSet) };
        let now = self.clock.now();
        let source =
            from.map_or_else(|| "pin of nobody".to_owned(), |from| format!("pin {}", self.address_key(from)));
        let wanted =
            [(source, self.limits.pins_from_one()), (OVERALL.to_owned(), self.limits.pins_overall())];
        let taken = self.store.write(move |tx| take_both(tx, &wanted, now)).await?;
        let before = taken.map_err(|refused| PinError::TooOften { retry_s: refused.retry_s() })?;
        let pin = plain(typed);
        let fits = pin.len() <= LONGEST_PIN;
        let looked = tokio::task::spawn_blocking(move || fits && is_of(&pin, &known)).await;
        if !looked.unwrap_or(false) {
            let mut wrong = locked(&self.managers.wrong);
            *wrong = wrong.saturating_add(1);
            tracing::warn!("a wrong PIN was shown at the manager's page ({wrong} since the right one)");
            return Err(PinError::Wrong);
        }
        let give_back = move |tx: &Tx<'_>| {
            before.iter().try_for_each(|(key, state)| limits::put(tx, key, state.unwrap_or(now)))
        };
        self.store.write(give_back).await?;
        Ok(())
    }
}

/// What each allowance was before one was taken.
type Before = Vec<(String, Option<UnixMillis>)>;

/// Takes one of each, or of none: who is slowed uses up nothing of what is for all.
fn take_both(
    tx: &Tx<'_>,
    wanted: &[(String, Allowance)],
    now: UnixMillis,
) -> TxResult<Result<Before, TooOften>> {
    let mut before = Vec::new();
    let mut after = Vec::new();
    for (key, allowance) in wanted {
        let state = limits::get(tx, key)?;
        match allowance.take(state, now) {
            Ok(next) => after.push((key, next)),
            Err(refused) => return Ok(Err(refused)),
        }
        before.push((key.clone(), state));
    }
    after.into_iter().try_for_each(|(key, next)| limits::put(tx, key, next))?;
    Ok(Ok(before))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("418 223", Some("418223"))]
    #[case("41-82-23-90", Some("41822390"))]
    #[case("41822", None)]
    #[case("41822a", None)]
    #[case("٤١٨٢٢٣", None)]
    #[case("000000", None)]
    #[case("123456", None)]
    #[case("987654", None)]
    #[case("135791", Some("135791"))]
    fn a_pin_has_six_digits_that_are_no_plain_row(#[case] typed: &str, #[case] taken: Option<&str>) {
        assert_eq!(new_pin(typed).ok().as_deref(), taken);
        assert!(new_pin(&"4182".repeat(9)).is_err());
    }

    #[test]
    fn the_hash_is_argon2id_and_salted() {
        let (first, second) = (hashed("418223").unwrap(), hashed("418223").unwrap());
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        assert_ne!(first, second);
        assert!(is_of("418223", &first) && !is_of("418224", &first) && !is_of("418223", "damaged"));
    }
}
