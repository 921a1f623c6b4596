//! From the rate of a file to that of the output: as many frames as the time asks for, none of them the filter's own.

use audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler};

use super::DecodeError;

/// Frames that go through the filter at once; its transform is a quarter of it.
const CHUNK: usize = 1024;

/// A stream on its way to another rate; the same stream where the rates agree.
pub(crate) struct Resampled {
    filter: Option<Filter>,
}

impl Resampled {
    pub(crate) fn new(from: u32, to: u32, channels: usize) -> Result<Self, DecodeError> {
        let filter = if from == to { None } else { Some(Filter::new(from, to, channels)?) };
        Ok(Self { filter })
    }

    /// Adds to `into` what has come out of `input`.
    pub(crate) fn push(&mut self, input: &[f32], into: &mut Vec<f32>) {
        match &mut self.filter {
            None => into.extend_from_slice(input),
            Some(filter) => filter.push(input, into),
        }
    }

    /// Adds what is still inside.
    pub(crate) fn finish(&mut self, into: &mut Vec<f32>) {
        if let Some(filter) = &mut self.filter {
            filter.finish(into);
        }
    }
}

struct Filter {
    fft: Fft<f32>,
    channels: usize,
    ratio: (u64, u64),
    /// Frames that are made up before the first and behind the last one: as many as the filter reaches, and a whole
    /// number of frames on both sides.
    edge: usize,
    /// The first frames, until there are enough to make up what was before them; then the last ones.
    kept: Vec<f32>,
    begun: bool,
    waiting: Vec<f32>,
    out: Vec<f32>,
    /// Frames that are still to be thrown away: the filter's own delay, and what was made up.
    skip: usize,
    taken: u64,
    given: u64,
}

impl Filter {
    fn new(from: u32, to: u32, channels: usize) -> Result<Self, DecodeError> {
        let fft = Fft::new(from as usize, to as usize, CHUNK, channels, FixedSync::Input);
        let fft = fft.map_err(|_odd| DecodeError::Rate(from))?;
        let out = vec![0.0; fft.output_frames_max() * channels];
        let skip = fft.output_delay();
        let ratio = (u64::from(to), u64::from(from));
        let edge = fft.fft_size_in();
        let (kept, waiting) = (Vec::new(), Vec::new());
        Ok(Self { fft, channels, ratio, edge, kept, begun: false, waiting, out, skip, taken: 0, given: 0 })
    }

    fn push(&mut self, input: &[f32], into: &mut Vec<f32>) {
        self.taken += (input.len() / self.channels) as u64;
        let reach = (self.edge + 1) * self.channels;
        if self.begun {
            self.waiting.extend_from_slice(input);
            self.keep_last(input, reach);
        } else {
            self.kept.extend_from_slice(input);
            if self.kept.len() < reach {
                return;
            }
            self.begin();
            let all = std::mem::take(&mut self.kept);
            self.waiting.extend_from_slice(&all);
            self.keep_last(&all, reach);
        }
        self.run(into);
    }

    fn keep_last(&mut self, input: &[f32], reach: usize) {
        self.kept.extend_from_slice(&input[input.len().saturating_sub(reach)..]);
        self.kept.drain(..self.kept.len().saturating_sub(reach));
    }

    /// Were there silence before the first sample, the filter would let the sound begin from it: two files that are one
    /// recording would have a notch between them. So the sound is thought on, turned about its first sample.
    fn begin(&mut self) {
        self.begun = true;
        let first = &self.kept[..self.channels];
        for frame in (1..=self.edge).rev() {
            let mirrored = &self.kept[frame * self.channels..(frame + 1) * self.channels];
            self.waiting.extend(first.iter().zip(mirrored).map(|(first, sample)| 2.0 * first - sample));
        }
        // The filter's block is a whole number of frames at both rates.
        self.skip += self.fft.fft_size_out();
    }

    /// The same behind the last sample.
    fn think_on(&mut self) {
        let frames = self.kept.len() / self.channels;
        let last = &self.kept[(frames - 1) * self.channels..];
        for frame in (0..frames - 1).rev() {
            let mirrored = &self.kept[frame * self.channels..(frame + 1) * self.channels];
            self.waiting.extend(last.iter().zip(mirrored).map(|(last, sample)| 2.0 * last - sample));
        }
    }

    fn run(&mut self, into: &mut Vec<f32>) {
        let mut used = 0;
        while self.waiting.len() >= (used + self.fft.input_frames_next()) * self.channels {
            used += self.through(used, None, into);
        }
        self.waiting.drain(..used * self.channels);
    }

    /// What was thought on goes after the last sample, then silence, until as many have come as the time asks for.
    fn finish(&mut self, into: &mut Vec<f32>) {
        let (numer, denom) = self.ratio;
        let due = (self.taken * numer + denom / 2) / denom;
        if self.begun {
            self.think_on();
            self.run(into);
        } else {
            // Too short to be thought on.
            self.waiting.append(&mut self.kept);
        }
        while self.given < due {
            let rest = self.waiting.len() / self.channels;
            self.waiting.resize(self.fft.input_frames_next() * self.channels, 0.0);
            self.through(0, Some(rest), into);
            self.waiting.clear();
        }
        into.truncate(into.len() - (self.given - due) as usize * self.channels);
        self.given = due;
    }

    /// One chunk, from frame `at` of what waits; returns how many frames it took.
    fn through(&mut self, at: usize, partial: Option<usize>, into: &mut Vec<f32>) -> usize {
        let mut indexing = Indexing::new().input_offset(at);
        if let Some(frames) = partial {
            indexing = indexing.partial_len(frames);
        }
        let room = self.out.len() / self.channels;
        let input =
            InterleavedSlice::new(&self.waiting[..], self.channels, self.waiting.len() / self.channels)
                .expect("a whole number of frames");
        let mut output = InterleavedSlice::new_mut(&mut self.out[..], self.channels, room)
            .expect("the buffer was made for it");
        let (took, gave) = self
            .fft
            .process_into_buffer(&input, &mut output, Some(&indexing))
            .expect("buffers of the sizes it asks for");
        let skipped = self.skip.min(gave);
        self.skip -= skipped;
        self.given += (gave - skipped) as u64;
        into.extend_from_slice(&self.out[skipped * self.channels..gave * self.channels]);
        took
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_sound_keeps_its_level_from_its_first_sample_to_its_last() {
        let mut resampled = Resampled::new(44_100, 48_000, 1).unwrap();
        let mut out = Vec::new();
        resampled.push(&vec![0.5; 44_100], &mut out);
        resampled.finish(&mut out);
        let worst = out.iter().map(|sample| (sample - 0.5).abs()).fold(0.0, f32::max);
        assert!(out.len() == 48_000 && worst < 1e-3, "{worst}");
    }

    #[rstest]
    #[case(44_100, 48_000, 100_000)]
    #[case(48_000, 44_100, 100_000)]
    #[case(96_000, 44_100, 1)]
    #[case(44_100, 48_000, 300)]
    #[case(44_056, 48_000, 20_000)]
    #[case(8_000, 48_000, 12_345)]
    #[case(44_100, 44_100, 777)]
    fn as_many_frames_come_out_as_the_time_asks_for(
        #[case] from: u32,
        #[case] to: u32,
        #[case] frames: usize,
    ) {
        let mut resampled = Resampled::new(from, to, 2).unwrap();
        let mut out = Vec::new();
        for part in vec![0.5_f32; frames * 2].chunks(1_000) {
            resampled.push(part, &mut out);
        }
        resampled.finish(&mut out);
        let due = (frames as f64 * f64::from(to) / f64::from(from)).round() as usize;
        assert_eq!(out.len(), due * 2);
        assert!(frames < 1_000 || (out[due] - 0.5).abs() < 1e-4, "{}", out[due]);
    }
}
