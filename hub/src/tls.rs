//! The hub's key: what a paired player knows it by.
//!
//! A player pins the digest of the public key and looks at nothing else of the certificate, so neither names nor dates
//! (which a box without a clock cannot judge) matter. The key is made once, at the first start, and never again by
//! itself: another key is another hub to every player.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, DnType, KeyPair, PublicKeyData as _};
use roomtone_schema::HubId;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};

use crate::discovery;
use crate::trouble::{self, Trouble};

/// The key, in the data folder.
const KEY: &str = "tls-key.pem";

/// The certificate, beside it.
const CERTIFICATE: &str = "tls-cert.pem";

/// What a hub is known by: the SHA-256 of its public key, as certificates hold it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HubKey(pub [u8; 32]);

impl HubKey {
    /// In base64url, as a pairing code holds it.
    pub fn to_base64(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl fmt::Display for HubKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for HubKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HubKey({self})")
    }
}

/// Where a hub speaks TLS.
#[derive(Debug, Clone)]
pub struct Secure {
    /// With real ports.
    pub listening: Vec<SocketAddr>,
    /// What players know it by.
    pub key: HubKey,
}

impl Secure {
    /// The port on which players find it.
    pub fn port(&self) -> Option<u16> {
        self.listening.first().map(SocketAddr::port)
    }
}

/// How a hub speaks TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    /// What players know it by.
    pub key: HubKey,
    /// For the listener.
    pub config: Arc<ServerConfig>,
}

impl Tls {
    /// The key of the hub in this folder; made where there is none yet, and told whether it was.
    ///
    /// # Errors
    /// [`Trouble`] where what is there cannot be used: it is never replaced without somebody's wish.
    pub fn open(data: &Path, hub: HubId) -> Result<(Self, bool), Trouble> {
        let (key_path, certificate_path) = (data.join(KEY), data.join(CERTIFICATE));
        let (pair, is_new) = match read(&key_path)? {
            Some(text) => (KeyPair::from_pem(&text).map_err(|error| damaged_key(&key_path, &error))?, false),
            None => (made_key(&key_path)?, true),
        };
        let certificate = match read(&certificate_path)? {
            Some(text) if !is_new => text,
            // It follows from the key, which is what players know.
            _ => made_certificate(&certificate_path, &pair, hub)?,
        };
        let spki = pair.subject_public_key_info();
        let config = config(&certificate, &pair);
        let config = config.map_err(|error| damaged_certificate(&certificate_path, &error))?;
        let key = HubKey(Sha256::digest(spki).into());
        Ok((Self { key, config: Arc::new(config) }, is_new))
    }
}

fn config(certificate: &str, pair: &KeyPair) -> Result<ServerConfig, Box<dyn std::error::Error>> {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::try_from(pair.serialize_der())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn made_key(path: &Path) -> Result<KeyPair, Trouble> {
    let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
        .map_err(|error| Trouble::harmless(error, "Please report this as a bug."))?;
    keep(path, &pair.serialize_pem())?;
    Ok(pair)
}

fn made_certificate(path: &Path, pair: &KeyPair, hub: HubId) -> Result<String, Trouble> {
    let made = || {
        let mut params = CertificateParams::new(vec![discovery::host_of(hub), "localhost".to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, discovery::host_of(hub));
        Ok::<_, rcgen::Error>(params.self_signed(pair)?.pem())
    };
    let text = made().map_err(|error| Trouble::harmless(error, "Please report this as a bug."))?;
    keep(path, &text)?;
    Ok(text)
}

/// The file's text; `None` where there is no such file. What others may read too is theirs no longer.
fn read(path: &Path) -> Result<Option<String>, Trouble> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let _not_ours_to_change = fs::set_permissions(path, fs::Permissions::from_mode(0o600));
            Ok(Some(text))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(Some(String::new())),
        Err(error) => Err(trouble::of_file("read", path, &error)),
    }
}

/// Writes a file that only its owner reads: whole or not at all, also in a power cut.
fn keep(path: &Path, text: &str) -> Result<(), Trouble> {
    let written = || {
        let beside = path.with_extension("new");
        // What an earlier start left there may be readable by others, or lead elsewhere.
        if let Err(error) = fs::remove_file(&beside)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    written().map_err(|error| trouble::of_file("write", path, &error))
}

fn damaged_key(path: &Path, error: &dyn fmt::Display) -> Trouble {
    Trouble::new(
        format!("The hub's key in {} is damaged ({error}).", path.display()),
        "The hub did not start: with another key no paired player would know it.",
        format!(
            "Put a sound copy back. Where there is none, delete {KEY} and {CERTIFICATE}: the hub makes new ones, and \
             every player must be paired again."
        ),
    )
}

fn damaged_certificate(path: &Path, error: &dyn fmt::Display) -> Trouble {
    Trouble::new(
        format!("The hub's certificate in {} is damaged or not of its key ({error}).", path.display()),
        "The hub did not start, so no player could reach it.",
        format!(
            "Delete {CERTIFICATE}: it is made anew from the key, and paired players know the hub all the same."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub() -> HubId {
        "01890000-0000-7000-8000-00001a2b3c4d".parse().unwrap()
    }

    fn open(folder: &tempfile::TempDir) -> Result<(Tls, bool), Trouble> {
        Tls::open(folder.path(), hub())
    }

    #[test]
    fn the_key_is_made_once_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (first, is_new) = open(&folder).unwrap();
        assert!(is_new);
        for name in [KEY, CERTIFICATE] {
            let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let (again, is_new) = open(&folder).unwrap();
        assert_eq!((again.key, is_new), (first.key, false));
        let elsewhere = tempfile::tempdir().unwrap();
        assert_ne!(open(&elsewhere).unwrap().0.key, first.key);
    }

    #[test]
    fn what_an_earlier_start_left_behind_gets_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let (elsewhere, left_over) = (folder.path().join("elsewhere"), folder.path().join("tls-key.new"));
        fs::write(&elsewhere, "theirs").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &left_over).unwrap();
        let (first, _) = open(&folder).unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "theirs");
        fs::remove_file(folder.path().join(KEY)).unwrap();
        fs::write(&left_over, "half a key").unwrap();
        fs::set_permissions(&left_over, fs::Permissions::from_mode(0o644)).unwrap();
        let left_open = fs::File::open(&left_over).unwrap();
        assert_ne!(open(&folder).unwrap().0.key, first.key);
        assert_eq!(io::read_to_string(left_open).unwrap(), "half a key", "who had it open reads nothing new");
        let mode = fs::metadata(folder.path().join(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_certificate_that_is_gone_is_made_of_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let (first, _) = open(&folder).unwrap();
        fs::remove_file(folder.path().join(CERTIFICATE)).unwrap();
        let (again, is_new) = open(&folder).unwrap();
        assert_eq!((again.key, is_new), (first.key, false));
    }

    #[test]
    fn what_is_damaged_is_never_replaced_silently() {
        let folder = tempfile::tempdir().unwrap();
        let (first, _) = open(&folder).unwrap();
        let sound = fs::read(folder.path().join(KEY)).unwrap();
        for damage in [&b""[..], b"\xff\xfe", &sound[..sound.len() / 2]] {
            fs::write(folder.path().join(KEY), damage).unwrap();
            let told = open(&folder).unwrap_err().to_string();
            assert!(told.contains("every player must be paired again"), "{told}");
            assert_eq!(fs::read(folder.path().join(KEY)).unwrap(), damage);
        }
        fs::write(folder.path().join(KEY), &sound).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        open(&elsewhere).unwrap();
        for strange in [b"".to_vec(), fs::read(elsewhere.path().join(CERTIFICATE)).unwrap()] {
            fs::write(folder.path().join(CERTIFICATE), &strange).unwrap();
            let told = open(&folder).unwrap_err().to_string();
            assert!(told.contains("made anew from the key"), "{told}");
        }
        fs::remove_file(folder.path().join(CERTIFICATE)).unwrap();
        assert_eq!(open(&folder).unwrap().0.key, first.key);
    }
}
