//! The code by which a box is let in as a hub: read from a screen and typed in by hand, so its letters cannot be taken
//! for one another, and its last one shows a slip before anybody is asked.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::refusal::Unmet;

/// Letters and digits without I, L, O and U: 32 of them, 5 bits each.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// How long a code is; the last letter is the check, so 95 bits are secret.
const LENGTH: usize = 20;
/// Letters between two hyphens.
const GROUP: usize = 5;

/// A code as it is shown once. Kept is only its digest.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolmentCode(String);

impl EnrolmentCode {
    /// A code that nobody has seen.
    ///
    /// # Errors
    /// Where the machine has no random bits.
    pub fn fresh() -> Result<Self, Unmet> {
        let mut random = [0; LENGTH - 1];
        getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random bits: {error}"))?;
        let values: Vec<usize> = random.iter().map(|byte| usize::from(byte % 32)).collect();
        let letter = |value: &usize| char::from(LETTERS[*value]);
        Ok(Self(values.iter().chain([&check(&values)]).map(letter).collect()))
    }

    /// Reads what somebody typed: small letters, blanks, hyphens and the letters that look like others are forgiven.
    pub fn read(typed: &str) -> Option<Self> {
        let plain = |c: char| match c.to_ascii_uppercase() {
            'I' | 'L' => '1',
            'O' => '0',
            c => c,
        };
        let code: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').map(plain).collect();
        let value = |c: char| LETTERS.iter().position(|letter| char::from(*letter) == c);
        let values = code.chars().map(value).collect::<Option<Vec<_>>>()?;
        let (last, others) = values.split_last()?;
        (values.len() == LENGTH && check(others) == *last).then_some(Self(code))
    }

    /// What is kept of it.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

/// Luhn's check, for 32 letters: finds every wrong letter and nearly every pair that changed places.
fn check(values: &[usize]) -> usize {
    let doubled = |value: usize| (2 * value) / 32 + (2 * value) % 32;
    let weigh = |(at, value): (usize, &usize)| if at % 2 == 0 { doubled(*value) } else { *value };
    (32 - values.iter().rev().enumerate().map(weigh).sum::<usize>() % 32) % 32
}

/// In groups, as people read it.
impl fmt::Display for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, letter) in self.0.chars().enumerate() {
            if at > 0 && at % GROUP == 0 {
                f.write_str("-")?;
            }
            write!(f, "{letter}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for EnrolmentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = EnrolmentCode::fresh().unwrap();
        let shown = code.to_string();
        assert_eq!(shown.len(), 23);
        assert_eq!(EnrolmentCode::read(&shown), Some(code.clone()));
        let sloppy =
            format!(" {} ", shown.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l"));
        assert_eq!(EnrolmentCode::read(&sloppy), Some(code));
    }

    #[test]
    fn any_wrong_letter_is_noticed() {
        let plain = EnrolmentCode::fresh().unwrap().to_string().replace('-', "");
        for at in 0..plain.len() {
            for letter in LETTERS.iter().map(|letter| char::from(*letter)) {
                let mut typed: Vec<char> = plain.chars().collect();
                if std::mem::replace(&mut typed[at], letter) != letter {
                    assert_eq!(EnrolmentCode::read(&typed.iter().collect::<String>()), None);
                }
            }
        }
        assert_eq!(EnrolmentCode::read(&plain[1..]), None);
        assert_eq!(EnrolmentCode::read(""), None);
    }

    #[test]
    fn a_code_does_not_show_in_logs() {
        let code = EnrolmentCode::fresh().unwrap();
        assert_eq!(format!("{code:?}"), "EnrolmentCode(..)");
    }
}
