//! Who sends a request, as far as its transport can tell.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_graphql::{Context, ContextBase};
use roomtone_schema::view::Viewer;
use roomtone_schema::{PlayerId, UserId};

use crate::lease::Lease;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Showed nothing.
    Anonymous,
    /// Showed a token that was good once, and whose: the room may be looked at, nothing may be changed. What was
    /// answered before may be asked for again.
    Expired(Viewer),
    /// Showed a token that nobody here gave out; may look, too.
    Unknown,
    /// A listener who is checked in.
    Listener(Viewer),
    /// A box with a loudspeaker.
    Player(PlayerId),
    /// Whoever runs the venue: on a hub, who has its manager's token.
    Manager,
    /// Somebody with an account. What they may do is looked up for each request.
    User(UserId),
}

/// Where a request comes from, for what check-in needs to know.
#[derive(Debug, Clone, Default)]
pub struct Visit {
    /// The device's cookie.
    pub device_cookie: Option<String>,
    /// The other end of the connection.
    pub address: Option<IpAddr>,
    /// Whether it was asked on the machine itself, by a name of the machine itself.
    pub local: bool,
    /// Whether it came over TLS, so that nobody else on the network has read it.
    pub secure: bool,
}

/// What callers have in common, as coarsely as it can be told: those of one class may share what is the same for
/// everybody. A guard at the root of a shared subscription asks for this, and for nothing finer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Showed nothing, or nothing that holds.
    Anonymous,
    /// Is checked in.
    Listener,
    /// Plays music.
    Player,
    /// Runs the venue.
    Manager,
    /// Has an account.
    User,
}

impl Caller {
    /// The class of this caller.
    pub fn class(self) -> Class {
        match self {
            Self::Anonymous | Self::Expired(_) | Self::Unknown => Class::Anonymous,
            Self::Listener(_) => Class::Listener,
            Self::Player(_) => Class::Player,
            Self::Manager => Class::Manager,
            Self::User(_) => Class::User,
        }
    }
}

/// Who asks, as resolvers get to know it: one caller, or everybody of a class at once.
///
/// Resolvers reach the caller by these functions alone, so whatever reads the viewer can be told to have done so.
#[derive(Debug, Clone)]
pub struct Asker(Who);

#[derive(Debug, Clone)]
enum Who {
    One(Caller, Visit),
    /// The answer goes to many: nobody in particular asks, and whoever wants to know is counted.
    Everybody(Class, Arc<AtomicUsize>),
}

impl Asker {
    /// One caller.
    pub fn one(caller: Caller, visit: Visit) -> Self {
        Self(Who::One(caller, visit))
    }

    /// Everybody of a class; `asked` counts how often a resolver wanted to know who asks all the same.
    pub fn everybody(class: Class, asked: Arc<AtomicUsize>) -> Self {
        Self(Who::Everybody(class, asked))
    }

    /// Who asks; nobody where the answer goes to many.
    pub fn caller<T>(ctx: &ContextBase<'_, T>) -> Caller {
        match Self::who(ctx) {
            Some(Who::One(caller, _)) => *caller,
            Some(Who::Everybody(_, asked)) => {
                asked.fetch_add(1, Ordering::Relaxed);
                Caller::Anonymous
            }
            None => Caller::Anonymous,
        }
    }

    /// Where the request comes from; nowhere where the answer goes to many.
    pub fn visit(ctx: &Context<'_>) -> Visit {
        match Self::who(ctx) {
            Some(Who::One(_, visit)) => visit.clone(),
            Some(Who::Everybody(_, asked)) => {
                asked.fetch_add(1, Ordering::Relaxed);
                Visit::default()
            }
            None => Visit::default(),
        }
    }

    /// The class of whoever asks, which a shared answer may depend on.
    pub fn class(ctx: &Context<'_>) -> Class {
        match Self::who(ctx) {
            Some(Who::One(caller, _)) => caller.class(),
            Some(Who::Everybody(class, _)) => *class,
            None => Class::Anonymous,
        }
    }

    fn who<'a, T>(ctx: &ContextBase<'a, T>) -> Option<&'a Who> {
        ctx.data_opt::<Self>().map(|asker| &asker.0)
    }
}

/// The name of the cookie by which a hub knows a phone again.
pub const DEVICE_COOKIE: &str = "roomtone_device";

/// Who may come in: the one thing that the transports ask of the server behind them.
pub trait Gate: Clone + Send + Sync + 'static {
    /// Who holds this token. Asking is a sign of life, so a socket asks again while its other end answers.
    fn admit(&self, token: Option<&str>) -> impl Future<Output = Caller> + Send;

    /// For how long this token opens anything: ends in the moment in which the session behind it ends or the token is
    /// revoked. Where it opens nothing, the lease has no end. Asking is no sign of life.
    fn lease(&self, token: Option<&str>) -> Lease;
}

/// The token of an `Authorization: Bearer <token>` value.
pub fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
}

/// The value of one cookie of a `Cookie` header.
pub fn cookie<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|pair| pair.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_read_whatever_the_case_of_its_scheme() {
        assert_eq!(bearer("bearer abc"), Some("abc"));
        assert_eq!(bearer("Bearer  abc "), Some("abc"));
    }

    #[test]
    fn what_is_no_bearer_token_is_none() {
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearer "), None);
        assert_eq!(bearer("abc"), None);
    }

    #[test]
    fn a_cookie_is_found_between_others() {
        assert_eq!(cookie("a=1; roomtone_device=xyz; b=2", DEVICE_COOKIE), Some("xyz"));
        assert_eq!(cookie("a=1", DEVICE_COOKIE), None);
    }
}
