//! One seed: a cloud, three hubs and a copy of one, what happens to them, and what must be true when all is quiet again.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::middleware::from_fn_with_state;
use mad_turmoil::rand as lots;
use mad_turmoil::time::SimClocksGuard;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use roomtone_cloud::sync::{Desk, Limits, questions};
use roomtone_schema::id::Id as _;
use roomtone_schema::{BootId, Clock as _, HubId, OrganisationId, VenueId};
use roomtone_sync::credential::SigningKey;
use roomtone_sync::driver::{LinkSettings, Wakes, run_over};
use roomtone_sync::engine::{Settings, Status};
use roomtone_sync::wire::{Kind, Scope, Stamp};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use turmoil::Sim;
use uuid::Uuid;

use crate::defences::Defences;
use crate::model_cloud::{Fate, Said, SimCloud, Tables, known_hub};
use crate::model_hub::{File, SimHub};
use crate::nemesis::{self, Event};
use crate::network::{Listening, SimClock, Simulated};
use crate::objects::{Objects, Office};
use crate::post::{Post, carry};
use crate::versions::{Age, GROWN, NEW};

const HUBS: usize = 3;
const CLOUD: &str = "cloud";
const PORT: u16 = 8080;
/// Smaller than a venue's, so that catch-ups have several pages.
const PAGE: u32 = 12;
/// How long a message takes at most, where the line is good.
const LATENCY: Duration = Duration::from_millis(400);

/// How a seed went.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Everything that happened, line by line.
    pub trace: String,
    /// What is not as it must be.
    pub broken: Vec<String>,
    /// How many facts were confirmed.
    pub confirmed: usize,
    /// How often the network and the media store did each thing, as `name=number`.
    pub tally: String,
}

/// How long, and how hard.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// What decides everything.
    pub seed: u64,
    /// What is switched off.
    pub defences: Defences,
    /// How long things go wrong.
    pub trouble: Duration,
    /// How long it may take until all is well.
    pub patience: Duration,
    /// How often digests are compared.
    pub verify: Duration,
}

impl Scenario {
    /// As in every run.
    pub fn new(seed: u64) -> Self {
        let (trouble, patience) = (Duration::from_secs(90), Duration::from_mins(25));
        let verify = Duration::from_mins(1);
        Self { seed, defences: Defences::default(), trouble, patience, verify }
    }
}

/// A hub's box: its disk, its clock, how it says it stands.
#[expect(clippy::struct_field_names, reason = "`place` is its number among the boxes")]
struct Place {
    name: String,
    store: SimHub,
    clock: SimClock,
    wake: Arc<Notify>,
    status: watch::Sender<Option<Status>>,
    is_up: bool,
    /// Its number among the enrolled.
    hub: usize,
    place: u64,
    backup: Option<File>,
}

struct World<'a> {
    sim: Sim<'a>,
    scenario: Scenario,
    chance: StdRng,
    cloud: SimCloud,
    cloud_backup: Option<Tables>,
    objects: Objects,
    post: Post,
    places: Vec<Place>,
    hubs: Vec<roomtone_sync::store::KnownHub>,
    confirmed: BTreeSet<Uuid>,
    drawn: u64,
    trace: String,
    broken: Vec<String>,
}

/// Runs a seed on a thread of its own, so that nothing of another run is left in it.
///
/// # Panics
/// Where the system has no thread to give, or the run itself ended early.
pub fn run(scenario: Scenario) -> Outcome {
    std::thread::scope(|scope| {
        let running = std::thread::Builder::new().spawn_scoped(scope, || {
            reseed(scenario.seed);
            let _clocks = SimClocksGuard::init();
            World::new(scenario).play()
        });
        running.expect("a thread can be started").join().expect("a simulation ends")
    })
}

fn reseed(seed: u64) {
    let lot = StdRng::seed_from_u64(seed);
    match lots::try_rng() {
        Some(mut rng) => *rng = lot,
        None => lots::set_rng(lot),
    }
}

impl World<'_> {
    fn new(scenario: Scenario) -> Self {
        let mut sim = turmoil::Builder::new()
            .rng_seed(scenario.seed)
            .tick_duration(Duration::from_millis(20))
            .simulation_duration(Duration::from_secs(100_000))
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(LATENCY)
            .build();
        COPIED.store(0, Ordering::Relaxed);
        let organisation = OrganisationId(Uuid::from_u128(1));
        let keys: Vec<Arc<SigningKey>> = (0..HUBS as u8)
            .map(|hub| Arc::new(SigningKey::from_seed(&[hub + 1; 32]).expect("32 bytes are a key")))
            .collect();
        let hubs: Vec<_> = keys
            .iter()
            .enumerate()
            .map(|(number, key)| {
                let id = HubId::from_uuid(Uuid::from_u128(100 + number as u128));
                known_hub(id, VenueId(Uuid::from_u128(200 + number as u128)), organisation, key.public())
            })
            .collect();
        let mut chance = StdRng::seed_from_u64(scenario.seed ^ 0x5eed);
        let cloud = SimCloud::new(hubs.clone(), age(&mut chance), scenario.defences);
        let (objects, post) = (Objects::new(chance.random()), Post::new(chance.random()));
        start_cloud(&mut sim, &cloud, &objects, &post);
        objects.start(&mut sim);
        post.start(&mut sim, CLOUD, PORT);
        let mut places = Vec::new();
        // The last one is the box into which a disk may be copied.
        for number in 0..=HUBS {
            let place = Place::new(number, scenario.defences, age(&mut chance));
            start_hub(&mut sim, &place, &hubs, &keys, scenario.seed, scenario.verify);
            if number == HUBS {
                sim.crash(place.name.as_str());
            }
            places.push(place);
        }
        places[HUBS].is_up = false;
        Self {
            sim,
            scenario,
            chance,
            cloud,
            cloud_backup: None,
            objects,
            post,
            places,
            hubs,
            confirmed: BTreeSet::new(),
            drawn: 0,
            trace: String::new(),
            broken: Vec::new(),
        }
    }

    fn play(mut self) -> Outcome {
        // A catalogue that is long enough for a snapshot, or not.
        for _ in 0..self.chance.random_range(0..40) {
            self.change();
        }
        self.cloud.commit(usize::MAX);
        while self.sim.elapsed() < self.scenario.trouble {
            let next = self.sim.elapsed() + Duration::from_millis(self.chance.random_range(20..600));
            self.run_until(next);
            let event = nemesis::draw(&mut self.chance, self.places.len());
            self.note(&format!("{event:?}"));
            self.happen(event);
        }
        self.heal();
        self.settle("after the trouble");
        // A copy has been fenced off all the while: its facts come up when the other one is gone.
        for place in [0, 1, 2] {
            if self.places[HUBS].is_up && self.places[HUBS].hub == place {
                let lease_holder = if self.is_fenced(place) { HUBS } else { place };
                self.stop_hub(lease_holder);
                self.settle("after one of the two is gone");
                self.start_hub(lease_holder);
                self.stop_hub(if lease_holder == HUBS { place } else { HUBS });
                self.settle("after the other one is gone");
            }
        }
        self.check();
        let tally = format!("{} {}", self.post.tally, self.objects.tally);
        self.note(&tally);
        Outcome { trace: self.trace, broken: self.broken, confirmed: self.confirmed.len(), tally }
    }

    fn run_until(&mut self, time: Duration) {
        while self.sim.elapsed() < time {
            if let Err(error) = self.sim.step() {
                self.broken.push(format!("the simulation failed: {error}"));
                return;
            }
        }
    }

    fn note(&mut self, what: &str) {
        let time = self.sim.elapsed().as_millis();
        let (tally, ids) = self.cloud.counted();
        let pending: Vec<i64> = self.places.iter().map(|place| place.store.pending()).collect();
        let status: Vec<_> = self.places.iter().map(|place| *place.status.borrow()).collect();
        // Writing into a String does not fail.
        let _ =
            writeln!(self.trace, "{time:>8} {what} | counted {tally}/{ids} pending {pending:?} {status:?}");
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Vote(hub) => self.vote(hub),
            Event::Change => self.change(),
            Event::Commit => self.cloud.commit(2),
            Event::CrashHub(hub) => self.bounce(hub, false),
            Event::PowerCut(hub) => self.bounce(hub, true),
            Event::CrashCloud => self.sim.bounce(CLOUD),
            Event::Partition(hub) => self.sim.partition(self.places[hub].name.as_str(), CLOUD),
            Event::Deaf(hub) => self.sim.partition_oneway(CLOUD, self.places[hub].name.as_str()),
            Event::Mute(hub) => self.sim.partition_oneway(self.places[hub].name.as_str(), CLOUD),
            Event::Hold(hub) => self.sim.hold(self.places[hub].name.as_str(), CLOUD),
            Event::Repair(hub) => self.repair(hub),
            Event::Clock(hub, years) => self.places[hub].clock.set_wrong_by(years * 31_557_600_000),
            Event::Disk(hub, is_full) => self.places[hub].store.fill(is_full),
            Event::Purge(hub) => self.purge(hub),
            Event::Damage(hub, nth) => self.places[hub].store.damage(nth),
            Event::BackupHub(hub) => self.places[hub].backup = Some(self.places[hub].store.copy()),
            Event::RestoreHub(hub) => self.restore_hub(hub),
            Event::BackupCloud => self.cloud_backup = Some(self.cloud.backup()),
            Event::RestoreCloud => self.restore_cloud(),
            Event::Clone(hub) => self.copy_hub(hub),
            Event::Slow(hub) => self.latency(hub, LATENCY * 20),
            Event::Forget(hub) => self.forget(hub),
            Event::UpgradeHub(hub) => self.upgrade_hub(hub),
            Event::UpgradeCloud => self.upgrade_cloud(),
        }
    }

    fn id(&mut self) -> Uuid {
        self.drawn += 1;
        Uuid::from_u128(1_000_000 + u128::from(self.drawn))
    }

    fn vote(&mut self, hub: usize) {
        let many = self.chance.random_range(1..8);
        for _ in 0..many {
            let id = self.id();
            let fate = match self.chance.random_range(0..20) {
                0 => Fate::Early,
                1 => Fate::Poison,
                _ => Fate::Good,
            };
            let place = &self.places[hub];
            if !place.is_up {
                return;
            }
            let (mono_ms, wall) = (self.sim.elapsed().as_millis() as i64, place.clock.wall());
            let stamp = Stamp {
                boot: BootId::from_uuid(Uuid::from_u128(place.place.into())),
                mono_ms,
                wall_ms: wall.0,
            };
            if place.store.tell(&Said { id, fate }, stamp) {
                self.confirmed.insert(id);
                place.wake.notify_one();
            }
        }
        if self.chance.random_range(0..3) == 0 {
            self.places[hub].store.flush();
        }
    }

    fn change(&mut self) {
        let many = self.chance.random_range(1..9);
        let scope = self.hubs[self.chance.random_range(0..HUBS)].scopes()[self.chance.random_range(0..2)];
        let knows_new = self.cloud.age().revision_of(NEW.word()).is_some();
        let kind = match scope {
            Scope::Catalogue(_) => GROWN,
            Scope::Venue(_) if knows_new && self.chance.random_range(0..3) == 0 => NEW,
            Scope::Venue(_) => Kind::VenueSong,
        };
        for _ in 0..many {
            let pk = Uuid::from_u128(5_000 + self.chance.random_range(0..40_u128));
            let body: Option<[u8; 4]> = (self.chance.random_range(0..5) > 0).then(|| self.chance.random());
            let tag = if self.scenario.defences.tag { self.chance.random() } else { 7 };
            self.cloud.change(scope, kind.word(), pk, body.map(Vec::from), tag);
        }
        self.cloud.commit(self.chance.random_range(0..4));
    }

    fn bounce(&mut self, hub: usize, is_power_cut: bool) {
        self.between_runs(hub, |store| {
            if is_power_cut {
                store.power_cut();
            }
        });
    }

    fn stop_hub(&mut self, hub: usize) {
        self.sim.crash(self.places[hub].name.as_str());
        self.places[hub].is_up = false;
        self.note(&format!("stopped {hub}"));
    }

    fn start_hub(&mut self, hub: usize) {
        self.places[hub].status.send_replace(None);
        self.sim.bounce(self.places[hub].name.as_str());
        self.places[hub].is_up = true;
    }

    fn repair(&mut self, hub: usize) {
        let name = self.places[hub].name.as_str();
        self.sim.release(name, CLOUD);
        self.sim.repair(name, CLOUD);
        self.latency(hub, LATENCY);
    }

    fn latency(&mut self, hub: usize, most: Duration) {
        self.sim.set_link_max_message_latency(self.places[hub].name.as_str(), CLOUD, most);
    }

    /// Stops a hub's program, does something to its box, and starts it again.
    fn between_runs(&mut self, hub: usize, change: impl FnOnce(&SimHub)) {
        if self.places[hub].is_up {
            self.sim.crash(self.places[hub].name.as_str());
            change(&self.places[hub].store);
            self.sim.bounce(self.places[hub].name.as_str());
        }
    }

    fn forget(&mut self, hub: usize) {
        self.between_runs(hub, SimHub::forget);
    }

    fn upgrade_hub(&mut self, hub: usize) {
        self.between_runs(hub, |store| store.run_by(Age::New));
    }

    fn upgrade_cloud(&mut self) {
        self.sim.crash(CLOUD);
        self.cloud.upgrade();
        self.sim.bounce(CLOUD);
    }

    /// Facts are removed weeks after they were acknowledged: the cloud has told by then if it has lost them.
    fn purge(&mut self, hub: usize) {
        let acknowledged = self.places[hub].store.acknowledged();
        if acknowledged.iter().all(|id| self.cloud.has(*id)) {
            self.places[hub].store.purge();
        }
    }

    fn restore_hub(&mut self, hub: usize) {
        let Some(backup) = self.places[hub].backup.clone() else { return };
        if !self.places[hub].is_up {
            return;
        }
        self.sim.crash(self.places[hub].name.as_str());
        let place = self.places[hub].place;
        self.places[hub].store.put(backup, place);
        self.sim.bounce(self.places[hub].name.as_str());
        self.forget_what_is_nowhere();
    }

    fn restore_cloud(&mut self) {
        let Some(backup) = self.cloud_backup.clone() else { return };
        self.sim.crash(CLOUD);
        self.cloud.restore(backup);
        self.sim.bounce(CLOUD);
        self.forget_what_is_nowhere();
    }

    fn copy_hub(&mut self, hub: usize) {
        if hub == HUBS || self.places[HUBS].is_up {
            return;
        }
        let file = self.places[hub].store.copy();
        let place = self.places[HUBS].place;
        self.places[HUBS].store.put(file, place);
        let age = self.places[hub].store.age();
        self.places[HUBS].store.run_by(age);
        self.places[HUBS].hub = hub;
        COPIED.store(hub as u64, Ordering::Relaxed);
        self.start_hub(HUBS);
    }

    /// A backup that is put back takes with it what was told since: no protocol can keep what is on no disk.
    fn forget_what_is_nowhere(&mut self) {
        let (cloud, places) = (&self.cloud, &self.places);
        self.confirmed.retain(|id| cloud.has(*id) || places.iter().any(|place| place.store.has(*id)));
    }

    fn heal(&mut self) {
        self.note("all is mended");
        self.cloud.commit(usize::MAX);
        self.post.calm();
        self.objects.calm();
        for hub in 0..self.places.len() {
            self.repair(hub);
            self.places[hub].store.fill(false);
        }
    }

    fn is_fenced(&self, hub: usize) -> bool {
        *self.places[hub].status.borrow() == Some(Status::Fenced)
    }

    /// Waits until every hub that runs has nothing left to do, or is fenced off.
    fn settle(&mut self, when: &str) {
        let deadline = self.sim.elapsed() + self.scenario.patience;
        let mut quiet = 0;
        while quiet < 6 {
            let next = self.sim.elapsed() + Duration::from_secs(20);
            self.run_until(next);
            quiet = if self.is_quiet() { quiet + 1 } else { 0 };
            if self.sim.elapsed() > deadline {
                self.note("not settled");
                self.broken.push(format!("not settled {when}"));
                return;
            }
        }
        self.note("settled");
    }

    fn is_quiet(&self) -> bool {
        self.places.iter().filter(|place| place.is_up).all(|place| match *place.status.borrow() {
            Some(Status::Synced) => place.store.pending() == 0,
            // Who is fenced off waits for the other one.
            Some(Status::Fenced) => {
                self.places.iter().filter(|other| other.is_up && other.hub == place.hub).count() > 1
            }
            _ => false,
        })
    }

    fn check(&mut self) {
        let lost: Vec<Uuid> = self.confirmed.iter().copied().filter(|id| !self.cloud.has(*id)).collect();
        if !lost.is_empty() {
            self.broken.push(format!("{} confirmed facts are lost, the first is {}", lost.len(), lost[0]));
        }
        let (tally, ids) = self.cloud.counted();
        if tally != ids {
            self.broken.push(format!("{tally} facts were counted of {ids}"));
        }
        for place in self.places.iter().filter(|place| place.is_up) {
            let age = place.store.age();
            for scope in self.hubs[place.hub].scopes() {
                if place.store.table(scope) != self.cloud.projection(scope, age) {
                    self.broken.push(format!("{} does not have the rows of {scope}", place.name));
                }
            }
            let told = self.cloud.age();
            for (kind, known) in age.reads() {
                let wanted = told.revision_of(kind.word()).map(|told| told.min(known));
                if wanted.is_some() && place.store.revisions().get(kind.word()).copied() != wanted {
                    self.broken.push(format!("{} has not taken {} as it is now", place.name, kind.word()));
                }
            }
        }
        for place in &self.places {
            let needless = place.store.needless();
            self.broken.extend(needless.into_iter().map(|what| format!("{}: {what}", place.name)));
        }
        self.note("the end");
    }
}

/// Of which hub the copy is.
static COPIED: AtomicU64 = AtomicU64::new(0);

impl Place {
    fn new(number: usize, defences: Defences, age: Age) -> Self {
        let place = number as u64 + 1;
        Self {
            name: format!("hub{number}"),
            store: SimHub::new(defences, place, age),
            clock: SimClock::default(),
            wake: Arc::default(),
            status: watch::Sender::new(None),
            is_up: true,
            hub: number.min(HUBS - 1),
            place,
            backup: None,
        }
    }
}

fn age(chance: &mut StdRng) -> Age {
    if chance.random_range(0..2) == 0 { Age::Old } else { Age::New }
}

fn start_cloud(sim: &mut Sim<'_>, cloud: &SimCloud, objects: &Objects, post: &Post) {
    let (cloud, objects, post) = (cloud.clone(), objects.clone(), post.clone());
    sim.host(CLOUD, move || {
        let (cloud, post) = (cloud.clone(), post.clone());
        let office = Office::new(cloud.clone(), objects.clone());
        async move {
            let stop = CancellationToken::new();
            let desk =
                Desk::new(cloud.clone(), Arc::new(SimClock::default()), Limits::default(), stop.clone());
            let heads = desk.heads.clone().keep(cloud, stop);
            let listener = Listening(turmoil::net::TcpListener::bind(("0.0.0.0", PORT)).await?);
            let questions = questions(desk, office.routes()).layer(from_fn_with_state(post, carry));
            let serving = axum::serve(listener, questions);
            tokio::select! {
                biased;
                kept = heads => kept?,
                served = serving => served?,
            }
            Ok(())
        }
    });
}

fn start_hub(
    sim: &mut Sim<'_>,
    place: &Place,
    hubs: &[roomtone_sync::store::KnownHub],
    keys: &[Arc<SigningKey>],
    seed: u64,
    verify: Duration,
) {
    let (store, clock, wake, status) =
        (place.store.clone(), place.clock.clone(), Arc::clone(&place.wake), place.status.clone());
    let (hubs, keys, number) = (hubs.to_vec(), keys.to_vec(), place.place as usize - 1);
    let runs = Arc::new(AtomicU64::new(0));
    sim.host(place.name.as_str(), move || {
        let run = runs.fetch_add(1, Ordering::Relaxed);
        // The copy's box belongs to whichever hub was copied.
        let hub = if number < HUBS { number } else { COPIED.load(Ordering::Relaxed) as usize };
        let link = LinkSettings {
            cloud: format!("http://{CLOUD}:{PORT}"),
            hub: hubs[hub].id,
            key: Arc::clone(&keys[hub]),
        };
        let instance =
            Uuid::from_u128((u128::from(seed) << 64) | (place_number(number) << 32) | u128::from(run));
        let settings = Settings {
            verify_every: verify,
            scrub_every: Duration::from_secs(15),
            page: PAGE,
            snapshot_from: i64::from(PAGE) * 4,
            speaks: store.age().speaks(),
            reads: store.age().reads(),
            ..Settings::new(instance, seed ^ (number as u64) ^ (run << 8))
        };
        let (store, clock, wake, status) =
            (Arc::new(store.clone()), Arc::new(clock.clone()), Arc::clone(&wake), status.clone());
        async move {
            let report = move |report: roomtone_sync::driver::LinkReport| {
                status.send_replace(Some(report.state));
            };
            let stop = CancellationToken::new();
            let wakes = Wakes { facts: wake, ..Wakes::default() };
            run_over(Simulated, settings, store, link, clock, report, wakes, stop).await?;
            Ok(())
        }
    });
}

fn place_number(number: usize) -> u128 {
    number as u128 + 1
}
