//! Coming to a cloud, leaving it, and how things stand between.

use roomtone_schema::UnixMillis;

use super::Reply;
use crate::cloud_link::EnrolError;
use crate::drill::Cut;
use crate::health::GUESTS_CUT_OFF;
use crate::hub::Hub;
use crate::trouble::{Trouble, sentence};
use crate::view::{SyncState, SyncStatusView};

pub(super) async fn enrol(hub: &Hub, cloud: &str, code: &str) -> Result<Reply, Trouble> {
    let enrolled = hub.enrol(cloud, code).await.map_err(|error| not_enrolled(&error))?;
    Ok(Reply::Done(format!(
        "This hub is {} of {} at {} now. What it has gathered goes there, and the venue's songs come down.",
        enrolled.hub_name, enrolled.venue_name, enrolled.url
    )))
}

fn not_enrolled(error: &EnrolError) -> Trouble {
    let remedy = match error {
        EnrolError::NoAddress(_) | EnrolError::Plain => "Give the address as --cloud https://cloud.example.",
        EnrolError::Code => "Have the cloud show a new code, and type it within its time.",
        EnrolError::NoAnswer(_) => "Look whether this machine has internet, and try again.",
        EnrolError::Key(_) | EnrolError::Store(_) => "Look whether the hub's disk is full or failing.",
        EnrolError::NotEnrolled => "`roomtone-hub enrol CODE --cloud URL` comes to one.",
    };
    Trouble::new(
        sentence(&error.to_string()),
        "This hub stands with the cloud as it did before; the music goes on.",
        remedy,
    )
}

pub(super) async fn rotate(hub: &Hub, cloud: &str) -> Result<Reply, Trouble> {
    let is_used = hub.rotate_key(cloud).await.map_err(|error| not_enrolled(&error))?;
    let before = if is_used {
        "the one before opens nothing any more"
    } else {
        "the one before opens nothing any more once the cloud has heard of it, which the hub sees to"
    };
    Ok(Reply::Done(format!("This hub shows a new key to its cloud; {before}.")))
}

pub(super) async fn unenrol(hub: &Hub) -> Result<Reply, Trouble> {
    let before = hub.unenrol().await.map_err(|error| not_enrolled(&error))?;
    Ok(Reply::Done(format!(
        "This hub has left {}. Songs that came from there are withdrawn; those imported here, votes and history stay. \
         A manager can revoke it at the cloud, too.",
        before.url
    )))
}

/// How the hub stands with its cloud, in a person's words.
pub(super) fn standing(hub: &Hub) -> String {
    let Some(enrolment) = hub.enrolment() else {
        return "this hub has no cloud; everything stays here".to_owned();
    };
    let status = hub.sync_status().borrow().clone();
    let words = in_words(&status, hub.now());
    format!("cloud: {words} ({} at {})", enrolment.venue_name, enrolment.url)
}

fn in_words(status: &SyncStatusView, now: UnixMillis) -> String {
    let facts = match status.pending {
        0 => "nothing waits".to_owned(),
        1 => "1 fact waits".to_owned(),
        many => format!("{many} facts wait"),
    };
    let heard = |at: Option<UnixMillis>| {
        at.map_or("not heard since the hub was started".to_owned(), |at| {
            format!("last heard {} ago", span(now.since(at).as_secs()))
        })
    };
    match status.state {
        SyncState::Synced => "everything is there".to_owned(),
        SyncState::Syncing => format!("{facts} and will be there soon"),
        SyncState::Offline => {
            format!("out of reach, {}; {facts}, music and votes go on", heard(status.last_pulled_at))
        }
        SyncState::Blocked => format!(
            "it takes nothing from this hub; {facts}, music and votes go on{}",
            status.last_error.as_ref().map(|why| format!(": {why}")).unwrap_or_default()
        ),
    }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// What a person has to decide.
pub(super) fn complaints(hub: &Hub) -> impl Iterator<Item = String> {
    let refused = hub.counters().uploads_refused.get() as u64;
    let cut_off = hub.guests_are_cut_off().then(|| sentence(GUESTS_CUT_OFF));
    drill(hub).into_iter().chain(apart(hub)).chain(not_taken(refused)).chain(cut_off)
}

/// Whoever wonders why nothing is reached learns that it is meant.
fn drill(hub: &Hub) -> Option<String> {
    let standing = hub.drills().borrow().clone();
    let drill = standing.drill.filter(|_| !standing.is_over)?;
    let left = span(drill.ends_at.since(hub.now()).as_secs());
    Some(match drill.cut {
        Cut::Cloud => {
            format!("A drill keeps the cloud out of reach for {left} more: it is meant, and ends by itself.")
        }
        Cut::Hub => {
            format!("A drill keeps everybody from this hub for {left} more: it is meant, and ends by itself.")
        }
    })
}

fn not_taken(refused: u64) -> Option<String> {
    let files = if refused == 1 { "1 file" } else { &format!("{refused} files") };
    (0 < refused).then(|| {
        format!(
            "The cloud does not take {files} of this hub (the log says why): the songs play here and nowhere else. They are \
             offered again once a day; import them anew from sound files, or withdraw them."
        )
    })
}

fn apart(hub: &Hub) -> Option<String> {
    let apart = hub.sync_status().borrow().dead_letters;
    (0 < apart).then(|| {
        format!(
            "The cloud keeps {apart} facts of this hub apart: a manager sees them as deadLetters on the query page, and \
             sends them again or drops them."
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_the_cloud_does_not_take_are_counted() {
        assert_eq!(not_taken(0), None);
        assert!(not_taken(1).unwrap().contains("not take 1 file of"));
        assert!(not_taken(7).unwrap().contains("not take 7 files of"));
    }

    #[test]
    fn every_standing_has_words_that_say_what_it_means_for_the_music() {
        let now = UnixMillis(1_800_000_000_000);
        let status = |state, pending| SyncStatusView {
            state,
            enrolled: true,
            dead_letters: 0,
            last_pushed_at: None,
            last_pulled_at: Some(UnixMillis(now.0 - 7_200_000)),
            pending,
            oldest_pending_at: None,
            cached_songs: 0,
            total_songs: 0,
            cached_bytes: 0,
            last_error: Some("another box speaks as this hub".to_owned()),
        };
        let said = |state, pending| in_words(&status(state, pending), now);
        assert_eq!(said(SyncState::Synced, 0), "everything is there");
        assert_eq!(said(SyncState::Syncing, 1), "1 fact waits and will be there soon");
        assert_eq!(
            said(SyncState::Offline, 12),
            "out of reach, last heard 2 h ago; 12 facts wait, music and votes go on"
        );
        assert_eq!(
            said(SyncState::Blocked, 0),
            "it takes nothing from this hub; nothing waits, music and votes go on: another box speaks as this hub"
        );
    }
}
