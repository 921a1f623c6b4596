//! Addresses that let others send or fetch one object, for a while.

use std::time::Duration;

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};

use super::{Media, MediaError, failed};

/// The most of a file's name that an address carries.
const MOST_NAME: usize = 150;

/// Where bytes go, and what has to be sent along: exactly these headers, exactly this many bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The address. Whoever has it may use it, so it is nobody else's business.
    pub url: String,
    /// Headers that must be sent as they stand here. `Content-Length` is not among them: every client sends it by
    /// itself, no page may set it, and it is signed all the same.
    pub headers: Vec<(String, String)>,
}

impl Media {
    /// An address to fetch an object by; with a name, a browser saves it as a file of that name.
    ///
    /// # Errors
    /// [`MediaError::Settings`] where `for_` is longer than a week.
    pub async fn download_url(
        &self,
        key: &str,
        file_name: Option<&str>,
        for_: Duration,
    ) -> Result<String, MediaError> {
        let get = self.outside.get_object().bucket(&self.bucket).key(key);
        let get = get.set_response_content_disposition(file_name.map(disposition));
        let signed = get.presigned(lasting(for_)?).await;
        Ok(signed.map_err(|error| failed("sign an address", key, error))?.uri().to_owned())
    }

    /// An address to send an object of that length and type to, as a whole.
    ///
    /// # Errors
    /// [`MediaError::Settings`] where `for_` is longer than a week.
    pub async fn upload_to(
        &self,
        key: &str,
        bytes: u64,
        content_type: &str,
        for_: Duration,
    ) -> Result<Address, MediaError> {
        let put = self.outside.put_object().bucket(&self.bucket).key(key);
        let put = put.content_length(bytes.cast_signed()).content_type(content_type);
        let signed = put.presigned(lasting(for_)?).await;
        Ok(address(&signed.map_err(|error| failed("sign an address", key, error))?))
    }

    /// An address to send one part of a large object to.
    ///
    /// # Errors
    /// [`MediaError::Settings`] where `for_` is longer than a week.
    pub async fn part_to(
        &self,
        key: &str,
        upload: &str,
        number: u16,
        bytes: u64,
        for_: Duration,
    ) -> Result<Address, MediaError> {
        let part = self.outside.upload_part().bucket(&self.bucket).key(key).upload_id(upload);
        let part = part.part_number(i32::from(number)).content_length(bytes.cast_signed());
        let signed = part.presigned(lasting(for_)?).await;
        Ok(address(&signed.map_err(|error| failed("sign an address", key, error))?))
    }
}

fn lasting(time: Duration) -> Result<PresigningConfig, MediaError> {
    PresigningConfig::expires_in(time).map_err(|error| MediaError::Settings(error.to_string()))
}

fn address(signed: &PresignedRequest) -> Address {
    let needless =
        |name: &str| name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("host");
    let headers = signed.headers().filter(|(name, _)| !needless(name));
    Address {
        url: signed.uri().to_owned(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    }
}

/// `attachment; filename="..."` for any name: the plain form for old clients, RFC 8187's for all others.
fn disposition(name: &str) -> String {
    let name = safe_file_name(name);
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !"\"\\%".contains(c) || c == ' ' { c } else { '_' })
        .collect();
    let exact: String = name.bytes().map(escaped).collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}")
}

fn escaped(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// The last part of a path that somebody sent, as a name that is harmless on any disk and in any header.
pub fn safe_file_name(name: &str) -> String {
    let last =
        name.rsplit(['/', '\\']).find(|part| !part.trim_matches(['.', ' ']).is_empty()).unwrap_or_default();
    let harmless: String =
        last.chars().filter(|&c| !c.is_control() && !roomtone_sync::trouble::is_odd(c)).collect();
    let mut safe = String::new();
    for c in
        harmless.trim().trim_start_matches('.').chars().map(|c| if ":*?\"<>|".contains(c) { '_' } else { c })
    {
        if safe.len() + c.len_utf8() > MOST_NAME {
            break;
        }
        safe.push(c);
    }
    if safe.is_empty() { "song".to_owned() } else { safe }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_is_cut_down_to_its_name() {
        assert_eq!(safe_file_name("../../etc/passwd"), "passwd");
        assert_eq!(safe_file_name("C:\\music\\rain.flac"), "rain.flac");
        assert_eq!(safe_file_name("../.."), "song");
        assert_eq!(safe_file_name(".hidden.mp3"), "hidden.mp3");
        assert_eq!(safe_file_name("a\0b\r\n.mp3"), "ab.mp3");
    }

    #[test]
    fn a_name_of_any_language_is_kept() {
        let header = disposition("Blåbær \"søt\".ogg");
        assert_eq!(
            header,
            "attachment; filename=\"Bl_b_r _s_t_.ogg\"; filename*=UTF-8''Bl%C3%A5b%C3%A6r%20_s%C3%B8t_.ogg"
        );
    }

    proptest! {
        #[test]
        fn a_header_stays_one_header(name in any::<String>()) {
            let header = disposition(&name);
            prop_assert!(header.is_ascii());
            prop_assert!(!header.contains(['\r', '\n', '/', '\\']));
            prop_assert_eq!(header.matches('"').count(), 2);
        }

        #[test]
        fn a_safe_name_is_short_and_no_way_out(name in any::<String>()) {
            let safe = safe_file_name(&name);
            prop_assert!(!safe.is_empty() && safe.len() <= MOST_NAME);
            prop_assert!(!safe.starts_with('.') && !safe.contains(['/', '\\', '\0']));
        }
    }
}
