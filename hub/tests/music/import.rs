use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use roomtone_analysis::{Limits, Worker};
use roomtone_hub::hub::{Hub, HubOptions};
use roomtone_hub::import::{ImportError, Outcome, Report, Step, run_with};
use roomtone_hub::library::media_path;
use roomtone_hub::limits::LimitSettings;
use roomtone_schema::{SongId, SystemClock};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A hub of its own, and a folder to import.
struct Venue {
    hub: Hub,
    folder: TempDir,
    data: TempDir,
}

impl Venue {
    async fn open() -> Self {
        let data = TempDir::new().unwrap();
        Self { hub: hub_in(data.path()).await, folder: TempDir::new().unwrap(), data }
    }

    /// A folder with songs at all depths, under odd names, among files that are none.
    async fn with_a_library() -> Self {
        let venue = Self::open().await;
        venue.song("one.wav", 220.0);
        venue.song("Café/Été/deux.wav", 330.0);
        venue.song("a b/'quoted' & $(odd)\n.wav", 440.0);
        venue.song("no ending", 550.0);
        venue.file(Path::new(OsStr::from_bytes(b"caf\xE9/\xFF.wav")), &wav(660.0));
        venue.file("cover.jpg", &[0xFF, 0xD8, 0xFF, 0xE0, 0, 16, b'J', b'F', b'I', b'F']);
        venue.file("Café/notes.txt", b"track 1: too loud");
        venue.file("._one.wav", b"\0\x05\x16\x07");
        venue.file("broken.mp3", b"<!DOCTYPE html>404");
        venue.file("empty.flac", b"");
        std::os::unix::fs::symlink("..", venue.folder.path().join("a b/circle")).unwrap();
        std::os::unix::fs::symlink("nowhere", venue.folder.path().join("dangling.mp3")).unwrap();
        std::os::unix::fs::symlink("one.wav", venue.folder.path().join("again.wav")).unwrap();
        venue
    }

    fn song(&self, name: &str, hertz: f32) {
        self.file(name, &wav(hertz));
    }

    fn file(&self, name: impl AsRef<Path>, content: &[u8]) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    async fn import(&self) -> (Report, Vec<Step>) {
        self.import_with(worker()).await.unwrap()
    }

    async fn import_with(&self, worker: Worker) -> Result<(Report, Vec<Step>), ImportError> {
        let steps = Mutex::new(Vec::new());
        let (roots, stop) = ([self.folder.path().to_owned()], CancellationToken::new());
        let tell = |step| steps.lock().unwrap().push(step);
        let report = run_with(&self.hub, &roots, &stop, tell, worker).await?;
        Ok((report, steps.into_inner().unwrap()))
    }

    fn names(&self, report: &Report) -> Vec<String> {
        let name =
            |path: &Path| path.strip_prefix(self.folder.path()).unwrap().to_string_lossy().into_owned();
        report.refused.iter().map(|(path, _)| name(path)).collect()
    }
}

async fn hub_in(data: &Path) -> Hub {
    let options = HubOptions {
        data: data.to_owned(),
        venue_name: "Venue".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        zones: Vec::new(),
        licence: roomtone_schema::licence::Licence::default(),
        limits: LimitSettings::default(),
    };
    Hub::open(options, Arc::new(SystemClock::default())).await.unwrap()
}

fn worker() -> Worker {
    Worker::new(PathBuf::from(env!("CARGO_BIN_EXE_roomtone-hub")), Limits::default())
}

/// A program that cannot analyse anything: whoever is known must not need it.
fn no_worker() -> Worker {
    Worker::new(PathBuf::from("/nowhere"), Limits::default())
}

/// A second of a tone at 8 kHz.
fn wav(hertz: f32) -> Vec<u8> {
    let samples = (0..8000_u16).map(|i| ((f32::from(i) * hertz * 0.000_785_4).sin() * 8000.0) as i16);
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let mut file =
        b"RIFF\xA4\x3E\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1F\0\0\x80\x3E\0\0\x02\0\x10\0data".to_vec();
    file.extend_from_slice(&(data.len() as u32).to_le_bytes());
    file.extend_from_slice(&data);
    file
}

#[tokio::test]
async fn a_library_of_odd_names_comes_in_whole_and_what_does_not_is_named() {
    let venue = Venue::with_a_library().await;
    let (report, steps) = venue.import().await;
    assert_eq!((report.added, report.known, report.stopped), (5, 0, false));
    assert_eq!(venue.names(&report), ["broken.mp3", "empty.flac"]);
    assert!(report.refused[0].1.contains("web page"), "{:?}", report.refused);
    assert_eq!(steps[0], Step::Found { files: 7 });
    assert_eq!(steps.len(), 8);
    let songs = venue.hub.songs();
    assert_eq!(songs.len(), 5);
    for song in songs.iter() {
        assert_eq!(
            std::fs::metadata(media_path(&venue.hub.media_dir(), song.facts.sha256)).unwrap().len(),
            song.facts.bytes
        );
        assert!(venue.hub.is_cached(song.id), "{} can be played", song.facts.title);
    }
    assert!(venue.folder.path().join("one.wav").exists(), "the folder stays as it is");
}

#[tokio::test]
async fn a_second_import_looks_at_nothing_again() {
    let venue = Venue::with_a_library().await;
    let (first, _) = venue.import().await;
    let (second, _) = venue.import_with(no_worker()).await.unwrap();
    assert_eq!((second.added, second.known), (0, 5));
    assert_eq!(second.refused, first.refused);
    assert_eq!(venue.hub.songs().len(), 5);
}

#[tokio::test]
async fn what_was_known_stays_known_after_a_restart() {
    let venue = Venue::with_a_library().await;
    venue.import().await;
    let before: Vec<SongId> = venue.hub.songs().iter().map(|song| song.id).collect();
    venue.hub.close().await.unwrap();
    let Venue { hub, folder, data } = venue;
    drop(hub);
    let venue = Venue { hub: hub_in(data.path()).await, folder, data };
    let (report, _) = venue.import_with(no_worker()).await.unwrap();
    assert_eq!((report.added, report.known), (0, 5));
    assert_eq!(venue.hub.songs().iter().map(|song| song.id).collect::<Vec<_>>(), before);
}

#[tokio::test]
async fn an_import_that_was_stopped_goes_on_where_it_was() {
    let venue = Venue::open().await;
    (0_u8..24).for_each(|i| venue.song(&format!("{i}.wav"), 200.0 + 10.0 * f32::from(i)));
    let (stop, roots) = (CancellationToken::new(), [venue.folder.path().to_owned()]);
    let tell = |step| {
        if matches!(step, Step::Took { .. }) {
            stop.cancel();
        }
    };
    let first = run_with(&venue.hub, &roots, &stop, tell, worker()).await.unwrap();
    assert!(first.stopped && first.added < 24, "{first:?}");
    let (second, _) = venue.import().await;
    assert_eq!(first.added + second.added, 24);
    assert_eq!((second.known, second.stopped), (first.added, false));
    assert_eq!(venue.hub.songs().len(), 24);
}

#[tokio::test]
async fn the_same_sound_under_two_names_is_one_song() {
    let venue = Venue::open().await;
    venue.song("one.wav", 220.0);
    venue.import().await;
    venue.song("copy.wav", 220.0);
    std::fs::rename(venue.folder.path().join("one.wav"), venue.folder.path().join("moved.wav")).unwrap();
    let (report, _) = venue.import_with(no_worker()).await.unwrap();
    assert_eq!((report.added, report.known), (0, 2));
    assert_eq!(venue.hub.songs().len(), 1);
}

#[tokio::test]
async fn a_withdrawn_song_comes_back_when_it_is_imported_again() {
    let venue = Venue::open().await;
    venue.song("one.wav", 220.0);
    venue.import().await;
    let song = venue.hub.songs()[0].id;
    assert!(venue.hub.withdraw_song(song).await.unwrap());
    let (report, _) = venue.import().await;
    assert_eq!((report.added, report.known), (1, 0));
    assert_eq!(venue.hub.songs()[0].id, song);
}

#[tokio::test]
async fn a_media_file_that_was_lost_is_put_back() {
    let venue = Venue::open().await;
    venue.song("one.wav", 220.0);
    venue.import().await;
    let sha256 = venue.hub.songs()[0].facts.sha256;
    let media = media_path(&venue.hub.media_dir(), sha256);
    std::fs::remove_file(&media).unwrap();
    let (report, _) = venue.import().await;
    assert_eq!((report.added, report.known), (0, 1));
    assert!(media.exists());
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_an_error_and_a_broken_program_does_not_blame_the_files() {
    let venue = Venue::open().await;
    venue.song("one.wav", 220.0);
    let stop = CancellationToken::new();
    let nowhere = run_with(&venue.hub, &[PathBuf::from("/nowhere/music")], &stop, |_| (), worker()).await;
    assert!(matches!(nowhere, Err(ImportError::Place { .. })), "{nowhere:?}");
    let broken = venue.import_with(no_worker()).await;
    assert!(matches!(broken, Err(ImportError::Analysis(_))), "{broken:?}");
    let (report, _) = venue.import().await;
    assert_eq!(report.added, 1);
}

#[tokio::test]
async fn one_file_can_be_imported_by_its_name() {
    let venue = Venue::open().await;
    venue.song("one.wav", 220.0);
    venue.song("two.wav", 330.0);
    let steps = Mutex::new(Vec::new());
    let (roots, stop) = ([venue.folder.path().join("two.wav")], CancellationToken::new());
    let report =
        run_with(&venue.hub, &roots, &stop, |step| steps.lock().unwrap().push(step), worker()).await.unwrap();
    assert_eq!(report.added, 1);
    let took = Step::Took { done: 1, total: 1, path: roots[0].clone(), outcome: Outcome::Added };
    assert_eq!(steps.into_inner().unwrap(), [Step::Found { files: 1 }, took]);
}
