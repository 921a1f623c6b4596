//! What a client can read of what we can write: the `Accept` header, with its preferences.

use axum::body::Bytes;
use axum::http::HeaderValue;
use axum::http::header::{ACCEPT, HeaderMap};

/// An answer that comes at once and whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// What every client reads. It answers 200 also where nothing ran.
    Json,
    /// The newer one says by its status whether the request was run at all.
    GraphqlResponse,
}

/// An answer that comes in parts, as they happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Live {
    /// Server-sent events, as `graphql-sse` and `EventSource` read them.
    EventStream,
    /// Apollo's subscriptions over multipart HTTP.
    Multipart,
}

/// What a client can read: of either kind what it likes best, and at least one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) plain: Option<Plain>,
    pub(super) live: Option<Live>,
}

/// What we can write, for whoever can read none of it.
pub(super) const WRITTEN: &str = "application/json, application/graphql-response+json, text/event-stream, multipart/mixed;subscriptionSpec=1.0";

impl Wanted {
    /// `None` where the client can read nothing of ours. Streams are sent only to those who name them: to somebody
    /// who reads anything, a stream would be an answer that never ends.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let lines = || headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges: Vec<Range<'_>> =
            lines().flat_map(|line| line.split(',')).filter_map(Range::parse).collect();
        if lines().all(|line| line.trim().is_empty()) {
            return Some(Self { plain: Some(Plain::Json), live: None });
        }
        let named: Vec<Range<'_>> = ranges.iter().copied().filter(|range| range.subtype != "*").collect();
        let plain = best(&ranges, [Plain::Json, Plain::GraphqlResponse], Plain::takes);
        let live = best(&named, [Live::EventStream, Live::Multipart], Live::takes);
        (plain.is_some() || live.is_some()).then_some(Self { plain, live })
    }
}

impl Plain {
    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        })
    }

    fn takes(self, range: &Range<'_>) -> bool {
        let subtype = match self {
            Self::Json => "json",
            Self::GraphqlResponse => "graphql-response+json",
        };
        range.covers("application", subtype)
    }
}

impl Live {
    pub(super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::EventStream => "text/event-stream; charset=utf-8",
            Self::Multipart => "multipart/mixed; boundary=\"graphql\"; subscriptionSpec=1.0",
        })
    }

    /// What comes before the first answer. Apollo's client reads a part when the boundary after it has come, so every
    /// part brings its own.
    pub(super) fn opening(self) -> &'static [u8] {
        match self {
            Self::EventStream => b":\n\n",
            Self::Multipart => b"\r\n--graphql",
        }
    }

    /// One answer.
    pub(super) fn next(self, response: &[u8]) -> Bytes {
        match self {
            Self::EventStream => [b"event: next\ndata: ", response, b"\n\n"].concat(),
            Self::Multipart => part(&[br#"{"payload":"#, response, b"}"].concat()),
        }
        .into()
    }

    /// In multipart, what ends a stream from outside stands beside the payload, not in it.
    pub(super) fn fatal(self, refusal: &[u8]) -> Bytes {
        match self {
            Self::EventStream => self.next(refusal),
            Self::Multipart => {
                part(&[br#"{"payload":null,"#, refusal.get(1..).unwrap_or_default()].concat()).into()
            }
        }
    }

    /// A sign of life that says nothing.
    pub(super) fn beat(self) -> Bytes {
        match self {
            Self::EventStream => Bytes::from_static(b":\n\n"),
            Self::Multipart => part(b"{}").into(),
        }
    }

    /// There is nothing more. `EventSource` hears of an event only where it has data, be it empty.
    pub(super) fn end(self) -> &'static [u8] {
        match self {
            Self::EventStream => b"event: complete\ndata: \n\n",
            Self::Multipart => b"--\r\n",
        }
    }

    fn takes(self, range: &Range<'_>) -> bool {
        match self {
            Self::EventStream => range.covers("text", "event-stream"),
            Self::Multipart => range.covers("multipart", "mixed") && range.is_subscription,
        }
    }
}

/// A part of a multipart answer, with the boundary that ends it.
fn part(json: &[u8]) -> Vec<u8> {
    [b"\r\ncontent-type: application/json; charset=utf-8\r\n\r\n", json, b"\r\n--graphql"].concat()
}

/// The form with the highest quality; among equals the one that is named most precisely, then first, then ours.
fn best<F: Copy>(ranges: &[Range<'_>], forms: [F; 2], takes: impl Fn(F, &Range<'_>) -> bool) -> Option<F> {
    let rank = |form: F| {
        let covering = ranges.iter().enumerate().filter(|(_, range)| takes(form, range));
        // The most precise range speaks for a form, whatever the others say of it.
        let (place, range) = covering.max_by_key(|(place, range)| (range.precision(), usize::MAX - place))?;
        (range.quality > 0).then_some((range.quality, range.precision(), usize::MAX - place))
    };
    match (rank(forms[0]), rank(forms[1])) {
        (None, None) => None,
        (first, second) if first >= second => Some(forms[0]),
        _ => Some(forms[1]),
    }
}

/// One media range of an `Accept` header.
#[derive(Debug, Clone, Copy)]
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// Thousandths.
    quality: u16,
    /// Whether it means Apollo's subscriptions.
    is_subscription: bool,
}

impl<'a> Range<'a> {
    /// `None` for what is no media range: it names nothing that we have.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut range = Self { kind, subtype, quality: 1_000, is_subscription: false };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => range.quality = quality(value)?,
                "subscriptionspec" => range.is_subscription = value == "1.0",
                _ => {}
            }
        }
        Some(range)
    }

    fn covers(&self, kind: &str, subtype: &str) -> bool {
        let matches = |range: &str, name: &str| range == "*" || range.eq_ignore_ascii_case(name);
        matches(self.kind, kind) && matches(self.subtype, subtype)
    }

    fn precision(&self) -> u8 {
        u8::from(self.kind != "*") + u8::from(self.subtype != "*")
    }
}

/// Thousandths of a quality from 0 to 1; `None` where it is none.
fn quality(value: &str) -> Option<u16> {
    let value: f32 = value.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 1,000")]
    (0.0..=1.0).contains(&value).then(|| (value * 1_000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn wanted(accept: &[&str]) -> Option<Wanted> {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, value.parse().unwrap());
        }
        Wanted::of(&headers)
    }

    #[rstest]
    #[case::nothing(&[], Plain::Json)]
    #[case::empty(&[""], Plain::Json)]
    #[case::anything(&["*/*"], Plain::Json)]
    #[case::any_application(&["application/*"], Plain::Json)]
    #[case::json(&["application/json"], Plain::Json)]
    #[case::json_and_its_charset(&["application/json; charset=utf-8"], Plain::Json)]
    #[case::the_newer(&["application/graphql-response+json"], Plain::GraphqlResponse)]
    #[case::any_case(&["Application/GraphQL-Response+JSON"], Plain::GraphqlResponse)]
    #[case::the_first_of_equals(&["application/graphql-response+json, application/json"], Plain::GraphqlResponse)]
    #[case::the_first_again(&["application/json, application/graphql-response+json"], Plain::Json)]
    #[case::on_two_lines(&["application/graphql-response+json", "application/json"], Plain::GraphqlResponse)]
    #[case::better(&["application/json;q=0.9, application/graphql-response+json"], Plain::GraphqlResponse)]
    #[case::better_by_a_bit(&["application/graphql-response+json;q=0.899, application/json;q=0.9"], Plain::Json)]
    #[case::named_before_any(&["*/*, application/graphql-response+json"], Plain::GraphqlResponse)]
    #[case::any_but_json(&["*/*, application/json;q=0"], Plain::GraphqlResponse)]
    #[case::any_but_rather_not(&["*/*;q=0.5, application/json;q=0.1"], Plain::GraphqlResponse)]
    #[case::a_browser(&["text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"], Plain::Json)]
    #[case::apollo_for_defer(
        &["multipart/mixed;deferSpec=20220824,application/graphql-response+json,application/json;q=0.9"],
        Plain::GraphqlResponse
    )]
    fn what_is_liked_best_is_sent(#[case] accept: &[&str], #[case] expected: Plain) {
        assert_eq!(wanted(accept), Some(Wanted { plain: Some(expected), live: None }));
    }

    #[rstest]
    #[case::events(&["text/event-stream"], None, Live::EventStream)]
    #[case::parts(&["multipart/mixed;subscriptionSpec=1.0"], None, Live::Multipart)]
    #[case::parts_in_quotes(&["multipart/mixed; subscriptionSpec=\"1.0\""], None, Live::Multipart)]
    #[case::apollo(
        &["multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/graphql-response+json,application/json;q=0.9"],
        Some(Plain::GraphqlResponse),
        Live::Multipart
    )]
    #[case::events_or_anything(&["text/event-stream, */*;q=0.1"], Some(Plain::Json), Live::EventStream)]
    #[case::both(&["multipart/mixed;subscriptionSpec=1.0;q=0.5, text/event-stream"], None, Live::EventStream)]
    fn a_stream_is_sent_to_those_who_name_it(
        #[case] accept: &[&str],
        #[case] plain: Option<Plain>,
        #[case] live: Live,
    ) {
        assert_eq!(wanted(accept), Some(Wanted { plain, live: Some(live) }));
    }

    #[rstest]
    #[case::a_page("text/html")]
    #[case::a_picture("image/png, image/*;q=0.5")]
    #[case::no_json("application/json;q=0")]
    #[case::nothing_at_all("*/*;q=0")]
    #[case::other_parts("multipart/mixed")]
    #[case::another_version("multipart/mixed;subscriptionSpec=2.0")]
    #[case::any_text("text/*")]
    #[case::no_range("json")]
    #[case::no_quality("application/json;q=high")]
    #[case::too_much_quality("application/json;q=7")]
    fn who_can_read_nothing_of_ours_is_sent_nothing(#[case] accept: &str) {
        assert_eq!(wanted(&[accept]), None);
    }
}
