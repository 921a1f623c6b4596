//! Where players are let in: the one window of a hub, what was begun in it, and what its opener is shown.

use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roomtone_schema::player::Player;
use roomtone_schema::{PlayerId, UnixMillis, ZoneId};
use tokio::sync::watch;

use super::exchange::{self, Shared};
use super::{DIGITS_LAST, Digits, Meant, Shut, TOKEN_LASTS, TRIES, Token, Window, WindowId, Windows};
use crate::hub::Hub;
use crate::locks::locked;
use crate::players::{AddPlayerError, AddedPlayer};
use crate::secrets::random;
use crate::tls::HubKey;

/// The desk.
#[derive(Debug)]
pub struct Desk {
    state: Mutex<State>,
    /// What happened last; who waits at a window watches it.
    news: watch::Sender<News>,
}

#[derive(Debug, Default)]
struct State {
    windows: Windows,
    /// What was begun in the window that is open: at most as many as there are tries.
    attempts: Vec<Attempt>,
}

#[derive(Debug)]
struct Attempt {
    id: String,
    window: WindowId,
    name: String,
    shared: Shared,
}

/// What happened at the desk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// The newest window, open or not.
    pub window: WindowId,
    /// Whether it is open still.
    pub is_open: bool,
    /// Guesses at the digits that are left in it.
    pub tries_left: u8,
    /// The player that came in by it.
    pub paired: Option<Paired>,
}

/// A player that has come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paired {
    /// Which.
    pub player: PlayerId,
    /// What it is called.
    pub name: String,
    /// Where it plays.
    pub zone: ZoneId,
}

/// A window as its opener shows it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Which.
    pub id: WindowId,
    /// For whom.
    pub meant: Meant,
    /// What is typed.
    pub digits: Digits,
    /// What is scanned.
    pub token: Token,
    /// For how long the digits are good.
    pub digits_for: Duration,
    /// For how long the token is.
    pub token_for: Duration,
    /// Guesses that are left.
    pub tries_left: u8,
}

impl Default for Desk {
    fn default() -> Self {
        Self { state: Mutex::default(), news: watch::Sender::new(News::default()) }
    }
}

/// Why a player was not let in.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// The window says no.
    #[error("{0}")]
    Shut(#[from] Shut),
    /// It cannot be kept.
    #[error("{0}")]
    Player(#[from] AddPlayerError),
}

impl Hub {
    /// Opens a window for a player; one that was open is closed.
    pub fn open_pairing(&self, meant: Meant) -> Shown {
        self.open_pairing_with(meant, Digits::from_chance(random()), DIGITS_LAST)
    }

    /// The same with digits that the cloud has drawn, which are good for so long, and never for longer than our own.
    pub(crate) fn open_pairing_with(&self, meant: Meant, digits: Digits, left: Duration) -> Shown {
        let (now, desk) = (self.now(), &self.0.desk);
        let opened_at = UnixMillis(now.0 - DIGITS_LAST.saturating_sub(left).as_millis() as i64);
        let mut state = locked(&desk.state);
        state.attempts.clear();
        let window = state.windows.open(meant, digits, Token(random()), opened_at).clone();
        let shown = shown(&window, now);
        desk.news.send_replace(News { window: window.id, is_open: true, tries_left: TRIES, paired: None });
        drop(state);
        tracing::info!("a player may be paired now");
        shown
    }

    /// Closes a window, unless a newer one is open.
    pub fn close_pairing(&self, window: WindowId) {
        let desk = &self.0.desk;
        let mut state = locked(&desk.state);
        state.windows.close(window);
        state.attempts.retain(|attempt| attempt.window != window);
        desk.news.send_if_modified(|news| {
            let closes = news.window == window && news.is_open;
            news.is_open &= !closes;
            closes
        });
    }

    /// The window that is open.
    pub fn pairing(&self) -> Option<Shown> {
        let now = self.now();
        locked(&self.0.desk.state).windows.current(now).map(|window| shown(window, now))
    }

    /// What happens at the desk: the newest state, then every change.
    pub fn pairing_news(&self) -> watch::Receiver<News> {
        self.0.desk.news.subscribe()
    }

    /// Lets a player in that shows the token.
    pub async fn pair_by_token(&self, name: &str, token: &[u8]) -> Result<AddedPlayer, PairError> {
        check_name(name)?;
        let now = self.now();
        let window = locked(&self.0.desk.state).windows.take_by_token(token, now)?;
        self.let_in(name, window).await
    }

    /// Begins an exchange over the digits, which takes one of the tries: its number and the hub's message.
    pub fn begin_pairing(
        &self,
        name: &str,
        message: &[u8],
        key: HubKey,
    ) -> Result<(String, Vec<u8>), PairError> {
        check_name(name)?;
        let now = self.now();
        let (window, digits) = {
            let mut state = locked(&self.0.desk.state);
            let taken = state.windows.take_try(now)?;
            self.0.desk.news.send_if_modified(|news| {
                let counts = news.window == taken.0;
                news.tries_left = news.tries_left.saturating_sub(u8::from(counts));
                counts
            });
            taken
        };
        let (ours, shared) = exchange::answer(digits, key, message)?;
        let id = URL_SAFE_NO_PAD.encode(random::<16>());
        let attempt = Attempt { id: id.clone(), window, name: name.to_owned(), shared };
        locked(&self.0.desk.state).attempts.push(attempt);
        Ok((id, ours))
    }

    /// Lets a player in that proves to know the digits; each exchange can be proven once. Also the hub's own proof.
    pub async fn finish_pairing(
        &self,
        attempt: &str,
        proof: &[u8],
    ) -> Result<(AddedPlayer, Vec<u8>), PairError> {
        let now = self.now();
        let (name, window, hubs_proof) = {
            let mut state = locked(&self.0.desk.state);
            state.windows.current(now).ok_or(Shut::Closed)?;
            let place = state.attempts.iter().position(|known| known.id == attempt).ok_or(Shut::Wrong)?;
            let attempt = state.attempts.swap_remove(place);
            if !attempt.shared.is_proven_by(proof) {
                return Err(Shut::Wrong.into());
            }
            let window = state.windows.take_by_digits(attempt.window, now)?;
            (attempt.name, window, attempt.shared.hubs_proof())
        };
        Ok((self.let_in(&name, window).await?, hubs_proof))
    }

    /// A window that was taken is a player let in or open again, also where the player has gone meanwhile.
    async fn let_in(&self, name: &str, window: Window) -> Result<AddedPlayer, PairError> {
        let (hub, name) = (self.clone(), name.to_owned());
        self.0.whole(async move { hub.let_in_now(&name, window).await }).await
    }

    async fn let_in_now(&self, name: &str, window: Window) -> Result<AddedPlayer, PairError> {
        let added = self.0.pair_player(name, window.meant.name.as_deref(), window.meant.zone).await;
        let desk = &self.0.desk;
        let mut state = locked(&desk.state);
        match added {
            Ok(added) => {
                state.attempts.clear();
                let Player { id, name, zone, .. } = added.player.clone();
                let paired = Paired { player: id, name, zone };
                tracing::info!(player.name = paired.name, "the player {} was paired", paired.name);
                desk.news.send_if_modified(|news| {
                    let is_its = news.window == window.id;
                    if is_its {
                        (news.is_open, news.paired) = (false, Some(paired));
                    }
                    is_its
                });
                Ok(added)
            }
            Err(error) => {
                // Its opener may have closed it meanwhile.
                let is_shown = {
                    let news = desk.news.borrow();
                    news.window == window.id && news.is_open
                };
                if is_shown {
                    state.windows.put_back(window);
                }
                Err(error.into())
            }
        }
    }
}

/// A name that nobody could keep costs no try and closes nothing.
fn check_name(name: &str) -> Result<(), PairError> {
    crate::players::usable(name).map(drop).ok_or_else(|| AddPlayerError::BadName.into())
}

fn shown(window: &Window, now: UnixMillis) -> Shown {
    let open_for = now.since(window.opened_at);
    Shown {
        id: window.id,
        meant: window.meant.clone(),
        digits: window.digits,
        token: window.token,
        digits_for: DIGITS_LAST.saturating_sub(open_for),
        token_for: TOKEN_LASTS.saturating_sub(open_for),
        tries_left: TRIES.saturating_sub(window.tries),
    }
}

#[cfg(test)]
mod tests;
