//! JSON, appended to a buffer as it comes: what answers and the rows of lists are written with.

use serde::Serialize;

/// Appends whatever serde makes of a value; all that get here (text, numbers, truth values, errors) have a form as JSON.
pub(crate) fn value(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(before);
        null(out);
    }
}

pub(crate) fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

/// Appends a list, each item as `one` writes it.
pub(crate) fn list<T>(items: impl IntoIterator<Item = T>, out: &mut Vec<u8>, one: impl Fn(T, &mut Vec<u8>)) {
    out.push(b'[');
    separated(items, out, one);
    out.push(b']');
}

/// Appends items with commas between them.
pub(crate) fn separated<T>(
    items: impl IntoIterator<Item = T>,
    out: &mut Vec<u8>,
    one: impl Fn(T, &mut Vec<u8>),
) {
    for (position, item) in items.into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        one(item, out);
    }
}
