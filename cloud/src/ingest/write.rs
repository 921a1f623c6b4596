//! Writing facts that were read: by the catalogue's names, in an order in which what comes first is there for the others.

use std::collections::HashMap;

use roomtone_schema::{ListenerId, SongId, ZoneId};
use sqlx::PgConnection;

use super::Teller;
use super::read::{self, Nouns, Told};
use crate::store::facts::{self, KeptVote};
use crate::store::tastes::{self, Cast};
use crate::store::{aliases, tastes::Teller as Voter};

pub(super) async fn write(
    conn: &mut PgConnection,
    teller: Teller<'_>,
    people: &HashMap<ListenerId, bool>,
    told: &[Told<'_>],
) -> Result<(), sqlx::Error> {
    let Teller { hub, venue, .. } = teller;
    let mut nouns = read::by_noun(told);
    shelve(conn, &mut nouns).await?;
    rename(conn, teller, &mut nouns).await?;
    if !nouns.players.is_empty() {
        facts::put_players(conn, hub, venue, &nouns.players).await?;
    }
    if !nouns.sign_ins.is_empty() {
        aliases::note_people(conn, venue, &nouns.sign_ins).await?;
    }
    let is_profiles = |listener: &ListenerId| people.contains_key(listener);
    if !nouns.sessions.is_empty() {
        let mut guests: Vec<ListenerId> = nouns.sessions.iter().map(|session| session.listener).collect();
        guests.retain(|listener| !is_profiles(listener));
        guests.sort_unstable();
        guests.dedup();
        if !guests.is_empty() {
            facts::add_guests(conn, venue, &guests).await?;
        }
        let sessions: Vec<_> = nouns.sessions.drain(..).map(|of| (is_profiles(&of.listener), of)).collect();
        let sessions: Vec<_> = sessions.into_iter().map(|(is_profiles, of)| (of, is_profiles)).collect();
        facts::put_sessions(conn, hub, venue, &sessions).await?;
    }
    if !nouns.sign_ins.is_empty() {
        aliases::note_whose(conn, venue, &nouns.sign_ins).await?;
    }
    if !nouns.votes.is_empty() {
        let kept = |(_, vote): &(i64, _)| -> KeptVote {
            let vote: roomtone_schema::vote::Vote = *vote;
            KeptVote { vote, is_profiles: is_profiles(&vote.listener) }
        };
        let kept: Vec<KeptVote> = nouns.votes.iter().map(kept).collect();
        facts::add_votes(conn, venue, &kept).await?;
    }
    if !nouns.plays.is_empty() {
        facts::put_plays(conn, hub, venue, &nouns.plays).await?;
    }
    fold(conn, teller, &nouns, people).await
}

/// Songs that the hub has made, or has taken off its shelf.
async fn shelve(conn: &mut PgConnection, nouns: &mut Nouns) -> Result<(), sqlx::Error> {
    if !nouns.songs.is_empty() {
        aliases::add_songs(conn, &serde_json::Value::Array(std::mem::take(&mut nouns.songs))).await?;
    }
    if !nouns.withdrawn.is_empty() {
        let withdrawn: Vec<SongId> = nouns.withdrawn.iter().copied().map(SongId).collect();
        let names = aliases::songs(conn, &withdrawn).await?;
        let withdrawn: Vec<_> = withdrawn.iter().map(|song| names.get(song).unwrap_or(song).0).collect();
        aliases::withdraw_songs(conn, &withdrawn).await?;
    }
    Ok(())
}

/// What the hub calls otherwise than the cloud.
async fn rename(conn: &mut PgConnection, teller: Teller<'_>, nouns: &mut Nouns) -> Result<(), sqlx::Error> {
    let of_votes = nouns.votes.iter().map(|(_, vote)| vote.song);
    let mut songs: Vec<SongId> = of_votes.chain(nouns.plays.iter().map(|of| of.play.song)).collect();
    songs.sort_unstable();
    songs.dedup();
    if !songs.is_empty() {
        let names = aliases::songs(conn, &songs).await?;
        let ours = |song: &mut SongId| *song = names.get(song).copied().unwrap_or(*song);
        nouns.votes.iter_mut().for_each(|(_, vote)| ours(&mut vote.song));
        nouns.plays.iter_mut().for_each(|of| ours(&mut of.play.song));
    }
    if nouns.sessions.is_empty() && nouns.plays.is_empty() && nouns.players.is_empty() {
        return Ok(());
    }
    let names = aliases::zones(conn, teller.hub).await?;
    let ours = |zone: &mut ZoneId| zone.0 = names.get(&zone.0).copied().unwrap_or(zone.0);
    nouns.sessions.iter_mut().for_each(|session| ours(&mut session.zone));
    nouns.plays.iter_mut().for_each(|of| ours(&mut of.play.zone));
    nouns.players.iter_mut().for_each(|(player, _)| ours(&mut player.zone));
    Ok(())
}

/// The tastes of people with an account.
async fn fold(
    conn: &mut PgConnection,
    teller: Teller<'_>,
    nouns: &Nouns,
    people: &HashMap<ListenerId, bool>,
) -> Result<(), sqlx::Error> {
    let theirs = nouns.votes.iter().filter(|(_, vote)| people.contains_key(&vote.listener));
    let cast = |(seq, vote): &(i64, roomtone_schema::vote::Vote)| Cast {
        profile: vote.listener.0,
        song: vote.song.0,
        vote: vote.id.0,
        hlc: vote.hlc.0.cast_signed(),
        value: vote.value,
        seq: *seq,
    };
    let mut casts: Vec<Cast> = theirs.map(cast).collect();
    for (seq, claim) in &nouns.claims {
        casts.extend(tastes::claim(conn, teller.venue, claim.guest.0, claim.listener.0, *seq).await?);
    }
    if casts.is_empty() {
        return Ok(());
    }
    tastes::fold(conn, Voter { hub: teller.hub, epoch: teller.epoch }, &casts).await
}
