//! A venue: one data folder, and the hub that serves it.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::program::{Finished, RunningHub, hub};
use crate::{Guest, TestPlayer, TestTerminal, write_tones};

/// A venue of the built program, on a data folder of its own and a port of its own.
#[derive(Debug)]
pub struct TestVenue {
    folder: TempDir,
    hub: Option<RunningHub>,
    port: u16,
    code: String,
}

impl TestVenue {
    /// A venue without music, not yet open.
    pub fn closed() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the venue");
        Self { folder, hub: None, port: 0, code: String::new() }
    }

    /// A venue without music, open.
    pub fn empty() -> Self {
        Self::closed().open()
    }

    /// A venue with `n` short songs, open.
    pub fn with_songs(n: u32) -> Self {
        Self::with_songs_of(n, 6)
    }

    /// The same with songs of so many seconds.
    pub fn with_songs_of(n: u32, seconds: u32) -> Self {
        let venue = Self::closed();
        write_tones(&venue.library(), n, seconds);
        venue.import().open()
    }

    /// Where the hub keeps everything.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where the venue's own recordings lie.
    pub fn library(&self) -> PathBuf {
        self.folder.path().join("library")
    }

    /// Imports the library with the command line.
    #[must_use]
    pub fn import(self) -> Self {
        let _report = self.run("import", [self.library()]).succeeded();
        self
    }

    /// Runs `roomtone-hub COMMAND ARGS` on this venue's data.
    pub fn run<S: AsRef<Path>>(&self, command: &str, args: impl IntoIterator<Item = S>) -> Finished {
        let mut all = vec![PathBuf::from("--data"), self.data()];
        all.extend(command.split(' ').map(PathBuf::from));
        all.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        hub(all)
    }

    /// Starts the hub and waits until it serves: on a free port the first time, and there ever after.
    #[must_use]
    pub fn open(self) -> Self {
        self.open_with_env([])
    }

    /// As [`TestVenue::open`], with variables for the hub's process.
    #[must_use]
    pub fn open_with_env(self, env: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.open_with([], env)
    }

    /// As [`TestVenue::open_with_env`], with more flags for `serve`.
    #[must_use]
    pub fn open_with(
        mut self,
        flags: impl IntoIterator<Item = &'static str>,
        env: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        assert!(self.hub.is_none(), "the venue is open");
        let args = self.serving().into_iter().chain(flags.into_iter().map(PathBuf::from));
        let hub = RunningHub::start_with_env(args, env);
        self.serves(hub);
        self
    }

    /// As [`TestVenue::open_with_env`], on a machine that was started anew: see [`crate::Program::start_on_boot`].
    pub fn open_on_boot(&mut self, boot: &Path, env: impl IntoIterator<Item = (&'static str, String)>) {
        assert!(self.hub.is_none(), "the venue is open");
        let hub = RunningHub::start_on_boot(boot, self.serving(), env);
        self.serves(hub);
    }

    fn serving(&self) -> Vec<PathBuf> {
        let (data, listen) = (self.data(), format!("127.0.0.1:{}", self.port));
        let args = [
            Path::new("--data"),
            &data,
            "serve".as_ref(),
            "--no-mdns".as_ref(),
            "--listen".as_ref(),
            listen.as_ref(),
        ];
        args.into_iter().map(Path::to_owned).collect()
    }

    fn serves(&mut self, mut hub: RunningHub) {
        (self.port, self.code) = hub.printed("the page's address", page_address);
        self.hub = Some(hub);
    }

    /// Pulls the plug.
    pub fn power_cut(&mut self) {
        self.hub.take().expect("the venue is open").kill();
    }

    /// Stops the hub in order, and asserts a clean log.
    pub fn close(&mut self) {
        self.close_apart_from(&[]);
    }

    /// As [`TestVenue::close`], where the log may mention what is `expected`.
    pub fn close_apart_from(&mut self, expected: &[&str]) {
        self.hub.take().expect("the venue is open").stop(expected);
    }

    /// Closes and opens again.
    #[must_use]
    pub fn restart(mut self) -> Self {
        self.close();
        self.open()
    }

    /// `http://127.0.0.1:PORT` and `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The same for a WebSocket.
    pub fn ws_url(&self, path: &str) -> String {
        format!("ws://127.0.0.1:{}{path}", self.port)
    }

    /// The port it serves on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What stands on the room's poster.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The hub's process.
    pub fn hub(&self) -> &RunningHub {
        self.hub.as_ref().expect("the venue is open")
    }

    /// Somebody at the door: their phone shows the page, nothing more.
    pub fn passer_by(&self) -> Guest {
        Guest::new(self.url(""), self.ws_url(""))
    }

    /// A guest who came in by the room's code.
    pub async fn check_in(&self, name: &str) -> Guest {
        let mut guest = self.passer_by();
        guest.check_in(&self.code, name).await;
        guest
    }

    /// A dumb terminal with a token of its own (the older plan's API).
    pub fn terminal(&self, name: &str) -> TestTerminal {
        TestTerminal::new(self.url(""), self.player_token(name))
    }

    /// The same in another zone than the main one.
    pub fn terminal_in(&self, zone: &str, name: &str) -> TestTerminal {
        let said = self.run("player add", [name, "--zone", zone]).succeeded().stdout;
        TestTerminal::new(self.url(""), token_in(&said))
    }

    /// A player that claims its songs over GraphQL.
    pub fn player(&self, name: &str) -> TestPlayer {
        TestPlayer::new(self.url(""), &self.player_token(name))
    }

    /// What `roomtone-hub player add NAME` prints: the token is the longest word of it.
    pub fn player_token(&self, name: &str) -> String {
        token_in(&self.run("player add", [name]).succeeded().stdout)
    }

    /// Opens a pairing window with the command line, which shows the codes and waits.
    pub fn pairing(&self, flags: impl IntoIterator<Item = &'static str>) -> RunningHub {
        let data = self.data();
        let args = [Path::new("--data"), &data, "pair".as_ref()];
        RunningHub::start(args.into_iter().map(Path::to_owned).chain(flags.into_iter().map(PathBuf::from)))
    }

    /// Every play in history, oldest first: title, tier, how it ended, milliseconds heard.
    pub fn history(&self) -> Vec<(String, String, Option<String>, Option<u32>)> {
        let store = rusqlite::Connection::open_with_flags(
            self.data().join("hub.db"),
            rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY,
        );
        let store = store.expect("the store can be read");
        let mut plays = store
            .prepare(
                "select songs.title, tier, ended, heard_ms from songs_playing join songs on songs.id = song
                 order by started_at, songs_playing.id",
            )
            .expect("the history can be asked for");
        let rows = plays.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
        rows.expect("the history can be read").map(|row| row.expect("a play")).collect()
    }

    /// Tells every song to be so long, whatever its file is: short files, and a plan of hours. The hub is not open.
    pub fn tell_lengths(&self, length: std::time::Duration) {
        assert!(self.hub.is_none(), "the venue is open");
        let store = rusqlite::Connection::open(self.data().join("hub.db")).expect("the store can be written");
        let told =
            store.execute("update songs set duration_ms = ?1, cue_out_ms = ?1", [length.as_millis() as u32]);
        told.expect("lengths can be told");
    }

    /// The value of a line of `/metrics`, by all that stands before it.
    pub async fn metric(&self, line: &str) -> f64 {
        let answer = reqwest::get(self.url("/metrics")).await.expect("/metrics answers");
        let page = answer.text().await.expect("/metrics is text");
        let value = page.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {line} in {page}"))
    }

    /// What `/health` says.
    pub async fn health(&self) -> serde_json::Value {
        let answer = reqwest::get(self.url("/health")).await.expect("/health answers");
        answer.json().await.expect("/health speaks JSON")
    }
}

/// The longest word.
fn token_in(said: &str) -> String {
    let words = said.split(|c: char| c.is_whitespace() || c == '"');
    words.max_by_key(|word| word.len()).expect("a token is printed").to_owned()
}

/// The port and the room code in a printed page address.
fn page_address(line: &str) -> Option<(u16, String)> {
    let (_, rest) = line.split_once("http://")?;
    let (host, rest) = rest.split_once('/')?;
    let (_, port) = host.rsplit_once(':')?;
    let (_, code) = rest.split_once("#code=")?;
    let code = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').next()?;
    Some((port.parse().ok()?, code.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_and_the_code_are_found_in_what_serve_prints() {
        let line = "  open http://127.0.0.1:41234/#code=K7-pQ2x on a phone";
        assert_eq!(page_address(line), Some((41_234, "K7-pQ2x".to_owned())));
        assert_eq!(page_address("listening on http://127.0.0.1:41234/"), None);
    }
}
