//! Where the bytes of an upload go, as a whole or in parts.

use std::time::Duration;

use roomtone_schema::{UnixMillis, UploadId, UserId};

use super::{ADDRESS_FOR, PART_BYTES, Upload, UploadState, WHOLE_UP_TO, find, store_failed};
use crate::cloud::Cloud;
use crate::media::{Address, Media, MediaError};
use crate::refusal::{Refusal, Unmet};
use crate::store;

/// Where bytes go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// For the file as a whole; none where it goes in parts.
    pub whole: Option<Address>,
    /// How long each part but the last is, where it goes in parts.
    pub part_bytes: Option<u64>,
    /// How many parts.
    pub parts: u16,
    /// Until when the address is good. A new one is there for the asking.
    pub until: UnixMillis,
}

/// One part, and where its bytes go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its place, from 1.
    pub number: u16,
    /// Where in the file it begins.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
    /// Whether it has arrived.
    pub arrived: bool,
    /// Where to send it.
    pub address: Address,
    /// Until when the address is good.
    pub until: UnixMillis,
}

/// For how long an address of an upload may be signed.
fn remaining(cloud: &Cloud, upload: &Upload) -> Option<Duration> {
    if upload.state.0 != UploadState::Waiting {
        return None;
    }
    let left = upload.expires_at.timestamp_millis() - cloud.now().0;
    let left = Duration::from_millis(u64::try_from(left).ok()?);
    (left >= Duration::from_secs(1)).then(|| left.min(ADDRESS_FOR))
}

fn until(cloud: &Cloud, left: Duration) -> UnixMillis {
    UnixMillis(cloud.now().0 + left.as_millis() as i64)
}

async fn may_send(cloud: &Cloud, user: UserId, upload: &Upload) -> Result<bool, Unmet> {
    let mut work = cloud.database.as_user(user).await?;
    Ok(store::uploads::may_send(&mut work, *upload.organisation_id).await?)
}

/// Where the bytes of an upload go; `None` where no more are waited for. For whoever may send them: see
/// [`crate::catalogue::working_in`].
///
/// # Errors
/// Where the store fails.
pub async fn target(cloud: &Cloud, upload: &Upload) -> Result<Option<Target>, Unmet> {
    let Some(left) = remaining(cloud, upload) else { return Ok(None) };
    let until = until(cloud, left);
    if upload.bytes() > WHOLE_UP_TO {
        let in_parts =
            |size| Target { whole: None, part_bytes: Some(size), parts: count(upload.bytes(), size), until };
        return Ok(upload.part_bytes().map(in_parts));
    }
    let signed = cloud.media.upload_to(&upload.object_key, upload.bytes(), &upload.content_type, left).await;
    let whole = Some(signed.map_err(store_failed)?);
    Ok(Some(Target { whole, part_bytes: None, parts: 0, until }))
}

/// The upload, ready for its bytes: where it goes in parts, the store expects them.
///
/// # Errors
/// Refused where there is no such upload; where the database or the store fails. It can be asked for again.
pub async fn ready(cloud: &Cloud, user: UserId, id: UploadId) -> Result<Upload, Unmet> {
    let missing = || Refusal::not_found("upload");
    let upload = find(cloud, user, id).await?.ok_or_else(missing)?;
    if upload.bytes() <= WHOLE_UP_TO || upload.multipart_id.is_some() || remaining(cloud, &upload).is_none() {
        return Ok(upload);
    }
    divide(cloud, user, &upload).await?;
    Ok(find(cloud, user, id).await?.ok_or_else(missing)?)
}

/// Has the store expect parts. Of two who do this at once, one is too late and clears up.
async fn divide(cloud: &Cloud, user: UserId, upload: &Upload) -> Result<(), Unmet> {
    let key = &upload.object_key;
    let multipart = cloud.media.begin_parts(key, &upload.content_type).await.map_err(store_failed)?;
    let noted = note(cloud, user, *upload.id, &multipart).await;
    if !matches!(noted, Ok(true)) {
        cloud.media.forget_parts(key, &multipart).await.map_err(store_failed)?;
    }
    noted.map(drop)
}

async fn note(cloud: &Cloud, user: UserId, id: UploadId, multipart: &str) -> Result<bool, Unmet> {
    let mut work = cloud.database.as_user(user).await?;
    let first = store::uploads::divide(&mut work, id, multipart, PART_BYTES).await?;
    work.commit().await?;
    Ok(first)
}

/// The parts of an upload of these numbers, all where none are named: which have arrived, and where the others go.
///
/// # Errors
/// Refused where it is no upload in parts, waits for nothing any more, or has no such part.
pub async fn parts(cloud: &Cloud, user: UserId, id: UploadId, numbers: &[i32]) -> Result<Vec<Part>, Unmet> {
    let upload = find(cloud, user, id).await?.ok_or_else(|| Refusal::not_found("upload"))?;
    let may_send = may_send(cloud, user, &upload).await?;
    let left = remaining(cloud, &upload).filter(|_| may_send);
    let (Some(multipart), Some(size), Some(left)) = (&upload.multipart_id, upload.part_bytes(), left) else {
        return Err(Refusal::invalid("uploadId", "this upload waits for no parts").into());
    };
    let count = count(upload.bytes(), size);
    let wanted = wanted(numbers, count)?;
    let arrived = match cloud.media.parts(&upload.object_key, multipart).await {
        Ok(arrived) => arrived,
        // They are joined already, and only the finalising is missing.
        Err(MediaError::NotThere { .. }) => Vec::new(),
        Err(error) => return Err(store_failed(error)),
    };
    let mut parts = Vec::with_capacity(wanted.len());
    for number in wanted {
        let bytes = length(upload.bytes(), size, number);
        let signed = cloud.media.part_to(&upload.object_key, multipart, number, bytes, left).await;
        parts.push(Part {
            number,
            offset: u64::from(number - 1) * size,
            bytes,
            arrived: arrived.iter().any(|part| part.number == number && part.bytes == bytes),
            address: signed.map_err(store_failed)?,
            until: until(cloud, left),
        });
    }
    Ok(parts)
}

fn wanted(numbers: &[i32], count: u16) -> Result<Vec<u16>, Refusal> {
    if numbers.is_empty() {
        return Ok((1..=count).collect());
    }
    let known = |number: &i32| u16::try_from(*number).ok().filter(|number| (1..=count).contains(number));
    let wanted: Option<Vec<u16>> = numbers.iter().take(usize::from(count) + 1).map(known).collect();
    let wanted = wanted.filter(|wanted| wanted.len() <= usize::from(count));
    wanted.ok_or_else(|| Refusal::invalid("numbers", format!("parts have the numbers 1 to {count}")))
}

/// Makes one object of the parts.
pub(super) async fn join(media: &Media, upload: &Upload, multipart: &str) -> Result<(), Unmet> {
    let size = upload.part_bytes().unwrap_or(PART_BYTES);
    let arrived = match media.parts(&upload.object_key, multipart).await {
        Ok(arrived) => arrived,
        // Joined before, by a try whose answer was lost.
        Err(MediaError::NotThere { .. }) => return Ok(()),
        Err(error) => return Err(store_failed(error)),
    };
    if arrived.is_empty() && media.head(&upload.object_key).await.map_err(store_failed)?.is_some() {
        return Ok(());
    }
    let right = |number| {
        let bytes = length(upload.bytes(), size, number);
        arrived.iter().any(|part| part.number == number && part.bytes == bytes)
    };
    let missing: Vec<String> = (1..=count(upload.bytes(), size))
        .filter(|&number| !right(number))
        .map(|number| number.to_string())
        .collect();
    if !missing.is_empty() {
        let why =
            format!("parts have not arrived yet: {}; send them, then finalise again", missing.join(", "));
        return Err(Refusal::invalid("id", why).into());
    }
    media.join_parts(&upload.object_key, multipart, &arrived).await.map_err(store_failed)
}

fn count(bytes: u64, size: u64) -> u16 {
    bytes.div_ceil(size) as u16
}

fn length(bytes: u64, size: u64, number: u16) -> u64 {
    size.min(bytes - u64::from(number - 1) * size)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_are_the_whole_file(bytes in WHOLE_UP_TO + 1..=super::super::MOST_BYTES) {
            let parts = count(bytes, PART_BYTES);
            prop_assert_eq!((1..=parts).map(|number| length(bytes, PART_BYTES, number)).sum::<u64>(), bytes);
            prop_assert!((1..parts).all(|number| length(bytes, PART_BYTES, number) == PART_BYTES));
            prop_assert!(length(bytes, PART_BYTES, parts) > 0);
        }
    }

    #[test]
    fn only_parts_that_there_are_can_be_asked_for() {
        assert_eq!(wanted(&[], 3).unwrap(), [1, 2, 3]);
        assert_eq!(wanted(&[3, 1], 3).unwrap(), [3, 1]);
        for wrong in [&[0][..], &[4], &[-1], &[65_537], &[1, 1, 1, 1]] {
            assert!(wanted(wrong, 3).is_err(), "{wrong:?}");
        }
    }
}
