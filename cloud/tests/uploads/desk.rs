//! A cloud of one test's own: its database, its store, somebody with a venue, and the analysis where it is wanted.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use roomtone_analysis::{Limits, Worker};
use roomtone_cloud::analysing::{self, Bench};
use roomtone_cloud::bus::Bus;
use roomtone_cloud::cloud::Cloud;
use roomtone_cloud::refusal::{Code, Refusal, Unmet};
use roomtone_cloud::uploads::{
    self, Begun, Finalising, NewUpload, OwnValues, Target, Upload, UploadState, Whose,
};
use roomtone_schema::song::Sha256;
use roomtone_schema::time::SystemClock;
use roomtone_schema::{IdempotencyKey, OrganisationId, SongId, UploadId, UserId, VenueId};
use sha2::{Digest as _, Sha256 as Hasher};
use sqlx::{AssertSqlSafe, Row as _};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::postgres::{Postgres, TestDatabase, Version};
use crate::store::{Store, put_well};

/// Until something that is to happen must have happened.
const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) struct Desk {
    pub(crate) cloud: Cloud,
    pub(crate) database: TestDatabase,
    pub(crate) store: Store,
    pub(crate) owner: UserId,
    pub(crate) venue: VenueId,
    pub(crate) organisation: OrganisationId,
    pub(crate) files: tempfile::TempDir,
    working: JoinSet<anyhow::Result<()>>,
}

impl Desk {
    /// With nobody who looks at what is sent.
    pub(crate) async fn open() -> Self {
        let database = Postgres::start(Version::V16).database().await;
        let store = Store::start().await;
        let owner = database.user("owner@example.org", Some("manager")).await;
        let venue = database.venue(owner).await;
        let cloud = Cloud {
            database: database.open(),
            bus: Bus::local(),
            media: store.media.clone(),
            clock: Arc::new(SystemClock::new()),
        };
        let organisation = organisation_of(&database, venue).await;
        let (files, working) = (tempfile::tempdir().unwrap(), JoinSet::new());
        Self { cloud, database, store, owner, venue, organisation, files, working }
    }

    /// With one replica that does.
    pub(crate) async fn at_work() -> Self {
        let mut desk = Self::open().await;
        desk.hire(bench());
        desk
    }

    /// One more replica, and what stops it.
    pub(crate) fn hire(&mut self, bench: Bench) -> CancellationToken {
        let stop = CancellationToken::new();
        self.working.spawn(analysing::work_at(self.cloud.clone(), bench, stop.clone()));
        stop
    }

    /// Ends all replicas where they stand, as a power cut does.
    pub(crate) async fn kill_all(&mut self) {
        self.working.shutdown().await;
    }

    /// Time passes, until nobody who is dead has anything claimed.
    pub(crate) async fn expire_claims(&self) {
        let mut conn = self.database.superuser().await;
        sqlx::query("update public.song_uploads set claimed_until = now() - interval '1 second' where claimed_by is not null")
            .execute(&mut conn)
            .await
            .unwrap();
    }

    /// Waits until a condition, in SQL, holds.
    pub(crate) async fn until_true(&self, what: &str, sql: &str) {
        let waiting = async {
            while self.value(sql).await != "true" {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never {what}: {sql}"));
    }

    /// A file to send, and what announces it.
    pub(crate) fn announce(&self, name: &str, content_type: &str, bytes: &[u8]) -> NewUpload {
        NewUpload {
            whose: Whose::Organisation(self.organisation),
            filename: name.to_owned(),
            content_type: content_type.to_owned(),
            bytes: bytes.len() as u64,
            sha256: sum(bytes),
        }
    }

    pub(crate) async fn create(&self, new: NewUpload) -> Result<Begun, Unmet> {
        uploads::create(&self.cloud, self.owner, key(), new).await
    }

    /// Announces a file that is to come.
    pub(crate) async fn begin(&self, new: NewUpload) -> (UploadId, Target) {
        let Begun::Upload(id) = self.create(new).await.unwrap() else { panic!("it is not known yet") };
        let upload = uploads::ready(&self.cloud, self.owner, id).await.unwrap();
        let target = uploads::target(&self.cloud, &upload).await.unwrap();
        (id, target.expect("it waits for bytes"))
    }

    pub(crate) async fn finalise(&self, id: UploadId) -> Result<UploadId, Unmet> {
        self.finalise_with(id, OwnValues::default(), Vec::new()).await
    }

    pub(crate) async fn finalise_with(
        &self,
        id: UploadId,
        own: OwnValues,
        venues: Vec<VenueId>,
    ) -> Result<UploadId, Unmet> {
        uploads::finalise(&self.cloud, self.owner, key(), Finalising { id, own, venues }).await
    }

    /// Announces, sends and finalises.
    pub(crate) async fn send(&self, name: &str, content_type: &str, bytes: Vec<u8>) -> UploadId {
        let (id, target) = self.begin(self.announce(name, content_type, &bytes)).await;
        put_well(&target.whole.unwrap(), bytes).await;
        self.finalise(id).await.unwrap()
    }

    /// Puts bytes where an upload's bytes arrive, past all signatures: as a store that keeps no promises.
    pub(crate) async fn smuggle(&self, id: UploadId, bytes: &[u8]) {
        let file = self.files.path().join(format!("smuggled-{id}"));
        std::fs::write(&file, bytes).unwrap();
        self.cloud.media.put_file(&format!("staging/{id}"), &file, "audio/wav").await.unwrap();
    }

    pub(crate) async fn upload(&self, id: UploadId) -> Upload {
        uploads::find(&self.cloud, self.owner, id).await.unwrap().unwrap()
    }

    /// Waits until an upload is so far.
    pub(crate) async fn until(&self, id: UploadId, what: &str, so_far: impl Fn(&Upload) -> bool) -> Upload {
        let waiting = async {
            loop {
                let upload = self.upload(id).await;
                if so_far(&upload) {
                    return upload;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("it was never {what}"))
    }

    /// Waits until an upload is a song.
    pub(crate) async fn until_done(&self, id: UploadId) -> SongId {
        let ended = |upload: &Upload| matches!(upload.state.0, UploadState::Done | UploadState::Refused);
        let upload = self.until(id, "looked at", ended).await;
        assert_eq!(upload.state.0, UploadState::Done, "{:?}", upload.refusal);
        *upload.song_id.unwrap()
    }

    /// Waits until an upload is refused.
    pub(crate) async fn until_refused(&self, id: UploadId) -> (Code, String) {
        let ended = |upload: &Upload| matches!(upload.state.0, UploadState::Done | UploadState::Refused);
        let upload = self.until(id, "looked at", ended).await;
        assert_eq!(upload.state.0, UploadState::Refused, "{:?}", upload.song_id);
        (upload.refusal_code.unwrap().0, upload.refusal.unwrap())
    }

    /// Waits until nothing is in the store but these.
    pub(crate) async fn until_stored(&self, keys: &[String]) {
        let waiting = async {
            while self.store.objects() != keys || self.store.loose_parts() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("{:?} is in the store, not {keys:?}", self.store.objects()));
    }

    /// The key of a song's file in this organisation.
    pub(crate) fn key_of(&self, bytes: &[u8]) -> String {
        format!("org/{}/{}", self.organisation, sum(bytes))
    }

    /// One value of the database, as text.
    pub(crate) async fn value(&self, sql: &str) -> String {
        let mut conn = self.database.superuser().await;
        let row =
            sqlx::query(AssertSqlSafe(format!("select ({sql})::text"))).fetch_one(&mut conn).await.unwrap();
        row.get::<Option<String>, _>(0).unwrap_or_default()
    }

    /// A WAV file of a tone.
    pub(crate) fn tone(&self, hz: f32) -> Vec<u8> {
        let bytes = tone(hz);
        std::fs::write(self.files.path().join(format!("tone-{hz}.wav")), &bytes).unwrap();
        bytes
    }

    /// What `ffmpeg` makes of these arguments, as a file of that ending.
    pub(crate) fn ffmpeg(&self, arguments: &[&str], ending: &str) -> Vec<u8> {
        let path = self.files.path().join(format!("{}.{ending}", Uuid::from_u128(arguments.len() as u128)));
        run(Command::new("ffmpeg").args(["-y", "-loglevel", "error"]).args(arguments).arg(&path));
        std::fs::read(path).unwrap()
    }

    /// A tone in another format.
    pub(crate) fn encoded(&self, hz: f32, ending: &str) -> Vec<u8> {
        self.tone(hz);
        let wav = self.files.path().join(format!("tone-{hz}.wav"));
        self.ffmpeg(&["-i", &wav.display().to_string()], ending)
    }
}

pub(crate) async fn organisation_of(database: &TestDatabase, venue: VenueId) -> OrganisationId {
    let mut conn = database.superuser().await;
    let found = sqlx::query_scalar("select organisation_id from public.venues where id = $1").bind(venue.0);
    OrganisationId(found.fetch_one(&mut conn).await.unwrap())
}

/// Three seconds of a pulsing tone, as a 16-bit WAV file whose header has 44 bytes.
fn tone(hz: f32) -> Vec<u8> {
    const RATE: u32 = 22_050;
    let samples = (0..RATE * 3).map(|n| {
        let t = std::f32::consts::TAU * n as f32 / RATE as f32;
        let wave = (hz * t).sin() + 0.3 * (2.0 * hz * t).sin();
        (wave * (0.55 + 0.45 * (2.0 * t).sin()) * 0.2 * f32::from(i16::MAX)) as i16
    });
    let sound: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let length = sound.len() as u32;
    let mut file = [&b"RIFF"[..], &(36 + length).to_le_bytes(), b"WAVEfmt "].concat();
    file.extend([16, 0, 0, 0, 1, 0, 1, 0]);
    file.extend([RATE.to_le_bytes(), (RATE * 2).to_le_bytes()].concat());
    file.extend([2, 0, 16, 0]);
    file.extend([b"data", &length.to_le_bytes()[..]].concat());
    file.extend(sound);
    file
}

/// The built program as the child, and a claim that only [`Desk::expire_claims`] ends.
pub(crate) fn bench() -> Bench {
    bench_with(PathBuf::from(env!("CARGO_BIN_EXE_roomtone-cloud")))
}

pub(crate) fn bench_with(program: PathBuf) -> Bench {
    Bench {
        worker: Worker::new(program, Limits::default()),
        at_once: 2,
        lease: Duration::from_mins(1),
        look: Duration::from_millis(50),
    }
}

/// A program in the place of the analysis. It is to end when `$0` is gone, which is with the test.
pub(crate) fn script(folder: &Path, commands: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("instead");
    std::fs::write(&path, format!("#!/bin/sh\n{commands}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

pub(crate) fn run(command: &mut Command) {
    let status = command.status();
    let status = status.unwrap_or_else(|error| panic!("{command:?}: {error} (apt-get install ffmpeg)"));
    assert!(status.success(), "{command:?}: {status}");
}

pub(crate) fn key() -> IdempotencyKey {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    IdempotencyKey(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

pub(crate) fn sum(bytes: &[u8]) -> Sha256 {
    Sha256(Hasher::digest(bytes).into())
}

pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Unmet>) -> Refusal {
    match result.unwrap_err() {
        Unmet::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}
