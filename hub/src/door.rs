//! Who may come in.

use roomtone_server::caller::{Caller, Gate};
use roomtone_server::lease::Lease;

use crate::hub::Hub;
use crate::players::Way;
use crate::presence::Holder;

/// A door of the hub: what a secret opens depends on who may have read it on its way.
#[derive(Debug, Clone)]
pub struct Door {
    /// What stands behind it.
    pub hub: Hub,
    /// Which door this is.
    pub way: Way,
}

impl Gate for Door {
    async fn admit(&self, token: Option<&str>) -> Caller {
        let Some(token) = token else { return Caller::Anonymous };
        if let Some(player) = self.hub.player_showing(token, self.way).await {
            return Caller::Player(player);
        }
        if self.hub.is_manager_token(token) {
            return Caller::Manager;
        }
        match self.hub.holder(token) {
            Some(Holder::Here(viewer)) => Caller::Listener(viewer),
            Some(Holder::Gone(viewer)) => Caller::Expired(viewer),
            None => Caller::Unknown,
        }
    }

    fn lease(&self, token: Option<&str>) -> Lease {
        token.and_then(|token| self.hub.lease(token, self.way)).map_or_else(Lease::endless, Lease::until)
    }
}
