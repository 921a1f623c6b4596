//! TLS to exactly one key: the hub's, known by the SHA-256 of its public key from the day of the pairing.
//!
//! A hub has a certificate that nobody has signed but itself, so its names and dates say nothing and are not looked
//! at: a box that wakes up in 1971 meets its hub as well as any other. What is looked at is the key, and whether the
//! other side really holds it: the signature over the handshake is verified by ring, always.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roomtone_schema::song::Sha256;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, SignatureScheme};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256 as Hasher};

/// Who a hub is, whatever it calls itself: the SHA-256 of its certificate's `SubjectPublicKeyInfo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HubKey(pub Sha256);

/// Not 32 bytes in base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hub's key is 43 letters and digits")]
pub struct HubKeyError;

/// The other side holds another key than the one that was pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key is {seen}, not the pinned {expected}")]
pub struct WrongKey {
    /// The pinned one.
    pub expected: HubKey,
    /// The one that was shown.
    pub seen: HubKey,
}

impl HubKey {
    /// The key in a certificate; `None` where it is none.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
        let info = parsed.subject_public_key_info();
        Some(Self(Sha256(Hasher::digest(&*info).into())))
    }

    /// As a pairing address carries it.
    pub fn to_base64url(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.0)
    }
}

impl FromStr for HubKey {
    type Err = HubKeyError;

    fn from_str(text: &str) -> Result<Self, HubKeyError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(|bytes| Self(Sha256(bytes))).ok_or(HubKeyError)
    }
}

impl fmt::Display for HubKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// TLS that speaks to this key and to no other: the handshake ends before anything of ours is sent.
pub fn only(key: HubKey) -> Arc<ClientConfig> {
    client(Some(key))
}

/// TLS that speaks to whoever is there, so that their key can be asked for ([`shown`]). Only for what is no secret,
/// such as pairing by digits, which proves the key itself.
pub fn whoever() -> Arc<ClientConfig> {
    client(None)
}

/// The key that the other side of a finished handshake has proved to hold.
pub fn shown(connection: &rustls::ClientConnection) -> Option<HubKey> {
    HubKey::of(connection.peer_certificates()?.first()?)
}

/// What a failed handshake says of the key, where that was the reason.
pub fn wrong_key(error: &std::io::Error) -> Option<WrongKey> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(reason))) = error else {
        return None;
    };
    reason.downcast_ref::<WrongKey>().copied()
}

fn client(expected: Option<HubKey>) -> Arc<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Pinned { expected, provider: Arc::clone(&provider) });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows ciphers for TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    // Each connection looks at the key anew; on a local network a full handshake is a millisecond.
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Arc::new(config)
}

#[derive(Debug)]
struct Pinned {
    /// `None`: whoever.
    expected: Option<HubKey>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let seen =
            HubKey::of(end_entity).ok_or(rustls::Error::InvalidCertificate(CertificateError::BadEncoding))?;
        match self.expected {
            Some(expected) if expected != seen => {
                let reason = Arc::new(WrongKey { expected, seen });
                Err(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(reason))))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::PublicKeyData as _;

    use super::*;

    #[test]
    fn a_key_reads_back_from_what_a_pairing_address_carries() {
        let key = HubKey(Sha256([7; 32]));
        assert_eq!(key.to_base64url().len(), 43);
        assert_eq!(key.to_base64url().parse(), Ok(key));
        for text in ["", "AAAA", &"A".repeat(44), &"=".repeat(43)] {
            assert_eq!(text.parse::<HubKey>(), Err(HubKeyError), "{text}");
        }
    }

    #[test]
    fn the_key_is_that_of_the_public_key_and_outlives_a_new_certificate() {
        let pair = rcgen::KeyPair::generate().unwrap();
        let certificate = |name: &str, from: i32| {
            let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
            params.not_before = rcgen::date_time_ymd(from, 1, 1);
            params.self_signed(&pair).unwrap()
        };
        let (first, second) = (certificate("cafe.local", 1970), certificate("bar.local", 2050));
        let expected = HubKey(Sha256(Hasher::digest(pair.subject_public_key_info()).into()));
        assert_eq!(HubKey::of(first.der()), Some(expected));
        assert_eq!(HubKey::of(second.der()), Some(expected));
        assert_eq!(HubKey::of(&CertificateDer::from(b"no certificate".as_slice())), None);
    }
}
