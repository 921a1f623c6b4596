//! The property that the guard exists for: what it lets through overflows neither the parser's nor the validator's stack,
//! and is answered quickly and briefly.

use proptest::collection::vec;
use proptest::prelude::*;

use super::Validator;

#[path = "../../../tests/fuzz/document.rs"]
mod document;

/// A quarter of what tokio gives a thread, and in a debug build at that; the hub's own threads have 8 MiB.
const STACK: usize = 512 * 1024;

fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap();
    thread.join().unwrap();
}

/// Text that some bytes of were replaced.
fn spoilt(text: &str, changes: &[(usize, u8)]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (place, byte) in changes {
        if let Some(old) = bytes.get_mut(place % text.len().max(1)) {
            *old = *byte;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_the_guard_lets_through_overflows_nothing(
        choices in vec(any::<u8>(), 0..600),
        changes in vec((0..64 * 1024_usize, prop_oneof![Just(b'{'), Just(b'['), Just(b'"'), Just(b'}'), any::<u8>()]), 0..4),
    ) {
        on_a_small_stack(move || {
            let validator = Validator::default();
            let text = document::document(&choices);
            validator.look_at(&text);
            if !changes.is_empty() {
                validator.look_at(&spoilt(&text, &changes));
            }
        });
    }

    #[test]
    fn text_of_any_kind_overflows_nothing(text in "[{}()\\[\\]\"\\\\#\\n@$:!.=| a-c0-9]{0,400}", times in 1..40_usize) {
        on_a_small_stack(move || { Validator::default().look_at(&text.repeat(times)); });
    }
}

/// As deep as a document may be.
#[test]
fn the_deepest_that_passes_fits_on_a_small_stack() {
    let deepest = [
        format!("{{ x(a: {}1{}) }}", "[".repeat(38), "]".repeat(38)),
        format!("{{ {} name {} }}", "... on Query { ".repeat(38), "} ".repeat(38)),
        format!("query($a: {}Int{}) {{ x }}", "[".repeat(38), "]".repeat(38)),
    ];
    for document in deepest {
        on_a_small_stack(move || assert!(Validator::default().look_at(&document), "{document}"));
    }
}
