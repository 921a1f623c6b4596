//! Where the venue's licence lets no song be kept that came from a cloud: what is here is what the next hour needs, and as
//! much again for each zone to choose from, so that the room still has a say.
//!
//! What was heard goes when others are here in its place. While none come, an hour of music for each zone stays, whatever
//! the licence says: whoever plays such a song counts it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use roomtone_schema::SongId;
use roomtone_schema::licence::{READY, let_go};

use super::{File, Plan, Wishes, in_turn, order, spare, sticky};

/// Decides within `budget` bytes for all files together, as [`plan`](super::plan) does, and what is to go at once.
pub fn plan_needed(files: &[File], wishes: &Wishes, budget: u64) -> Plan {
    let by_song: HashMap<SongId, &File> = files.iter().map(|file| (file.song, file)).collect();
    let stays = |file: &&File| file.here && (file.is_own() || !file.stored);
    let mut keep: HashSet<SongId> = files.iter().filter(stays).map(|file| file.song).collect();
    let pinned: Vec<&File> = files.iter().filter(|file| file.here && !file.stored).collect();
    let soon = wishes.soon.iter().filter(|song| by_song.get(song).is_some_and(|file| file.here));
    keep.extend(soon);
    let mut used: u64 = files.iter().filter(|file| keep.contains(&file.song)).map(|file| file.bytes).sum();
    let came = |song: &SongId| by_song.get(song).is_some_and(|file| file.here && !file.is_own());
    let choices = choices(&by_song, wishes, &came);
    let mut fetch = Vec::new();
    for file in wishes.soon.iter().chain(&choices).filter_map(|song| by_song.get(song)) {
        let comes = file.wanted && (file.here || file.stored) && used + file.bytes <= budget;
        if comes && keep.insert(file.song) {
            used += file.bytes;
            fetch.extend((!file.here).then_some(file.song));
        }
    }
    let here = files.iter().filter(|file| file.here && file.wanted && keep.contains(&file.song));
    let ready = here.map(|file| file.music).sum();
    let (unneeded, mut gone): (Vec<SongId>, Vec<SongId>) =
        spare(files, &order(wishes, &came), &keep).into_iter().partition(|song| by_song[song].wanted);
    let least = READY * wishes.ranked.len() as u32;
    let with_music = unneeded.iter().map(|song| (*song, by_song[song].music)).collect();
    gone.extend(let_go(ready, with_music, least));
    let left = unneeded.into_iter().filter(|song| !gone.contains(song));
    // The venue's own give way to nothing but a full disk.
    let own = files.iter().filter(|file| file.here && file.stored && file.is_own());
    let own = own.map(|file| file.song).filter(|song| !wishes.soon.contains(song));
    let spare = left.chain(own).collect();
    let over = over(files, wishes);
    let pinned_bytes = pinned.iter().map(|file| file.bytes).sum();
    Plan { fetch, spare, gone, over, pinned: pinned.len(), pinned_bytes }
}

/// What was heard lately and would have gone, had any other song come.
fn over(files: &[File], wishes: &Wishes) -> Vec<SongId> {
    let rests = |file: &&File| wishes.resting.contains(&file.song);
    let could_come = |file: &File| file.wanted && file.stored && !file.here && !rests(&file);
    let heard = files.iter().filter(|file| file.here && file.stored && !file.is_own()).filter(rests);
    if files.iter().any(could_come) { heard.map(|file| file.song).collect() } else { Vec::new() }
}

/// For each zone the songs it would like best that are not planned, an hour of them, one of each zone in turn.
fn choices(
    by_song: &HashMap<SongId, &File>,
    wishes: &Wishes,
    came: &impl Fn(&SongId) -> bool,
) -> Vec<SongId> {
    let of_zone = |ranked: &Vec<SongId>| {
        let mut music = Duration::ZERO;
        let best = sticky(ranked, came).into_iter().filter(|song| {
            let file = by_song.get(song).filter(|file| file.wanted && (file.here || file.stored));
            let chosen = file.filter(|_| music < READY && !wishes.soon.contains(song));
            music += chosen.map_or(Duration::ZERO, |file| file.music);
            chosen.is_some()
        });
        best.collect::<Vec<_>>()
    };
    in_turn(&wishes.ranked.iter().map(of_zone).collect::<Vec<_>>())
}
