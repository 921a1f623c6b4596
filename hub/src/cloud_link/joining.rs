//! How a hub comes to its cloud, and leaves it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use roomtone_schema::id::Id as _;
use roomtone_schema::{Clock, HubId, SystemClock, UnixMillis};
use roomtone_sync::credential::{SigningKey, enrolment_text, rotation_text};
use roomtone_sync::transport::{Address, Client, Internet, NoAddress, NoAnswer};
use roomtone_sync::wire::{EnrolAnswer, EnrolAsk, ProblemCode, RotateAnswer, RotateAsk};
use serde_bytes::ByteArray;
use uuid::Uuid;

use super::enrolment::{forget_key, next_key, read_key};
use super::{Enrolment, KeyTrouble, SOFTWARE};
use crate::hub::{Hub, Inner};
use crate::locks::{reading, writing};
use crate::store::{StoreError, hub_state, link, songs};

/// Where codes are traded.
const ENROL: &str = "/v1/hubs/enrol";

/// Where a key is changed.
const ROTATE: &str = "/v1/hubs/rotate";

/// So many songs are read back in one question.
const READ_AT_ONCE: u32 = 2_000;

/// Why a hub did not come to its cloud, or leave it.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Not an address.
    #[error(transparent)]
    NoAddress(#[from] NoAddress),
    /// Everybody could read along.
    #[error("the cloud's address must begin with https:// (http:// is for a cloud on this machine)")]
    Plain,
    /// The cloud does not know the code.
    #[error("the cloud does not know this code; it is good once and for a short time only")]
    Code,
    /// The cloud did not answer, or refused.
    #[error(transparent)]
    NoAnswer(NoAnswer),
    /// The key could not be kept.
    #[error(transparent)]
    Key(#[from] KeyTrouble),
    /// There is nothing to leave.
    #[error("this hub has no cloud")]
    NotEnrolled,
    /// Ours.
    #[error("it could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Hub {
    /// Who this hub is at the cloud, where it has one.
    pub fn enrolment(&self) -> Option<Enrolment> {
        reading(&self.0.enrolment).clone()
    }

    /// The cloud's time, as far as it is known.
    pub fn cloud_now(&self) -> UnixMillis {
        self.0.cloud_time()
    }

    /// The keys by which check-in tickets are known, newest first; none where this hub never heard from a cloud.
    pub fn ticket_keys(&self) -> Vec<[u8; 32]> {
        reading(&self.0.ticket_keys).clone()
    }

    /// Trades a code for a place at the cloud. What the hub has gathered so far goes there; a code of another venue or
    /// organisation makes it forget what the one before has told.
    pub async fn enrol(&self, url: &str, code: &str) -> Result<Enrolment, EnrolError> {
        let address = checked(url)?;
        let key = next_key(&self.0.data, &format!("enrol\0{url}\0{code}"))?;
        let public_key = key.public();
        let ask = EnrolAsk {
            code: code.to_owned(),
            public_key: ByteArray::new(public_key),
            proof: ByteArray::new(key.sign(&enrolment_text(code, &public_key))),
            software: SOFTWARE.to_owned(),
        };
        // Nobody's name: the code alone speaks here.
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let nobody = HubId::from_uuid(Uuid::nil());
        let client = Client::new(Internet::new(), address, nobody, Arc::new(key), clock);
        let answer: EnrolAnswer = client.ask(ENROL, &ask).await.map_err(refused)?;
        let enrolment = Enrolment::new(url.trim_end_matches('/'), answer, public_key);
        let (inner, kept) = (Arc::clone(&self.0), enrolment.clone());
        self.0.whole(async move { inner.join(kept).await }).await?;
        Ok(enrolment)
    }

    /// Changes the key that this hub shows to its cloud (at `url`, where it is another than it enrolled at): the one that it
    /// has vouches for the new one, and is void as soon as the new one is used. Whether that is known to have been.
    pub async fn rotate_key(&self, url: &str) -> Result<bool, EnrolError> {
        let (enrolment, before) = self.0.credential()?.ok_or(EnrolError::NotEnrolled)?;
        let url = if url.is_empty() { &enrolment.url } else { url };
        let (address, hub) = (checked(url)?, enrolment.hub);
        let key = next_key(&self.0.data, &format!("rotate\0{hub}"))?;
        let public_key = key.public();
        let ask = RotateAsk {
            public_key: ByteArray::new(public_key),
            proof: ByteArray::new(key.sign(&rotation_text(hub, &public_key))),
        };
        let line = |key: SigningKey| {
            Client::new(Internet::new(), address.clone(), hub, Arc::new(key), self.0.clock.source())
        };
        let _: RotateAnswer = line(before).ask(ROTATE, &ask).await.map_err(EnrolError::NoAnswer)?;
        let kept = Enrolment { public_key: Some(public_key), ..enrolment };
        let inner = Arc::clone(&self.0);
        self.0.whole(async move { inner.join(kept).await }).await?;
        // By being used once it makes the one before void. Where this is not heard, the next question does it.
        let used: Result<RotateAnswer, NoAnswer> = line(key).ask(ROTATE, &ask).await;
        Ok(used.is_ok_and(|answer| !answer.pending))
    }

    /// Leaves the cloud: what came from there is withdrawn, what was made here stays.
    pub async fn unenrol(&self) -> Result<Enrolment, EnrolError> {
        let before = self.enrolment().ok_or(EnrolError::NotEnrolled)?;
        let inner = Arc::clone(&self.0);
        self.0.whole(async move { inner.part().await }).await?;
        Ok(before)
    }
}

impl Inner {
    /// See [`Hub::cloud_now`].
    pub(crate) fn cloud_time(&self) -> UnixMillis {
        let ahead = self.cloud_ahead_ms.load(Ordering::Relaxed);
        UnixMillis(self.store.stamp().wall_ms.saturating_add(ahead))
    }

    async fn join(self: &Arc<Self>, enrolment: Enrolment) -> Result<(), EnrolError> {
        let before = reading(&self.enrolment).clone();
        let is_other = before.is_some_and(|before| before.hub != enrolment.hub);
        let kept = enrolment.clone();
        let work = move |tx: &crate::store::Tx<'_>| {
            if is_other {
                link::forget(tx)?;
            }
            kept.keep(tx)
        };
        // From here on the new key counts, whatever happens to this program.
        self.store.write(work).await?;
        read_key(&self.data, enrolment.public_key)?;
        if is_other {
            self.read_all_songs().await?;
            self.take_settings().await?;
        }
        self.show_enrolment(Some(enrolment));
        Ok(())
    }

    async fn part(self: &Arc<Self>) -> Result<(), EnrolError> {
        self.store.write(link::forget).await?;
        forget_key(&self.data)?;
        self.show_enrolment(None);
        self.take_settings().await?;
        Ok(self.read_all_songs().await?)
    }

    fn show_enrolment(&self, enrolment: Option<Enrolment>) {
        let is_enrolled = enrolment.is_some();
        *writing(&self.enrolment) = enrolment;
        self.sync_status.send_modify(|shown| {
            let mut status = super::unlinked(shown);
            status.enrolled = is_enrolled;
            *shown = Arc::new(status);
        });
        self.joined.send_modify(|changes| *changes += 1);
    }

    async fn read_all_songs(self: &Arc<Self>) -> Result<(), StoreError> {
        let inner = Arc::clone(self);
        let read = move || {
            let mut after = None;
            loop {
                let page = inner.store.read_blocking(move |conn| songs::page(conn, after, READ_AT_ONCE))?;
                let Some(last) = page.last() else { break };
                after = Some(last.song.id);
                inner.library.take_in(page);
            }
            inner.mark_library_stale();
            Ok(())
        };
        tokio::task::spawn_blocking(read).await.unwrap_or(Err(StoreError::Panicked))
    }

    /// Who this hub is and with what it shows that; `None` where it has no cloud.
    pub(super) fn credential(&self) -> Result<Option<(Enrolment, SigningKey)>, KeyTrouble> {
        let Some(enrolment) = reading(&self.enrolment).clone() else { return Ok(None) };
        let key = read_key(&self.data, enrolment.public_key)?;
        Ok(Some((enrolment, key)))
    }

    /// Writes down the keys by which check-in tickets are known.
    pub(super) fn keep_ticket_keys(
        &self,
        keys: &[[u8; 32]],
    ) -> impl Future<Output = Result<(), StoreError>> + use<> {
        let (store, bytes) = (self.store.clone(), keys.concat());
        async move { store.write(move |tx| hub_state::put(tx, hub_state::TICKET_KEYS, &bytes)).await }
    }
}

/// An address of a cloud that a key may be shown to.
fn checked(url: &str) -> Result<Address, EnrolError> {
    let address = Address::parse(url)?;
    let is_here = address.host == "localhost"
        || address.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if address.is_secure || is_here { Ok(address) } else { Err(EnrolError::Plain) }
}

fn refused(error: NoAnswer) -> EnrolError {
    match error {
        NoAnswer::Refused(problem) if problem.code == ProblemCode::Code => EnrolError::Code,
        other => EnrolError::NoAnswer(other),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://cloud.example", true)]
    #[case("http://localhost:8080", true)]
    #[case("http://[::1]:8080", true)]
    #[case("http://127.0.0.1", true)]
    #[case("http://cloud.example", false)]
    #[case("http://localhost.example", false)]
    fn a_key_is_shown_to_a_cloud_that_nobody_can_pretend_to_be(#[case] url: &str, #[case] good: bool) {
        assert_eq!(checked(url).is_ok(), good, "{url}");
    }
}
