//! Payloads without what they repeat. Ids and long numbers are taken out of the text and stand in columns; the text that
//! is left is one of a few. Half of a vote's JSON is random hexadecimal digits, which no general packer makes smaller.
//!
//! It is a matter of bytes, not of JSON: whatever goes in comes out again to the last byte, for it was hashed.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use uuid::Uuid;

use super::facts::Ragged;
use super::frame::MOST_BYTES;

/// Stands where an id was: no JSON text has this byte.
const ID: u8 = 1;
/// Stands where a number was.
const NUMBER: u8 = 2;
/// Stands before a text that is as it was.
const AS_IT_IS: u8 = 3;

/// An id as serde writes it.
const ID_LENGTH: usize = 36;

/// Shorter numbers stay in the text; longer ones may not fit.
const DIGITS: std::ops::RangeInclusive<usize> = 5..=18;

/// Payloads in columns. The n-th id of each payload stands in the n-th column of ids, and so do numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Payloads {
    /// The texts that are left, each once.
    texts: Vec<ByteBuf>,
    /// For each payload its place in `texts`.
    places: Vec<u32>,
    ids: Vec<Ids>,
    numbers: Vec<Numbers>,
}

/// A column of ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Ids {
    /// 0 for one that is new here, else its place among those before, from 1.
    places: Vec<u32>,
    /// Of each new one the first 48 bits, less the milliseconds of its fact: a version 7 UUID begins with its time.
    times: Vec<i64>,
    /// Of each new one the other 10 bytes.
    #[serde(with = "serde_bytes")]
    rests: Vec<u8>,
}

/// A column of numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Numbers {
    /// What each is told against: [`Against`].
    #[serde(with = "serde_bytes")]
    against: Vec<u8>,
    differences: Vec<i64>,
}

/// What a number is told against.
#[derive(Debug, Clone, Copy)]
enum Against {
    /// The number before it in its column, or 0.
    Before = 0,
    /// The fact's steady milliseconds.
    Millis = 1,
    /// The fact's hybrid clock.
    Hlc = 2,
}

const ALL: [Against; 3] = [Against::Before, Against::Millis, Against::Hlc];

impl Against {
    fn value(self, before: i64, hlc: u64) -> i64 {
        match self {
            Self::Before => before,
            Self::Millis => millis(hlc),
            Self::Hlc => hlc.cast_signed(),
        }
    }
}

fn millis(hlc: u64) -> i64 {
    (hlc >> 16).cast_signed()
}

impl Payloads {
    /// Packs payloads, each with the hybrid clock of its fact.
    pub(super) fn of<'p>(payloads: impl Iterator<Item = (&'p [u8], u64)>) -> Self {
        let mut packer = Packer::default();
        payloads.for_each(|(payload, hlc)| packer.pack(payload, hlc));
        packer.packed
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The payloads of facts with these hybrid clocks. Never more than [`MOST_BYTES`].
    ///
    /// # Errors
    /// [`Ragged`] where the columns are not of one length.
    pub(super) fn unpack(&self, clocks: &[u64]) -> Result<Vec<Vec<u8>>, Ragged> {
        if clocks.len() != self.places.len() {
            return Err(Ragged);
        }
        let mut unpacker = Unpacker {
            ids: self.ids.iter().map(IdReader::new).collect(),
            numbers: self.numbers.iter().map(NumberReader::new).collect(),
            left: MOST_BYTES,
        };
        let texts = self.places.iter().map(|place| self.texts.get(*place as usize).ok_or(Ragged));
        texts.zip(clocks).map(|(text, hlc)| unpacker.unpack(text?, *hlc)).collect()
    }
}

#[derive(Default)]
struct Packer {
    packed: Payloads,
    texts: std::collections::HashMap<Vec<u8>, u32>,
    ids: Vec<std::collections::HashMap<Uuid, u32>>,
    before: Vec<i64>,
}

impl Packer {
    fn pack(&mut self, payload: &[u8], hlc: u64) {
        let text = if payload.iter().any(|byte| (ID..=AS_IT_IS).contains(byte)) {
            [&[AS_IT_IS], payload].concat()
        } else {
            self.text(payload, hlc)
        };
        let next = self.texts.len() as u32;
        let place = *self.texts.entry(text).or_insert_with_key(|text| {
            self.packed.texts.push(ByteBuf::from(text.clone()));
            next
        });
        self.packed.places.push(place);
    }

    /// What is left of a payload.
    fn text(&mut self, payload: &[u8], hlc: u64) -> Vec<u8> {
        let mut text = Vec::with_capacity(payload.len());
        let (mut at, mut ids, mut numbers) = (0, 0, 0);
        while at < payload.len() {
            if let Some(id) = id_at(payload, at) {
                self.take_id(ids, id, hlc);
                (at, ids) = (at + ID_LENGTH, ids + 1);
                text.push(ID);
            } else if let Some((number, length)) = number_at(payload, at) {
                self.take_number(numbers, number, hlc);
                (at, numbers) = (at + length, numbers + 1);
                text.push(NUMBER);
            } else {
                text.push(payload[at]);
                at += 1;
            }
        }
        text
    }

    fn take_id(&mut self, column: usize, id: Uuid, hlc: u64) {
        if self.ids.len() == column {
            self.ids.push(std::collections::HashMap::new());
            self.packed.ids.push(Ids::default());
        }
        let (known, ids) = (&mut self.ids[column], &mut self.packed.ids[column]);
        let next = known.len() as u32 + 1;
        let place = *known.entry(id).or_insert(next);
        if place < next {
            ids.places.push(place);
            return;
        }
        let (time, rest) = (id.as_u128() >> 80, &id.as_bytes()[6..]);
        ids.places.push(0);
        ids.times.push((time as i64).wrapping_sub(millis(hlc)));
        ids.rests.extend_from_slice(rest);
    }

    fn take_number(&mut self, column: usize, number: i64, hlc: u64) {
        if self.before.len() == column {
            self.before.push(0);
            self.packed.numbers.push(Numbers::default());
        }
        let before = &mut self.before[column];
        let told = ALL.map(|against| (against, number.wrapping_sub(against.value(*before, hlc))));
        let nearest = told.into_iter().min_by_key(|(_, difference)| difference.unsigned_abs());
        let (against, difference) = nearest.unwrap_or((Against::Before, number.wrapping_sub(*before)));
        let numbers = &mut self.packed.numbers[column];
        numbers.against.push(against as u8);
        numbers.differences.push(difference);
        *before = number;
    }
}

/// The id that is written at this place, if one is, exactly as it will be written again.
fn id_at(payload: &[u8], at: usize) -> Option<Uuid> {
    let text = payload.get(at..at + ID_LENGTH)?;
    let is_one = text.iter().enumerate().all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    });
    if is_one { Uuid::try_parse_ascii(text).ok() } else { None }
}

/// The number that is written at this place, if one is that will be written so again, and how long it is.
fn number_at(payload: &[u8], at: usize) -> Option<(i64, usize)> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'.';
    if payload[at] == b'0' || at.checked_sub(1).is_some_and(|before| is_part(&payload[before])) {
        return None;
    }
    let length = payload[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let goes_on = payload.get(at + length).is_some_and(is_part);
    let digits = std::str::from_utf8(&payload[at..at + length]).ok()?;
    if DIGITS.contains(&length) && !goes_on { Some((digits.parse().ok()?, length)) } else { None }
}

struct IdReader<'c> {
    column: &'c Ids,
    next: usize,
    known: Vec<Uuid>,
}

struct NumberReader<'c> {
    column: &'c Numbers,
    next: usize,
    before: i64,
}

impl<'c> IdReader<'c> {
    fn new(column: &'c Ids) -> Self {
        Self { column, next: 0, known: Vec::new() }
    }

    fn read(&mut self, hlc: u64) -> Result<Uuid, Ragged> {
        let place = *self.column.places.get(self.next).ok_or(Ragged)? as usize;
        self.next += 1;
        if let Some(known) = place.checked_sub(1) {
            return self.known.get(known).copied().ok_or(Ragged);
        }
        let new = self.known.len();
        let time = self.column.times.get(new).ok_or(Ragged)?.wrapping_add(millis(hlc));
        let rest = self.column.rests.get(10 * new..10 * new + 10).ok_or(Ragged)?;
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&time.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(rest);
        let id = Uuid::from_bytes(bytes);
        self.known.push(id);
        Ok(id)
    }
}

impl<'c> NumberReader<'c> {
    fn new(column: &'c Numbers) -> Self {
        Self { column, next: 0, before: 0 }
    }

    fn read(&mut self, hlc: u64) -> Result<i64, Ragged> {
        let against = *self.column.against.get(self.next).ok_or(Ragged)?;
        let against = *ALL.get(usize::from(against)).ok_or(Ragged)?;
        let difference = *self.column.differences.get(self.next).ok_or(Ragged)?;
        self.next += 1;
        self.before = against.value(self.before, hlc).wrapping_add(difference);
        Ok(self.before)
    }
}

struct Unpacker<'c> {
    ids: Vec<IdReader<'c>>,
    numbers: Vec<NumberReader<'c>>,
    /// A short message could ask for far more than it is long.
    left: usize,
}

impl Unpacker<'_> {
    fn unpack(&mut self, text: &[u8], hlc: u64) -> Result<Vec<u8>, Ragged> {
        let mut payload = Vec::with_capacity(text.len());
        if let Some(as_it_was) = text.strip_prefix(&[AS_IT_IS]) {
            payload.extend_from_slice(as_it_was);
        } else {
            let (mut ids, mut numbers) = (self.ids.iter_mut(), self.numbers.iter_mut());
            for byte in text {
                match *byte {
                    ID => payload.extend_from_slice(
                        ids.next().ok_or(Ragged)?.read(hlc)?.hyphenated().to_string().as_bytes(),
                    ),
                    NUMBER => payload
                        .extend_from_slice(numbers.next().ok_or(Ragged)?.read(hlc)?.to_string().as_bytes()),
                    plain => payload.push(plain),
                }
            }
        }
        self.left = self.left.checked_sub(payload.len()).ok_or(Ragged)?;
        Ok(payload)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn there_and_back(payloads: &[(Vec<u8>, u64)]) -> Vec<Vec<u8>> {
        let packed = Payloads::of(payloads.iter().map(|(payload, hlc)| (payload.as_slice(), *hlc)));
        let bytes = rmp_serde::to_vec_named(&packed).expect("columns are written");
        let read: Payloads = rmp_serde::from_slice(&bytes).expect("and read");
        let clocks: Vec<u64> = payloads.iter().map(|(_, hlc)| *hlc).collect();
        read.unpack(&clocks).expect("as they went in")
    }

    /// Pieces of which what looks like ids and numbers, or nearly, is made.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            any::<[u8; 16]>().prop_map(|bytes| Uuid::from_bytes(bytes).to_string().into_bytes()),
            Just(b"0191e7a4-3c5e-7a1b-8f00-2b6a4c9d1e10".to_vec()),
            Just(b"0191E7A4-3c5e-7a1b-8f00-2b6a4c9d1e10".to_vec()),
            any::<u64>().prop_map(|number| number.to_string().into_bytes()),
            any::<f64>().prop_map(|number| number.to_string().into_bytes()),
            Just(b"0012345".to_vec()),
            Just(b"-1790000000000,".to_vec()),
            Just(b"\",\"".to_vec()),
            prop::collection::vec(any::<u8>(), 0..6),
        ]
    }

    proptest! {
        #[test]
        fn whatever_goes_in_comes_out_to_the_last_byte(
            payloads in prop::collection::vec((prop::collection::vec(piece(), 0..8), any::<u64>()), 0..12),
        ) {
            let payloads: Vec<(Vec<u8>, u64)> =
                payloads.into_iter().map(|(pieces, hlc)| (pieces.concat(), hlc)).collect();
            let out = there_and_back(&payloads);
            prop_assert!(out.iter().eq(payloads.iter().map(|(payload, _)| payload)));
        }

        #[test]
        fn columns_of_nonsense_are_refused_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(read) = rmp_serde::from_slice::<Payloads>(&bytes) {
                let _refused_or_not = read.unpack(&vec![0; read.len()]);
            }
        }
    }

    #[test]
    fn a_short_message_that_unpacks_to_gigabytes_is_refused() {
        let packed = Payloads {
            texts: vec![ByteBuf::from(vec![b' '; 1 << 20])],
            places: vec![0; 100],
            ..Payloads::default()
        };
        assert_eq!(packed.unpack(&[0; 100]), Err(Ragged));
    }

    #[test]
    fn columns_that_are_too_short_are_refused() {
        let id = b"{\"id\":\"0191e7a4-3c5e-7a1b-8f00-2b6a4c9d1e10\",\"at\":1790000000000}".to_vec();
        let whole = Payloads::of([(id.as_slice(), 7)].into_iter());
        assert_eq!(whole.texts, [ByteBuf::from(b"{\"id\":\"\x01\",\"at\":\x02}".to_vec())]);
        let broken: [fn(&mut Payloads); 5] = [
            |broken| broken.ids.clear(),
            |broken| broken.ids[0].rests.truncate(9),
            |broken| broken.ids[0].places[0] = 2,
            |broken| broken.numbers[0].against[0] = 3,
            |broken| broken.places[0] = 1,
        ];
        for breaks in broken {
            let mut broken = whole.clone();
            breaks(&mut broken);
            assert_eq!(broken.unpack(&[7]), Err(Ragged));
        }
    }
}
