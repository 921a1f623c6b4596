//! The twelve checks of the scanner graphql-cop, as its users would see them: all clean, against a hub as a venue runs it.

use roomtone_tests::TestVenue;

use crate::wire::{Reply, ask, numbered, post, request};

/// The scanner calls a server vulnerable where such an answer carries data.
fn clean(check: &str, reply: &Reply) {
    let ran = serde_json::from_str::<serde_json::Value>(&reply.body)
        .is_ok_and(|body| body["data"].is_object() || body.is_array());
    assert!(!ran, "{check}: {reply:?}");
}

#[test]
fn the_twelve_checks_of_graphql_cop_are_clean() {
    let mut venue = TestVenue::empty();
    let typename = "{\"query\":\"query cop { __typename }\"}";
    let aliases = numbered(101, "alias#: __typename ");
    clean("alias overloading", &ask(&venue, &format!("query cop {{ {aliases} }}")));
    clean("array-based query batching", &post(&venue, "", &format!("[{}]", [typename; 10].join(","))));
    // Queries by GET are part of GraphQL over HTTP; what the scanner warns of is that they could change something.
    clean(
        "mutation by GET",
        &request(&venue, "GET", "/graphql?query=mutation%20cop%20%7B__typename%7D", "", ""),
    );
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    clean(
        "POST as a form",
        &request(&venue, "POST", "/graphql", form, "query=query%20cop%20%7B__typename%7D"),
    );
    clean(
        "GET with a form's content type",
        &request(&venue, "GET", "/graphql?query=query%20cop%20%7B__typename%7D", form, ""),
    );
    let traced = ask(&venue, "query cop { __typename }");
    assert!(traced.json().get("extensions").is_none(), "trace mode: {traced:?}");
    clean("field duplication", &ask(&venue, &format!("query cop {{ {} }}", "__typename ".repeat(2_500))));
    let suggested = ask(&venue, "query cop { __schema { directive } }");
    assert!(!suggested.body.contains("Did you mean"), "field suggestions: {suggested:?}");
    let page = request(&venue, "GET", "/graphql", "accept: text/html\r\n", "");
    assert!(!page.body.contains("<html") && page.status != 200, "GraphQL IDE: {page:?}");
    clean("introspection", &ask(&venue, "query cop { __schema { types { name fields { name } } } }"));
    clean("directive overloading", &ask(&venue, &format!("query cop {{ __typename {} }}", "@aa".repeat(10))));
    let circular = format!(
        "query cop {{ __schema {{ types {{ {} name {} }} }} }}",
        "fields { type { ".repeat(5),
        "} }".repeat(5)
    );
    clean("circular introspection", &ask(&venue, &circular));
    let unhandled = ask(&venue, "queryy cop { __typename }");
    assert!(
        !unhandled.body.contains("exception") && !unhandled.body.contains(".rs"),
        "unhandled errors: {unhandled:?}"
    );
    venue.close();
}
