//! Large objects, sent in parts, so that a line that breaks costs one part.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};

use super::{Media, MediaError, failed};

/// The most pages of a list that are read: the store has at most 10,000 parts of an object, and 1,000 on a page.
const MOST_PAGES: usize = 10;

/// A part that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its place, from 1.
    pub number: u16,
    /// How long it is.
    pub bytes: u64,
    /// The store's own name for its content, which it wants to hear again at the end.
    tag: Option<String>,
}

impl Media {
    /// Begins an object in parts: the store's name for it.
    ///
    /// # Errors
    /// [`MediaError::Failed`] where the store says no.
    pub async fn begin_parts(&self, key: &str, content_type: &str) -> Result<String, MediaError> {
        let asked = self.client.create_multipart_upload().bucket(&self.bucket).key(key);
        let answer = asked.content_type(content_type).send().await;
        let answer = answer.map_err(|error| failed("begin an object in parts", key, error))?;
        answer.upload_id.ok_or_else(|| MediaError::Failed {
            what: "begin an object in parts",
            why: "it gave it no name".to_owned(),
        })
    }

    /// Which parts have arrived, in their order.
    ///
    /// # Errors
    /// [`MediaError::NotThere`] where nothing of that name was begun, or it is complete.
    pub async fn parts(&self, key: &str, upload: &str) -> Result<Vec<Part>, MediaError> {
        let mut parts = Vec::new();
        let mut after = None;
        for _ in 0..MOST_PAGES {
            let list = self.client.list_parts().bucket(&self.bucket).key(key).upload_id(upload);
            let page = list.set_part_number_marker(after).send().await;
            let page = page.map_err(|error| failed("list the parts of an object", key, error))?;
            parts.extend(page.parts().iter().filter_map(|part| {
                Some(Part {
                    number: u16::try_from(part.part_number?).ok()?,
                    bytes: part.size.unwrap_or(0).max(0).cast_unsigned(),
                    tag: part.e_tag.clone(),
                })
            }));
            after = page.next_part_number_marker;
            if !page.is_truncated.unwrap_or(false) || after.is_none() {
                break;
            }
        }
        parts.sort_by_key(|part| part.number);
        Ok(parts)
    }

    /// Makes one object of its parts.
    ///
    /// # Errors
    /// [`MediaError::NotThere`] where nothing of that name was begun, or it is complete.
    pub async fn join_parts(&self, key: &str, upload: &str, parts: &[Part]) -> Result<(), MediaError> {
        let parts = parts.iter().map(|part| {
            CompletedPart::builder().part_number(i32::from(part.number)).set_e_tag(part.tag.clone()).build()
        });
        let whole = CompletedMultipartUpload::builder().set_parts(Some(parts.collect())).build();
        let join = self.client.complete_multipart_upload().bucket(&self.bucket).key(key);
        let joined = join.upload_id(upload).multipart_upload(whole).send().await;
        joined.map(drop).map_err(|error| failed("join the parts of an object", key, error))
    }

    /// Throws the parts away; that there are none is just as well.
    ///
    /// # Errors
    /// [`MediaError::Failed`] where the store says no.
    pub async fn forget_parts(&self, key: &str, upload: &str) -> Result<(), MediaError> {
        let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload);
        let Err(error) = abort.send().await else { return Ok(()) };
        match failed("throw parts away", key, error) {
            MediaError::NotThere { .. } => Ok(()),
            // Some stores say no to what they do not have.
            error => match self.parts(key, upload).await {
                Ok(none) if none.is_empty() => Ok(()),
                Err(MediaError::NotThere { .. }) => Ok(()),
                _ => Err(error),
            },
        }
    }
}
