//! The oracle of the feed: sixteen who write at random, hold their transactions open, give up, or import in bulk, and
//! some who read all the while. Whoever has read up to a number has read everything below it. The cursor that everybody
//! writes first (a serial number given at the insert) stands beside it, and must lose rows: else this shows nothing.

#![expect(clippy::unwrap_used, reason = "those who write and read are part of the test")]
#![expect(clippy::disallowed_methods, reason = "they are awaited before the test ends")]

use std::collections::BTreeSet;
use std::time::Duration;

use roomtone_cloud::database::Database;
use roomtone_cloud::store::feed;
use roomtone_schema::OrganisationId;
use roomtone_sync::wire::Scope;
use sqlx::Connection as _;
use uuid::Uuid;

use crate::postgres::{Postgres, Version, connect, run};

const WRITERS: u32 = 16;
const ROUNDS: u32 = 30;

/// Writes songs in one of two catalogues, and a naive line for each; how many were kept.
async fn write(url: String, writer: u32, catalogues: [Uuid; 2]) -> u64 {
    let mut conn = connect(&url).await;
    let mut kept = 0;
    for round in 0..ROUNDS {
        let draw = u64::from(Uuid::new_v4().as_bytes()[0]);
        let many = if draw % 10 == 0 { 200_i32 } else { 1 + i32::from(draw % 3 == 0) };
        let mut work = conn.begin().await.unwrap();
        // Several scopes in one transaction, in whatever order.
        for catalogue in
            if draw % 2 == 0 { [catalogues[0], catalogues[1]] } else { [catalogues[1], catalogues[0]] }
        {
            sqlx::query(
                "with s as (insert into public.songs (organisation_id, title, file_url, object_key, content_sha256, content_bytes,
                                                      content_type)
                   select $1, 'Song', 's3://songs/x', 'x', sha256(convert_to(concat($2::text, '/', i, gen_random_uuid()), 'UTF8')), 1,
                          'audio/flac' from generate_series(1, $3) i returning id)
                 insert into public.naive (song) select id from s",
            )
            .bind(catalogue)
            .bind(format!("{writer}/{round}"))
            .bind(many)
            .execute(&mut *work)
            .await
            .unwrap();
        }
        sqlx::query("select pg_sleep($1)")
            .bind((draw % 4) as f64 / 1_000.0)
            .execute(&mut *work)
            .await
            .unwrap();
        if draw % 7 == 0 {
            work.rollback().await.unwrap();
        } else {
            work.commit().await.unwrap();
            kept += 2 * many.cast_unsigned() as u64;
        }
    }
    kept
}

/// Reads a feed until it is told that nobody writes any more, and then once more to its end.
async fn read(database: Database, scope: Scope, done: tokio_util::sync::CancellationToken) -> BTreeSet<Uuid> {
    let (mut seen, mut at) = (BTreeSet::new(), 0);
    loop {
        let is_last = done.is_cancelled();
        let mut work = database.as_service().await.unwrap();
        let pointers = feed::pointers(&mut work, scope, at, 500).await.unwrap();
        work.commit().await.unwrap();
        for pointer in &pointers {
            assert_eq!(pointer.at.seq, at + 1, "a feed has no holes");
            at = pointer.at.seq;
            seen.insert(pointer.key.pk);
        }
        if is_last && pointers.is_empty() {
            return seen;
        }
    }
}

/// The same by the serial number that rows are given when they are inserted.
async fn read_naively(url: String, done: tokio_util::sync::CancellationToken) -> BTreeSet<Uuid> {
    let mut conn = connect(&url).await;
    let (mut seen, mut at) = (BTreeSet::new(), 0_i64);
    loop {
        let is_last = done.is_cancelled();
        let rows: Vec<(i64, Uuid)> =
            sqlx::query_as("select id, song from public.naive where id > $1 order by id limit 500")
                .bind(at)
                .fetch_all(&mut conn)
                .await
                .unwrap();
        for (id, song) in &rows {
            at = *id;
            seen.insert(*song);
        }
        if is_last && rows.is_empty() {
            return seen;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_who_reads_the_feed_misses_a_row() {
    let test = Postgres::start(Version::V18).database().await;
    let mut eyes = test.superuser().await;
    run(&mut eyes, "create table public.naive (id bigserial primary key, song uuid not null)").await;
    let mut catalogues = [Uuid::nil(); 2];
    for catalogue in &mut catalogues {
        *catalogue = sqlx::query_scalar("insert into public.organisations (name) values ('O') returning id")
            .fetch_one(&mut eyes)
            .await
            .unwrap();
    }
    let done = tokio_util::sync::CancellationToken::new();
    let database = test.open();
    let scopes = catalogues.map(|catalogue| Scope::Catalogue(OrganisationId(catalogue)));
    let readers = [scopes[0], scopes[1], scopes[0]]
        .map(|scope| tokio::spawn(read(database.clone(), scope, done.clone())));
    let naive = tokio::spawn(read_naively(test.superuser_url.clone(), done.clone()));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(test.superuser_url.clone(), writer, catalogues)))
        .collect();
    let mut kept = 0;
    for writer in writers {
        kept += tokio::time::timeout(Duration::from_mins(2), writer)
            .await
            .expect("nobody waits for ever")
            .unwrap();
    }
    done.cancel();
    let there: Vec<(Uuid, Uuid)> =
        sqlx::query_as("select organisation_id, id from public.songs").fetch_all(&mut eyes).await.unwrap();
    assert_eq!(there.len() as u64, kept);
    for (reader, catalogue) in readers.into_iter().zip([catalogues[0], catalogues[1], catalogues[0]]) {
        let seen = reader.await.unwrap();
        let expected: BTreeSet<Uuid> =
            there.iter().filter(|(whose, _)| *whose == catalogue).map(|(_, id)| *id).collect();
        assert_eq!(seen, expected);
    }
    let naively = naive.await.unwrap();
    assert!(
        naively.len() < there.len(),
        "the naive cursor lost nothing of {}: the test shows nothing",
        there.len()
    );
    let left: i64 = sqlx::query_scalar(
        "select (select count(*) from private.feed_pending) + (select count(*) from private.feed_tx)",
    )
    .fetch_one(&mut eyes)
    .await
    .unwrap();
    assert_eq!(left, 0);
}
