//! Letting a player in: a window that is open for as long as somebody watches it.

use std::fmt::{self, Write as _};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{Reply, zone_named};
use crate::address;
use crate::hub::Hub;
use crate::pairing::desk::Shown;
use crate::pairing::{Meant, WindowId};
use crate::service::Place;
use crate::tls::Secure;
use crate::trouble::Trouble;

/// Addresses in one code: it has to stay small enough for a terminal, and a player finds the others by mDNS.
const ADDRESSES: usize = 2;

/// A window as it is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairingCode {
    /// For a player that can be given the whole of it.
    pub uri: String,
    /// For one on which it is typed, in two halves.
    pub digits: String,
    /// The name that the player gets, where one is meant.
    pub name: Option<String>,
    /// For how many seconds the digits are good.
    pub digits_for_s: u64,
    /// For how many seconds the code is.
    pub code_for_s: u64,
    /// Guesses that are left.
    pub tries_left: u8,
}

impl fmt::Debug for PairingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PairingCode").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A window as its opener shows it.
pub fn code(hub: &Hub, secure: &Secure, shown: &Shown) -> PairingCode {
    PairingCode {
        uri: uri(hub, secure, shown),
        digits: shown.digits.to_show(),
        name: shown.meant.name.clone(),
        digits_for_s: shown.digits_for.as_secs(),
        code_for_s: shown.token_for.as_secs(),
        tries_left: shown.tries_left,
    }
}

fn uri(hub: &Hub, secure: &Secure, shown: &Shown) -> String {
    let addresses = secure.listening.iter().flat_map(|listen| address::to_tell(*listen, ADDRESSES));
    let mut uri = "roomtone://pair?".to_owned();
    for address in addresses.take(ADDRESSES) {
        let _ = write!(uri, "hub={address}&");
    }
    let token = URL_SAFE_NO_PAD.encode(shown.token.0);
    let _ = write!(uri, "id={}&key={}&token={token}", hub.id(), secure.key.to_base64());
    uri
}

/// Closes its window when nobody watches it any more.
struct Watched<'a> {
    hub: &'a Hub,
    window: WindowId,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.hub.close_pairing(self.window);
    }
}

pub(super) async fn pair(
    hub: &Hub,
    place: &Place,
    name: Option<String>,
    zone: Option<&str>,
    replies: &mpsc::Sender<Reply>,
) -> Result<Reply, Trouble> {
    let Some(secure) = &place.secure else { return Err(no_hub()) };
    if let Some(name) = &name
        && crate::players::usable(name).is_none()
    {
        return Err(Trouble::harmless(
            "a player's name has 1 to 60 characters, all of them printable",
            "Choose another name.",
        ));
    }
    let zone = zone.map(|zone| zone_named(hub, Some(zone))).transpose()?;
    let mut news = hub.pairing_news();
    let shown = hub.open_pairing(Meant { name, zone });
    let watched = Watched { hub, window: shown.id };
    news.mark_unchanged();
    let _nobody_listens = replies.send(Reply::Pairing(code(hub, secure, &shown))).await;
    let told = tokio::time::timeout(shown.token_for, follow(news, &watched, shown.digits_for, replies)).await;
    told.unwrap_or_else(|_elapsed| Err(over("Nobody came in time.")))
}

async fn follow(
    mut news: tokio::sync::watch::Receiver<crate::pairing::desk::News>,
    watched: &Watched<'_>,
    digits_for: Duration,
    replies: &mpsc::Sender<Reply>,
) -> Result<Reply, Trouble> {
    let digits_end = tokio::time::sleep(digits_for);
    tokio::pin!(digits_end);
    let mut digits_hold = true;
    loop {
        tokio::select! {
            changed = news.changed() => {
                if changed.is_err() {
                    return Err(over("The hub stops."));
                }
            }
            () = &mut digits_end, if digits_hold => {
                digits_hold = false;
                let _nobody_listens = replies.send(Reply::DigitsOver).await;
                continue;
            }
            () = replies.closed() => return Err(over("Nobody watches any more.")),
        }
        let now = news.borrow_and_update().clone();
        if now.window != watched.window {
            return Err(over("Another pairing was begun meanwhile."));
        }
        if let Some(paired) = now.paired {
            let zone = watched.hub.zone(paired.zone).map_or_else(String::new, |zone| zone.name);
            return Ok(Reply::Paired { name: paired.name, zone });
        }
        if !now.is_open {
            return Err(over("The pairing was ended elsewhere."));
        }
        let _nobody_listens = replies.send(Reply::Tried { left: now.tries_left }).await;
    }
}

fn over(why: &str) -> Trouble {
    Trouble::harmless(why, "No player was let in; run `roomtone-hub pair` again.")
}

/// Where no hub runs, nobody could come in.
pub fn no_hub() -> Trouble {
    Trouble::harmless(
        "no hub is running on this data folder, so no player could come in",
        "Start it with `roomtone-hub serve`.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_not_shown_by_accident() {
        let code = PairingCode {
            uri: "roomtone://pair?token=abc".to_owned(),
            digits: "1234 5678".to_owned(),
            name: Some("bar".to_owned()),
            digits_for_s: 300,
            code_for_s: 600,
            tries_left: 5,
        };
        assert_eq!(format!("{code:?}"), "PairingCode { name: Some(\"bar\"), .. }");
    }
}
