//! What the commands say.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use super::{is_coloured, say};
use crate::orders::pairing::PairingCode;
use crate::orders::{Reply, Status};
use crate::qr::{self, Poster};
use crate::service::Service;
use crate::trouble::Trouble;

mod drilling;
mod players;

pub(super) use drilling::Drilling;

/// Without a terminal, the progress of an import is a line for each so many files.
const LINE_EACH: usize = 100;

/// What has been shown of an order so far.
#[derive(Debug, Default)]
pub(super) struct Shown {
    bar: Option<ProgressBar>,
    trouble: Option<Trouble>,
    nothing_taken: bool,
}

impl Shown {
    /// Shows one reply.
    pub(super) fn show(&mut self, reply: Reply) {
        match reply {
            Reply::Found { files } => self.begin(files),
            Reply::Took { done, total, file, refused } => self.step(done, total, &file, refused.as_deref()),
            Reply::Imported { added, known, refused } => self.imported(added, known, refused),
            Reply::Player { name, token } => player(&name, &token),
            Reply::Renewed { name, token } => renewed(&name, &token),
            Reply::Pairing(code) => pairing(&code),
            Reply::Tried { left } => tried(left),
            Reply::DigitsOver => say("The digits are used up; the long code is good for five more minutes."),
            Reply::Paired { name, zone } => {
                say(format!("{name} is a player of this venue now, in the zone {zone}."));
            }
            Reply::Players(lines) => players::all(&lines),
            Reply::Done(said) => say(said),
            Reply::Manager { token } => manager(&token),
            Reply::Poster(shown) => poster(&shown, is_coloured()),
            Reply::Status(told) => status(&told),
            Reply::DrillBegan(_) | Reply::Drilling { .. } | Reply::Drilled(_) => {}
            Reply::BackedUp { file, bytes } => {
                say(format!("The store is copied to {} ({} KB).", file.display(), bytes.div_ceil(1_024)));
            }
            Reply::Refused(trouble) => self.trouble = Some(trouble),
        }
    }

    /// How the command ends.
    pub(super) fn end(self) -> Result<ExitCode, Trouble> {
        match self.trouble {
            Some(trouble) => Err(trouble),
            None if self.nothing_taken => Ok(ExitCode::FAILURE),
            None => Ok(ExitCode::SUCCESS),
        }
    }

    fn begin(&mut self, files: usize) {
        if io::stderr().is_terminal() {
            let style = "{bar:32} {pos}/{len} {eta} left  {wide_msg}";
            let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
            self.bar = Some(ProgressBar::new(files as u64).with_style(style));
        } else {
            say(format!("{files} files may be music."));
        }
    }

    fn step(&mut self, done: usize, total: usize, file: &str, refused: Option<&str>) {
        let refusal = refused.map(|why| format!("not taken: {file}: {why}"));
        match (&self.bar, refusal) {
            (Some(bar), refusal) => {
                if let Some(line) = refusal {
                    bar.suspend(|| say(line));
                }
                bar.set_position(done as u64);
                bar.set_message(file.rsplit('/').next().unwrap_or(file).to_owned());
            }
            (None, Some(line)) => say(line),
            (None, None) if done.is_multiple_of(LINE_EACH) => say(format!("{done} of {total}")),
            (None, None) => {}
        }
    }

    fn imported(&mut self, added: usize, known: usize, refused: usize) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        say(format!("{} new, {known} known already, {refused} not taken.", songs(added)));
        self.nothing_taken = added + known == 0;
        if self.nothing_taken {
            say("No music was found there. Roomtone plays MP3, FLAC, Ogg Vorbis, WAV and AAC (M4A) files.");
        }
    }
}

/// What `serve` says when it serves.
pub(super) fn page(service: &Service) {
    let address = service.place.to_print();
    let code = service.hub.room_code(service.hub.main_zone());
    let shown = code.map(|code| code.for_screens().to_owned()).unwrap_or_default();
    say(format!("Roomtone is at {}", qr::page_url(address, &shown)));
    secure(service);
}

/// Where players connect, and whoever runs the venue.
pub(crate) fn secure(service: &Service) {
    let Some(address) = service.place.secure_to_print() else { return };
    say(format!("Players connect at {address}; `roomtone-hub pair` lets one in"));
    say(format!("The manager's page is at https://{address}/manage"));
    if let Some(code) = service.hub.open_setup() {
        say(format!(
            "It has no PIN yet. Within the hour, choose one at https://{address}/manage#setup={code}"
        ));
    }
}

/// How a player comes in.
fn pairing(code: &PairingCode) {
    match qr::for_terminal(&code.uri, is_coloured()) {
        Ok(drawn) => say(drawn.trim_end_matches('\n')),
        Err(error) => tracing::warn!("no QR code: {error}"),
    }
    let name = code.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    say(format!("On the player{name}, type:\n\n  roomtone-player pair {}\n", code.digits));
    say(format!("or give it the whole code:\n\n  roomtone-player pair '{}'\n", code.uri));
    let (minutes, more) = (code.digits_for_s.div_ceil(60), code.code_for_s.div_ceil(60));
    say(format!(
        "Waiting for it. The digits are good for {minutes} minutes, the code for {more}; Ctrl-C ends both."
    ));
}

fn tried(left: u8) {
    match left {
        0 => say("The digits were tried too often and are used up; the long code is still good."),
        1 => say("Somebody tries the digits; 1 more try is left."),
        left => say(format!("Somebody tries the digits; {left} more tries are left.")),
    }
}

/// The QR code with what to do with it.
pub(super) fn poster(poster: &Poster, coloured: bool) {
    match qr::for_terminal(&poster.url, coloured) {
        Ok(drawn) => say(drawn.trim_end_matches('\n')),
        Err(error) => tracing::warn!("no QR code: {error}"),
    }
    say(format!("{}: scan this, or open {}", poster.venue, poster.url));
    say(format!("Where phones know the hub by name: {}", poster.local_url));
    say(format!("The room's code is {}", poster.code));
    let (minutes, seconds) = (poster.rotating_changes_in_s / 60, poster.rotating_changes_in_s % 60);
    say(format!("The code for screens is {} and changes in {minutes}:{seconds:02}", poster.rotating));
}

/// How the hub is, for people.
pub(super) fn status(status: &Status) {
    say(format!("{} is running (version {}): {}", status.venue, status.version, status.url));
    for (zone, song) in &status.playing {
        say(format!("  {zone}: {}", song.as_deref().unwrap_or("nothing is playing")));
    }
    say(format!(
        "  {} here, {} of {} players in reach, {} of {} playable",
        people(status.listeners),
        status.players.0,
        status.players.1,
        status.songs.0,
        songs(usize::try_from(status.songs.1).unwrap_or(usize::MAX)),
    ));
    say(format!("  {}", status.cloud));
    status.complaints.iter().for_each(|complaint| say(format!("  ! {complaint}")));
}

fn player(name: &str, token: &str) {
    say(format!("The terminal {name} was added. Its token, shown this once:\n\n  {token}\n"));
    say("It asks for songs with `Authorization: Bearer` and this token at /api/player/next-song.");
}

fn renewed(name: &str, token: &str) {
    say(format!("The new token of {name}, shown this once; the one before is void:\n\n  {token}\n"));
}

fn manager(token: &str) {
    say(format!("The manager's token, shown this once; the one before is void:\n\n  {token}\n"));
}

fn songs(n: usize) -> String {
    if n == 1 { "1 song".to_owned() } else { format!("{n} songs") }
}

fn people(n: u64) -> String {
    if n == 1 { "1 person".to_owned() } else { format!("{n} people") }
}
