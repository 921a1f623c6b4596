//! Frame headers of MPEG audio and ADTS: how to recognise a stream that has no magic number of its own.

/// What one MPEG audio frame header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MpegHeader {
    pub(crate) layer: u8,
    pub(crate) bytes: usize,
}

const RATES: [usize; 3] = [44_100, 48_000, 32_000];
const KBITS_V1_L1: [usize; 14] = [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448];
const KBITS_V1_L2: [usize; 14] = [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384];
const KBITS_V1_L3: [usize; 14] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const KBITS_V2_L1: [usize; 14] = [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256];
const KBITS_V2_L23: [usize; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

/// Reads an MPEG audio frame header of any version and layer; free-format streams are not recognised.
pub(crate) fn mpeg_header(bytes: &[u8]) -> Option<MpegHeader> {
    let &[0xFF, second, third, _, ..] = bytes else { return None };
    let (version, layer) = (second >> 3 & 3, 4 - (second >> 1 & 3));
    let (bitrate, rate) = (usize::from(third >> 4), usize::from(third >> 2 & 3));
    if second & 0xE0 != 0xE0 || version == 1 || layer == 4 || !(1..=14).contains(&bitrate) || rate == 3 {
        return None;
    }
    let table = match (version, layer) {
        (3, 1) => KBITS_V1_L1,
        (3, 2) => KBITS_V1_L2,
        (3, _) => KBITS_V1_L3,
        (_, 1) => KBITS_V2_L1,
        _ => KBITS_V2_L23,
    };
    let rate = RATES[rate] >> usize::from(version == 2) >> (2 * usize::from(version == 0));
    let bits = table[bitrate - 1] * 1000;
    let padding = usize::from(third >> 1 & 1);
    let bytes = match layer {
        1 => (12 * bits / rate + padding) * 4,
        3 if version != 3 => 72 * bits / rate + padding,
        _ => 144 * bits / rate + padding,
    };
    Some(MpegHeader { layer, bytes })
}

/// Length of an ADTS (raw AAC) frame.
pub(crate) fn adts_frame(bytes: &[u8]) -> Option<usize> {
    let &[0xFF, second, third, fourth, fifth, sixth, ..] = bytes else { return None };
    if second & 0xF6 != 0xF0 || third >> 2 & 0xF > 12 {
        return None;
    }
    let length = usize::from(fourth & 3) << 11 | usize::from(fifth) << 3 | usize::from(sixth) >> 5;
    (length > 7).then_some(length)
}

/// Whether `count` frames follow each other from the start of `bytes`, or as many as fit.
pub(crate) fn frames_in_a_row(bytes: &[u8], count: usize, length: impl Fn(&[u8]) -> Option<usize>) -> bool {
    let mut at = 0;
    for _ in 0..count {
        if at >= bytes.len().saturating_sub(8) && at > 0 {
            return true;
        }
        match bytes.get(at..).and_then(&length) {
            Some(bytes) => at += bytes,
            None => return false,
        }
    }
    true
}

/// Whether the first MPEG frame carries a header (Xing, Info, VBRI) that states the number of frames.
pub(crate) fn states_its_length(first_frame: &[u8]) -> bool {
    let head = &first_frame[..first_frame.len().min(200)];
    let found = |tag: &[u8]| head.windows(tag.len()).position(|window| window == tag);
    let xing = found(b"Xing").or_else(|| found(b"Info"));
    // Bit 0 of the flags: the number of frames is there.
    let counted = xing.and_then(|at| head.get(at + 7)).is_some_and(|flags| flags & 1 == 1);
    counted || found(b"VBRI").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_mp3_frame_is_417_bytes_long() {
        assert_eq!(mpeg_header(&[0xFF, 0xFB, 0x90, 0x64]), Some(MpegHeader { layer: 3, bytes: 417 }));
        assert_eq!(mpeg_header(&[0xFF, 0xFB, 0x92, 0x64]), Some(MpegHeader { layer: 3, bytes: 418 }));
    }

    #[test]
    fn a_jpeg_is_no_mpeg_frame() {
        assert_eq!(mpeg_header(&[0xFF, 0xD8, 0xFF, 0xE0]), None);
        assert_eq!(adts_frame(&[0xFF, 0xD8, 0xFF, 0xE0, 0, 0x10, 0x4A]), None);
    }

    #[test]
    fn half_rate_streams_have_half_the_frame() {
        assert_eq!(mpeg_header(&[0xFF, 0xF3, 0x80, 0x64]).unwrap().bytes, 72 * 64_000 / 22_050);
    }
}
