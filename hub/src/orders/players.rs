//! What an operator asks of single players.

use roomtone_schema::PlayerId;
use roomtone_schema::play::Tier;
use roomtone_schema::player::{PlayerHealth, PlayerMode, PlayerStatus};
use serde::{Deserialize, Serialize};

use super::Reply;
use crate::hub::Hub;
use crate::players::PlayerState;
use crate::trouble::Trouble;
use crate::view::PlayerCommandKind;

/// An order to one player.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlayerOrder {
    /// So loud, in percent.
    Volume(u8),
    /// Leave this song; its whole zone does.
    Skip,
    /// Hold.
    Pause,
    /// Go on.
    Resume,
    /// Play nothing.
    Stop,
}

impl PlayerOrder {
    /// In the words of players.
    pub fn as_command(self) -> (PlayerCommandKind, Option<f32>) {
        match self {
            Self::Volume(percent) => (PlayerCommandKind::Volume, Some(f32::from(percent) / 100.0)),
            Self::Skip => (PlayerCommandKind::Skip, None),
            Self::Pause => (PlayerCommandKind::Pause, None),
            Self::Resume => (PlayerCommandKind::Resume, None),
            Self::Stop => (PlayerCommandKind::Stop, None),
        }
    }

    fn done(self, name: &str) -> String {
        match self {
            Self::Volume(percent) => format!("The volume of {name} is {percent} %."),
            Self::Skip => format!("{name} and its zone go on to the next song."),
            Self::Pause => format!("{name} holds until it is told to resume."),
            Self::Resume => format!("{name} plays."),
            Self::Stop => format!("{name} plays nothing until it is told to resume."),
        }
    }
}

/// A player as an operator sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlayerLine {
    /// Its global id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where it stands.
    pub zone: String,
    /// Active, idle, offline.
    pub status: PlayerStatus,
    /// What was ordered last.
    pub mode: PlayerMode,
    /// What it plays, in words.
    pub song: Option<String>,
    /// Where its music comes from.
    pub tier: Tier,
    /// In percent.
    pub volume: u8,
    /// Whether nothing is heard from it though something should be.
    pub silent: bool,
    /// Unplanned silence since it was added, in seconds.
    pub silence_s: f64,
    /// Whether it was paired; a terminal was not.
    pub paired: bool,
    /// How many seconds ago it was heard of.
    pub seen_ago_s: Option<u64>,
    /// What it said of itself last.
    pub health: Option<PlayerHealth>,
}

/// Every player, by name.
pub fn lines(hub: &Hub) -> Vec<PlayerLine> {
    let zones = hub.zones();
    let zone_of = |state: &PlayerState| {
        zones
            .iter()
            .find(|zone| zone.id == state.player.zone)
            .map_or_else(String::new, |zone| zone.name.clone())
    };
    hub.player_states().into_iter().map(|state| line(hub, zone_of(&state), state)).collect()
}

fn line(hub: &Hub, zone: String, state: PlayerState) -> PlayerLine {
    let silent = state.is_silent();
    let is_online = state.is_online();
    let PlayerState { player, tier, health, .. } = state;
    let song = player.current_song.filter(|_| is_online).and_then(|song| hub.song(song));
    PlayerLine {
        id: roomtone_schema::id::Id::to_global(player.id),
        name: player.name,
        zone,
        status: player.status,
        mode: player.mode,
        song: song.map(|song| super::title(&song.facts)),
        tier,
        volume: (player.volume * 100.0).round() as u8,
        silent,
        silence_s: player.silence_ms as f64 / 1_000.0,
        paired: player.paired,
        seen_ago_s: player.last_seen_at.map(|at| hub.now().since(at).as_secs()),
        health,
    }
}

pub(super) async fn order(hub: &Hub, name: &str, order: PlayerOrder) -> Result<Reply, Trouble> {
    let player = named(hub, name)?;
    let (kind, volume) = order.as_command();
    let given = hub.command(player, kind, volume).await;
    given.map_err(|error| Trouble::harmless(error, "Nothing was changed; try again."))?;
    Ok(Reply::Done(order.done(name)))
}

pub(super) async fn remove(hub: &Hub, name: &str) -> Result<Reply, Trouble> {
    let removed = hub.remove_player(named(hub, name)?).await;
    let removed = removed.map_err(|error| Trouble::harmless(error, "The player is still one of yours."))?;
    Ok(Reply::Done(format!(
        "{} is no player of this venue any more; what it shows opens nothing. What it has played stays in the history.",
        removed.name
    )))
}

pub(super) async fn rename(hub: &Hub, name: &str, to: &str) -> Result<Reply, Trouble> {
    let renamed = hub.rename_player(named(hub, name)?, to).await;
    let renamed = renamed.map_err(|error| Trouble::harmless(error, "The player keeps its name."))?;
    Ok(Reply::Done(format!("{name} is called {} now.", renamed.name)))
}

fn named(hub: &Hub, name: &str) -> Result<PlayerId, Trouble> {
    hub.player_named(name).ok_or_else(|| {
        let known: Vec<String> = hub.player_states().into_iter().map(|state| state.player.name).collect();
        let known = if known.is_empty() { "none yet".to_owned() } else { known.join(", ") };
        Trouble::harmless(
            format!("this venue has no player {name:?}"),
            format!("Its players: {known}. `roomtone-hub pair` lets another in."),
        )
    })
}
