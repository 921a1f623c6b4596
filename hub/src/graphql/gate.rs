//! Who may come in.

use roomtone_server::caller::{Caller, Gate};
use roomtone_server::lease::Lease;

use crate::hub::Hub;
use crate::presence::Holder;

impl Gate for Hub {
    async fn admit(&self, token: Option<&str>) -> Caller {
        let Some(token) = token else { return Caller::Anonymous };
        if let Some(player) = self.player_by_token(token) {
            return Caller::Player(player);
        }
        if self.is_manager_token(token) {
            return Caller::Manager;
        }
        match self.holder(token) {
            Some(Holder::Here(viewer)) => Caller::Listener(viewer),
            Some(Holder::Gone(viewer)) => Caller::Expired(viewer),
            None => Caller::Unknown,
        }
    }

    fn lease(&self, token: Option<&str>) -> Lease {
        token.and_then(|token| self.lease(token)).map_or_else(Lease::endless, Lease::until)
    }
}
