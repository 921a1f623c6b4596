//! Goal 1: a recommendation costs little more than reading five numbers per song once.

use std::hint::black_box;

use roomtone_schema::rank::rank_plan;

use crate::library::{Library, NOW, QUERIES, WINDOW};
use crate::stopwatch::{at_least, at_most, race, show};

/// Times both rules over `songs` songs against a pass over as many bytes as the search must read.
pub(crate) fn measure(songs: usize) {
    let library = Library::new(songs);
    let order = library.order();
    let bytes = vec![1_u64; songs * 20 / 8];
    let query = |call: usize| &library.queries[call % QUERIES];
    let (rounds, calls) = if songs < 100_000 { (101, 32) } else { (101, 4) };
    let [ten, one, by_rank, streamed] = race(
        rounds,
        calls,
        [
            &mut |call| drop(black_box(order.rank_plan(query(call), 10, NOW, WINDOW))),
            &mut |call| drop(black_box(order.rank_plan(query(call), 1, NOW, WINDOW))),
            &mut |call| drop(black_box(order.rank(query(call), 10, NOW))),
            &mut |_| {
                black_box(stream::pass(black_box(&bytes)));
            },
        ],
    );
    let (most_ten, most_one) = match songs {
        100_000 => (Some(4.0), Some(3.0)),
        1_000_000 => (Some(1.5), Some(1.5)),
        _ => (None, None),
    };
    let stream = ("stream 20n bytes", streamed);
    at_most("1", &format!("rank_plan, {songs} songs, k = 10"), ten, stream, most_ten);
    at_most("1", &format!("rank_plan, {songs} songs, k = 1"), one, stream, most_one);
    at_most("-", &format!("rank, {songs} songs, k = 10"), by_rank, stream, None);
    println!("{songs} songs: {:.1} GB/s streamed", songs as f64 * 20.0 / streamed.median);
    if songs <= 100_000 {
        let mut naive = |call| drop(black_box(rank_plan(query(call), &library.candidates, NOW, WINDOW)));
        let [oracle] = race(5, 1, [&mut naive]);
        at_least("-", &format!("rank_plan, {songs} songs, k = 10"), ten, ("the rule in f64", oracle), None);
    } else {
        println!("{songs} songs: rank_plan {}", show(ten));
    }
}

/// The yardstick: the quickest pass over memory that this machine has.
mod stream {
    /// Adds all words up, with the widest registers there are.
    pub(super) fn pass(words: &[u64]) -> u64 {
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "calling for AVX2 where it was just found")]
            return unsafe { pass_avx2(words) };
        }
        sum(words)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn pass_avx2(words: &[u64]) -> u64 {
        sum(words)
    }

    #[expect(clippy::inline_always, reason = "only inlined is it compiled for its caller's registers")]
    #[inline(always)]
    fn sum(words: &[u64]) -> u64 {
        let (blocks, rest) = words.as_chunks::<32>();
        let mut lanes = [0_u64; 32];
        for block in blocks {
            for (lane, word) in lanes.iter_mut().zip(block) {
                *lane = lane.wrapping_add(*word);
            }
        }
        lanes.iter().chain(rest).fold(0, |sum, word| sum.wrapping_add(*word))
    }
}
