use tokio::time::timeout;

use super::*;

const MOMENT: Duration = Duration::from_millis(1);

fn venue(number: u128) -> Topic {
    Topic::Venue(VenueId(Uuid::from_u128(number)))
}

#[test]
fn a_topic_is_read_as_it_is_written() {
    let id = Uuid::from_u128(7);
    for topic in [
        Topic::Venue(VenueId(id)),
        Topic::Organisation(OrganisationId(id)),
        Topic::Upload(UploadId(id)),
        Topic::Export(ExportId(id)),
        Topic::User(UserId(id)),
        Topic::Guests(VenueId(id)),
        Topic::Room(VenueId(id)),
    ] {
        assert_eq!(topic.to_string().parse(), Ok(topic));
    }
    assert_eq!("planet.00000000-0000-0000-0000-000000000007".parse::<Topic>(), Err(NoTopic));
}

#[tokio::test(start_paused = true)]
async fn what_others_are_told_does_not_push_the_time_to_look_again_ahead() {
    let bus = Bus::local();
    let mut changes = bus.subscribe([venue(1)]);
    let chatter = async {
        loop {
            bus.publish(venue(2));
            tokio::time::sleep(Duration::from_secs(7)).await;
        }
    };
    let looking = async {
        assert!(timeout(LOOK_AGAIN.mul_f64(0.99), changes.next()).await.is_err(), "nothing was for us");
        assert_eq!(timeout(LOOK_AGAIN.mul_f64(0.02), changes.next()).await, Ok(true));
    };
    tokio::select! {
        () = looking => {}
        () = chatter => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_given_up_and_begun_again_still_ends_in_time() {
    let bus = Bus::local();
    let mut changes = bus.subscribe([venue(1)]);
    let mut seconds = 0;
    while timeout(Duration::from_secs(1), changes.next()).await.is_err() {
        seconds += 1;
    }
    assert!((29..=30).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_told_or_far_behind_looks_at_once() {
    let bus = Bus::local();
    let mut changes = bus.subscribe([venue(1)]);
    bus.publish(venue(1));
    assert_eq!(timeout(MOMENT, changes.next()).await, Ok(true));
    for _ in 0..=BEHIND {
        bus.publish(venue(2));
    }
    assert_eq!(timeout(MOMENT, changes.next()).await, Ok(true));
    drop(bus);
    while changes.next().await {}
}

#[tokio::test]
async fn what_another_replica_says_is_heard_here_and_goes_no_further() {
    let (bus, link) = Bus::linked();
    let mut changes = bus.subscribe([venue(1)]);
    link.hear(venue(1));
    assert!(changes.next().await);
    bus.publish(venue(2));
    link.wait().await;
    let mut taken = link.take();
    assert_eq!(taken.split(), [vec![venue(2)]]);
    link.look_at_everything();
    assert!(changes.next().await);
}

#[tokio::test]
async fn the_same_change_waits_once_and_what_could_not_be_sent_waits_again() {
    let (bus, link) = Bus::linked();
    for _ in 0..3 {
        bus.publish(venue(1));
    }
    let taken = link.take();
    link.put_back(taken);
    bus.publish(venue(2));
    let mut all: Vec<_> = link.take().split().concat();
    all.sort_by_key(ToString::to_string);
    assert_eq!(all, [venue(1), venue(2)]);
}

#[tokio::test]
async fn more_than_can_wait_becomes_one_word() {
    let (bus, link) = Bus::linked();
    for number in 0..100_000 {
        bus.publish(venue(number));
    }
    let mut taken = link.take();
    assert!(taken.is_everything() && taken.split().is_empty());
}

#[tokio::test]
async fn what_is_broken_off_while_it_is_told_waits_again() {
    let (bus, link) = Bus::linked();
    bus.publish(venue(1));
    let mut held = link.hold();
    assert_eq!(held.taken().split(), [vec![venue(1)]]);
    drop(held);
    link.wait().await;
    link.hold().told();
    assert!(timeout(MOMENT, link.wait()).await.is_err(), "it has been told");
}
