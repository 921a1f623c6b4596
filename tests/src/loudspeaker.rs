//! A player of the built program: a data folder, an output that is listened to, and the commands around it.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Finished, Program, player};
use crate::{Recording, TestVenue};

/// A box with a loudspeaker. Its output is a file with what the loudspeaker would get, unless told otherwise.
#[derive(Debug)]
pub struct Loudspeaker {
    folder: TempDir,
    data: PathBuf,
    output: Option<String>,
    hub: String,
    name: String,
    env: Vec<(&'static str, String)>,
    running: Option<Program>,
    runs: u32,
}

impl Loudspeaker {
    /// One that is not switched on, in reach of a venue.
    pub fn at(venue: &TestVenue, name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the player");
        let hub = format!("127.0.0.1:{}", venue.port());
        let data = folder.path().join("data");
        Self {
            folder,
            data,
            output: None,
            hub,
            name: name.to_owned(),
            env: Vec::new(),
            running: None,
            runs: 0,
        }
    }

    /// With another output, such as `device`.
    #[must_use]
    pub fn playing_to(mut self, output: &str) -> Self {
        self.output = Some(output.to_owned());
        self
    }

    /// With a variable for its process.
    #[must_use]
    pub fn with_env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Keeping everything elsewhere.
    #[must_use]
    pub fn keeping(mut self, data: PathBuf) -> Self {
        self.data = data;
        self
    }

    /// Where it keeps everything.
    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// Switches it on.
    pub fn start(&mut self) {
        assert!(self.running.is_none(), "the player runs");
        self.runs += 1;
        let output =
            self.output.clone().unwrap_or_else(|| format!("file:{}", self.sound_of(self.runs).display()));
        let data = self.data();
        let args = ["--data", path(&data), "--hub", &self.hub, "--name", &self.name, "--output", &output];
        self.running = Some(Program::player(args, self.env.iter().cloned()));
    }

    /// Pairs it by the digits that the hub shows, as an installer would.
    pub fn pair(&self, venue: &TestVenue) {
        let mut window = venue.pairing([]);
        let digits = window.printed("eight digits", digits);
        let _said = self.run(["pair", &digits]).succeeded();
        window.printed("that it is paired", |line| line.contains(&self.name).then_some(()));
    }

    /// Runs `roomtone-player ARGS` on its data.
    pub fn run<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Finished {
        let common = ["--data", path(&self.data), "--hub", &self.hub, "--name", &self.name];
        player(common.into_iter().map(str::to_owned).chain(args.into_iter().map(str::to_owned)))
    }

    /// What `status --json` says; `None` where it does not run.
    pub fn status(&self) -> Option<Value> {
        let said = self.run(["status", "--json"]);
        said.status.success().then(|| serde_json::from_str(&said.stdout).expect("JSON"))
    }

    /// The title that plays.
    pub fn title(&self) -> Option<String> {
        self.status()?["song"]["title"].as_str().map(str::to_owned)
    }

    /// Whether it is in reach of its hub.
    pub fn is_linked(&self) -> bool {
        self.status().is_some_and(|status| status["hub"]["is"] == "linked")
    }

    /// Everything that came out since it was last switched on.
    pub fn recording(&self) -> Recording {
        Recording::read(&self.sound_of(self.runs))
    }

    /// Its process.
    pub fn program(&self) -> &Program {
        self.running.as_ref().expect("the player runs")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.running.take().expect("the player runs").kill();
    }

    /// Switches it off in order; its log may warn of what is `expected` only.
    pub fn stop(&mut self, expected: &[&str]) -> Vec<String> {
        self.running.take().expect("the player runs").stop(expected)
    }

    fn sound_of(&self, run: u32) -> PathBuf {
        self.folder.path().join(format!("sound {run}.wav"))
    }
}

/// Eight digits, written in two groups of four.
fn digits(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let four = |word: &str| word.len() == 4 && word.bytes().all(|digit| digit.is_ascii_digit());
    words.windows(2).find(|pair| four(pair[0]) && four(pair[1])).map(<[&str]>::concat)
}

fn path(path: &Path) -> &str {
    path.to_str().expect("test folders have plain names")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_are_found_in_what_pair_prints() {
        assert_eq!(digits("    1234 5678   (5 minutes)"), Some("12345678".to_owned()));
        assert_eq!(digits("http://192.168.1.20:4700 1234"), None);
    }
}
