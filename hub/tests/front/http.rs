//! GraphQL over HTTP as its specification has it: methods, forms of answers, statuses, and what refusals say.

use rstest::rstest;
use serde_json::{Value, json};

use crate::venue::{Answer, Venue};

const NAME: &str = "query=%7Bvenue%7Bname%7D%7D";
const NEWER: &str = "accept: application/graphql-response+json\r\n";
const VIBE: &str = r#"{"query":"subscription { vibe { consensus } }"}"#;

async fn get(venue: &Venue, query: &str, headers: &str) -> Answer {
    venue.get(&format!("/graphql?{query}"), headers).await
}

fn code(answer: &Answer) -> Value {
    let body = answer.json();
    assert!(body.get("data").is_none(), "nothing ran: {body}");
    assert!(body["errors"][0]["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
    body["errors"][0]["extensions"]["code"].clone()
}

#[rstest]
#[case::a_query(NAME)]
#[case::an_empty_name_is_none("query=%7Bvenue%7Bname%7D%7D&operationName=&variables=&extensions=")]
#[case::plus_is_a_space("query=query+N+%7B+venue+%7B+name+%7D+%7D&operationName=N")]
#[case::one_of_two("query=query%20A%7Bvenue%7Bid%7D%7Dquery%20B%7Bvenue%7Bname%7D%7D&operationName=B")]
#[case::variables(
    "query=query%28%24y%3ABoolean%21%29%7Bvenue%7Bname%40include%28if%3A%24y%29%7D%7D&variables=%7B%22y%22%3Atrue%7D"
)]
#[case::unknown_parameters_are_somebody_elses("query=%7Bvenue%7Bname%7D%7D&utm_source=poster")]
#[tokio::test]
async fn a_query_may_come_by_get(#[case] query: &str) {
    let venue = Venue::empty().await;
    for headers in ["", NEWER, "accept: text/html,*/*;q=0.8\r\n", "content-type: application/json\r\n"] {
        let answer = get(&venue, query, headers).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json(), json!({ "data": { "venue": { "name": "Test" } } }));
    }
}

#[rstest]
#[case::none("")]
#[case::no_query("operationName=A")]
#[case::variables_are_no_json("query=%7B__typename%7D&variables=x")]
#[case::variables_are_a_list("query=%7B__typename%7D&variables=%5B%5D")]
#[case::extensions_are_no_json("query=%7B__typename%7D&extensions=%7B")]
#[case::two_queries("query=%7B__typename%7D&query=%7B__typename%7D")]
#[tokio::test]
async fn what_is_malformed_in_an_address_is_told(#[case] query: &str) {
    let venue = Venue::empty().await;
    for headers in ["", NEWER] {
        let answer = get(&venue, query, headers).await;
        assert_eq!((answer.status, code(&answer)), (400, json!("BAD_REQUEST")), "{}", answer.text());
    }
}

#[tokio::test]
async fn by_get_nothing_is_changed_whatever_the_form_of_the_answer() {
    let venue = Venue::empty().await;
    let mutation = "query=mutation%7BcheckIn%28input%3A%7BidempotencyKey%3A%221%22%2CvenueCode%3A%22x%22%7D%29%7Btoken%7D%7D";
    for headers in ["", NEWER, "accept: text/event-stream\r\n"] {
        let answer = get(&venue, mutation, headers).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("post")));
        assert_eq!(code(&answer), "METHOD_NOT_ALLOWED");
    }
}

#[tokio::test]
async fn a_get_that_pretends_to_carry_a_form_is_refused() {
    let venue = Venue::empty().await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let answer = get(&venue, NAME, &format!("content-type: {kind}\r\n")).await;
        assert_eq!((answer.status, code(&answer)), (415, json!("UNSUPPORTED_MEDIA_TYPE")));
        assert_eq!(answer.header("accept"), Some("application/json"));
    }
}

#[rstest]
#[case("PUT")]
#[case("DELETE")]
#[case("PATCH")]
#[case("OPTIONS")]
#[tokio::test]
async fn other_methods_are_told_which_there_are(#[case] method: &str) {
    let venue = Venue::empty().await;
    let answer = venue.request(method, "/graphql", "", "").await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("get, post")));
    assert_eq!(code(&answer), "METHOD_NOT_ALLOWED");
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_head_is_a_get_without_its_body() {
    let venue = Venue::empty().await;
    let answer = venue.request("HEAD", &format!("/graphql?{NAME}"), "", "").await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
}

#[rstest]
#[case::no_type("", 415, "UNSUPPORTED_MEDIA_TYPE")]
#[case::nothing("content-type: application/json\r\n", 400, "BAD_REQUEST")]
#[tokio::test]
async fn an_empty_post_is_told_what_to_send(
    #[case] headers: &str,
    #[case] status: u16,
    #[case] expected: &str,
) {
    let venue = Venue::empty().await;
    let answer = venue.request("POST", "/graphql", headers, "").await;
    assert_eq!((answer.status, code(&answer)), (status, json!(expected)));
    assert!(answer.text().contains("JSON"), "{}", answer.text());
}

#[rstest]
#[case::a_page("text/html")]
#[case::a_form_nobody_has("application/xml, text/*")]
#[case::multipart_of_another_kind("multipart/mixed;deferSpec=20220824")]
#[tokio::test]
async fn who_can_read_nothing_of_ours_is_told_what_there_is(#[case] accept: &str) {
    let venue = Venue::empty().await;
    let answer = venue.post(&format!("accept: {accept}\r\n"), r#"{"query":"{ venue { name } }"}"#).await;
    assert_eq!((answer.status, code(&answer)), (406, json!("NOT_ACCEPTABLE")));
    assert!(answer.text().contains("application/graphql-response+json"), "{}", answer.text());
}

#[tokio::test]
async fn every_answer_says_that_it_depends_on_accept_and_is_not_to_be_kept() {
    let venue = Venue::empty().await;
    for answer in [
        get(&venue, NAME, "").await,
        get(&venue, "query=%7B", NEWER).await,
        get(&venue, "", "").await,
        venue.post("accept: text/html\r\n", "{}").await,
        venue.post("accept: text/event-stream\r\n", r#"{"query":"{ venue { name } }"}"#).await,
    ] {
        assert_eq!(
            (answer.header("vary"), answer.header("cache-control")),
            (Some("accept"), Some("no-store"))
        );
    }
}

#[tokio::test]
async fn a_subscription_for_who_reads_no_stream_is_not_acceptable() {
    let venue = Venue::empty().await;
    for answer in [
        venue.post("", VIBE).await,
        venue.post(NEWER, VIBE).await,
        get(&venue, "query=subscription%7Bvibe%7Bconsensus%7D%7D", "").await,
    ] {
        assert_eq!((answer.status, code(&answer)), (406, json!("NEEDS_STREAM")));
        for stream in ["WebSocket", "text/event-stream", "multipart/mixed;subscriptionSpec=1.0"] {
            assert!(answer.text().contains(stream), "{}", answer.text());
        }
    }
}

#[tokio::test]
async fn a_person_with_a_browser_is_told_what_this_is() {
    let venue = Venue::empty().await;
    let accept = "accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n";
    let answer = venue.get("/graphql", accept).await;
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(answer.text().contains("/graphiql"), "{}", answer.text());
}

#[tokio::test]
async fn who_reads_only_streams_gets_a_query_and_its_errors_as_one() {
    let venue = Venue::empty().await;
    let ask = |query: &str| json!({ "query": query }).to_string();
    for (query, data) in [
        ("{ venue { name } }", r#"{"data":{"venue":{"name":"Test"}}}"#),
        ("{ venue", r#"{"errors":[{"message":""#),
        ("{ nothing }", r#"{"errors":[{"message":""#),
    ] {
        let answer = venue.post("accept: text/event-stream\r\n", &ask(query)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("text/event-stream; charset=utf-8"));
        assert!(answer.text().starts_with(&format!(":\n\nevent: next\ndata: {data}")), "{}", answer.text());
        assert!(answer.text().ends_with("\n\nevent: complete\ndata: \n\n"), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_check_in_by_stream_sets_the_devices_cookie_as_well() {
    let venue = Venue::empty().await;
    let input = json!({ "idempotencyKey": crate::venue::key(), "venueCode": venue.code() });
    let query = "mutation($input: CheckInInput!) { checkIn(input: $input) { token } }";
    let body = json!({ "query": query, "variables": { "input": input } }).to_string();
    let answer = venue.post("accept: text/event-stream\r\n", &body).await;
    assert!(answer.header("set-cookie").is_some_and(|cookie| cookie.starts_with("roomtone_device=")));
}

#[tokio::test]
async fn a_token_that_opens_nothing_holds_no_stream_open_but_may_look() {
    let venue = Venue::empty().await;
    let stranger = "authorization: Bearer nobodys\r\n";
    let answer = venue.post(&format!("{stranger}accept: text/event-stream\r\n"), VIBE).await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("bearer")));
    assert_eq!(code(&answer), "UNAUTHORIZED");
    assert_eq!(get(&venue, NAME, stranger).await.status, 200);
}
