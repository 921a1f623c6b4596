//! Being told to stop: by Ctrl-C, or by the system.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::supervisor::Supervisor;

/// A token that is cancelled when somebody wants this program to end. It lives as long as `supervisor`.
///
/// There is no second, harder way: the orderly stop is bounded to a few seconds, and whoever cannot wait those has
/// the system's kill, which loses nothing that was recorded.
///
/// # Errors
/// Where the system gives no signals to this program.
pub fn stop(supervisor: &Supervisor) -> io::Result<CancellationToken> {
    // Registered here and now, so that no signal falls between.
    let mut signals = Some((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?));
    let stop = CancellationToken::new();
    let told = stop.clone();
    supervisor.keep_running("signals", move |_stop| {
        let (signals, told) = (signals.take(), told.clone());
        async move {
            if let Some((mut interrupt, mut terminate)) = signals {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            }
            told.cancel();
            Ok(())
        }
    });
    Ok(stop)
}
