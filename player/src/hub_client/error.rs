//! Why the hub did not do what it was asked, as far as the player must tell the cases apart.

use std::net::SocketAddr;

use crate::pinned::HubKey;

/// Why the hub did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Nobody there, or nobody who answers in time.
    #[error("the hub cannot be reached: {0}")]
    Unreachable(String),
    /// Somebody there who is not the hub. Nothing was sent.
    #[error(
        "{address} says it is the hub and has another key ({seen} instead of {expected}): \
         either somebody imitates the hub, or it was set up anew and this player must be paired again"
    )]
    WrongKey {
        /// The hub's.
        expected: HubKey,
        /// Theirs.
        seen: HubKey,
        /// Where.
        address: SocketAddr,
    },
    /// The hub does not know this player's secret any more.
    #[error("the hub does not accept this player any more; pair it again with `roomtone-player pair CODE`")]
    Revoked,
    /// The hub says no, with its reason.
    #[error("the hub refuses: {message} ({code})")]
    Refused {
        /// For programs, such as `NOT_FOUND` or `429`.
        code: String,
        /// For people.
        message: String,
    },
    /// An answer that no hub gives: a captive portal, a proxy, another version.
    #[error("this is no answer of a hub: {0}")]
    Odd(String),
}

impl LinkError {
    /// Whether trying again soon may help without anybody doing anything.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Odd(_) => true,
            Self::Refused { code, .. } => code == "429" || code.starts_with('5') || code == "RATE_LIMITED",
            Self::WrongKey { .. } | Self::Revoked => false,
        }
    }

    /// Nothing came for too long, as opposed to a connection that was closed.
    pub(crate) fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable(why) if why.ends_with(SILENCE))
    }

    /// Nothing came for too long.
    pub(crate) fn silence(address: SocketAddr) -> Self {
        Self::Unreachable(format!("{address} {SILENCE}"))
    }

    /// Of two failures the one that the operator must hear of: an impostor before a refusal before mere absence.
    pub(crate) fn worse(one: Option<Self>, other: Self) -> Self {
        match one {
            Some(one) if other.gravity() <= one.gravity() => one,
            _ => other,
        }
    }

    fn gravity(&self) -> u8 {
        match self {
            Self::Unreachable(_) => 0,
            Self::Odd(_) => 1,
            Self::Refused { .. } => 2,
            Self::Revoked => 3,
            Self::WrongKey { .. } => 4,
        }
    }
}

const SILENCE: &str = "does not answer in time";

#[cfg(test)]
mod tests {
    use roomtone_schema::song::Sha256;

    use super::*;

    #[test]
    fn an_impostor_is_told_before_mere_absence() {
        let address = "192.0.2.1:4701".parse().unwrap();
        let key = |n| HubKey(Sha256([n; 32]));
        let wrong = LinkError::WrongKey { expected: key(1), seen: key(2), address };
        let away = LinkError::silence(address);
        assert_eq!(LinkError::worse(Some(away.clone()), wrong.clone()), wrong);
        assert_eq!(LinkError::worse(Some(wrong.clone()), away.clone()), wrong);
        assert!(away.is_silence() && away.may_pass() && !wrong.may_pass());
    }
}
