//! Being told to stop: by Ctrl-C, or by the system.

use roomtone_sync::supervisor::Supervisor;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::trouble::Trouble;

/// A token that is cancelled when somebody wants this program to end. It lives as long as `supervisor`.
///
/// There is no second, harder way: the orderly stop is bounded to a few seconds, and whoever cannot wait those has
/// the system's kill, which loses nothing that was recorded.
pub(super) fn stop(supervisor: &Supervisor) -> Result<CancellationToken, Trouble> {
    let listen = |kind| signal(kind).map_err(|error| Trouble::harmless(error, "Start it again."));
    // Registered here and now, so that no signal falls between.
    let mut signals = Some((listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?));
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
