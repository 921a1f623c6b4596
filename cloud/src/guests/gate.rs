//! Who a guest is: whoever shows the secret of a presence, which the database knows by its hash.

use std::sync::Arc;

use roomtone_server::caller::{Caller, Gate};
use roomtone_server::lease::Lease;

use super::room::GuestRoom;

/// The gate of one venue's page. Clones are the same one.
#[derive(Debug, Clone)]
pub struct GuestGate(pub(super) Arc<GuestRoom>);

impl Gate for GuestGate {
    async fn admit(&self, token: Option<&str>) -> Caller {
        match token {
            None => Caller::Anonymous,
            Some(token) => self.0.admit(token).await,
        }
    }

    fn lease(&self, token: Option<&str>) -> Lease {
        token.map_or_else(Lease::endless, |token| self.0.lease(token))
    }
}
