//! Goal 9: the vibe from memory beside the vibe by SQL, with keys like those of the hub's tables.

use std::hint::black_box;

use roomtone_schema::room::{Listener, Room};
use roomtone_schema::seed::Seeded;
use rusqlite::Connection;

use crate::library::direction;
use crate::stopwatch::{Time, at_least, race};

/// The mean of five columns over the active sessions' preferences.
const BY_COLUMNS: &str = "
    select avg(x0), avg(x1), avg(x2), avg(x3), avg(x4) from sessions join preferences using (listener)
    where zone = 1 and active = 1";

/// The same rows, averaged here from the vector as a blob.
const BY_BLOBS: &str = "
    select vector from sessions join preferences using (listener) where zone = 1 and active = 1";

/// Times the vibe of rooms of these sizes, recomputed in full, by memory and by the quicker SQL.
pub(crate) fn measure(sizes: &[usize]) {
    for people in sizes {
        let mut chance = Seeded::new(*people as u64);
        let mut room = Room {
            listeners: (0..*people)
                .map(|_| Listener { weight: 1.0, taste: Some(direction(&mut chance)), ..Listener::default() })
                .collect(),
            fairness: 0.5,
            ..Room::default()
        };
        let conn = fill(&room);
        let mut moved = room.clone();
        let [shown, fair, columns, blobs] = race(
            41,
            4,
            [
                &mut |call| {
                    room.listeners[call % people].weight = 0.5;
                    black_box(room.vibe());
                },
                &mut |call| {
                    moved.listeners[call % people].weight = 0.5;
                    black_box(moved.target());
                },
                &mut |call| {
                    black_box(by_columns(&conn, call % people));
                },
                &mut |call| {
                    black_box(by_blobs(&conn, call % people));
                },
            ],
        );
        let sql = if columns.median < blobs.median { columns } else { blobs };
        report(*people, shown, fair, sql);
    }
}

fn report(people: usize, shown: Time, fair: Time, sql: Time) {
    let yardstick = ("the quicker of two SQL ways", sql);
    at_least("9", &format!("the vibe of {people} people, anew"), shown, yardstick, Some(50.0));
    at_least("-", &format!("the same with everybody's fairness, {people} people"), fair, yardstick, None);
}

fn fill(room: &Room) -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(
        "create table sessions (id blob primary key, listener blob, zone integer, active integer)
             strict, without rowid;
         create index sessions_active on sessions (zone) where active = 1;
         create table preferences (listener blob primary key, x0 real, x1 real, x2 real, x3 real, x4 real,
             vector blob) strict, without rowid;
         begin;",
    )
    .unwrap();
    for (listener, number) in room.listeners.iter().zip(0..) {
        let id = id(number);
        let taste = listener.taste.unwrap();
        let blob: Vec<u8> = taste.iter().flat_map(|value| (*value as f32).to_le_bytes()).collect();
        conn.prepare_cached("insert into sessions values (?1, ?1, 1, 1)").unwrap().execute([id]).unwrap();
        conn.prepare_cached("insert into preferences values (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
            .unwrap()
            .execute((id, taste[0], taste[1], taste[2], taste[3], taste[4], blob))
            .unwrap();
    }
    conn.execute_batch("commit; analyze").unwrap();
    conn
}

/// Somebody's taste moves before each question, so that no page of answers is left over.
fn by_columns(conn: &Connection, listener: usize) -> [f64; 5] {
    touch(conn, listener);
    let mut statement = conn.prepare_cached(BY_COLUMNS).unwrap();
    statement
        .query_row([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?]))
        .unwrap()
}

fn by_blobs(conn: &Connection, listener: usize) -> [f64; 5] {
    touch(conn, listener);
    let mut statement = conn.prepare_cached(BY_BLOBS).unwrap();
    let mut rows = statement.query([]).unwrap();
    let (mut sum, mut people) = ([0.0; 5], 0.0);
    while let Some(row) = rows.next().unwrap() {
        let (chunks, _) = row.get_ref(0).unwrap().as_blob().unwrap().as_chunks::<4>();
        for (total, chunk) in sum.iter_mut().zip(chunks) {
            *total += f64::from(f32::from_le_bytes(*chunk));
        }
        people += 1.0;
    }
    sum.map(|total| total / people)
}

fn touch(conn: &Connection, listener: usize) {
    let sql = "update preferences set x0 = -x0 where listener = ?1";
    conn.prepare_cached(sql).unwrap().execute([id(listener)]).unwrap();
}

/// Ids are 16 bytes, in no order, as the hub's are.
fn id(number: usize) -> [u8; 16] {
    let mut bits = Seeded::new(number as u64);
    std::array::from_fn(|_| bits.next_u64() as u8)
}
