//! What managers watch, over several replicas.

use uuid::Uuid;

use crate::issuer::{Issuer, Keys};
use crate::postgres::{Postgres, Version};
use crate::program::{CARRIED, Program, Socket, eventually};
use crate::starting::variables;

/// A manager watches the fleet at one replica while another one makes hubs, and is killed.
#[tokio::test]
async fn a_subscription_hears_of_the_other_replica_and_outlives_it() {
    let database = Postgres::start(Version::V18).database().await;
    let keys = Keys::new("a");
    let issuer = Issuer::publishing(&[&keys]).await;
    let variables = variables(&database.url, &issuer.project);
    let mut one = Program::up(&["serve"], &variables).await;
    let two = Program::up(&["serve"], &variables).await;
    for replica in [&one, &two] {
        eventually("the bus is there", async || replica.metric("bus_connected").await > 0.0).await;
    }
    let token = keys.sign(&issuer.claims(database.user("ana@cafe.example", Some("manager")).await));
    let made = one
        .ask(
            Some(&token),
            &format!(
                "mutation {{ createVenue(input: {{ idempotencyKey: \"{}\", name: \"Café\", slug: \"cafe\", \
                 timeZone: \"Europe/Berlin\" }}) {{ venue {{ id }} userErrors {{ message }} }} }}",
                Uuid::from_u128(1)
            ),
        )
        .await;
    let venue = made["data"]["createVenue"]["venue"]["id"].as_str().unwrap_or_else(|| panic!("{made}"));

    let mut socket = two.socket(&token).await;
    assert_eq!(socket.hears().await["type"], "connection_ack");
    let query = format!("subscription {{ fleetStatus(venueIds: [\"{venue}\"]) {{ name }} }}");
    let subscribe = serde_json::json!({ "id": "1", "type": "subscribe", "payload": { "query": query } });
    socket.say(subscribe).await;
    assert_eq!(fleet(&mut socket).await, Vec::<String>::new(), "the state comes first");
    add_hub(&one, &token, venue, "bar").await;
    shows(&mut socket, &["bar"]).await;
    one.kill().await;
    add_hub(&two, &token, venue, "terrace").await;
    shows(&mut socket, &["bar", "terrace"]).await;
}

/// Waits until a subscriber is told of these hubs: the same state may be told twice. It must be told in time, for after
/// a while it looks again unasked.
async fn shows(socket: &mut Socket, hubs: &[&str]) {
    let told = async { while fleet(socket).await != hubs {} };
    assert!(tokio::time::timeout(CARRIED, told).await.is_ok(), "not told of {hubs:?}");
}

/// The names of the hubs as a subscriber is told.
async fn fleet(socket: &mut Socket) -> Vec<String> {
    let said = socket.hears().await;
    let hubs = said["payload"]["data"]["fleetStatus"].as_array().unwrap_or_else(|| panic!("{said}"));
    let mut names: Vec<_> = hubs.iter().map(|hub| hub["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

async fn add_hub(replica: &Program, token: &str, venue: &str, name: &str) {
    let key = Uuid::from_u128(name.len() as u128);
    let mutation = format!(
        "mutation {{ createHubEnrolment(input: {{ idempotencyKey: \"{key}\", venueId: \"{venue}\", name: \"{name}\" }}) \
         {{ userErrors {{ message }} }} }}"
    );
    let answer = replica.ask(Some(token), &mutation).await;
    assert_eq!(answer["data"]["createHubEnrolment"]["userErrors"], serde_json::json!([]), "{answer}");
}
