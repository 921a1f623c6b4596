//! Whom the player speaks to: one key, really held.

use roomtone_player::hub_client::{HubClient, LinkError};
use serde_json::json;
use tokio::net::TcpListener;

use crate::hub::{Answer, TestHub, certificate, data};

fn known(_: &crate::hub::Asked) -> Answer {
    data(&json!({ "playerPlan": { "current": null, "plan": [] } }))
}

#[tokio::test]
async fn a_hub_with_the_right_key_is_met_whatever_its_certificate_says_of_time() {
    for (from, to) in [(1970, 1971), (2020, 2040), (2090, 2091)] {
        let (certificate, pair) = certificate(from, to);
        let hub = TestHub::showing(certificate, &pair, known).await;
        let client = HubClient::connect(&[hub.address], &hub.identity()).await.unwrap();
        assert_eq!(client.address(), hub.address);
        client.plan().await.unwrap();
    }
}

#[tokio::test]
async fn a_rogue_hub_is_refused_in_the_handshake_reported_and_told_nothing() {
    let (hub, rogue) = (TestHub::start(known).await, TestHub::start(known).await);
    let error = HubClient::connect(&[rogue.address], &hub.identity()).await.unwrap_err();
    let expected = LinkError::WrongKey { expected: hub.key, seen: rogue.key, address: rogue.address };
    assert_eq!(error, expected);
    assert!(rogue.asked().is_empty() && !rogue.shaken().contains(&true));
}

#[tokio::test]
async fn a_thief_of_the_certificate_without_its_key_is_refused() {
    let (stolen, _its_pair) = certificate(2020, 2040);
    let (_other, pair) = certificate(2020, 2040);
    let thief = TestHub::showing(stolen, &pair, known).await;
    let error = HubClient::connect(&[thief.address], &thief.identity()).await.unwrap_err();
    assert!(matches!(error, LinkError::Odd(_)), "{error}");
    assert!(thief.asked().is_empty() && !thief.shaken().contains(&true));
}

#[tokio::test]
async fn the_hub_is_found_among_rogues_and_dead_addresses() {
    let (hub, rogue) = (TestHub::start(known).await, TestHub::start(known).await);
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let places = [nobody, rogue.address, hub.address];
    let identity = roomtone_player::identity::Identity { addresses: Vec::new(), ..hub.identity() };
    let client = HubClient::connect(&places, &identity).await.unwrap();
    assert_eq!(client.address(), hub.address);
    assert!(rogue.asked().is_empty());
}

#[tokio::test]
async fn where_nobody_is_the_hub_the_impostor_is_what_is_told() {
    let (hub, rogue) = (TestHub::start(known).await, TestHub::start(known).await);
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = HubClient::connect(&[rogue.address, nobody], &hub.identity()).await.unwrap_err();
    assert!(matches!(error, LinkError::WrongKey { .. }), "{error}");
}

#[tokio::test]
async fn who_accepts_and_says_nothing_is_given_up() {
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hub = TestHub::start(known).await;
    let error = HubClient::connect(&[mute.local_addr().unwrap()], &hub.identity()).await.unwrap_err();
    assert!(matches!(error, LinkError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn a_key_is_proved_again_on_each_connection() {
    let hub = TestHub::start(known).await;
    let client = HubClient::connect(&[hub.address], &hub.identity()).await.unwrap();
    let address = hub.address;
    hub.stop().await;
    // Another machine takes the address over.
    let (certificate, pair) = certificate(2020, 2040);
    let rogue = TestHub::at(address, certificate, &pair, known).await;
    let error = client.plan().await.unwrap_err();
    assert!(matches!(error, LinkError::WrongKey { .. }), "{error}");
    assert!(rogue.asked().is_empty());
}

#[tokio::test]
async fn where_the_hub_was_before_comes_before_any_number_who_say_to_be_it() {
    let hub = TestHub::start(known).await;
    let mut mute = Vec::new();
    for _one in 0..40 {
        mute.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
    }
    let mut places: Vec<_> = mute.iter().map(|mute| mute.local_addr().unwrap()).collect();
    places.push(hub.address);
    let client = HubClient::connect(&places, &hub.identity()).await.unwrap();
    assert_eq!(client.address(), hub.address);
    for mute in &mute {
        assert!(futures_util::FutureExt::now_or_never(mute.accept()).is_none(), "nobody else was called");
    }
}
