//! A sound server with a loudspeaker that is not there, and what that loudspeaker gets.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use roomtone_tests::{Loudspeaker, Recording, TestVenue, eventually_within, skip};
use tempfile::TempDir;

use super::{PAIRED, SOME_SECONDS, hears, venue};

/// `PulseAudio` with a null sink, and `parec` on its monitor.
struct SoundServer {
    folder: TempDir,
    server: Option<Child>,
    recorder: Option<Child>,
    takes: u32,
}

impl SoundServer {
    fn start(test: &str) -> Option<Self> {
        let has = |program: &str| {
            Command::new(program)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok()
        };
        if let Some(missing) = ["pulseaudio", "pactl", "parec"].into_iter().find(|program| !has(program)) {
            skip(test, &format!("{missing} is not installed"));
            return None;
        }
        let mut this =
            Self { folder: tempfile::tempdir().expect("a folder"), server: None, recorder: None, takes: 0 };
        this.switch_on();
        Some(this)
    }

    fn socket(&self) -> String {
        format!("unix:{}/pulse.sock", self.folder.path().display())
    }

    fn switch_on(&mut self) {
        let folder = self.folder.path();
        std::fs::create_dir_all(folder.join("home")).expect("a home for it");
        let _left_behind = std::fs::remove_file(folder.join("pulse.sock"));
        let socket =
            format!("module-native-protocol-unix socket={}/pulse.sock auth-anonymous=1", folder.display());
        let server = Command::new("pulseaudio")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder.join("home"))
            .env("XDG_RUNTIME_DIR", folder)
            .args(["-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes"])
            .args(["--realtime=no", "--high-priority=no", "--load", &socket])
            .args(["--load", "module-null-sink sink_name=venue rate=48000 channels=2 format=float32le"])
            .args(["--log-target", &format!("file:{}/log", folder.display())])
            .stdin(Stdio::null())
            .spawn()
            .expect("it starts");
        self.server = Some(server);
    }

    async fn ready(&self) {
        eventually_within(SOME_SECONDS, "the sound server answers", async || {
            self.client("pactl")
                .arg("info")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|is| is.success())
        })
        .await;
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("PULSE_SERVER", self.socket())
            .env("XDG_RUNTIME_DIR", self.folder.path())
            .stdin(Stdio::null());
        command
    }

    fn take(&self) -> std::path::PathBuf {
        self.folder.path().join(format!("take {}.raw", self.takes))
    }

    /// Begins to record what the loudspeaker gets.
    fn record(&mut self) {
        self.takes += 1;
        let file = std::fs::File::create(self.take()).expect("a file for the take");
        let recorder = self
            .client("parec")
            .args([
                "--device=venue.monitor",
                "--format=float32le",
                "--rate=48000",
                "--channels=2",
                "--latency-msec=100",
                "--raw",
            ])
            .stdout(file)
            .spawn()
            .expect("it starts");
        self.recorder = Some(recorder);
    }

    fn recording(&self) -> Recording {
        Recording::raw(&self.take())
    }

    fn kill(&mut self) {
        for child in [self.recorder.take(), self.server.take()].into_iter().flatten() {
            end(child);
        }
    }
}

fn end(mut child: Child) {
    let _already_gone = child.kill();
    let _waited_for = child.wait();
}

impl Drop for SoundServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A venue whose player plays to a sound server, recorded from its first sound on; `None` where there is none here.
async fn playing(test: &str) -> Option<(SoundServer, TestVenue, Loudspeaker)> {
    let mut sound = SoundServer::start(test)?;
    sound.ready().await;
    let venue = venue(6);
    let mut player = Loudspeaker::at(&venue, "bar")
        .playing_to("device")
        .with_env("PULSE_SERVER", sound.socket())
        .with_env("XDG_RUNTIME_DIR", sound.folder.path().display().to_string());
    player.pair(&venue);
    sound.record();
    player.start();
    eventually_within(PAIRED, "the loudspeaker sounds", async || sound.recording().first_sound().is_some())
        .await;
    Some((sound, venue, player))
}

#[tokio::test]
async fn a_loudspeaker_behind_a_sound_server_gets_song_after_song_without_a_hole() {
    let Some((sound, mut venue, mut player)) =
        playing("a loudspeaker behind a sound server gets song after song").await
    else {
        return;
    };
    let tones: Vec<f32> = (0..6).map(super::tone_hz).collect();
    let songs = || {
        let heard = sound.recording().tones(&tones);
        let long = heard.into_iter().filter(|(_, stretch)| 1.0 <= stretch.seconds());
        long.map(|(tone, _)| tone).collect::<Vec<usize>>()
    };
    hears(&player, 3).await;
    // What it says is ahead of what the loudspeaker gets, by as much as the server holds.
    eventually_within(SOME_SECONDS, "three songs have been heard", async || 3 <= songs().len()).await;
    let (recording, songs) = (sound.recording(), songs());
    let history: Vec<String> = venue.history().into_iter().map(|play| play.0).collect();
    let heard: Vec<String> = songs.iter().map(|tone| format!("tone {tone:03}")).collect();
    assert_eq!(history[..heard.len()], heard[..]);
    // A machine that does other things as well may be late once.
    assert!(recording.gaps(0.02).len() <= 1, "{:?}", recording.gaps(0.02));
    player.stop(&[]);
    venue.close();
}

#[tokio::test]
async fn a_sound_server_that_dies_and_comes_back_is_played_to_again_in_the_same_song() {
    let Some((mut sound, mut venue, mut player)) =
        playing("a sound server that dies and comes back is played to again").await
    else {
        return;
    };
    sound.kill();
    eventually_within(SOME_SECONDS, "the player says that its output is gone", async || {
        player.status().is_some_and(|status| !status["output_trouble"].is_null())
    })
    .await;
    let before = player.status().unwrap();
    sound.switch_on();
    sound.ready().await;
    sound.record();
    let back = eventually_within(SOME_SECONDS, "the loudspeaker sounds again", async || {
        sound.recording().first_sound().is_some()
    })
    .await;
    println!("sound {back:?} after the server was back");
    eventually_within(SOME_SECONDS, "the player says that it plays", async || {
        player.status().is_some_and(|status| status["output_trouble"].is_null())
    })
    .await;
    let after = player.status().unwrap();
    assert_eq!(after["song"]["title"], before["song"]["title"], "it has waited at its place");
    assert!(
        Duration::from_millis(1) < Duration::from_millis(after["silence_ms"].as_u64().unwrap()),
        "this was silence, and it is counted"
    );
    player.stop(&["output"]);
    venue.close();
}
