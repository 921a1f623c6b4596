//! Nothing half-made is left behind: what lies in the store of an upload that has come to its end is removed.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::cloud::Cloud;
use crate::media::MediaError;
use crate::store;
use crate::store::uploads::Remains;
use crate::uploads::tell;

/// How many at a time.
const MOST: i64 = 50;

/// When removing fails, or we do, it is tried again after this.
const AGAIN: Duration = Duration::from_mins(5);

/// An address that was used in its last moment may still be sending; after this nothing is.
const LATE: Duration = Duration::from_hours(1);

/// After a fault of the database it is looked again after so many times the usual.
const LATER: u32 = 5;

/// Sweeps until `stop`; what is broken off comes again by itself.
pub(super) async fn work(cloud: &Cloud, look: Duration, stop: &CancellationToken) {
    let sweeping = async {
        loop {
            let pause = match sweep(cloud).await {
                Ok(()) => look,
                Err(error) => {
                    tracing::warn!(%error, "what is left of uploads cannot be removed; that is tried again");
                    look * LATER
                }
            };
            tokio::time::sleep(pause).await;
        }
    };
    stop.run_until_cancelled(sweeping).await;
}

/// Removes what is due.
async fn sweep(cloud: &Cloud) -> Result<(), sqlx::Error> {
    let mut work = cloud.database.as_service().await?;
    let due = store::uploads::to_sweep(&mut work, AGAIN, MOST).await?;
    work.commit().await?;
    for remains in due {
        if let Err(error) = remove(cloud, &remains).await {
            tracing::warn!(%error, upload = %*remains.id, "the remains of an upload stay for now and are tried again");
            continue;
        }
        let mut work = cloud.database.as_service().await?;
        store::uploads::swept(&mut work, *remains.id, LATE).await?;
        work.commit().await?;
        tell(cloud, *remains.id, *remains.organisation_id);
    }
    Ok(())
}

async fn remove(cloud: &Cloud, remains: &Remains) -> Result<(), MediaError> {
    if let Some(multipart) = &remains.multipart_id {
        cloud.media.forget_parts(&remains.object_key, multipart).await?;
    }
    cloud.media.delete(&remains.object_key).await
}
