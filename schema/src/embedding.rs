//! The five numbers of a song, and what may be one.

use serde::{Deserialize, Serialize};

/// How many numbers describe a song.
pub const AXES: usize = 5;

/// The axes in their fixed order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Axis {
    /// Quiet (-1) to loud (+1).
    Energy,
    /// Dark to bright.
    Brightness,
    /// Slow to fast.
    Tempo,
    /// Noisy or percussive to tonal.
    Tonality,
    /// Sparse to busy.
    Density,
}

impl Axis {
    /// Every axis, in the order of an embedding's numbers.
    pub const ALL: [Self; AXES] =
        [Self::Energy, Self::Brightness, Self::Tempo, Self::Tonality, Self::Density];
}

/// Which way of describing songs an embedding comes from; different versions are never compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EmbeddingVersion(pub u16);

impl EmbeddingVersion {
    /// `desc_v1`, the descriptor of `roomtone-analysis`.
    pub const DESC_V1: Self = Self(1);

    /// The one that tastes, vibes and rankings are in at present.
    pub const CURRENT: Self = Self::DESC_V1;
}

/// Five finite numbers with a direction: 1e-6 < length < 1e6. Axes are in [-1, 1] where they come from audio.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f32>", into = "Vec<f32>")]
pub struct Embedding([f32; AXES]);

/// Why five numbers are no embedding.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum EmbeddingError {
    /// Not five numbers.
    #[error("an embedding has {AXES} numbers, this has {0}")]
    WrongLength(usize),
    /// A number that is infinite or not a number.
    #[error("number {index} of the embedding is {value}, which is not finite")]
    NotFinite {
        /// Which of the five, from 0.
        index: usize,
        /// What stood there.
        value: f32,
    },
    /// No usable direction.
    #[error("the embedding's length is {0}; it must lie between 0.000001 and 1000000")]
    NoDirection(f64),
}

impl Embedding {
    /// The least length (exclusive) that still has a direction worth comparing.
    pub const SHORTEST: f64 = 1e-6;
    /// The greatest length (exclusive).
    pub const LONGEST: f64 = 1e6;

    /// Takes five numbers for an embedding.
    ///
    /// # Errors
    /// [`EmbeddingError::NotFinite`] or [`EmbeddingError::NoDirection`].
    pub fn new(values: [f32; AXES]) -> Result<Self, EmbeddingError> {
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(EmbeddingError::NotFinite { index, value: values[index] });
        }
        let norm = values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        if norm <= Self::SHORTEST || norm >= Self::LONGEST {
            return Err(EmbeddingError::NoDirection(norm));
        }
        Ok(Self(values))
    }

    /// Takes a slice, as it comes over a wire.
    ///
    /// # Errors
    /// [`EmbeddingError::WrongLength`], and what [`Embedding::new`] refuses.
    pub fn from_slice(values: &[f32]) -> Result<Self, EmbeddingError> {
        Self::new(values.try_into().or(Err(EmbeddingError::WrongLength(values.len())))?)
    }

    /// The raw numbers.
    pub fn values(&self) -> [f32; AXES] {
        self.0
    }

    /// The direction: the same vector with length 1, in f64.
    pub fn unit(&self) -> [f64; AXES] {
        let wide = self.0.map(f64::from);
        let norm = wide.iter().map(|value| value * value).sum::<f64>().sqrt();
        wide.map(|value| value / norm)
    }

    /// The 20 bytes that databases and the wire hold: little-endian f32.
    pub fn to_bytes(&self) -> [u8; 20] {
        let mut bytes = [0; 20];
        for (chunk, value) in bytes.chunks_exact_mut(4).zip(self.0) {
            chunk.copy_from_slice(&value.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`Embedding::to_bytes`] wrote.
    ///
    /// # Errors
    /// What [`Embedding::from_slice`] refuses.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EmbeddingError> {
        let (chunks, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(EmbeddingError::WrongLength(bytes.len() / 4));
        }
        let values: Vec<f32> = chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect();
        Self::from_slice(&values)
    }
}

impl TryFrom<Vec<f32>> for Embedding {
    type Error = EmbeddingError;
    fn try_from(values: Vec<f32>) -> Result<Self, EmbeddingError> {
        Self::from_slice(&values)
    }
}

impl From<Embedding> for Vec<f32> {
    fn from(embedding: Embedding) -> Self {
        embedding.0.to_vec()
    }
}
