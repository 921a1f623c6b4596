//! A WAV file of 32-bit floats whose header is right at any time, so that it can be read while it grows.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use crate::deck::Form;

/// The header, up to the samples.
const HEADER: u64 = 58;
/// What a RIFF file can say of its own length; what comes after it is there, but not told.
const MOST: u64 = u32::MAX as u64 - HEADER;

/// A WAV file that grows.
#[derive(Debug)]
pub(super) struct Wave {
    file: File,
    form: Form,
    bytes: u64,
    packed: Vec<u8>,
}

impl Wave {
    /// A new file; or, where `anew` is not wanted, the old one from its end.
    pub(super) fn open(path: &Path, form: Form, anew: bool) -> std::io::Result<Self> {
        let mut file = OpenOptions::new().create(true).write(true).truncate(anew).open(path)?;
        let held = file.seek(SeekFrom::End(0))?.saturating_sub(HEADER);
        let frame = form.channels as u64 * 4;
        let mut wave = Self { file, form, bytes: held - held % frame, packed: Vec::new() };
        wave.tell_length()?;
        wave.file.seek(SeekFrom::Start(HEADER + wave.bytes))?;
        Ok(wave)
    }

    pub(super) fn write(&mut self, samples: &[f32]) -> std::io::Result<()> {
        self.packed.clear();
        self.packed.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        self.file.write_all(&self.packed)?;
        self.bytes += self.packed.len() as u64;
        Ok(())
    }

    /// Writes the header for what is there now.
    pub(super) fn tell_length(&mut self) -> std::io::Result<()> {
        let (rate, channels) = (self.form.rate, self.form.channels as u16);
        let (frame, bytes) = (channels * 4, self.bytes.min(MOST) as u32);
        let mut header = Vec::with_capacity(HEADER as usize);
        header.extend_from_slice(b"RIFF");
        header.extend_from_slice(&(bytes + HEADER as u32 - 8).to_le_bytes());
        header.extend_from_slice(b"WAVEfmt ");
        header.extend_from_slice(&18_u32.to_le_bytes());
        header.extend_from_slice(&3_u16.to_le_bytes());
        header.extend_from_slice(&channels.to_le_bytes());
        header.extend_from_slice(&rate.to_le_bytes());
        header.extend_from_slice(&(rate * u32::from(frame)).to_le_bytes());
        header.extend_from_slice(&frame.to_le_bytes());
        header.extend_from_slice(&32_u16.to_le_bytes());
        header.extend_from_slice(&0_u16.to_le_bytes());
        header.extend_from_slice(b"fact");
        header.extend_from_slice(&4_u32.to_le_bytes());
        header.extend_from_slice(&(bytes / u32::from(frame)).to_le_bytes());
        header.extend_from_slice(b"data");
        header.extend_from_slice(&bytes.to_le_bytes());
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header)?;
        self.file.seek(SeekFrom::Start(HEADER + self.bytes))?;
        Ok(())
    }
}
