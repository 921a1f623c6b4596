//! Files on their way into a catalogue.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};
use roomtone_schema::id::Id as _;
use roomtone_schema::{OrganisationId, UploadId};
use roomtone_server::listener::date as shown;
use roomtone_server::listener::scalar::{DateTime, Url};

use super::asking::{UserErrorCode, asker, cloud, coded, id as read_id};
use super::loaders::{StaffOf, load};
use super::page::{Page, PageArguments, connection, size};
use super::song::Song;
use super::venue::Organisation;
use super::words::date;
use crate::media::Address;
use crate::uploads::{self, Wanted};

mod changing;
mod watching;

pub(super) use changing::UploadMutation;
pub(super) use watching::UploadSubscription;

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "uploads::UploadState")]
pub(super) enum SongUploadState {
    /// Its audio is being looked at.
    Analysing,
    /// Somebody gave it up.
    Cancelled,
    /// It is a song of the catalogue.
    Done,
    /// Its bytes did not come in time.
    Expired,
    /// All bytes are there; they are looked at soon.
    Queued,
    /// It is no song, and `refusal` says why.
    Refused,
    /// For its bytes.
    Waiting,
}

/// Why a file was refused.
#[derive(Debug, Clone, SimpleObject)]
pub(super) struct UploadRefusal {
    /// For programs.
    code: UserErrorCode,
    /// For people: what is wrong, and what to do.
    message: String,
}

/// A header of HTTP.
#[derive(Debug, Clone, SimpleObject)]
pub(super) struct HttpHeader {
    /// Its name.
    name: String,
    /// Its value, exactly.
    value: String,
}

/// Where the bytes of a file go: PUT them there with these headers, then finalise. A large file goes in parts.
#[derive(Debug, Clone, SimpleObject)]
pub(super) struct UploadTarget {
    /// Where the whole file goes; null where it goes in parts.
    url: Option<Url>,
    /// What to send along.
    headers: Vec<HttpHeader>,
    /// How long each part but the last is; null where the file goes as a whole.
    part_bytes: Option<i32>,
    /// How many parts.
    parts: i32,
    /// Until when the address is good; ask again for another one.
    expires_at: DateTime,
}

/// One part of a large file.
#[derive(Debug, Clone, SimpleObject)]
pub(super) struct UploadPart {
    /// Its place, from 1.
    number: i32,
    /// Where in the file it begins.
    offset: i32,
    /// How long it is.
    bytes: i32,
    /// Whether it is there: it need not be sent again.
    arrived: bool,
    /// Where to PUT it.
    url: Url,
    /// What to send along.
    headers: Vec<HttpHeader>,
    /// Until when the address is good; ask again for another one.
    expires_at: DateTime,
}

fn headers(address: &Address) -> Vec<HttpHeader> {
    let header = |(name, value): &(String, String)| HttpHeader { name: name.clone(), value: value.clone() };
    address.headers.iter().map(header).collect()
}

/// No file is longer than what these can say: see [`uploads::MOST_BYTES`].
fn int(bytes: u64) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

impl From<uploads::Target> for UploadTarget {
    fn from(target: uploads::Target) -> Self {
        Self {
            headers: target.whole.as_ref().map(headers).unwrap_or_default(),
            url: target.whole.map(|address| Url(address.url)),
            part_bytes: target.part_bytes.map(int),
            parts: i32::from(target.parts),
            expires_at: shown(target.until),
        }
    }
}

impl From<uploads::Part> for UploadPart {
    fn from(part: uploads::Part) -> Self {
        Self {
            number: i32::from(part.number),
            offset: int(part.offset),
            bytes: int(part.bytes),
            arrived: part.arrived,
            headers: headers(&part.address),
            url: Url(part.address.url),
            expires_at: shown(part.until),
        }
    }
}

/// A file on its way into a catalogue: ask again by songUpload(id:), or subscribe to songUploadUpdated.
#[derive(Debug, Clone)]
pub(super) struct SongUpload(pub(super) uploads::Upload);

/// A file on its way into a catalogue: ask again by songUpload(id:), or subscribe to songUploadUpdated.
#[Object]
impl SongUpload {
    /// Opaque, globally unique.
    pub(super) async fn id(&self) -> ID {
        self.0.id.to_global().into()
    }

    /// Whose catalogue it is for.
    async fn organisation(&self, ctx: &Context<'_>) -> Result<Option<Organisation>> {
        Ok(load(ctx, *self.0.organisation_id).await?.map(Organisation))
    }

    /// The file's name where it came from.
    async fn filename(&self) -> &str {
        &self.0.filename
    }

    /// What kind of file was announced.
    async fn content_type(&self) -> &str {
        &self.0.content_type
    }

    /// How long it was announced to be.
    async fn bytes(&self) -> i32 {
        int(self.0.bytes())
    }

    /// The digest that was announced.
    async fn sha256(&self) -> String {
        self.0.sha256().to_string()
    }

    /// How far it is.
    async fn state(&self) -> SongUploadState {
        self.0.state.0.into()
    }

    /// Why it is no song, where it was refused.
    async fn refusal(&self) -> Option<UploadRefusal> {
        let (code, message) = (self.0.refusal_code?, self.0.refusal.clone()?);
        Some(UploadRefusal { code: code.0.into(), message })
    }

    /// What it became.
    async fn song(&self, ctx: &Context<'_>) -> Result<Option<Song>> {
        let Some(song) = self.0.song_id else { return Ok(None) };
        Ok(load(ctx, *song).await?.map(Song))
    }

    /// Where its bytes go; null where none are waited for, and for whoever only looks.
    async fn target(&self, ctx: &Context<'_>) -> Result<Option<UploadTarget>> {
        if load(ctx, StaffOf(*self.0.organisation_id)).await?.is_none() {
            return Ok(None);
        }
        Ok(uploads::target(cloud(ctx), &self.0).await?.map(Into::into))
    }

    /// Until when its bytes are waited for.
    async fn expires_at(&self) -> DateTime {
        date(self.0.expires_at)
    }

    /// When it was announced.
    async fn created_at(&self) -> DateTime {
        date(self.0.created_at)
    }
}

/// Which uploads a list is of.
#[derive(Debug, Clone)]
pub(super) struct Meant(Wanted);

impl Meant {
    async fn count(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(uploads::count(cloud(ctx), asker(ctx)?, &self.0).await?)
    }
}

connection!(SongUploadConnection, SongUploadEdge, SongUpload, Meant, "Uploads.", "An upload in a list.");

/// Queries about uploads.
#[derive(Debug, Default)]
pub(super) struct UploadQuery;

/// Reading; nothing here changes anything.
#[Object]
impl UploadQuery {
    /// One upload; null where there is none, or it is not the viewer's.
    async fn song_upload(&self, ctx: &Context<'_>, id: ID) -> Result<Option<SongUpload>> {
        let user = asker(ctx)?;
        let upload: UploadId = read_id(&id, "id")?;
        Ok(uploads::find(cloud(ctx), user, upload).await?.map(SongUpload))
    }

    /// Uploads to an organisation's catalogue, the newest first. At most 200 at a time.
    #[graphql(complexity = "1 + size(first, last) * child_complexity")]
    #[expect(clippy::too_many_arguments, reason = "they are the arguments of the field")]
    async fn song_uploads(
        &self,
        ctx: &Context<'_>,
        organisation_id: ID,
        #[graphql(default, desc = "Those that are so far; all where none is named.")] states: Vec<
            SongUploadState,
        >,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<SongUploadConnection> {
        let user = asker(ctx)?;
        let organisation: OrganisationId = read_id(&organisation_id, "organisationId")?;
        let wanted = Wanted { organisation, states: states.into_iter().map(Into::into).collect() };
        let slice = PageArguments { first, after, last, before }.slice()?;
        let read = uploads::list(cloud(ctx), user, &wanted, &slice).await?;
        let page = Page::of(&slice, read, |upload| upload.id.uuid());
        Ok(SongUploadConnection::new(page.map(SongUpload), Meant(wanted)))
    }

    /// The parts of an upload: which are there, and where those go that have not arrived.
    #[graphql(complexity = "32 * child_complexity")]
    async fn song_upload_parts(
        &self,
        ctx: &Context<'_>,
        upload_id: ID,
        #[graphql(default, desc = "Those of these numbers; all where none is named.")] numbers: Vec<i32>,
    ) -> Result<Vec<UploadPart>> {
        let user = asker(ctx)?;
        let upload: UploadId = read_id(&upload_id, "uploadId")?;
        let parts = uploads::parts(cloud(ctx), user, upload, &numbers).await?;
        Ok(parts.into_iter().map(Into::into).collect())
    }
}

/// The upload, or what whoever asks is told where there is none for them.
async fn one(ctx: &Context<'_>, id: UploadId) -> Result<SongUpload> {
    let upload = uploads::find(cloud(ctx), asker(ctx)?, id).await?;
    upload.map(SongUpload).ok_or_else(|| coded("NOT_FOUND", "there is no such upload, or it is not yours"))
}
