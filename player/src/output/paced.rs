//! Outputs without a sound card: they pull as fast as a loudspeaker would, by the clock.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use roomtone_schema::time::Clock;

use super::wave::Wave;
use super::{Open, Stop};
use crate::deck::Form;
use crate::mix::Render;

/// What most sound cards run at.
const FORM: Form = Form { rate: 48_000, channels: 2 };
/// As often as a sound card would ask.
const PERIOD: Duration = Duration::from_millis(20);
/// A machine that slept for longer does not have to catch up: a loudspeaker would have been silent.
const MOST_BEHIND_MS: i64 = 1_000;
/// How often the file's header is renewed.
const PERIODS_A_HEADER: u32 = 25;

/// Nowhere.
pub(super) fn discard(clock: Arc<dyn Clock>) -> Open {
    Open {
        form: FORM,
        latency: Duration::ZERO,
        words: "nowhere (discard)".into(),
        play: Box::new(move |mut render, stop| pull(&mut render, clock.as_ref(), stop, |_| Ok(()))),
    }
}

/// Into a file; `anew` where an older one is to be overwritten.
pub(super) fn file(path: &Path, clock: Arc<dyn Clock>, anew: bool) -> anyhow::Result<Open> {
    let shown = path.display().to_string();
    let mut wave = Wave::open(path, FORM, anew).with_context(|| format!("cannot write {shown}"))?;
    let words = format!("the file {shown}");
    let play = move |mut render: Render, stop: &Stop| {
        let mut periods = 0;
        let lost = pull(&mut render, clock.as_ref(), stop, |samples| {
            wave.write(samples)?;
            periods += 1;
            if periods % PERIODS_A_HEADER == 0 { wave.tell_length() } else { Ok(()) }
        });
        let closed = wave.tell_length().err().map(|error| error.to_string());
        lost.or(closed.filter(|_| !stop.is_stopped())).map(|why| format!("cannot write {shown}: {why}"))
    };
    Ok(Open { form: FORM, latency: Duration::ZERO, words, play: Box::new(play) })
}

/// Renders what is due, until it is stopped or the samples find no place.
fn pull(
    render: &mut Render,
    clock: &dyn Clock,
    stop: &Stop,
    mut put: impl FnMut(&[f32]) -> std::io::Result<()>,
) -> Option<String> {
    let frames_of = |ms: i64| ms * i64::from(FORM.rate) / 1000;
    let (mut began_ms, mut done) = (clock.monotonic_ms(), 0);
    let most = frames_of(MOST_BEHIND_MS);
    let mut buffer = vec![0.0; most as usize * FORM.channels];
    while !stop.is_stopped() {
        let mut due = frames_of(clock.monotonic_ms() - began_ms) - done;
        if due > most {
            began_ms += (due - most) * 1000 / i64::from(FORM.rate);
            due = most;
        }
        let part = &mut buffer[..due.max(0) as usize * FORM.channels];
        render.render(part);
        done += due.max(0);
        if let Err(error) = put(part) {
            return Some(error.to_string());
        }
        stop.wait(PERIOD);
    }
    None
}
