//! How many connections may stay open at once: all together, and of one device.
//!
//! A device is known by its cookie, of which only a hash is kept while it is here. Whoever has no cookie (a player, a
//! phone before its first check-in) counts only for the whole. Addresses do not count: a room is one network.
//!
//! Where places are for staff ([`FrontSettings::sockets_for_guests`]), a place is taken once it is known who comes: a
//! player counts by its id, and few places are for everybody else.
//!
//! [`FrontSettings::sockets_for_guests`]: crate::front::FrontSettings::sockets_for_guests

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::ServerError;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::caller::{Caller, Visit};
use crate::front::{Front, error};

/// Who came too late comes back after this: what was lost without a goodbye is noticed within a minute.
pub(crate) const COME_BACK_S: &str = "10";

/// The places that are taken.
#[derive(Debug, Default)]
pub(crate) struct Places {
    taken: Arc<AtomicUsize>,
    /// Of these, by guests, where they are counted.
    guests: AtomicUsize,
    devices: Mutex<HashMap<u64, usize>>,
    hasher: RandomState,
}

impl Places {
    /// How many are taken, as it changes.
    pub(crate) fn taken(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.taken)
    }
}

/// A place for one connection; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    /// One device's, or one player's.
    device: Option<u64>,
    is_guests: bool,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// Everybody's places are taken.
    #[error("too many phones are connected; try again in a moment")]
    Everywhere,
    /// This device has enough.
    #[error("this device has {0} connections open already; close a page of it and try again")]
    Device(usize),
}

impl Place {
    /// Takes a place before it is known who comes; none yet where it matters who that is.
    pub(crate) fn for_anybody<E, G>(front: &Front<E, G>, visit: &Visit) -> Result<Option<Self>, Full> {
        if front.settings.sockets_for_guests.is_some() {
            return Ok(None);
        }
        Self::take(front, visit, Caller::Anonymous).map(Some)
    }

    /// The place of somebody who is known by now: the one that was taken, or one of those that are for them.
    pub(crate) fn settle<E, G>(
        taken: Option<Self>,
        front: &Front<E, G>,
        visit: &Visit,
        caller: Caller,
    ) -> Result<Self, Full> {
        taken.map_or_else(|| Self::take(front, visit, caller), Ok)
    }

    fn take<E, G>(front: &Front<E, G>, visit: &Visit, caller: Caller) -> Result<Self, Full> {
        let (places, settings) = (&front.places, &front.settings);
        // From here on a refusal gives back by dropping what was taken.
        let mut place = Self { places: Arc::clone(places), device: None, is_guests: false };
        if places.taken.fetch_add(1, Ordering::Relaxed) >= settings.sockets {
            return Err(Full::Everywhere);
        }
        let is_staff = matches!(caller, Caller::Player(_) | Caller::Manager | Caller::User(_));
        if let Some(most) = settings.sockets_for_guests.filter(|_| !is_staff) {
            place.is_guests = true;
            if places.guests.fetch_add(1, Ordering::Relaxed) >= most {
                return Err(Full::Everywhere);
            }
        }
        let device = match (caller, &visit.device_cookie) {
            (Caller::Player(player), _) => places.hasher.hash_one(player),
            (Caller::User(user), _) => places.hasher.hash_one(user),
            (_, Some(cookie)) => places.hasher.hash_one(cookie),
            (_, None) => return Ok(place),
        };
        let mut devices = places.devices.lock().unwrap_or_else(PoisonError::into_inner);
        let own = devices.entry(device).or_default();
        if *own >= settings.sockets_per_device {
            drop(devices);
            return Err(Full::Device(settings.sockets_per_device));
        }
        *own += 1;
        drop(devices);
        place.device = Some(device);
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken.fetch_sub(1, Ordering::Relaxed);
        if self.is_guests {
            self.places.guests.fetch_sub(1, Ordering::Relaxed);
        }
        let Some(device) = self.device else { return };
        let mut devices = self.places.devices.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut own) = devices.entry(device) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

impl Full {
    /// What programs are told.
    pub(crate) fn error(self) -> ServerError {
        error("RATE_LIMITED", &self.to_string())
    }

    /// The refusal's status.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Everywhere => StatusCode::SERVICE_UNAVAILABLE,
            Self::Device(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

impl IntoResponse for Full {
    fn into_response(self) -> Response {
        let head = [
            (RETRY_AFTER, COME_BACK_S),
            (CACHE_CONTROL, "no-store"),
            (CONTENT_TYPE, "application/graphql-response+json; charset=utf-8"),
        ];
        let body = json!({ "errors": [self.error()] }).to_string();
        (self.status(), head, Body::from(body)).into_response()
    }
}
