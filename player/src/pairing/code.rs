//! The code that a hub shows: an address to scan or paste, or eight digits to type.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roomtone_schema::HubId;

use crate::pinned::HubKey;

/// How the address begins.
const SCHEME: &str = "roomtone://pair?";

/// Addresses in one code that are read.
const MOST_ADDRESSES: usize = 16;

/// What the hub shows to whoever may pair a player.
#[derive(Clone, PartialEq, Eq)]
pub enum Code {
    /// The address in the QR code.
    Token(PairUri),
    /// Eight ASCII digits.
    Digits([u8; 8]),
}

/// What is in a pairing address.
#[derive(Clone, PartialEq, Eq)]
pub struct PairUri {
    /// Where the hub listens for players.
    pub addresses: Vec<SocketAddr>,
    /// Which hub.
    pub hub: HubId,
    /// The hub's key, pinned by this.
    pub key: HubKey,
    /// Good once.
    pub token: [u8; 16],
}

/// Why a text is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Nothing like a code.
    #[error(
        "this is no pairing code. A code is eight digits such as 1234 5678, or an address that begins \
         with {SCHEME}; the hub shows both with `roomtone-hub pair`"
    )]
    Neither,
    /// Digits, and not eight.
    #[error("a code has eight digits, this has {0}; the hub shows it with `roomtone-hub pair`")]
    Digits(usize),
    /// An address with something wrong in it.
    #[error(
        "the pairing address lacks {what}: was it copied whole, and in quotes (it contains `&`)? \
         `roomtone-hub pair` shows it again"
    )]
    Address {
        /// Such as `the hub's key`.
        what: &'static str,
    },
}

/// What opens a hub is in no log.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(uri) => uri.fmt(f),
            Self::Digits(_) => f.write_str("Digits(..)"),
        }
    }
}

impl fmt::Debug for PairUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PairUri")
            .field("addresses", &self.addresses)
            .field("hub", &self.hub)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl FromStr for Code {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        let text = text.trim();
        if text.get(..SCHEME.len()).is_some_and(|head| head.eq_ignore_ascii_case(SCHEME)) {
            return text[SCHEME.len()..].parse().map(Self::Token);
        }
        digits(text).map(Self::Digits)
    }
}

/// The part behind the question mark.
impl FromStr for PairUri {
    type Err = CodeError;

    fn from_str(query: &str) -> Result<Self, CodeError> {
        let lacks = |what| CodeError::Address { what };
        let values = |wanted: &'static str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.filter(move |(key, _)| *key == wanted).map(|(_, value)| value)
        };
        let first = |wanted| values(wanted).next();
        let addresses: Vec<SocketAddr> =
            values("hub").take(MOST_ADDRESSES).filter_map(|hub| unescaped(hub).parse().ok()).collect();
        if addresses.is_empty() {
            return Err(lacks("the hub's address"));
        }
        let token = first("token").and_then(|token| URL_SAFE_NO_PAD.decode(token).ok());
        Ok(Self {
            addresses,
            hub: first("id").and_then(|id| id.parse().ok()).ok_or(lacks("the hub's id"))?,
            key: first("key").and_then(|key| key.parse().ok()).ok_or(lacks("the hub's key"))?,
            token: token.and_then(|token| token.try_into().ok()).ok_or(lacks("the token"))?,
        })
    }
}

/// Eight digits, however they are grouped.
fn digits(text: &str) -> Result<[u8; 8], CodeError> {
    let is_space = |c: char| c.is_whitespace() || matches!(c, '-' | '–' | '.' | '_');
    let bare: String = text.chars().filter(|c| !is_space(*c)).collect();
    if bare.is_empty() || !bare.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(CodeError::Neither);
    }
    bare.as_bytes().try_into().or(Err(CodeError::Digits(bare.len())))
}

/// The brackets and the colon of an address, where whoever passed it on has escaped them.
fn unescaped(text: &str) -> String {
    let mut plain = text.to_owned();
    for (escaped, c) in [("%5B", "["), ("%5b", "["), ("%5D", "]"), ("%5d", "]"), ("%3A", ":"), ("%3a", ":")] {
        plain = plain.replace(escaped, c);
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use roomtone_schema::song::Sha256;
    use rstest::rstest;

    use super::*;

    const ID: &str = "01890000-0000-7000-8000-000000000001";

    fn uri(query: &str) -> Result<PairUri, CodeError> {
        match format!("roomtone://pair?{query}").parse()? {
            Code::Token(uri) => Ok(uri),
            Code::Digits(_) => panic!("digits in {query}"),
        }
    }

    #[rstest]
    #[case::plain("12345678")]
    #[case::as_shown("1234 5678")]
    #[case::as_somebody_types(" 12-34 56-78\n")]
    #[case::as_a_phone_corrects("1234–5678")]
    fn digits_are_read_however_they_are_grouped(#[case] text: &str) {
        assert_eq!(text.parse(), Ok(Code::Digits(*b"12345678")));
    }

    #[rstest]
    #[case::nothing("", CodeError::Neither)]
    #[case::a_word("hello", CodeError::Neither)]
    #[case::letters_among_digits("1234567O", CodeError::Neither)]
    #[case::other_digits("١٢٣٤٥٦٧٨", CodeError::Neither)]
    #[case::too_few("1234 567", CodeError::Digits(7))]
    #[case::too_many("1234 5678 9", CodeError::Digits(9))]
    fn what_is_no_code_says_what_one_looks_like(#[case] text: &str, #[case] expected: CodeError) {
        assert_eq!(text.parse::<Code>(), Err(expected));
    }

    #[test]
    fn an_address_is_read_whole_or_says_what_it_lacks() {
        let key = HubKey(Sha256([7; 32])).to_base64url();
        let token = URL_SAFE_NO_PAD.encode([9; 16]);
        let whole = format!("hub=192.0.2.1:4701&hub=%5B2001:db8::1%5D:4701&id={ID}&key={key}&token={token}");
        let read = uri(&whole).unwrap();
        assert_eq!(read.addresses.len(), 2);
        assert_eq!((read.hub.to_string().as_str(), read.token), (ID, [9; 16]));
        assert_eq!(read.key, HubKey(Sha256([7; 32])));
        for (cut, what) in [
            (format!("hub=nowhere&id={ID}&key={key}&token={token}"), "the hub's address"),
            (format!("hub=192.0.2.1:4701&key={key}&token={token}"), "the hub's id"),
            (format!("hub=192.0.2.1:4701&id={ID}&key={}&token={token}", &key[1..]), "the hub's key"),
            ("hub=192.0.2.1:4701".to_owned(), "the hub's id"),
            (format!("hub=192.0.2.1:4701&id={ID}&key={key}&token=AAAA"), "the token"),
        ] {
            assert_eq!(uri(&cut), Err(CodeError::Address { what }), "{cut}");
        }
    }

    #[test]
    fn a_code_is_in_no_log() {
        let code: Code = "1234 5678".parse().unwrap();
        assert_eq!(format!("{code:?}"), "Digits(..)");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,200}", query in "(hub|id|key|token|=|&|%|[0-9a-zA-Z:.]){0,60}") {
            let _either = text.parse::<Code>();
            let _either = uri(&query);
        }
    }
}
