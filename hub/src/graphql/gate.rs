//! Who may come in.

use roomtone_server::caller::{Caller, Gate};
use roomtone_server::lease::Lease;

use crate::check_in::NoViewer;
use crate::hub::Hub;

impl Gate for Hub {
    async fn admit(&self, token: Option<&str>) -> Caller {
        let Some(token) = token else { return Caller::Anonymous };
        if let Some(player) = self.player_by_token(token) {
            return Caller::Player(player);
        }
        if self.is_manager_token(token) {
            return Caller::Manager;
        }
        match self.viewer(token) {
            Ok(viewer) => Caller::Listener(viewer),
            Err(NoViewer::Expired) => Caller::Expired,
            Err(NoViewer::NotCheckedIn) => Caller::Unknown,
        }
    }

    fn lease(&self, token: Option<&str>) -> Lease {
        token.and_then(|token| self.lease(token)).map_or_else(Lease::endless, Lease::until)
    }
}
