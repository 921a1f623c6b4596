//! Simulated guests: they come, vote as their taste says, sometimes want a skip, and go.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use roomtone_schema::seed::Seeded;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::client::Client;

/// The number of a song's axes.
const AXES: usize = roomtone_schema::AXES;

/// Between two guests at the start: a room fills, it is not filled.
const ARRIVALS: Duration = Duration::from_millis(700);

/// How long a guest stays, at least and at most.
const STAY_S: (f64, f64) = (90.0, 420.0);

/// How long a guest is away.
const AWAY_S: (f64, f64) = (20.0, 120.0);

/// How long a guest listens before having an opinion.
const LISTEN_S: (f64, f64) = (1.0, 9.0);

/// How long a guest stands in the door.
const GOODBYE: Duration = Duration::from_secs(2);

/// From this similarity on, a song is liked; up to its opposite, disliked; further down, nobody wants to hear it.
const LIKED: f64 = 0.25;
const UNBEARABLE: f64 = -0.6;

/// The part of songs a guest has no opinion on, because the coffee has come.
const DISTRACTED: f64 = 0.35;

/// All guests of a demo.
#[derive(Debug, Clone)]
pub(super) struct Party {
    /// Where the hub is.
    pub(super) address: SocketAddr,
    /// The room's code.
    pub(super) code: String,
    /// How many.
    pub(super) guests: usize,
    /// What their chance begins with.
    pub(super) seed: u64,
}

/// Has them come and go until told to stop. One guest's trouble is not the others', and no reason to stay away.
pub(super) async fn visit(party: Party, stop: CancellationToken) -> anyhow::Result<()> {
    let mut guests = JoinSet::new();
    for number in 0..party.guests {
        guests.spawn(Guest::new(&party, number).come_and_go(stop.clone()));
    }
    while let Some(ended) = guests.join_next().await {
        ended??;
    }
    Ok(())
}

#[derive(Debug)]
struct Guest {
    client: Client,
    code: String,
    name: String,
    taste: [f64; AXES],
    chance: Seeded,
    /// When the guest comes first.
    arrival: Duration,
}

/// What a guest does about a song.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opinion {
    Like,
    Dislike,
    /// Dislike, and away with it.
    Unbearable,
    None,
}

impl Guest {
    fn new(party: &Party, number: usize) -> Self {
        let mut chance = Seeded::new(Seeded::new(party.seed).next_u64() ^ number as u64);
        Self {
            client: Client::new(party.address),
            code: party.code.clone(),
            name: format!("Guest {}", number + 1),
            taste: direction(&mut chance),
            chance,
            arrival: ARRIVALS * u32::try_from(number).unwrap_or(u32::MAX),
        }
    }

    async fn come_and_go(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut away = self.arrival;
        while stop.run_until_cancelled(tokio::time::sleep(away)).await.is_some() {
            let stay = self.seconds(STAY_S);
            // Leaving in the middle of a song is how people leave.
            let visit = tokio::time::timeout(stay, self.visit());
            if let Some(Ok(Err(error))) = stop.run_until_cancelled(visit).await {
                tracing::debug!("{} left early: {error:#}", self.name);
            }
            self.leave().await;
            away = self.seconds(AWAY_S);
        }
        Ok(())
    }

    async fn visit(&mut self) -> anyhow::Result<()> {
        if self.check_in().await? { self.listen().await } else { Ok(()) }
    }

    /// Whoever does not get through to say goodbye just goes, as people do.
    async fn leave(&mut self) {
        if self.client.token.is_some() {
            let goodbye = self.client.mutate("checkOut", json!({}), "session { id }");
            let _gone_anyway = tokio::time::timeout(GOODBYE, goodbye).await;
            self.client.token = None;
        }
    }

    /// Whether the hub let the guest in; else they try again later, as people do.
    async fn check_in(&mut self) -> anyhow::Result<bool> {
        let input = json!({ "venueCode": self.code, "displayName": self.name });
        match self.client.mutate("checkIn", input, "token").await? {
            Ok(payload) => {
                self.client.token = payload["token"].as_str().map(str::to_owned);
                Ok(self.client.token.is_some())
            }
            Err(no) => {
                tracing::debug!("{} was not let in: {}", self.name, no.message);
                Ok(false)
            }
        }
    }

    async fn listen(&mut self) -> anyhow::Result<()> {
        let query = "subscription { nowPlaying { song { id axes { name value } } } }";
        let mut songs = Box::pin(self.client.subscribe("nowPlaying", query).await?);
        let mut last = Value::Null;
        while let Some(now) = next_song(&mut songs, &last).await? {
            last = now["song"]["id"].clone();
            tokio::time::sleep(self.seconds(LISTEN_S)).await;
            self.judge(&now["song"]).await?;
        }
        anyhow::bail!("the hub ended the subscription")
    }

    async fn judge(&mut self, song: &Value) -> anyhow::Result<()> {
        let opinion = opinion(similarity(&self.taste, song), self.chance.next_share());
        let value = match opinion {
            Opinion::None => return Ok(()),
            Opinion::Like => "LIKE",
            Opinion::Dislike | Opinion::Unbearable => "DISLIKE",
        };
        let vote = json!({ "songId": song["id"], "value": value });
        self.mind(self.client.clone().mutate("vote", vote, "vote { id }").await?);
        if opinion == Opinion::Unbearable {
            self.mind(self.client.clone().mutate("voteToSkip", json!({}), "nowPlaying { skipVotes }").await?);
        }
        Ok(())
    }

    /// A no is part of life: the song may be over, or the guest was too eager.
    fn mind(&self, answer: Result<Value, super::client::Refused>) {
        if let Err(no) = answer {
            tracing::debug!("{} was told: {}", self.name, no.message);
        }
    }

    fn seconds(&mut self, (least, most): (f64, f64)) -> Duration {
        Duration::from_secs_f64(least + (most - least) * self.chance.next_share())
    }
}

/// The next value that is about another song than `last`.
async fn next_song(
    songs: &mut (impl Stream<Item = anyhow::Result<Value>> + Unpin),
    last: &Value,
) -> anyhow::Result<Option<Value>> {
    while let Some(now) = songs.next().await.transpose()? {
        if now.is_object() && now["song"]["id"] != *last {
            return Ok(Some(now));
        }
    }
    Ok(None)
}

fn opinion(similarity: f64, chance: f64) -> Opinion {
    match similarity {
        _ if chance < DISTRACTED => Opinion::None,
        s if LIKED < s => Opinion::Like,
        s if s < UNBEARABLE => Opinion::Unbearable,
        s if s < -LIKED => Opinion::Dislike,
        _ => Opinion::None,
    }
}

/// A taste: any direction is as likely as any other, near enough.
fn direction(chance: &mut Seeded) -> [f64; AXES] {
    std::array::from_fn(|_| (0..4).map(|_| chance.next_share() - 0.5).sum())
}

fn similarity(taste: &[f64; AXES], song: &Value) -> f64 {
    let axes: Vec<f64> = named_axes(song);
    let dot: f64 = taste.iter().zip(&axes).map(|(a, b)| a * b).sum();
    let length = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    let both = length(taste) * length(&axes);
    if both == 0.0 { 0.0 } else { dot / both }
}

/// The axes in the order of their names, whatever order they came in.
fn named_axes(song: &Value) -> Vec<f64> {
    let mut axes: Vec<(&str, f64)> =
        song["axes"].as_array().into_iter().flatten().filter_map(read_axis).collect();
    axes.sort_by_key(|(name, _)| *name);
    axes.into_iter().map(|(_, value)| value).collect()
}

fn read_axis(axis: &Value) -> Option<(&str, f64)> {
    Some((axis["name"].as_str()?, axis["value"].as_f64()?))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::liked(0.8, Opinion::Like)]
    #[case::indifferent(0.1, Opinion::None)]
    #[case::disliked(-0.4, Opinion::Dislike)]
    #[case::unbearable(-0.9, Opinion::Unbearable)]
    fn a_guest_votes_as_their_taste_says(#[case] similarity: f64, #[case] expected: Opinion) {
        assert_eq!(opinion(similarity, 0.9), expected);
        assert_eq!(opinion(similarity, 0.0), Opinion::None, "nobody has an opinion on everything");
    }

    #[test]
    fn the_same_seed_brings_the_same_guests_and_each_has_a_taste_of_their_own() {
        let party =
            |seed| Party { address: "127.0.0.1:1".parse().unwrap(), code: String::new(), guests: 2, seed };
        let taste = |seed, number| Guest::new(&party(seed), number).taste.map(f64::to_bits);
        assert_eq!(taste(7, 0), taste(7, 0));
        assert_ne!(taste(7, 0), taste(7, 1));
        assert_ne!(taste(7, 0), taste(8, 0));
    }

    #[test]
    fn the_order_of_the_axes_does_not_matter_and_a_song_without_any_is_neither_near_nor_far() {
        let song = |names: [&str; 5]| {
            let axes: Vec<Value> =
                names.iter().map(|name| json!({ "name": name, "value": name.len() })).collect();
            json!({ "axes": axes })
        };
        let taste = [1.0, -0.5, 0.25, 0.0, 1.0];
        let one = song(["BRIGHTNESS", "DENSITY", "ENERGY", "TEMPO", "TONALITY"]);
        let other = song(["TONALITY", "ENERGY", "TEMPO", "DENSITY", "BRIGHTNESS"]);
        assert_eq!(similarity(&taste, &one).to_bits(), similarity(&taste, &other).to_bits());
        assert!(similarity(&taste, &json!({ "axes": null })).abs() < f64::EPSILON);
    }
}
