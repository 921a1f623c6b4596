//! async-graphql with the services of async-graphql-axum, as their documentation shows them: no bounds, no doors.

use std::collections::HashMap;
use std::path::Path;

use async_graphql::{Context, EmptyMutation, EmptySubscription, Enum, ID, Object, Schema, SimpleObject};
use async_graphql_axum::GraphQL;
use axum::Router;
use axum::routing::post_service;
use serde::Deserialize;
use tokio::net::TcpListener;

#[derive(Clone, SimpleObject, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Song {
    id: ID,
    title: String,
    artist: Option<String>,
    album: Option<String>,
    duration_ms: i32,
    bpm: Option<f64>,
    key: Option<String>,
    kind: Option<SongKind>,
    loudness_lufs: Option<f64>,
    explicit: Explicit,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum SongKind {
    Instrumental,
    Soundscape,
}

#[derive(Clone, Copy, PartialEq, Eq, Enum, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(clippy::enum_variant_names, reason = "the value is called so")]
enum Explicit {
    Clean,
    Explicit,
    Unknown,
}

#[derive(Clone, SimpleObject, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Venue {
    name: String,
    time_zone: String,
}

#[derive(SimpleObject)]
struct SongEdge<'a> {
    cursor: &'a str,
    node: &'a Song,
}

#[derive(SimpleObject)]
struct PageInfo<'a> {
    has_next_page: bool,
    has_previous_page: bool,
    start_cursor: Option<&'a str>,
    end_cursor: Option<&'a str>,
}

#[derive(SimpleObject)]
struct SongConnection<'a> {
    edges: Vec<SongEdge<'a>>,
    nodes: &'a [Song],
    page_info: PageInfo<'a>,
    total_count: usize,
}

#[derive(Deserialize)]
struct Catalogue {
    venue: Venue,
    songs: Vec<Song>,
}

struct Query {
    catalogue: Catalogue,
    places: HashMap<String, usize>,
}

#[Object]
impl Query {
    async fn venue(&self) -> &Venue {
        &self.catalogue.venue
    }

    async fn songs(
        &self,
        _ctx: &Context<'_>,
        first: Option<usize>,
        after: Option<String>,
    ) -> async_graphql::Result<SongConnection<'_>> {
        let songs = &self.catalogue.songs;
        let start = match after {
            None => 0,
            Some(cursor) => self.places.get(&cursor).ok_or("this cursor is not of this list")? + 1,
        };
        let end = songs.len().min(start + first.unwrap_or(20).min(100));
        let part = &songs[start..end];
        let page_info = PageInfo {
            has_next_page: end < songs.len(),
            has_previous_page: start > 0,
            start_cursor: part.first().map(|song| song.id.as_str()),
            end_cursor: part.last().map(|song| song.id.as_str()),
        };
        let edges = part.iter().map(|node| SongEdge { cursor: &node.id, node }).collect();
        Ok(SongConnection { edges, nodes: part, page_info, total_count: songs.len() })
    }
}

/// Serves the songs of a file until it is killed.
pub(crate) async fn serve(file: &Path) {
    let catalogue: Catalogue = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let places = catalogue.songs.iter().enumerate().map(|(at, song)| (song.id.to_string(), at)).collect();
    let schema = Schema::new(Query { catalogue, places }, EmptyMutation, EmptySubscription);
    let router = Router::new().route("/graphql", post_service(GraphQL::new(schema)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("READY {}", listener.local_addr().unwrap().port());
    axum::serve(listener, router).await.unwrap();
}
