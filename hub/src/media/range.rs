//! `Range`: one part of a file. Several parts in one answer are not worth their trouble; the whole file is a good
//! answer to that, as to anything that is not understood.

/// What of a file is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    Whole,
    /// Both ends are sent.
    Part { first: u64, last: u64 },
    /// Nothing of it exists.
    Beyond,
}

impl Wanted {
    /// What a `Range` header asks of a file of `length` bytes.
    pub(super) fn read(header: Option<&str>, length: u64) -> Self {
        header.and_then(|header| Self::parse(header, length)).unwrap_or(Self::Whole)
    }

    fn parse(header: &str, length: u64) -> Option<Self> {
        let (unit, spec) = header.split_once('=')?;
        let (first, last) = spec.trim().split_once('-')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") || spec.contains(',') {
            return None;
        }
        match (first.trim(), last.trim()) {
            ("", suffix) => Some(Self::suffix(digits(suffix)?, length)),
            (first, "") => Some(Self::between(digits(first)?, u64::MAX, length)),
            (first, last) => {
                let (first, last) = (digits(first)?, digits(last)?);
                (first <= last).then(|| Self::between(first, last, length))
            }
        }
    }

    fn suffix(size: u64, length: u64) -> Self {
        if size == 0 || length == 0 {
            Self::Beyond
        } else {
            Self::between(length.saturating_sub(size), u64::MAX, length)
        }
    }

    fn between(first: u64, last: u64, length: u64) -> Self {
        if first >= length { Self::Beyond } else { Self::Part { first, last: last.min(length - 1) } }
    }
}

/// Digits only: `parse` would take a sign.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::from_to("bytes=0-9", Wanted::Part { first: 0, last: 9 })]
    #[case::from("bytes=90-", Wanted::Part { first: 90, last: 99 })]
    #[case::the_last("bytes=-10", Wanted::Part { first: 90, last: 99 })]
    #[case::more_than_there_is("bytes=-1000", Wanted::Part { first: 0, last: 99 })]
    #[case::to_beyond_the_end("bytes=50-1000", Wanted::Part { first: 50, last: 99 })]
    #[case::one_byte("bytes=99-99", Wanted::Part { first: 99, last: 99 })]
    #[case::from_beyond_the_end("bytes=100-", Wanted::Beyond)]
    #[case::the_last_none("bytes=-0", Wanted::Beyond)]
    #[case::backwards("bytes=9-0", Wanted::Whole)]
    #[case::several("bytes=0-1,5-6", Wanted::Whole)]
    #[case::another_unit("lines=0-1", Wanted::Whole)]
    #[case::signs("bytes=+1-+2", Wanted::Whole)]
    #[case::nothing("bytes=-", Wanted::Whole)]
    #[case::too_long_a_number("bytes=99999999999999999999999-", Wanted::Whole)]
    fn a_range_of_a_file_of_100_bytes(#[case] header: &str, #[case] expected: Wanted) {
        assert_eq!(Wanted::read(Some(header), 100), expected);
    }

    #[test]
    fn an_empty_file_has_no_parts() {
        assert_eq!(Wanted::read(Some("bytes=0-"), 0), Wanted::Beyond);
        assert_eq!(Wanted::read(None, 0), Wanted::Whole);
    }
}
