//! How loud, after EBU R128, and how high the true peak.

use ebur128::{EbuR128, Mode};

use crate::error::Reason;

pub(crate) struct Loudness(EbuR128);

impl Loudness {
    pub(crate) fn new(rate: u32, channels: usize) -> Result<Self, Reason> {
        let meter = EbuR128::new(channels as u32, rate, Mode::I | Mode::TRUE_PEAK);
        Ok(Self(meter.map_err(|error| Reason::Unsupported(format!("audio of this form ({error})")))?))
    }

    pub(crate) fn push(&mut self, interleaved: &[f32]) -> Result<(), Reason> {
        self.0.add_frames_f32(interleaved).map_err(|error| Reason::Damaged(error.to_string()))
    }

    /// Integrated loudness in LUFS; none where nothing is above the gate of -70 LUFS.
    pub(crate) fn lufs(&self) -> Option<f64> {
        self.0.loudness_global().ok().filter(|lufs| lufs.is_finite())
    }

    /// True peak in dBTP over all channels; none for digital silence.
    pub(crate) fn true_peak(&self) -> Option<f64> {
        let peaks = (0..self.0.channels()).filter_map(|channel| self.0.true_peak(channel).ok());
        let peak = peaks.fold(0.0, f64::max);
        (peak > 0.0).then(|| 20.0 * peak.log10())
    }
}
