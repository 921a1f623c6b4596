//! The path that a sound card pulls asks for no memory: counted by the allocator of this test binary.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use roomtone_player::engine::{Command, Track};

use crate::signals::noise;
use crate::stage::{RATE, STEREO, Stage, ms, track};

thread_local! {
    static COUNTED: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[expect(unsafe_code, reason = "an allocator that counts; everything is done by the system's")]
// SAFETY: every call is handed on unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNTED.with(|counted| counted.set(counted.get() + 1));
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        COUNTED.with(|counted| counted.set(counted.get() + 1));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn counted(work: impl FnOnce()) -> u64 {
    let before = COUNTED.with(Cell::get);
    work();
    COUNTED.with(Cell::get) - before
}

#[test]
fn allocations_are_counted() {
    assert!(counted(|| drop(std::hint::black_box(vec![1_u8; 100]))) >= 2);
}

#[test]
fn rendering_asks_for_no_memory_whatever_happens() {
    let mut stage = Stage::new(STEREO);
    let songs: Vec<Track> = (0..6)
        .map(|at| {
            let path = stage.song(&format!("{at}.wav"), 44_100, &noise(at, 0.9, 2 * 44_100));
            // Loud enough for the limiter to work.
            Track { gain_db: 9.0, crossfade: ms(300), ..track(&path, ms(2_000)) }
        })
        .collect();
    let missing = track(&stage.path("missing.wav"), ms(1_000));
    let orders = [
        Command::Play(songs[0].clone()),
        Command::Next(Some(songs[1].clone())),
        Command::Volume(0.5),
        Command::Pause,
        Command::Resume,
        Command::Play(songs[2].clone()),
        Command::Play(songs[3].clone()),
        Command::Next(Some(missing)),
        Command::Next(Some(songs[4].clone())),
        Command::Next(None),
        Command::Next(Some(songs[5].clone())),
        Command::Stop,
        Command::Play(songs[1].clone()),
    ];
    let mut block = vec![0.0; 2 * 441];
    let mut total = 0;
    for order in orders {
        stage.send(order);
        for _ in 0..RATE as usize / 441 / 2 {
            stage.offline.settle();
            total += counted(|| stage.offline.render_only(&mut block));
        }
    }
    assert!(block.iter().any(|sample| *sample != 0.0));
    assert!(stage.offline.events().len() > 10);
    assert_eq!(total, 0);
}
