//! Where the sound begins and ends.

/// 60 dB below full scale: what is quieter at the edge of a song is a pause to everybody in the room.
const SILENCE: f32 = 0.001;

/// Remembers the first and the last frame with sound in it.
pub(crate) struct Cue {
    channels: usize,
    frames: u64,
    first: Option<u64>,
    last: u64,
}

impl Cue {
    pub(crate) fn new(channels: usize) -> Self {
        Self { channels, frames: 0, first: None, last: 0 }
    }

    pub(crate) fn push(&mut self, interleaved: &[f32]) {
        let heard = |sample: &f32| sample.abs() >= SILENCE;
        if let Some(at) = interleaved.iter().rposition(heard) {
            self.last = self.frames + (at / self.channels) as u64 + 1;
            if self.first.is_none() {
                let at = interleaved.iter().position(heard).unwrap_or(at);
                self.first = Some(self.frames + (at / self.channels) as u64);
            }
        }
        self.frames += (interleaved.len() / self.channels) as u64;
    }

    /// First frame of the sound and the one behind its last. A song that is silent all through is all sound.
    pub(crate) fn points(&self) -> (u64, u64) {
        self.first.map_or((0, self.frames), |first| (first, self.last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_at_both_ends_is_cut_and_pauses_within_are_not() {
        let mut cue = Cue::new(2);
        cue.push(&[0.0; 200]);
        cue.push(&[0.0, 0.0, 0.0, 0.5]);
        cue.push(&[0.0; 200]);
        cue.push(&[0.5, 0.0, 0.0, 0.0]);
        cue.push(&[0.0; 200]);
        assert_eq!(cue.points(), (101, 203));
    }

    #[test]
    fn silence_all_through_is_kept_whole() {
        let mut cue = Cue::new(1);
        cue.push(&[0.0; 77]);
        assert_eq!(cue.points(), (0, 77));
    }
}
