//! The engine's memory: which track is on which deck, and what was ordered. The mixer can be lost with its sound card;
//! this cannot, and from it the next mixer is made as the last one was.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use roomtone_schema::play::PlayEnd;
use tokio::sync::mpsc::UnboundedSender;

use super::{Command, Event, Snapshot, Track};
use crate::deck::{self, Form, Shared};
use crate::mix::{NOTHING_DB, Order, Reins, Render, Report, Slot, Standing};

/// A deck that has given nothing for so long will not play: the disk hangs, or the decoder does.
const STUCK_MS: i64 = 5_000;
/// A lost output is silence after this long, and then from its beginning.
const TOLERATED_MS: i64 = 2000;

/// A deck, as far as it is known outside of the mixer.
#[derive(Debug)]
struct Deck {
    track: Track,
    shared: Arc<Shared>,
    /// Where in the file it was opened.
    from: Duration,
    /// What was heard of this play on the decks before.
    heard_before: Duration,
    opened_ms: i64,
    /// It is on its way out: how it will have ended, and what of it was heard by then.
    leaving: Option<(PlayEnd, Duration)>,
}

/// One song that is to be put on a deck again, with where it is and what was heard of it.
#[derive(Debug, Clone)]
struct Held {
    track: Track,
    from: Duration,
    heard: Duration,
}

/// What a mixer is steered by.
#[derive(Debug)]
struct Connected {
    form: Form,
    latency: Duration,
    reins: Reins,
    /// Orders that found no room yet.
    waiting: VecDeque<Order>,
    decks: HashMap<u64, Deck>,
    now: Option<u64>,
    next: Option<u64>,
    urgent: Option<u64>,
}

/// While there is no output, what would be on the decks.
#[derive(Debug, Default)]
struct Shelf {
    now: Option<Held>,
    next: Option<Track>,
    urgent: Option<Track>,
}

/// The engine without its threads: commands in, events out, and a mixer to be pulled by somebody.
#[derive(Debug)]
pub(crate) struct Control {
    events: UnboundedSender<Event>,
    connected: Option<Connected>,
    shelf: Shelf,
    standing: Standing,
    serial: u64,
    threads: Vec<JoinHandle<()>>,
    trouble: Option<String>,
    lost_at_ms: Option<i64>,
    now_ms: i64,
    /// From mixers that are gone, and from the times between them.
    silence_before_ms: u64,
    underruns_before: u64,
}

impl Control {
    pub(crate) fn new(volume: f32, events: UnboundedSender<Event>) -> Self {
        Self {
            events,
            connected: None,
            shelf: Shelf::default(),
            standing: Standing { volume, paused: false, wanted: false },
            serial: 0,
            threads: Vec::new(),
            trouble: None,
            lost_at_ms: None,
            now_ms: 0,
            silence_before_ms: 0,
            underruns_before: 0,
        }
    }

    /// An output is there: makes the mixer that it is to pull.
    pub(crate) fn connect(&mut self, form: Form, latency: Duration, now_ms: i64) -> Render {
        self.put_on_the_shelf();
        self.now_ms = now_ms;
        let (render, reins) = Render::new(form, self.standing);
        self.connected = Some(Connected {
            form,
            latency,
            reins,
            waiting: VecDeque::new(),
            decks: HashMap::new(),
            now: None,
            next: None,
            urgent: None,
        });
        let kept = std::mem::take(&mut self.shelf);
        if let Some(held) = kept.now
            && let Some((serial, slot)) = self.open(held)
        {
            self.order(Order::Restore(slot), |connected| connected.now = Some(serial));
        }
        if let Some(track) = kept.urgent {
            self.play(track);
        }
        if let Some(track) = kept.next {
            self.next(Some(track));
        }
        if self.standing.paused {
            // Also where a song waits that was ordered before the pause.
            self.order(Order::Pause, |_| ());
        }
        self.step(now_ms);
        render
    }

    /// The output is gone, or could not be opened.
    pub(crate) fn disconnect(&mut self, why: String, now_ms: i64) {
        self.now_ms = now_ms;
        self.put_on_the_shelf();
        self.lost_at_ms.get_or_insert(now_ms);
        if self.trouble.as_ref() != Some(&why) {
            self.trouble = Some(why.clone());
            self.tell(Event::Output { trouble: Some(why) });
        }
    }

    /// Takes one command. Nothing of it waits for the output.
    pub(crate) fn obey(&mut self, command: Command) {
        match command {
            Command::Next(track) => self.next(track),
            Command::Play(track) => {
                (self.standing.wanted, self.standing.paused) = (true, false);
                self.play(track);
            }
            Command::Pause => {
                self.standing.paused = true;
                self.order(Order::Pause, |_| ());
            }
            Command::Resume => {
                self.standing.paused = false;
                self.order(Order::Resume, |_| ());
            }
            Command::Stop => self.stop(),
            Command::Volume(volume) => {
                self.standing.volume = if volume.is_finite() { volume.clamp(0.0, 1.0) } else { 0.0 };
                self.order(Order::Volume(self.standing.volume), |_| ());
            }
        }
    }

    /// Takes in what the mixer reports, sends it what found no room, and looks after decks that could not begin.
    pub(crate) fn step(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
        if self.connected.as_ref().is_some_and(|connected| connected.reins.face.look().pulse > 0) {
            self.plays_again();
        }
        while let Some(report) =
            self.connected.as_mut().and_then(|connected| connected.reins.reports.pop().ok())
        {
            self.hear(report);
        }
        self.bury_the_stillborn();
        if let Some(connected) = &mut self.connected {
            connected.push_waiting();
        }
        self.threads.retain(|thread| !thread.is_finished());
    }

    /// How everything stands; `output` names where the sound goes.
    pub(crate) fn snapshot(&self, output: &str) -> Snapshot {
        let look = self.connected.as_ref().map(|connected| connected.reins.face.look());
        let (play, position, heard) = match (&self.connected, &self.shelf.now) {
            (Some(connected), _) => connected.place(),
            (None, Some(held)) => (Some(held.track.play), held.from, held.heard),
            (None, None) => (None, Duration::ZERO, Duration::ZERO),
        };
        let lost_ms = self.lost_ms();
        Snapshot {
            play,
            position,
            heard,
            level_db: look.map_or(NOTHING_DB, |look| look.level_db),
            silence_ms: self.silence_before_ms + lost_ms + look.map_or(0, |look| look.silence_ms),
            silent_now: lost_ms > 0 || look.is_some_and(|look| look.silent_now),
            paused: self.standing.paused,
            output_trouble: self.trouble.clone(),
            output: output.to_owned(),
            underruns: self.underruns_before + look.map_or(0, |look| look.underruns),
            volume: self.standing.volume,
        }
    }

    /// An output that is open may still take its time; it is back when it takes samples.
    fn plays_again(&mut self) {
        self.silence_before_ms += self.lost_ms();
        self.lost_at_ms = None;
        if self.trouble.take().is_some() {
            self.tell(Event::Output { trouble: None });
        }
    }

    /// Silence since the output was lost, where something should be heard.
    fn lost_ms(&self) -> u64 {
        let lost = self.lost_at_ms.map_or(0, |at| self.now_ms - at);
        let silent = self.standing.wanted && !self.standing.paused && lost > TOLERATED_MS;
        if silent { lost.cast_unsigned() } else { 0 }
    }

    fn next(&mut self, track: Option<Track>) {
        let Some(connected) = &self.connected else {
            self.shelf.next = track;
            return;
        };
        if let Some(track) = &track
            && connected.track(connected.next) == Some(track)
        {
            return;
        }
        let opened = track.and_then(|track| self.open(Held::new(track)));
        let serial = opened.as_ref().map(|(serial, _)| *serial);
        let slot = opened.map(|(_, slot)| slot);
        self.order(Order::Next(slot), |connected| connected.next = serial);
    }

    fn play(&mut self, track: Track) {
        let Some(connected) = &self.connected else {
            self.shelf.urgent = Some(track);
            return;
        };
        if connected.track(connected.next) == Some(&track) {
            // Its deck is open and full: it only has to hurry.
            self.order(Order::Hurry, |connected| connected.urgent = connected.next.take());
        } else if let Some((serial, slot)) = self.open(Held::new(track)) {
            self.order(Order::Play(slot), |connected| connected.urgent = Some(serial));
        }
    }

    fn stop(&mut self) {
        (self.standing.wanted, self.standing.paused) = (false, false);
        let kept = std::mem::take(&mut self.shelf);
        if let Some(held) = kept.now {
            self.ended(&held.track, PlayEnd::Stopped, held.heard, None);
        }
        self.order(Order::Stop, |connected| (connected.next, connected.urgent) = (None, None));
    }

    /// Opens a deck; a track that no thread can be had for has failed.
    fn open(&mut self, held: Held) -> Option<(u64, Slot)> {
        let form = self.connected.as_ref()?.form;
        let Held { track, from, heard } = held;
        match deck::open(&track, from, form) {
            Ok(opened) => {
                self.serial += 1;
                let shared = Arc::clone(&opened.shared);
                let (slot, thread) = Slot::new(self.serial, &track, from, opened, form);
                self.threads.push(thread);
                let deck =
                    Deck { track, shared, from, heard_before: heard, opened_ms: self.now_ms, leaving: None };
                self.connected.as_mut()?.decks.insert(self.serial, deck);
                Some((self.serial, slot))
            }
            Err(error) => {
                self.ended(&track, PlayEnd::Failed, heard, Some(format!("it cannot be decoded: {error}")));
                None
            }
        }
    }

    /// Sends an order, in turn, and notes what it means for the decks. Without an output the shelf knows enough.
    fn order(&mut self, order: Order, note: impl FnOnce(&mut Connected)) {
        if let Some(connected) = &mut self.connected {
            note(connected);
            connected.waiting.push_back(order);
            connected.push_waiting();
        }
    }

    fn hear(&mut self, report: Report) {
        let Some(connected) = &mut self.connected else { return };
        match report {
            Report::Started(serial) => {
                connected.now = Some(serial);
                for place in [&mut connected.next, &mut connected.urgent] {
                    place.take_if(|known| *known == serial);
                }
                if let Some(deck) = connected.decks.get(&serial) {
                    let play = deck.track.play;
                    self.tell(Event::Started { play });
                }
            }
            Report::Leaving(serial, end, rendered) => {
                let heard = connected.time(rendered);
                if let Some(deck) = connected.decks.get_mut(&serial) {
                    deck.leaving = Some((end, deck.heard_before + heard));
                }
            }
            Report::Ended(slot, end) => {
                connected.now.take_if(|now| *now == slot.serial);
                let heard = connected.time(slot.rendered);
                let Some(deck) = connected.decks.remove(&slot.serial) else { return };
                let why = (end == PlayEnd::Failed).then(|| deck.why());
                self.ended(&deck.track, end, deck.heard_before + heard, why);
            }
            Report::Unused(slot) => {
                connected.decks.remove(&slot.serial);
            }
            Report::Dry => self.tell(Event::Dry),
        }
    }

    /// Lets the sound fade out and stay away, telling nobody: the engine is about to go. False where there is none.
    pub(crate) fn hush(&mut self) -> bool {
        let sounds = self.connected.as_ref().is_some_and(|connected| connected.now.is_some());
        self.order(Order::Pause, |_| ());
        sounds && !self.standing.paused
    }

    /// A deck that failed before its first sample will never play.
    fn bury_the_stillborn(&mut self) {
        let Some(connected) = &self.connected else { return };
        let is_dead =
            |serial: &u64| connected.decks.get(serial).is_some_and(|deck| deck.is_dead(self.now_ms));
        let coming = [connected.urgent, connected.next].into_iter().flatten();
        let dead: Vec<u64> = coming.filter(is_dead).collect();
        for serial in dead {
            let Some(connected) = &mut self.connected else { return };
            for place in [&mut connected.next, &mut connected.urgent] {
                place.take_if(|known| *known == serial);
            }
            let Some(deck) = connected.decks.remove(&serial) else { continue };
            self.ended(&deck.track, PlayEnd::Failed, Duration::ZERO, Some(deck.why()));
            self.order(Order::Forget(serial), |_| ());
        }
    }

    /// The mixer is gone, or about to be replaced: what it knew is kept here.
    fn put_on_the_shelf(&mut self) {
        self.step(self.now_ms);
        let Some(mut connected) = self.connected.take() else { return };
        let look = connected.reins.face.look();
        self.silence_before_ms += look.silence_ms;
        self.underruns_before += look.underruns;
        let (_, position, heard) = connected.place();
        // What had left the mixer, but not the output, is played again.
        let heard = heard.saturating_sub(connected.latency.min(connected.time(look.rendered)));
        let mut left: Vec<(u64, Deck)> = Vec::new();
        for (serial, deck) in connected.decks.drain() {
            if connected.now == Some(serial) && deck.leaving.is_none() {
                self.shelf.now = Some(Held { track: deck.track, from: position, heard });
            } else if connected.next == Some(serial) {
                self.shelf.next = Some(deck.track);
            } else if connected.urgent == Some(serial) {
                self.shelf.urgent = Some(deck.track);
            } else if deck.leaving.is_some() {
                left.push((serial, deck));
            }
        }
        left.sort_by_key(|(serial, _)| *serial);
        for (_, deck) in left {
            if let Some((end, heard)) = deck.leaving {
                let why = (end == PlayEnd::Failed).then(|| deck.why());
                self.ended(&deck.track, end, heard, why);
            }
        }
        // A `Stop` that the mixer has not obeyed any more.
        if !self.standing.wanted
            && let Some(held) = self.shelf.now.take()
        {
            self.ended(&held.track, PlayEnd::Stopped, held.heard, None);
        }
    }

    fn ended(&self, track: &Track, end: PlayEnd, heard: Duration, why: Option<String>) {
        self.tell(Event::Ended { play: track.play, end, heard, why });
    }

    /// Nobody listens any more only where the player itself is going.
    fn tell(&self, event: Event) {
        self.events.send(event).ok();
    }
}

impl Held {
    fn new(track: Track) -> Self {
        let from = track.from;
        Self { track, from, heard: Duration::ZERO }
    }
}

impl Deck {
    fn is_dead(&self, now_ms: i64) -> bool {
        self.shared.is_stillborn() || (self.shared.has_given_nothing() && now_ms - self.opened_ms > STUCK_MS)
    }

    fn why(&self) -> String {
        self.shared.why().unwrap_or_else(|| "nothing more came of the file for two seconds".into())
    }
}

impl Connected {
    fn push_waiting(&mut self) {
        while self.reins.orders.slots() > 0
            && let Some(order) = self.waiting.pop_front()
        {
            self.reins.orders.push(order).ok();
        }
    }

    fn track(&self, serial: Option<u64>) -> Option<&Track> {
        Some(&self.decks.get(&serial?)?.track)
    }

    fn time(&self, frames: u64) -> Duration {
        Duration::from_secs_f64(frames as f64 / f64::from(self.form.rate))
    }

    /// What plays, where in its file it is, and what was heard of it.
    fn place(&self) -> (Option<roomtone_schema::PlayId>, Duration, Duration) {
        let look = self.reins.face.look();
        let Some(deck) = self.now.and_then(|now| self.decks.get(&now)) else {
            return (None, Duration::ZERO, Duration::ZERO);
        };
        // The mixer may be a song further than its reports that were read.
        let rendered = if self.now == Some(look.serial) { self.time(look.rendered) } else { Duration::ZERO };
        let position =
            (deck.from + rendered.saturating_sub(self.latency)).min(deck.track.cue_out.max(deck.from));
        (Some(deck.track.play), position, deck.heard_before + rendered)
    }
}
