//! Who may speak as a hub, in which epoch and from which number on. Pure: both databases of the cloud decide by it.
//!
//! A hub's facts are known by (epoch, number). An epoch is one life of its database: whoever may have given numbers to other
//! facts than those the cloud has (a backup that was put back, a copy on a second box) goes on in a new one. Facts carry ids
//! of their own, so what is told again in a new epoch is applied once.

use std::time::Duration;

use roomtone_schema::UnixMillis;
use serde_bytes::ByteArray;
use uuid::Uuid;

use crate::wire::{Hash, Hello, Problem, ProblemCode, Push, Standing};

/// For how long nobody else may speak as a hub after its last hello.
pub const LEASE: Duration = Duration::from_secs(90);

/// How often a hub says hello.
pub const HELLO_EVERY: Duration = Duration::from_secs(30);

/// A hub's place, as the cloud keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// The epoch that counts.
    pub epoch: i64,
    /// Which run of the hub holds it.
    pub instance: Uuid,
    /// Until when.
    pub lease_until: UnixMillis,
    /// Up to which number of this epoch everything is here.
    pub ack: i64,
    /// The chain's link at `ack`; unknown where an epoch began behind facts that nobody has any more.
    pub chain: Option<Hash>,
}

/// What a hello comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may push.
    pub standing: Standing,
    /// The hub's place from now on; as it was, where somebody is fenced.
    pub seat: Seat,
    /// From which number on the hub shall push: not beyond the seat's, where the hub has not heard of all of it. It pushes
    /// that again, and so proves that it is the same.
    pub ack: i64,
    /// Why it is as it is, where something is to be told to a person.
    pub news: Option<News>,
}

/// What a person should hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Two boxes speak as this hub.
    Duplicate,
    /// The hub lies elsewhere, and nobody else speaks as it.
    Moved,
    /// The hub was put back to an earlier state.
    Rewound,
    /// Its numbers were taken by other facts.
    Forked,
    /// The cloud was put back to an earlier state: it is told again what it had.
    CloudRestored,
    /// Facts were removed from the hub before the cloud had them.
    Missing,
}

impl News {
    /// Its word in tables and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Moved => "moved",
            Self::Rewound => "rewound",
            Self::Forked => "forked",
            Self::CloudRestored => "cloud_restored",
            Self::Missing => "missing",
        }
    }
}

/// Decides on a hello. `seat` is what the cloud has, nothing before the first; `link_at_acked` is its link at `hello.acked`
/// of the seat's epoch, where it has one there.
pub fn decide(seat: Option<&Seat>, hello: &Hello, link_at_acked: Option<Hash>, now: UnixMillis) -> Decision {
    let Some(seat) = seat else { return first(hello, now) };
    let is_same = seat.instance == hello.instance;
    let is_restart = !hello.moved && hello.predecessor == Some(seat.instance);
    if !is_same && !is_restart && now < seat.lease_until {
        let news = Some(News::Duplicate);
        return Decision { standing: Standing::Fenced, seat: seat.clone(), ack: hello.acked, news };
    }
    if hello.epoch > seat.epoch {
        return again(hello, now);
    }
    if hello.epoch < seat.epoch {
        // The answer that gave it this epoch was lost; or somebody else has had it since.
        return if is_same {
            renewed(seat, hello, now)
        } else {
            anew(seat, hello, false, News::Rewound, now)
        };
    }
    let told = hello.acked_chain.map(|chain| *chain);
    let is_shared = hello.acked == 0 || (told.is_some() && told == link_at_acked);
    if hello.moved && !is_same {
        return anew(seat, hello, is_shared, News::Moved, now);
    }
    if hello.forked {
        return anew(seat, hello, false, News::Forked, now);
    }
    if hello.last_seq < seat.ack || (told.is_some() && link_at_acked.is_some() && told != link_at_acked) {
        return anew(seat, hello, is_shared, News::Rewound, now);
    }
    renewed(seat, hello, now)
}

/// Whether a push follows what the cloud has: `link_before` is its link at `push.first_seq - 1`, where it has one there.
/// Whether the facts that it has already are the same ones, the store compares one by one.
///
/// # Errors
/// [`ProblemCode::Epoch`], [`ProblemCode::Fenced`], [`ProblemCode::Gap`], [`ProblemCode::Fork`].
pub fn admit(seat: Option<&Seat>, push: &Push, link_before: Option<Hash>) -> Result<(), Problem> {
    let Some(seat) = seat else {
        return Err(problem(ProblemCode::Epoch, "this hub has not said hello", None));
    };
    if push.epoch != seat.epoch {
        return Err(problem(ProblemCode::Epoch, "another epoch counts", None));
    }
    if push.instance != seat.instance {
        return Err(problem(ProblemCode::Fenced, "another run of this hub holds the lease", None));
    }
    if push.first_seq > seat.ack + 1 {
        return Err(problem(ProblemCode::Gap, "facts are missing before these", Some(seat.ack)));
    }
    let known = if push.first_seq == seat.ack + 1 { seat.chain } else { link_before };
    if known.is_some_and(|known| known != *push.before) {
        return Err(fork("the facts before these are not those that are known here"));
    }
    Ok(())
}

/// The refusal of a number that was taken by another fact.
pub fn fork(message: &str) -> Problem {
    problem(ProblemCode::Fork, message, None)
}

fn problem(code: ProblemCode, message: &str, ack: Option<i64>) -> Problem {
    Problem { code, message: message.to_owned(), ack, retry_after_ms: None }
}

/// Before the first fact that the hub still has, nothing can be asked of it.
fn begins(hello: &Hello) -> i64 {
    (hello.oldest - 1).clamp(0, hello.last_seq.max(0))
}

/// The hub's link at a number, where it told that one.
fn told_at(hello: &Hello, ack: i64) -> Option<Hash> {
    match hello.acked_chain {
        _ if ack == 0 => Some(crate::chain::BEGINNING),
        Some(chain) if hello.acked == ack => Some(*chain),
        _ => None,
    }
}

/// A place behind `ack`. Where the cloud does not have everything up to there, its link is not noted: whoever still has
/// those facts, a copy perhaps, would be taken for one that has told them.
fn seat_at(hello: &Hello, epoch: i64, ack: i64, has_all: bool, now: UnixMillis) -> Seat {
    let chain = told_at(hello, ack).filter(|_| has_all || ack == 0);
    Seat { epoch, instance: hello.instance, lease_until: now + LEASE, ack, chain }
}

fn first(hello: &Hello, now: UnixMillis) -> Decision {
    let ack = begins(hello);
    let missing = (ack > 0).then_some(News::Missing);
    let news = if hello.acked > 0 { Some(News::CloudRestored) } else { missing };
    let seat = seat_at(hello, hello.epoch.max(1), ack, false, now);
    Decision { standing: Standing::Welcome, seat, ack, news }
}

/// A cloud that does not know the hub's epoch has forgotten when it began: it is told everything that is left.
fn again(hello: &Hello, now: UnixMillis) -> Decision {
    let ack = begins(hello);
    let seat = seat_at(hello, hello.epoch, ack, false, now);
    Decision { standing: Standing::Welcome, seat, ack, news: Some(News::CloudRestored) }
}

/// A new epoch, from what the hub and the cloud are sure to share: where the chain up to what the hub believes to be
/// acknowledged is not known to be the same (a copy may have told other facts under those numbers to a cloud that was put
/// back since), all of it is told again.
fn anew(seat: &Seat, hello: &Hello, is_shared: bool, news: News, now: UnixMillis) -> Decision {
    let shared = if is_shared { hello.acked.min(seat.ack) } else { 0 };
    let ack = shared.clamp(0, hello.last_seq.max(0)).max(begins(hello));
    let seat = seat_at(hello, seat.epoch.max(hello.epoch) + 1, ack, ack <= shared, now);
    Decision { standing: Standing::Welcome, seat, ack, news: Some(news) }
}

fn renewed(seat: &Seat, hello: &Hello, now: UnixMillis) -> Decision {
    let (instance, lease_until) = (hello.instance, now + LEASE);
    let begins = begins(hello);
    if begins > seat.ack {
        let renewed = seat_at(hello, seat.epoch, begins, false, now);
        return Decision {
            standing: Standing::Welcome,
            seat: renewed,
            ack: begins,
            news: Some(News::Missing),
        };
    }
    let news = (hello.acked > seat.ack).then_some(News::CloudRestored);
    let ack = hello.acked.min(seat.ack).max(begins);
    Decision { standing: Standing::Welcome, seat: Seat { instance, lease_until, ..seat.clone() }, ack, news }
}

/// The link as it travels.
pub fn on_wire(link: Hash) -> ByteArray<32> {
    ByteArray::new(link)
}

#[cfg(test)]
mod tests;
