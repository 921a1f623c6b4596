//! A cloud to try things out with, for somebody who has no Supabase: everything that a project would give, on this
//! machine and in one folder.
//!
//! A Postgres of its own ([`postgres`]), an issuer of tokens ([`issuer`]) whose keys the same verifying code reads over
//! HTTP, and a folder that speaks S3 ([`media_server`]). What is absent: TLS, passwords and any safety against whoever
//! reaches it, so it stays on this machine.

use std::fs::{DirBuilder, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use roomtone_schema::{Clock as _, SystemClock};
use roomtone_server::front::Introspection;
use roomtone_sync::supervisor::Supervisor;
use tokio_util::sync::CancellationToken;

use crate::cli::say;
use crate::config::Config;
use crate::secret::Secret;
use crate::service::{Service, Setup, listen_on};
use crate::store::trial::GlobalRole;
use crate::trouble::{NOT_STARTED, Trouble, of_file, sentence};

pub mod database;
pub mod issuer;
pub mod media_server;
pub mod postgres;

use issuer::Issuer;

/// Who manages venues in a trial.
pub const MANAGER: &str = "manager@roomtone.test";

/// For how long the token that is printed holds.
const FIRST_TOKEN: Duration = Duration::from_hours(12);

/// The variable that lets a trial be reached from elsewhere.
pub const INSECURE: &str = "ROOMTONE_INSECURE_DEV";

/// The bucket.
const BUCKET: &str = "roomtone";

/// How long the media store may take to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Where a trial keeps everything.
#[derive(Debug, Clone)]
pub struct Folder(pub PathBuf);

/// A trial that runs.
#[derive(Debug)]
struct Trial {
    service: Service,
    store: Supervisor,
    database: database::Running,
    /// Where the media store is, for this machine.
    media: String,
    token: String,
}

/// Runs a trial until `stop`.
///
/// # Errors
/// [`Trouble`], where something that it needs cannot be had.
pub async fn run(config: Config, folder: &Folder, stop: CancellationToken) -> Result<(), Trouble> {
    refuse_strangers(&config.server.listen.0)?;
    refuse_projects(&config)?;
    folder.make()?;
    let _lock = folder.lock()?;
    let Some(trial) = stop.run_until_cancelled(start(config, folder)).await else { return Ok(()) };
    let trial = trial?;
    trial.welcome(folder);
    stop.cancelled().await;
    tracing::info!("stopping");
    trial.service.stop().await;
    trial.store.stop(GRACE).await;
    trial.database.stop();
    Ok(())
}

async fn start(mut config: Config, folder: &Folder) -> Result<Trial, Trouble> {
    let listeners = listen_on(&config.server.listen.0)?;
    let front = own_address(&listeners);
    let issuer = Issuer::open(&folder.0)?;
    let database = database::start(&mut config, folder).await?;
    issuer::NAME.clone_into(&mut config.auth.issuer);
    config.auth.jwks_url = format!("http://{front}{}", issuer::PATH);
    let store = Supervisor::new();
    open_store(&mut config, folder, front, &store)?;
    let user = database.person(MANAGER, &[GlobalRole::Manager]).await?;
    let now = SystemClock::new().wall();
    let token = issuer.token(user, MANAGER, now, FIRST_TOKEN)?;
    let media = config.media.endpoint.clone();
    let setup = Setup { config, introspection: Introspection::Everyone, extra: issuer.router() };
    let service = Service::start_at(listeners, setup).await?;
    service.cloud.media.make_bucket().await.map_err(|error| failed(&error))?;
    Ok(Trial { service, store, database, media, token })
}

/// A media store in the folder, beside the port of the page where that is free.
fn open_store(
    config: &mut Config,
    folder: &Folder,
    front: SocketAddr,
    store: &Supervisor,
) -> Result<(), Trouble> {
    if !config.media.access_key.is_empty() {
        return Ok(());
    }
    let beside = front.port().checked_add(1).unwrap_or_default();
    let listener =
        TcpListener::bind((front.ip(), beside)).or_else(|_taken| TcpListener::bind((front.ip(), 0)));
    let listener = listener.map_err(|error| failed(&error))?;
    let address = listener.local_addr().map_err(|error| failed(&error))?;
    let credentials = ("roomtone-dev".to_owned(), issuer::random_word()?);
    config.media.endpoint = format!("http://{address}");
    "local".clone_into(&mut config.media.region);
    BUCKET.clone_into(&mut config.media.bucket);
    config.media.access_key = Secret::new(&credentials.0);
    config.media.secret_key = Secret::new(&credentials.1);
    let files = folder.0.join("media");
    let mut origins = config.server.origins.0.clone();
    origins.extend([format!("http://{front}"), format!("http://localhost:{}", front.port())]);
    store.keep_running("media store", move |stop| {
        let (files, credentials, origins) = (files.clone(), credentials.clone(), origins.clone());
        let listener = listener.try_clone();
        async move { media_server::serve(listener?, files, credentials, origins, stop).await }
    });
    Ok(())
}

impl Trial {
    fn welcome(&self, folder: &Folder) {
        let front = self.service.listening.first().copied().map(reachable);
        let front = front.map_or_else(String::new, |front| front.to_string());
        say(format!("The trial cloud is at   http://{front}/"));
        // After the `#`, a token reaches no server and no log; the page takes it out of the address at once.
        say(format!("The manager's page      http://{front}/admin#token={}", self.token));
        say(format!("GraphQL                 http://{front}/graphql"));
        say(format!("Media (S3)              {}", self.media));
        say(format!("Everything it keeps     {}", folder.0.display()));
        say(format!("A token of {MANAGER}, who manages venues, for 12 hours:"));
        say(&self.token);
        say(
            "Use it as `Authorization: Bearer TOKEN`. Another one: `roomtone-cloud dev-token --email EMAIL --role ROLE`.",
        );
    }
}

impl Folder {
    /// Makes it, closed to others; Postgres, which does not run as root, must get through where root starts it.
    fn make(&self) -> Result<(), Trouble> {
        let is_root = rustix::process::geteuid().is_root();
        let mode = if is_root { 0o711 } else { 0o700 };
        let folder = DirBuilder::new().recursive(true).mode(mode).create(&self.0);
        folder.map_err(|error| of_file("make the folder", &self.0, &error))?;
        if !is_root {
            return Ok(());
        }
        let closed = self
            .0
            .ancestors()
            .find(|place| place.metadata().is_ok_and(|about| about.permissions().mode() & 0o001 == 0));
        match closed {
            None => Ok(()),
            Some(place) => Err(Trouble::new(
                format!(
                    "Postgres does not run as root, and as nobody it may not pass through {}.",
                    place.display()
                ),
                NOT_STARTED,
                "Start it as another user, or choose a folder that all may pass through: --data /var/lib/roomtone-dev.",
            )),
        }
    }

    /// One trial in a folder at a time.
    fn lock(&self) -> Result<File, Trouble> {
        let path = self.0.join("lock");
        let file = File::create(&path).map_err(|error| of_file("write", &path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(_held) => Err(Trouble::new(
                format!("Another trial runs in {}.", self.0.display()),
                NOT_STARTED,
                "Stop that one, or choose another folder with --data DIR.",
            )),
        }
    }
}

/// Whoever reaches a trial can be anybody in it.
fn refuse_strangers(listen: &[SocketAddr]) -> Result<(), Trouble> {
    let open = listen.iter().find(|address| !address.ip().to_canonical().is_loopback());
    let allowed = std::env::var_os(INSECURE).is_some_and(|value| value == "1");
    match open {
        Some(address) if !allowed => Err(Trouble::new(
            format!("{address} can be reached from other machines, and a trial is not safe there."),
            NOT_STARTED,
            format!("Listen on 127.0.0.1, or set {INSECURE}=1 if you know who is on this network."),
        )),
        _ => Ok(()),
    }
}

/// A trial makes accounts and gives them rights: never in somebody's project, whose settings may stand in the same shell.
fn refuse_projects(config: &Config) -> Result<(), Trouble> {
    let (auth, media) = (&config.auth, &config.media);
    let of_projects = [
        ("SUPABASE_URL", auth.supabase_url.is_empty()),
        ("JWT_ISSUER", auth.issuer.is_empty()),
        ("auth.jwks_url", auth.jwks_url.is_empty()),
        ("JWT_SECRET", auth.jwt_secret.is_empty()),
        ("S3_ACCESS_KEY", media.access_key.is_empty()),
        ("DATABASE_OWNER_URL", config.database.owner_url.is_empty()),
    ];
    let Some((named, _)) = of_projects.into_iter().find(|(_, is_empty)| !is_empty) else { return Ok(()) };
    Err(Trouble::new(
        format!(
            "{named} is set, so these are the settings of a real cloud; a trial would make accounts in it."
        ),
        NOT_STARTED,
        "Run the trial in a shell, and a folder, without them: `env -i HOME=\"$HOME\" PATH=\"$PATH\" roomtone-cloud dev`.",
    ))
}

/// A token for somebody in a trial: `roomtone-cloud dev-token`.
///
/// # Errors
/// [`Trouble`], where no trial runs.
pub async fn token(
    config: &Config,
    folder: &Folder,
    email: &str,
    role: GlobalRole,
    ttl: Duration,
) -> Result<String, Trouble> {
    refuse_projects(config)?;
    let issuer = Issuer::open(&folder.0)?;
    let user =
        database::person(&database::owner_of(config, folder), email, &[role]).await.map_err(|error| {
            Trouble::harmless(
                format!("The trial's database cannot be asked: {error}"),
                "Start the trial first: `roomtone-cloud dev`, with the same --data DIR.",
            )
        })?;
    issuer.token(user, email, SystemClock::new().wall(), ttl)
}

/// The trial's folder where nobody named one: the machine's for root, else the user's, else one where we stand.
pub fn default_folder(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return Path::new("/var/lib/roomtone-dev").to_owned();
    }
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let user = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    // Never below a folder that everybody writes to: what lies there is believed.
    user.map_or_else(|| PathBuf::from("roomtone-dev"), |folder| folder.join("roomtone-dev"))
}

fn own_address(listeners: &[TcpListener]) -> SocketAddr {
    let first = listeners.first().and_then(|listener| listener.local_addr().ok());
    reachable(first.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))
}

/// An address that this machine itself can use.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()))
    } else {
        address
    }
}

fn failed(why: &dyn std::fmt::Display) -> Trouble {
    Trouble::new(
        sentence(&format!("{why:#}")),
        NOT_STARTED,
        "Choose another folder with --data DIR, or another port.",
    )
}
