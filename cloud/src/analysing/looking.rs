//! One file, from the store to its facts or to what is wrong with it.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use roomtone_analysis::{Container, Reason, Sniffed, Worker, sniff_file};
use roomtone_schema::song::{Sha256, SongFacts};
use sha2::{Digest as _, Sha256 as Hasher};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio_util::io::InspectWriter;

use crate::media::{Media, MediaError, safe_file_name};
use crate::refusal::{Code, Refusal};
use crate::uploads::Upload;

/// What looking at a file came to.
pub(super) enum Looked {
    /// It is a song: its facts, and the file that was looked at.
    Song(Box<SongFacts>, Local),
    /// It is none.
    Refused(Refusal),
}

/// A file of ours, gone when this is dropped.
pub(super) struct Local {
    path: PathBuf,
    _folder: TempDir,
}

impl Local {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn new(name: &str) -> std::io::Result<Self> {
        // Others on this machine have no business with somebody's unreleased song.
        let ours = Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix("roomtone-upload-").permissions(ours).tempdir()?;
        // By its own name: a file without tags is called by that.
        Ok(Self { path: folder.path().join(safe_file_name(name)), _folder: folder })
    }
}

/// Reads the object that was announced, and looks into it.
///
/// # Errors
/// Where the fault is the store's or ours: it is worth another try.
pub(super) async fn look(media: &Media, worker: &Worker, upload: &Upload) -> anyhow::Result<Looked> {
    let local = Local::new(&upload.filename).context("there is no room for a file")?;
    if let Err(refusal) = read(media, upload, local.path()).await? {
        return Ok(Looked::Refused(refusal));
    }
    let found = in_a_thread(worker.clone(), local.path().to_owned(), upload.content_type.clone()).await?;
    Ok(match found {
        Ok(facts) if facts.sha256 != upload.sha256() => Looked::Refused(other_content()),
        Ok(facts) => Looked::Song(Box::new(facts), local),
        Err(refusal) => Looked::Refused(refusal),
    })
}

fn other_content() -> Refusal {
    Refusal::new(
        Code::ChecksumMismatch,
        "what arrived is not the file that was announced (its sha256 differs); send it again",
    )
}

/// Reads the object into a file, and no byte more than was announced.
async fn read(media: &Media, upload: &Upload, into: &Path) -> anyhow::Result<Result<(), Refusal>> {
    let file = tokio::fs::File::create_new(into).await?;
    let (mut sum, mut length) = (Hasher::new(), 0);
    let mut writer = InspectWriter::new(file, |piece: &[u8]| {
        sum.update(piece);
        length += piece.len() as u64;
    });
    let came = media.get_to(&upload.object_key, &mut writer, upload.bytes()).await;
    writer.into_inner().sync_data().await?;
    Ok(match came {
        Ok(()) if length != upload.bytes() => Err(Refusal::new(
            Code::ChecksumMismatch,
            format!("{length} bytes arrived where {} were announced; send it again", upload.bytes()),
        )),
        Ok(()) if Sha256(sum.finalize().into()) != upload.sha256() => Err(other_content()),
        Ok(()) => Ok(()),
        Err(MediaError::TooLarge { limit }) => Err(Refusal::new(
            Code::ChecksumMismatch,
            format!("more than the {limit} bytes arrived that were announced; send it again"),
        )),
        Err(MediaError::NotThere { .. }) => {
            Err(Refusal::new(Code::NotFound, "the file is not in the store any more; send it again"))
        }
        Err(error) => return Err(error.into()),
    })
}

/// Waits for a child process, which takes its time, in a thread that nothing else waits for: when this program ends,
/// so does the thread.
async fn in_a_thread(
    worker: Worker,
    file: PathBuf,
    announced: String,
) -> anyhow::Result<Result<SongFacts, Refusal>> {
    let (tell, told) = oneshot::channel();
    let thread = std::thread::Builder::new().name("analysis".to_owned());
    thread.spawn(move || {
        let _nobody_waits_any_more = tell.send(look_into(&worker, &file, &announced));
    })?;
    told.await.context("looking at a file broke off")?
}

fn look_into(worker: &Worker, file: &Path, announced: &str) -> anyhow::Result<Result<SongFacts, Refusal>> {
    let sniffed = sniff_file(&mut File::open(file)?)?;
    if let Err(refusal) = is_as_announced(sniffed, announced) {
        return Ok(Err(refusal));
    }
    match worker.analyse(file) {
        Ok(facts) => Ok(Ok(facts)),
        Err(error) if error.reason.is_permanent() => Ok(Err(refused(&error.reason))),
        Err(error) => Err(error.into()),
    }
}

fn is_as_announced(sniffed: Sniffed, announced: &str) -> Result<(), Refusal> {
    let why = match sniffed {
        Sniffed::Audio(container) if container.content_type() == announced => return Ok(()),
        Sniffed::Audio(container) => {
            format!(
                "it was announced as {}, and it is {}",
                name_of(announced),
                name_of(container.content_type())
            )
        }
        Sniffed::OtherAudio(kind) => Reason::Unsupported(kind.to_owned()).to_string(),
        Sniffed::NotAudio(what) => Reason::NotAudio(what.map(str::to_owned)).to_string(),
        Sniffed::Empty => Reason::Empty.to_string(),
    };
    Err(Refusal::new(Code::Unsupported, why))
}

fn name_of(content_type: &str) -> &str {
    const NAMES: [(Container, &str); 6] = [
        (Container::Mp3, "an MP3"),
        (Container::Flac, "a FLAC"),
        (Container::Ogg, "an Ogg"),
        (Container::Wav, "a WAV"),
        (Container::Mp4, "an M4A"),
        (Container::Adts, "an AAC"),
    ];
    let known = NAMES.iter().find(|(container, _)| container.content_type() == content_type);
    known.map_or(content_type, |(_, name)| name)
}

fn refused(reason: &Reason) -> Refusal {
    let code = match reason {
        Reason::TooLong(_) | Reason::TooBig(_) | Reason::TimedOut | Reason::OutOfMemory => Code::TooLarge,
        _ => Code::Unsupported,
    };
    Refusal::new(code, reason.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_is_must_be_what_it_was_announced_as() {
        let flac = Sniffed::Audio(Container::Flac);
        assert!(is_as_announced(flac, "audio/flac").is_ok());
        let refusal = is_as_announced(flac, "audio/mpeg").unwrap_err();
        assert_eq!(refusal.message, "it was announced as an MP3, and it is a FLAC");
        let refusal = is_as_announced(Sniffed::NotAudio(Some("a PNG picture")), "audio/mpeg").unwrap_err();
        assert_eq!(refusal.message, "it is not audio: it looks like a PNG picture");
    }

    #[test]
    fn what_takes_too_long_is_too_large() {
        assert_eq!(refused(&Reason::TimedOut).code, Code::TooLarge);
        assert_eq!(refused(&Reason::Damaged("x".to_owned())).code, Code::Unsupported);
    }
}
