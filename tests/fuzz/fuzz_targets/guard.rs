//! What the guard lets through overflows neither parser nor validator: a document made from the input's bytes, and the
//! bytes themselves as a document.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use roomtone_hub::graphql::Validator;

#[path = "../document.rs"]
mod document;

static VALIDATOR: LazyLock<Validator> = LazyLock::new(Validator::default);

fuzz_target!(|bytes: &[u8]| {
    VALIDATOR.look_at(&document::document(bytes));
    if let Ok(text) = std::str::from_utf8(bytes) {
        VALIDATOR.look_at(text);
    }
});
