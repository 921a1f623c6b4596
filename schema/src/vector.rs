//! Five numbers in f64: what rules compute with, once an [`Embedding`](crate::Embedding) has vouched for its source.

use crate::embedding::AXES;

/// A point on the five axes, in their fixed order.
pub type Axes = [f64; AXES];

/// Shorter than this is no direction.
pub const NO_DIRECTION: f64 = 1e-6;

/// The dot product, always summed in the order of the axes, so that it has the same bits everywhere.
pub fn dot(a: &Axes, b: &Axes) -> f64 {
    // The final `+ 0.0` turns a negative zero into zero: both must tie.
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3] + a[4] * b[4] + 0.0
}

/// The length.
pub fn norm(a: &Axes) -> f64 {
    dot(a, a).sqrt()
}

/// The direction of `a`; `None` where it has none: too short, or not finite.
pub fn unit(a: &Axes) -> Option<Axes> {
    let length = norm(a);
    (length > NO_DIRECTION && length.is_finite()).then(|| a.map(|value| value / length))
}

/// The middle of some directions: where a catalogue or a room points on the whole; `None` where it points nowhere.
pub fn centroid<'a>(points: impl IntoIterator<Item = &'a Axes>) -> Option<Axes> {
    let mut sum = [0.0; AXES];
    for point in points {
        add_scaled(&mut sum, point, 1.0);
    }
    unit(&sum)
}

/// Adds `scale * point` to `sum`.
pub fn add_scaled(sum: &mut Axes, point: &Axes, scale: f64) {
    for (total, value) in sum.iter_mut().zip(point) {
        *total += scale * value;
    }
}
