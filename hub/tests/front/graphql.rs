//! GraphQL over HTTP: what is read, what is refused, and that no request takes the hub down.

use std::fmt::Write as _;

use rstest::rstest;
use serde_json::json;

use crate::venue::Venue;

#[tokio::test]
async fn a_query_is_answered_in_the_words_the_client_asks_for() {
    let venue = Venue::empty().await;
    let body = json!({ "query": "{ venue { name zones { name } } }" }).to_string();
    let answer = venue.post("", &body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(
        answer.json(),
        json!({ "data": { "venue": { "name": "Test", "zones": [{ "name": "main" }] } } })
    );
    let answer = venue.post("accept: application/graphql-response+json\r\n", &body).await;
    assert_eq!(answer.header("content-type"), Some("application/graphql-response+json; charset=utf-8"));
}

#[tokio::test]
async fn a_query_that_is_wrong_is_an_error_and_no_data() {
    let venue = Venue::empty().await;
    for (query, code) in [("{ nothing }", "GRAPHQL_VALIDATION_FAILED"), ("{", "GRAPHQL_PARSE_FAILED")] {
        let body = json!({ "query": query }).to_string();
        let answer = venue.post("accept: application/graphql-response+json\r\n", &body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.json().get("data").is_none());
        assert_eq!(answer.json()["errors"][0]["extensions"]["code"], code);
        assert_eq!(venue.post("", &body).await.status, 200);
    }
}

#[rstest]
#[case::put("PUT", "content-type: application/json\r\n", 405)]
#[case::no_type("POST", "", 415)]
#[case::text("POST", "content-type: text/plain\r\n", 415)]
#[case::form("POST", "content-type: application/x-www-form-urlencoded\r\n", 415)]
#[case::multipart("POST", "content-type: multipart/form-data; boundary=x\r\n", 415)]
#[case::another_charset("POST", "content-type: application/json; charset=latin1\r\n", 415)]
#[case::utf8("POST", "content-type: application/json; charset=UTF-8\r\n", 200)]
#[tokio::test]
async fn only_what_a_foreign_page_cannot_send_is_read(
    #[case] method: &str,
    #[case] headers: &str,
    #[case] status: u16,
) {
    let venue = Venue::empty().await;
    let body = json!({ "query": "{ venue { name } }" }).to_string();
    assert_eq!(venue.request(method, "/graphql", headers, &body).await.status, status);
}

#[tokio::test]
async fn a_mutation_by_get_changes_nothing() {
    let venue = Venue::empty().await;
    let path = "/graphql?query=mutation%7BcheckIn%7B__typename%7D%7D";
    let answer = venue.get(path, "").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("post")));
}

#[tokio::test]
async fn lists_of_operations_are_refused() {
    let venue = Venue::empty().await;
    let answer = venue.post("", r#"[{"query":"{ venue { name } }"}]"#).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("one operation per request"), "{}", answer.text());
}

#[tokio::test]
async fn a_subscription_over_http_is_told_where_to_go() {
    let venue = Venue::empty().await;
    let answer = venue.ask(None, "subscription { vibe { consensus } }", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "NEEDS_STREAM");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_not_read_whether_it_says_so_or_not() {
    let venue = Venue::empty().await;
    let host = venue.address;
    let announced = "POST /graphql HTTP/1.1\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 50000000\r\n";
    assert_eq!(venue.raw(&format!("{announced}host: {host}\r\n\r\n")).await.status, 413);
    let mut chunked = format!(
        "POST /graphql HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    for _ in 0..9 {
        let _ = write!(chunked, "2000\r\n{}\r\n", "x".repeat(0x2000));
    }
    chunked += "0\r\n\r\n";
    assert_eq!(venue.raw(&chunked).await.status, 413);
}

#[tokio::test]
async fn brackets_that_would_overflow_the_parsers_stack_are_refused_and_the_hub_lives() {
    let venue = Venue::empty().await;
    let bombs = [
        format!("{{ x(a:{}{}) }}", "[".repeat(1_600), "]".repeat(1_600)),
        format!("{{ x(a:{}{}) }}", "{a:".repeat(1_600), "}".repeat(1_600)),
        format!("query($a: Int = {}{}) {{ x }}", "[".repeat(5_000), "]".repeat(5_000)),
        format!("{{ x @a(b:{}{}) }}", "[".repeat(1_600), "]".repeat(1_600)),
        "{a".repeat(3_000),
    ];
    for bomb in bombs {
        let answer = venue.ask(None, &bomb, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "TOO_MUCH", "{answer}");
    }
    let mut deep = "{\"query\":\"{venue{name}}\",\"variables\":{\"a\":".to_owned();
    deep += &"[".repeat(10_000);
    assert_eq!(venue.post("", &deep).await.status, 400);
    assert_eq!(venue.ask(None, "{ venue { name } }", json!({})).await["data"]["venue"]["name"], "Test");
}

#[tokio::test]
async fn fragments_that_double_are_answered_at_once() {
    let venue = Venue::empty().await;
    let mut bomb = "query { ...f0 }".to_owned();
    for level in 0..30 {
        let _ = write!(bomb, " fragment f{level} on Query {{ ...f{0} ...f{0} }}", level + 1);
    }
    bomb += " fragment f30 on Query { venue { name } }";
    let asked = venue.ask(None, &bomb, json!({}));
    let answer = tokio::time::timeout(std::time::Duration::from_secs(10), asked).await.unwrap();
    assert_eq!(answer["errors"][0]["extensions"]["code"], "TOO_MUCH");
}

#[tokio::test]
async fn a_costly_or_deep_query_is_refused() {
    let venue = Venue::empty().await;
    let deep = format!("{{ players {{ {} id {} }} }}", "nowPlaying { player { ".repeat(6), "} }".repeat(6));
    let costly = "{ a: songs(first: 100) { nodes { axes { name value } } } b: songs(first: 100) { nodes { axes { name value } edges: axes { name value } } } c: nodes(ids: []) { ... on Venue { zones { players { nowPlaying { zone { players { id name status volume lastSeenAt } } } } } } } d: songs(first: 100) { nodes { id title artist album durationMs bpm key kind explicit color isCached mediaUrl loudnessLufs axes { name value } } edges { cursor node { id title artist album durationMs bpm key kind explicit color isCached mediaUrl loudnessLufs axes { name value } } } } e: songs(first: 100) { edges { cursor node { id title artist album durationMs bpm key kind explicit color } } } }";
    for query in [deep.as_str(), costly] {
        let answer = venue.ask(None, query, json!({})).await;
        let said = answer["errors"][0]["message"].as_str().unwrap_or_else(|| panic!("it ran: {answer}"));
        assert!(said.contains("deeper than 10") || said.contains("too complex"), "{said}");
    }
}

#[tokio::test]
async fn errors_tell_no_internals_and_suggest_nothing() {
    let venue = Venue::empty().await;
    let answer = venue.ask(None, "{ venu { name } }", json!({})).await.to_string();
    assert!(!answer.contains("Did you mean"), "{answer}");
    assert!(!answer.contains(".rs"), "{answer}");
}

#[tokio::test]
async fn a_device_cookie_is_set_once_and_out_of_the_pages_reach() {
    let venue = Venue::with_songs(1).await;
    let input = json!({ "idempotencyKey": crate::venue::key(), "venueCode": venue.code() });
    let query = "mutation($input: CheckInInput!) { checkIn(input: $input) { token } }";
    let body = json!({ "query": query, "variables": { "input": input } }).to_string();
    let first = venue.post("", &body).await;
    let cookie = first.header("set-cookie").unwrap().to_owned();
    assert!(cookie.starts_with("roomtone_device="), "{cookie}");
    assert!(cookie.contains("httponly") && cookie.contains("samesite=lax"), "{cookie}");
}

#[tokio::test]
async fn a_page_of_songs_goes_on_where_the_last_one_ended() {
    let venue = Venue::with_songs(7).await;
    let query = "query($after: String) { songs(first: 3, after: $after, orderBy: { field: TITLE, direction: DESC }) { nodes { title } totalCount pageInfo { hasNextPage endCursor } } }";
    let (mut titles, mut after) = (Vec::new(), json!(null));
    loop {
        let page = venue.ask(None, query, json!({ "after": after })).await["data"]["songs"].clone();
        assert_eq!(page["totalCount"], 7);
        let nodes = page["nodes"].as_array().unwrap().clone();
        titles.extend(nodes.iter().map(|song| song["title"].as_str().unwrap().to_owned()));
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(titles, (0..7).rev().map(|number| format!("Song {number}")).collect::<Vec<_>>());
    let answer = venue.ask(None, query, json!({ "after": "nonsense" })).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INVALID");
}

#[tokio::test]
async fn songs_are_found_by_words() {
    let venue = Venue::with_songs(5).await;
    let query = "{ songs(filter: { search: \"song ARTIST 3\" }) { nodes { title isCached mediaUrl } } }";
    let nodes = venue.ask(None, query, json!({})).await["data"]["songs"]["nodes"].clone();
    assert_eq!(nodes.as_array().unwrap().len(), 1);
    assert_eq!((&nodes[0]["title"], &nodes[0]["isCached"]), (&json!("Song 3"), &json!(true)));
    assert!(nodes[0]["mediaUrl"].as_str().unwrap().starts_with("/media/"));
}

#[tokio::test]
async fn everything_with_an_id_can_be_looked_up_by_it() {
    let venue = Venue::with_songs(2).await;
    let token = venue.check_in().await;
    let first = venue
        .ask(
            Some(&token),
            "{ venue { id zones { id } } songs(first: 1) { nodes { id } } me { id session { id } } }",
            json!({}),
        )
        .await;
    let data = &first["data"];
    let ids = json!([
        data["venue"]["id"],
        data["venue"]["zones"][0]["id"],
        data["songs"]["nodes"][0]["id"],
        data["me"]["id"],
        data["me"]["session"]["id"],
        "nonsense"
    ]);
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
    let own = venue.ask(Some(&token), query, json!({ "ids": ids })).await["data"]["nodes"].clone();
    let kinds: Vec<_> = own.as_array().unwrap().iter().map(|node| node["__typename"].clone()).collect();
    assert_eq!(json!(kinds), json!(["Venue", "Zone", "Song", "Listener", "Session", null]));
    let strangers = venue.ask(None, query, json!({ "ids": ids })).await["data"]["nodes"].clone();
    assert_eq!((&strangers[3], &strangers[4]), (&json!(null), &json!(null)));
}
