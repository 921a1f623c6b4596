//! A player without a loudspeaker: it plays in real time, reports what it would have been heard to play, and obeys.

use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use roomtone_schema::{Clock as _, SystemClock};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::client::Client;
use crate::hub::Hub;
use crate::trouble::{self, Trouble};

/// The player's token, in the data folder: a demo that is started again is the same player.
const TOKEN: &str = "demo-player-token";

/// Well below the time after which a player counts as offline.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// However short a song and long a fade: each is heard by itself for a moment.
const LEAST_ALONE: Duration = Duration::from_secs(1);

/// How often it asks for music while there is none: the first song is heard soon after it is there.
const NO_MUSIC_YET: Duration = Duration::from_millis(500);

/// The token of the demo's player; where it is not known here, a new player is let in.
pub(super) async fn token(hub: &Hub, data: &Path) -> Result<String, Trouble> {
    let path = data.join(TOKEN);
    let kept = std::fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
    if hub.player_by_token(&kept).is_some() {
        return Ok(kept);
    }
    let added = hub.add_player("Silent player".to_owned(), None, None).await;
    let added =
        added.map_err(|error| Trouble::harmless(error, "Start the demo with another folder: --data DIR."))?;
    keep(&path, &added.token).map_err(|error| trouble::of_file("write", &path, &error))?;
    Ok(added.token)
}

fn keep(path: &Path, token: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(token.as_bytes())
}

/// What is to be played.
#[derive(Debug, Clone, PartialEq)]
struct Pick {
    id: Value,
    song: Value,
    /// From where its music begins to where the next song begins under it.
    alone: Duration,
    /// The fade that follows.
    fade: Duration,
}

/// Plays one song after another until told to stop.
pub(super) async fn play(address: SocketAddr, token: String, stop: CancellationToken) -> anyhow::Result<()> {
    let mut player = SilentPlayer { client: Client::with_token(address, token) };
    match stop.run_until_cancelled(player.play_on()).await {
        Some(failed) => failed,
        None => Ok(()),
    }
}

#[derive(Debug)]
struct SilentPlayer {
    client: Client,
}

/// Why a song is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Finished,
    Skipped,
}

impl SilentPlayer {
    async fn play_on(&mut self) -> anyhow::Result<()> {
        let orders = "subscription { playerCommands { kind pick { id } } }";
        let mut orders = Box::pin(self.client.subscribe("playerCommands", orders).await?);
        loop {
            let Some(pick) = self.claim().await? else {
                tokio::time::sleep(NO_MUSIC_YET).await;
                continue;
            };
            let (over, heard) = self.play_one(&pick, &mut orders).await?;
            // The next song begins now, under the end of this one.
            match over {
                Over::Finished => self.report(&pick, Some("FINISHED"), heard + pick.fade).await?,
                Over::Skipped => self.report(&pick, Some("SKIPPED"), heard).await?,
            }
        }
    }

    /// The next song; `None` where there is no music yet.
    async fn claim(&mut self) -> anyhow::Result<Option<Pick>> {
        let select = "pick { id cueInMs cueOutMs crossfadeMs song { id } }";
        match self.client.mutate("claimNextSong", json!({}), select).await? {
            Ok(payload) => Ok(Some(Pick::read(&payload["pick"]))),
            Err(no) if no.code == "NOT_FOUND" => Ok(None),
            Err(no) => anyhow::bail!("no song: {}", no.message),
        }
    }

    /// Why the song is over, and how much of it was heard by then.
    async fn play_one(
        &mut self,
        pick: &Pick,
        orders: &mut (impl Stream<Item = anyhow::Result<Value>> + Unpin),
    ) -> anyhow::Result<(Over, Duration)> {
        let clock = SystemClock::new();
        let so_far = || Duration::from_millis(clock.monotonic_ms().unsigned_abs());
        let (mut heard, mut held) = (Duration::ZERO, Duration::ZERO);
        while heard < pick.alone {
            self.report(pick, None, heard).await?;
            let next = HEARTBEAT.min(pick.alone.saturating_sub(heard));
            let order = tokio::time::timeout(next, obeyed(pick, orders)).await;
            heard = so_far().saturating_sub(held);
            match order {
                Err(_no_order) => {}
                Ok(Ok(Obeyed::Leave)) => return Ok((Over::Skipped, heard)),
                Ok(Ok(Obeyed::Hold)) => {
                    let left = self.hold(pick, orders).await?;
                    held = so_far().saturating_sub(heard);
                    if left {
                        return Ok((Over::Skipped, heard));
                    }
                }
                Ok(Ok(Obeyed::GoOn)) => {}
                Ok(Err(error)) => return Err(error),
            }
        }
        Ok((Over::Finished, pick.alone))
    }

    /// Plays nothing until it is told to go on; true where the song was left meanwhile.
    async fn hold(
        &mut self,
        pick: &Pick,
        orders: &mut (impl Stream<Item = anyhow::Result<Value>> + Unpin),
    ) -> anyhow::Result<bool> {
        loop {
            let idle = json!({ "status": "IDLE", "silenceMs": 0 });
            let reported = self.client.mutate("reportPlayback", idle, "player { id }").await?;
            reported.map_err(|no| anyhow::anyhow!("the report was refused: {}", no.message))?;
            match tokio::time::timeout(HEARTBEAT, obeyed(pick, orders)).await {
                Err(_no_order) => {}
                Ok(Ok(Obeyed::Hold)) => {}
                Ok(Ok(Obeyed::GoOn)) => return Ok(false),
                Ok(Ok(Obeyed::Leave)) => return Ok(true),
                Ok(Err(error)) => return Err(error),
            }
        }
    }

    async fn report(&mut self, pick: &Pick, ended: Option<&str>, heard: Duration) -> anyhow::Result<()> {
        let input = json!({
            "status": "ACTIVE", "pickId": pick.id, "songId": pick.song, "tier": "HUB", "silenceMs": 0,
            "positionMs": heard.as_millis() as u32, "heardMs": heard.as_millis() as u32, "ended": ended,
        });
        let reported = self.client.mutate("reportPlayback", input, "player { id }").await?;
        reported.map(|_| ()).map_err(|no| anyhow::anyhow!("the report was refused: {}", no.message))
    }
}

impl Pick {
    fn read(pick: &Value) -> Self {
        let ms = |key: &str| pick[key].as_u64().unwrap_or_default();
        let music = Duration::from_millis(ms("cueOutMs").saturating_sub(ms("cueInMs")));
        let fade = Duration::from_millis(ms("crossfadeMs"));
        let alone = music.saturating_sub(fade).max(LEAST_ALONE);
        Self { id: pick["id"].clone(), song: pick["song"]["id"].clone(), alone, fade }
    }
}

/// What an order means for a song.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obeyed {
    Leave,
    Hold,
    GoOn,
}

/// Waits for an order that means something. Orders about other songs are of no interest to a player without a volume.
async fn obeyed(
    pick: &Pick,
    orders: &mut (impl Stream<Item = anyhow::Result<Value>> + Unpin),
) -> anyhow::Result<Obeyed> {
    loop {
        let order =
            orders.next().await.ok_or_else(|| anyhow::anyhow!("the hub ended the subscription"))??;
        match order["kind"].as_str().unwrap_or_default() {
            "SKIP" if order["pick"]["id"] != pick.id => return Ok(Obeyed::Leave),
            "PAUSE" | "STOP" => return Ok(Obeyed::Hold),
            "RESUME" => return Ok(Obeyed::GoOn),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::usual(500, 30_000, 5_000, 24_500)]
    #[case::no_fade(0, 30_000, 0, 30_000)]
    #[case::shorter_than_its_fade(0, 4_000, 5_000, 1_000)]
    fn the_next_song_begins_one_fade_before_the_end_of_the_music(
        #[case] cue_in: u64,
        #[case] cue_out: u64,
        #[case] crossfade: u64,
        #[case] alone: u64,
    ) {
        let pick = json!({ "cueInMs": cue_in, "cueOutMs": cue_out, "crossfadeMs": crossfade });
        assert_eq!(Pick::read(&pick).alone, Duration::from_millis(alone));
    }

    #[tokio::test]
    async fn only_an_order_to_another_pick_ends_the_song() {
        let pick = Pick::read(&json!({ "id": "this", "cueOutMs": 30_000 }));
        let orders = [
            json!({ "kind": "VOLUME", "pick": null }),
            json!({ "kind": "SKIP", "pick": { "id": "this" } }),
            json!({ "kind": "SKIP", "pick": { "id": "next" } }),
            json!({ "kind": "PLAN_CHANGED", "pick": null }),
        ];
        let mut orders = futures_util::stream::iter(orders.map(Ok));
        assert_eq!(obeyed(&pick, &mut orders).await.unwrap(), Obeyed::Leave);
        assert_eq!(orders.count().await, 1, "the order to this very pick was no reason to leave it");
    }
}
