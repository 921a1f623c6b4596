//! Who somebody is: a token of the project's Auth, verified by its published keys ([`keys`], [`token`]).
//!
//! A token proves an account and nothing else. What the account may do is read from the database for each request, in
//! transactions in its name; so what is taken from somebody is gone at once. What is absent: sessions, cookies and
//! passwords, which are Auth's, and any role that a token claims.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use roomtone_schema::{Clock, UserId};
use roomtone_server::caller::{Caller, Gate};
use roomtone_server::lease::Lease;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::bus::{Bus, Topic};
use crate::config::AuthSection;
use crate::database::Database;
use crate::store::profiles;

pub mod crypto;
pub mod keys;
pub mod leases;
pub mod token;

use keys::Keys;
use leases::Leases;
use token::{Identity, Key, No, Rules, Shown};

/// For how long an account that was found is not looked for again: one that is deleted is out after it.
const KNOWN_FOR: Duration = Duration::from_mins(1);

/// Accounts that are remembered so; more than that are forgotten together.
const REMEMBERED: usize = 100_000;

/// How often it is looked which leases have ended.
const SWEEP: Duration = Duration::from_millis(500);

/// Lets people in. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gatekeeper(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    rules: Rules,
    keys: Keys,
    database: Database,
    leases: Leases,
    clock: Arc<dyn Clock>,
    /// When an account was last found, by the monotonic clock.
    known: Mutex<HashMap<UserId, i64>>,
    admitted: AtomicU64,
    refused: [AtomicU64; No::ALL.len()],
}

impl Parts {
    fn known(&self) -> MutexGuard<'_, HashMap<UserId, i64>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key that a token is to be verified with, where it is here: the published one that it names, else the project's
    /// shared secret where the token is of its kind, else the only one that is published.
    fn held(&self, shown: &Shown) -> Option<Key> {
        let named = shown.key_id().and_then(|id| self.keys.find(Some(id)));
        let shared = || self.rules.shared_key(shown).cloned();
        let only = || shown.key_id().is_none().then(|| self.keys.find(None)).flatten();
        named.or_else(shared).or_else(only)
    }
}

impl Gatekeeper {
    /// A gate that believes whom `settings` names.
    ///
    /// # Errors
    /// Where no HTTPS client can be made.
    pub fn new(settings: &AuthSection, database: Database, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        crypto::install();
        Ok(Self(Arc::new(Parts {
            rules: Rules::new(settings),
            keys: Keys::new(settings.jwks_url(), Arc::clone(&clock))?,
            database,
            leases: Leases::default(),
            clock,
            known: Mutex::default(),
            admitted: AtomicU64::new(0),
            refused: Default::default(),
        })))
    }

    /// The keys that tokens are verified with.
    pub fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// How many were let in, and how many were not, by reason.
    pub fn counts(&self) -> (u64, Vec<(&'static str, u64)>) {
        let refused = No::ALL.iter().zip(&self.0.refused);
        let refused = refused.map(|(no, count)| (no.name(), count.load(Ordering::Relaxed))).collect();
        (self.0.admitted.load(Ordering::Relaxed), refused)
    }

    /// Keeps the keys fresh until `stop`.
    ///
    /// # Errors
    /// None: keys that cannot be had are asked for again.
    pub async fn keep_keys(self, stop: CancellationToken) -> anyhow::Result<()> {
        stop.run_until_cancelled(self.0.keys.refresh()).await;
        Ok(())
    }

    /// Ends leases with their tokens and accounts, until `stop`.
    ///
    /// # Errors
    /// Where there is no bus any more.
    pub async fn keep_leases(self, bus: Bus, stop: CancellationToken) -> anyhow::Result<()> {
        stop.run_until_cancelled(self.watch(&bus)).await.unwrap_or(Ok(()))
    }

    async fn watch(&self, bus: &Bus) -> anyhow::Result<()> {
        let (mut told, mut every) = (bus.everything(), tokio::time::interval(SWEEP));
        loop {
            tokio::select! {
                _ = every.tick() => self.0.leases.end_due(self.0.clock.wall()),
                news = told.recv() => match news {
                    Ok(Some(Topic::User(user))) => self.look_again(user).await,
                    Ok(Some(_)) => {}
                    // Something may have been missed: each account is looked for again when it is next seen.
                    Ok(None) | Err(RecvError::Lagged(_)) => self.0.known().clear(),
                    Err(RecvError::Closed) => anyhow::bail!("the bus is gone"),
                }
            }
        }
    }

    /// Something has changed about somebody. What they may do is read for each answer anyhow, and what they watch is read
    /// again; where the account itself is gone, they go.
    async fn look_again(&self, user: UserId) {
        self.0.known().remove(&user);
        if self.0.leases.has(user) && !self.knows(user).await {
            self.0.leases.end_of(user);
        }
    }

    async fn verify(&self, token: &str) -> Result<Identity, No> {
        let parts = &self.0;
        let shown = token::read(token)?;
        let now = parts.clock.wall();
        if let Some(key) = parts.held(&shown) {
            return parts.rules.verify(token, &key, now);
        }
        // Nobody is asked for the key of a token that could not be good with any.
        parts.rules.is_worth_asking(token, now)?;
        let key = parts.keys.ask(shown.key_id()).await.ok_or(No::UnknownKey)?;
        parts.rules.verify(token, &key, now)
    }

    /// Whether there is such an account; makes its profile where there is none yet.
    async fn knows(&self, user: UserId) -> bool {
        let parts = &self.0;
        let now = parts.clock.monotonic_ms();
        let fresh = |at: &i64| now.saturating_sub(*at) < KNOWN_FOR.as_millis() as i64;
        if parts.known().get(&user).is_some_and(fresh) {
            return true;
        }
        match self.look_up(user).await {
            Ok(true) => {
                let mut known = parts.known();
                if known.len() >= REMEMBERED {
                    known.clear();
                }
                known.insert(user, now);
                true
            }
            Ok(false) => false,
            Err(error) => {
                // The token is good: what fails is ours, and the request will say so.
                tracing::warn!(user.id = %user, "could not look for the profile of an account: {error}");
                true
            }
        }
    }

    async fn look_up(&self, user: UserId) -> sqlx::Result<bool> {
        let mut work = self.0.database.as_user(user).await?;
        let known = profiles::ensure(&mut work, user).await?;
        work.commit().await?;
        Ok(known)
    }

    fn refuse(&self, no: No) -> Caller {
        if let Some(count) = self.0.refused.get(no as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        tracing::debug!("a token was refused: {no}");
        Caller::Unknown
    }
}

impl Gate for Gatekeeper {
    async fn admit(&self, token: Option<&str>) -> Caller {
        let Some(token) = token else { return Caller::Anonymous };
        match self.verify(token).await {
            Ok(identity) if self.knows(identity.user).await => {
                self.0.admitted.fetch_add(1, Ordering::Relaxed);
                Caller::User(identity.user)
            }
            Ok(_) => self.refuse(No::NoAccount),
            Err(no) => self.refuse(no),
        }
    }

    /// A token whose key is not known yet has a lease without end; it is looked at again within a minute.
    fn lease(&self, token: Option<&str>) -> Lease {
        let parts = &self.0;
        let identity = token.and_then(|token| {
            let shown = token::read(token).ok()?;
            parts.rules.verify(token, &parts.held(&shown)?, parts.clock.wall()).ok()
        });
        identity.map_or_else(Lease::endless, |identity| parts.leases.of(identity))
    }
}
