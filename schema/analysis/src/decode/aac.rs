//! HE-AAC announces itself in the `AudioSpecificConfig`. Our decoder would play its lower half, at half the rate.

use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;

/// Spectral band replication, and parametric stereo on top of it.
const SBR: u32 = 5;
const PS: u32 = 29;
/// Marks an extension behind an ordinary configuration ("backward compatible signalling").
const SYNC_EXTENSION: u32 = 0x2B7;

pub(super) fn is_high_efficiency(parameters: &AudioCodecParameters) -> bool {
    parameters.codec == CODEC_ID_AAC && parameters.extra_data.as_deref().is_some_and(config_says_so)
}

fn config_says_so(config: &[u8]) -> bool {
    let object_type = bits(config, 0, 5);
    if matches!(object_type, Some(SBR | PS)) {
        return true;
    }
    // The extension may stand anywhere behind the 13 bits of the basic configuration.
    (13..(config.len() * 8).saturating_sub(16)).any(|at| {
        bits(config, at, 11) == Some(SYNC_EXTENSION)
            && bits(config, at + 11, 5) == Some(SBR)
            && bits(config, at + 16, 1) == Some(1)
    })
}

fn bits(bytes: &[u8], from: usize, count: usize) -> Option<u32> {
    (from..from + count).try_fold(0, |value, at| {
        let byte = *bytes.get(at / 8)?;
        Some(value << 1 | u32::from(byte >> (7 - at % 8) & 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_aac_is_not_high_efficiency() {
        // AAC-LC, 44.1 kHz, stereo.
        assert!(!config_says_so(&[0x12, 0x10]));
        // The same with an extension that says: no SBR.
        assert!(!config_says_so(&[0x12, 0x10, 0x56, 0xE5, 0x00]));
    }

    #[test]
    fn both_ways_of_announcing_band_replication_are_heard() {
        // Object type 5 in front.
        assert!(config_says_so(&[0x2B, 0x92, 0x08, 0x00]));
        // AAC-LC with the sync extension behind.
        assert!(config_says_so(&[0x13, 0x90, 0x56, 0xE5, 0xA0]));
    }
}
