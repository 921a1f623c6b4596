//! Scalars and enums that several types use.

use async_graphql::{Enum, InputValueError, InputValueResult, Scalar, ScalarType, SimpleObject, Value};
use roomtone_schema::{AXES, Axis as Which};

use super::rows::{Asked, Row, View, write};
use super::shared;

/// Absolute or hub-relative URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url(pub String);

/// Absolute or hub-relative URL.
#[Scalar(name = "URL", specified_by_url = "https://url.spec.whatwg.org/#url-writing")]
impl ScalarType for Url {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// RFC 3339 timestamp, always UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime(pub chrono::DateTime<chrono::Utc>);

/// RFC 3339 timestamp, always UTC.
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/date-time.html")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text.parse()?)),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.to_text())
    }
}

impl DateTime {
    /// As it is shown.
    pub(crate) fn to_text(self) -> String {
        self.0.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    }
}

/// One of the five axes and where something stands on it.
#[derive(Debug, Clone, Copy, PartialEq, SimpleObject)]
#[graphql(directive = shared::apply())]
pub struct Axis {
    /// Which.
    pub name: AxisName,
    /// -1 to 1.
    pub value: f64,
}

/// See [`Row`].
#[derive(Debug, Clone, Copy)]
pub enum AxisField {
    /// Which.
    Name,
    /// Where.
    Value,
}

impl Row for Axis {
    const TYPES: &'static [&'static str] = &["Axis"];
    type Field = AxisField;

    fn field(asked: &Asked<'_>) -> Option<AxisField> {
        Some(match asked.name {
            "name" => AxisField::Name,
            "value" => AxisField::Value,
            _ => return None,
        })
    }

    fn write(&self, field: &AxisField, _view: &View<'_>, out: &mut Vec<u8>) {
        match field {
            AxisField::Name => write::name::<AxisName>(self.name, out),
            AxisField::Value => write::float(self.value, out),
        }
    }
}

/// The five axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum AxisName {
    /// Dark to bright.
    Brightness,
    /// Sparse to busy.
    Density,
    /// Quiet to loud.
    Energy,
    /// Slow to fast.
    Tempo,
    /// Noisy or percussive to tonal.
    Tonality,
}

impl From<Which> for AxisName {
    fn from(axis: Which) -> Self {
        match axis {
            Which::Energy => Self::Energy,
            Which::Brightness => Self::Brightness,
            Which::Tempo => Self::Tempo,
            Which::Tonality => Self::Tonality,
            Which::Density => Self::Density,
        }
    }
}

/// Five numbers with their names, in the order of an embedding.
pub fn axes(values: [f64; AXES]) -> Vec<Axis> {
    Which::ALL.into_iter().zip(values).map(|(axis, value)| Axis { name: axis.into(), value }).collect()
}

/// Like or dislike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "roomtone_schema::vote::VoteValue")]
pub enum VoteValue {
    /// Less of this.
    Dislike,
    /// More of this.
    Like,
}

/// From which tier the music comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "roomtone_schema::play::Tier")]
pub enum Tier {
    /// The player's own cache, when the plan has run out.
    Cache,
    /// Picked by the hub just now.
    Hub,
    /// The look-ahead plan, while the hub is out of reach.
    Plan,
}

/// What a player is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "roomtone_schema::player::PlayerStatus")]
pub enum PlayerStatus {
    /// Playing.
    Active,
    /// There, not playing.
    Idle,
    /// Not heard of.
    Offline,
}
