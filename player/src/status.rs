//! What people are shown of a running player: one line in its terminal, and the answer to `roomtone-player status`.
//!
//! A running player answers on a socket in its data folder that only its own user can open: it writes what it is doing
//! and hangs up. What is absent: any way to change something.

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use roomtone_schema::play::Tier;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::player::{HubState, View, title_of};
use roomtone_schema::player::PlayerMode;

/// The socket's name in the data folder.
const SOCKET: &str = "player.sock";

/// Whoever asks is answered within this, or there is nobody.
const PATIENCE: Duration = Duration::from_secs(3);

/// How wide the bar is that shows the position.
const BAR: u64 = 10;

/// Where the terminal does not say how wide it is.
const USUAL_WIDTH: usize = 100;

/// Answers until told to stop.
pub async fn serve(
    data: std::path::PathBuf,
    shown: watch::Receiver<View>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let path = data.join(SOCKET);
    let _none_there = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)
        .with_context(|| format!("no questions can be taken at {}", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    let answer = async {
        loop {
            let (mut stream, _) = listener.accept().await?;
            let text = serde_json::to_vec(&*shown.borrow())?;
            // Whoever does not take it has gone, or never will.
            let _in_time = tokio::time::timeout(PATIENCE, stream.write_all(&text)).await;
        }
    };
    let ended: Option<anyhow::Result<()>> = stop.run_until_cancelled(answer).await;
    let _already_gone = std::fs::remove_file(&path);
    ended.unwrap_or(Ok(()))
}

/// What the player that runs on this data folder is doing; `None` where none runs.
///
/// # Errors
/// Where one runs and cannot be asked.
pub async fn ask(data: &Path) -> io::Result<Option<View>> {
    let mut stream = match UnixStream::connect(data.join(SOCKET)).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut text)).await??;
    Ok(Some(serde_json::from_slice(&text)?))
}

/// Keeps one line in the terminal up to date until told to stop.
pub async fn keep_line(mut shown: watch::Receiver<View>, stop: CancellationToken) -> anyhow::Result<()> {
    let draw = async {
        loop {
            draw_line(&line(&shown.borrow_and_update(), width()));
            if shown.changed().await.is_err() {
                return;
            }
        }
    };
    stop.run_until_cancelled(draw).await;
    draw_line("");
    Ok(())
}

fn draw_line(text: &str) {
    let mut err = io::stderr().lock();
    let _nobody_looks = write!(err, "\r\x1b[2K{text}").and_then(|()| err.flush());
}

fn width() -> usize {
    let told = rustix::termios::tcgetwinsize(io::stderr()).ok().map(|size| usize::from(size.ws_col));
    told.filter(|width| 20 <= *width).unwrap_or(USUAL_WIDTH)
}

/// The player in one line of at most `width` characters: what matters most stands first.
pub fn line(view: &View, width: usize) -> String {
    let mut parts = vec![now(view)];
    if view.silent_now {
        parts.push("SILENT".to_owned());
    }
    parts.push(hub(view));
    if let Some(next) = view.next.as_ref().filter(|_| view.mode == PlayerMode::Playing) {
        parts.push(format!("next {next}"));
    }
    parts.push(format!("silence {} s", view.silence_ms / 1_000));
    let whole = parts.join("  |  ");
    let letters = whole.chars().count();
    if letters < width { whole } else { whole.chars().take(width.saturating_sub(2)).chain(['…']).collect() }
}

fn now(view: &View) -> String {
    let sign = match view.mode {
        PlayerMode::Playing => "▶",
        PlayerMode::Paused => "⏸",
        PlayerMode::Stopped => "⏹",
    };
    match &view.song {
        Some(song) => {
            let done = (song.position_ms * BAR).checked_div(song.duration_ms).unwrap_or(0).min(BAR);
            let bar: String = (0..BAR).map(|at| if at < done { '━' } else { '─' }).collect();
            let title = title_of(&song.title, song.artist.as_deref());
            format!("{sign} {title} {bar} {} / {}", clock(song.position_ms), clock(song.duration_ms))
        }
        None => match &view.output_trouble {
            Some(trouble) => format!("{sign} no sound: {trouble}"),
            None => format!("{sign} nothing plays"),
        },
    }
}

fn hub(view: &View) -> String {
    let tier = match view.song.as_ref().map(|song| song.tier) {
        Some(Tier::Plan) => format!(", plays from its plan for {}", hours(view.planned_ms)),
        Some(Tier::Cache) => ", plays from its cache".to_owned(),
        _ => String::new(),
    };
    match &view.hub {
        HubState::NotPaired => "not paired: `roomtone-hub pair` on the hub shows a code".to_owned(),
        HubState::Searching => "looking for the hub".to_owned(),
        HubState::Linked { .. } => format!("{} in reach{tier}", view.venue.as_deref().unwrap_or("hub")),
        HubState::Away { .. } => format!("hub out of reach{tier}"),
        HubState::Revoked => format!("the hub has removed this player{tier}"),
    }
}

fn clock(ms: u64) -> String {
    format!("{}:{:02}", ms / 60_000, ms / 1_000 % 60)
}

fn hours(ms: u64) -> String {
    let minutes = ms / 60_000;
    if minutes < 60 {
        format!("{minutes} min")
    } else {
        format!("{} h {:02} min", minutes / 60, minutes % 60)
    }
}

/// The player in some lines, for `roomtone-player status`.
pub fn page(view: &View) -> String {
    let mut lines = vec![
        format!("{}{}", view.name, view.venue.as_ref().map_or(String::new(), |venue| format!(" in {venue}"))),
        format!("  plays     {}", now(view)),
        format!("  next      {}", view.next.as_deref().unwrap_or("nothing yet")),
        format!("  hub       {}", hub_in_full(view)),
        format!("  output    {}, volume {:.0} %", view.output, view.volume * 100.0),
        format!(
            "  plan      {} on the disk; {} songs in the cache",
            hours(view.planned_ms),
            view.cached_songs
        ),
        format!("  silence   {} s since it started", view.silence_ms / 1_000),
    ];
    if let Some(trouble) = &view.output_trouble {
        lines.push(format!("  ! {trouble}"));
    }
    if view.silent_now {
        lines.push("  ! It is silent right now and should not be: run `roomtone-player doctor`.".to_owned());
    }
    if let Some(rogue) = &view.rogue {
        lines.push(format!("  ! {rogue}"));
    }
    if !view.clock_trusted {
        lines.push(
            "  ! This machine's clock is wrong. The music does not mind; the log's times do.".to_owned(),
        );
    }
    if 0 < view.untold_plays {
        lines.push(format!("  {} plays wait to be told to the hub.", view.untold_plays));
    }
    lines.join("\n")
}

fn hub_in_full(view: &View) -> String {
    match &view.hub {
        HubState::Linked { address } => format!("in reach at {address}"),
        HubState::Away { why } => format!("out of reach: {why}"),
        _ => hub(view),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::player::SongView;

    fn playing() -> View {
        let song = SongView {
            title: "Rainy Jazz".to_owned(),
            artist: Some("The Gutters".to_owned()),
            position_ms: 72_000,
            duration_ms: 212_000,
            tier: Tier::Hub,
        };
        let hub = HubState::Linked { address: "192.0.2.1:4701".to_owned() };
        View { song: Some(song), hub, venue: Some("Café".to_owned()), ..View::beginning("bar".to_owned()) }
    }

    #[test]
    fn a_line_says_what_plays_where_it_is_and_how_it_stands_with_the_hub() {
        let said = line(&View { next: Some("Dusk".to_owned()), ..playing() }, 200);
        assert_eq!(
            said,
            "▶ Rainy Jazz by The Gutters ━━━─────── 1:12 / 3:32  |  Café in reach  |  next Dusk  |  silence 0 s"
        );
    }

    #[test]
    fn without_its_hub_it_says_for_how_long_it_can_go_on() {
        let mut view = View { planned_ms: 3 * 3_600_000 + 120_000, ..playing() };
        view.hub = HubState::Away { why: "no answer".to_owned() };
        if let Some(song) = &mut view.song {
            song.tier = Tier::Plan;
        }
        let said = line(&view, 200);
        assert!(said.contains("hub out of reach, plays from its plan for 3 h 02 min"), "{said}");
    }

    #[test]
    fn a_line_never_wraps() {
        for width in [20, 40, 80] {
            assert!(line(&playing(), width).chars().count() < width);
        }
    }

    #[test]
    fn what_needs_somebody_is_said() {
        let view = View {
            silent_now: true,
            clock_trusted: false,
            hub: HubState::NotPaired,
            song: None,
            ..playing()
        };
        let said = page(&view);
        for words in ["silent right now", "clock is wrong", "roomtone-hub pair", "nothing plays"] {
            assert!(said.contains(words), "{words} in\n{said}");
        }
    }

    #[tokio::test]
    async fn a_running_player_answers_its_own_user_and_nobody_answers_for_one_that_does_not_run() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(ask(folder.path()).await.unwrap(), None);
        let (_sender, shown) = watch::channel(playing());
        let stop = CancellationToken::new();
        let serving = serve(folder.path().to_owned(), shown, stop.clone());
        let asking = async {
            let answer = loop {
                match ask(folder.path()).await.unwrap() {
                    Some(view) => break view,
                    None => tokio::task::yield_now().await,
                }
            };
            let mode = std::fs::metadata(folder.path().join(SOCKET)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            stop.cancel();
            answer
        };
        let (served, answer) = tokio::join!(serving, asking);
        served.unwrap();
        assert_eq!(answer, playing());
        assert_eq!(ask(folder.path()).await.unwrap(), None);
    }
}
