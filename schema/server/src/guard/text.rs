//! One pass over the bytes, without recursion, before the text is parsed.
//!
//! It must never see fewer brackets than the parser will: where the two could read a text differently (a block string
//! without its end), the text is refused.

use super::{Bounds, TooMuch, at_most};

pub(super) fn check(bounds: &Bounds, source: &str) -> Result<(), TooMuch> {
    at_most(bounds.bytes, source.len(), TooMuch::Bytes)?;
    let (mut tokens, mut nesting) = (0_usize, 0_usize);
    let mut rest = source.as_bytes();
    while let Some((token, after)) = next_token(rest)? {
        let length = rest.len() - after.len();
        rest = after;
        tokens += usize::from(token != Token::Blank);
        match token {
            Token::Open => nesting += 1,
            Token::Close => nesting = nesting.saturating_sub(1),
            Token::Word => at_most(bounds.word, length, TooMuch::Word)?,
            Token::Blank | Token::Other => {}
        }
        at_most(bounds.tokens, tokens, TooMuch::Tokens)?;
        at_most(bounds.nesting, nesting, TooMuch::Nesting)?;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Blank,
    /// A name, a number, or what stands where one could.
    Word,
    Other,
}

/// Takes one token, comment or ignored byte off the front. An unfinished plain string ends with its line: the parser
/// will refuse it, and goes no further.
fn next_token(text: &[u8]) -> Result<Option<(Token, &[u8])>, TooMuch> {
    let Some((&first, after)) = text.split_first() else { return Ok(None) };
    Ok(Some(match first {
        b'{' | b'[' | b'(' => (Token::Open, after),
        b'}' | b']' | b')' => (Token::Close, after),
        b' ' | b'\t' | b'\r' | b'\n' | b',' => (Token::Blank, after),
        b'#' => (Token::Blank, after_line(after)),
        b'"' => match text.strip_prefix(b"\"\"\"") {
            Some(block) => (Token::Other, after_block(block).ok_or(TooMuch::Unfinished)?),
            None => (Token::Other, after_string(after)),
        },
        b'.' => (Token::Other, after_dots(after)),
        _ if is_word(first) => (Token::Word, after_word(after)),
        _ => (Token::Other, after),
    }))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-') || byte >= 0x80
}

fn after_word(text: &[u8]) -> &[u8] {
    &text[text.iter().position(|&byte| !is_word(byte)).unwrap_or(text.len())..]
}

fn after_dots(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"..").unwrap_or(text)
}

fn after_line(text: &[u8]) -> &[u8] {
    &text[text.iter().position(|&byte| matches!(byte, b'\n' | b'\r')).unwrap_or(text.len())..]
}

fn after_string(mut text: &[u8]) -> &[u8] {
    while let Some((&byte, after)) = text.split_first() {
        match byte {
            b'"' | b'\n' | b'\r' => return after,
            b'\\' => text = after.get(1..).unwrap_or_default(),
            _ => text = after,
        }
    }
    text
}

fn after_block(mut text: &[u8]) -> Option<&[u8]> {
    while !text.is_empty() {
        if let Some(after) = text.strip_prefix(b"\\\"\"\"") {
            text = after;
        } else if let Some(after) = text.strip_prefix(b"\"\"\"") {
            return Some(after);
        } else {
            text = &text[1..];
        }
    }
    None
}
