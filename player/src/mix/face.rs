//! What the mixer shows of itself: written without a lock, read by whoever likes.

use std::sync::atomic::{AtomicU64, Ordering, fence};

/// How the mixer stands, as of the last block.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Look {
    /// Which deck is the current one; 0 = none.
    pub(crate) serial: u64,
    /// Frames of it that were rendered.
    pub(crate) rendered: u64,
    /// RMS of 400 ms.
    pub(crate) level_db: f32,
    pub(crate) silence_ms: u64,
    pub(crate) silent_now: bool,
    pub(crate) underruns: u64,
    /// Blocks rendered so far: the pulse of the output.
    pub(crate) pulse: u64,
}

const FIELDS: usize = 7;

/// One writer, any number of readers; a reader that met the writer at work looks again.
#[derive(Debug, Default)]
pub(crate) struct Face {
    /// Odd while it is being written.
    version: AtomicU64,
    fields: [AtomicU64; FIELDS],
}

impl Face {
    pub(crate) fn show(&self, look: &Look) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        let values = [
            look.serial,
            look.rendered,
            u64::from(look.level_db.to_bits()),
            look.silence_ms,
            u64::from(look.silent_now),
            look.underruns,
            look.pulse,
        ];
        for (field, value) in self.fields.iter().zip(values) {
            field.store(value, Ordering::Relaxed);
        }
        self.version.store(version + 2, Ordering::Release);
    }

    pub(crate) fn look(&self) -> Look {
        loop {
            let before = self.version.load(Ordering::Acquire);
            let values: [u64; FIELDS] =
                std::array::from_fn(|field| self.fields[field].load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == before {
                let [serial, rendered, level, silence_ms, silent, underruns, pulse] = values;
                let level_db = f32::from_bits(level as u32);
                return Look {
                    serial,
                    rendered,
                    level_db,
                    silence_ms,
                    silent_now: silent != 0,
                    underruns,
                    pulse,
                };
            }
            std::hint::spin_loop();
        }
    }
}
