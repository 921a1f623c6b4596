//! Which hubs have announced themselves: a bounded table, and decisions without a network.

use std::net::SocketAddr;

use roomtone_schema::{HubId, VenueId};

use super::Advert;

/// Announcements that are remembered. A street of cafés has a handful; a flood has as many as it likes.
const MOST_HUBS: usize = 64;

/// Announcements of one id: a renamed hub has two for a while, an impostor adds its own.
const MOST_OF_ONE_ID: usize = 8;

/// The hubs that have announced themselves, as far as the network can be believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hubs {
    /// In the order of their first announcement.
    seen: Vec<SeenHub>,
    /// The hub for which there is always a place.
    own: Option<HubId>,
}

/// A hub that has announced itself.
pub type SeenHub = Advert;

impl Hubs {
    /// An empty table with a place for `own`.
    pub fn keeping(own: Option<HubId>) -> Self {
        Self { seen: Vec::new(), own }
    }

    /// Where players of this hub call.
    ///
    /// Several announcements may name one id (a renamed hub, an impostor): all their addresses are given, the first of
    /// each before the second of any, so that nobody's list hides another's. The key tells which is which.
    pub fn of(&self, hub: HubId) -> Vec<SocketAddr> {
        let lists: Vec<Vec<SocketAddr>> =
            self.seen.iter().filter(|seen| seen.hub == hub).map(SeenHub::for_players).collect();
        let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
        let mut places = Vec::new();
        for place in (0..longest).flat_map(|nth| lists.iter().filter_map(move |list| list.get(nth))) {
            if !places.contains(place) {
                places.push(*place);
            }
        }
        places
    }

    /// Hubs that are not of this venue.
    pub fn foreign(&self, venue: VenueId) -> Vec<&SeenHub> {
        self.seen.iter().filter(|seen| seen.venue != Some(venue)).collect()
    }

    /// Where a player that is not paired yet may ask: every hub that takes players.
    pub fn for_pairing(&self) -> Vec<SocketAddr> {
        self.seen.iter().flat_map(SeenHub::for_players).collect()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &SeenHub> {
        self.seen.iter()
    }

    /// How many announcements are remembered.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether nobody has been seen.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Keeps the place for another hub. Whether that changed anything that is told.
    pub(super) fn keep(&mut self, own: Option<HubId>) -> bool {
        let changed = self.own != own;
        self.own = own;
        changed
    }

    /// Takes an announcement in; whether it said anything new. Where there is no place, it is as if it had never come.
    pub(super) fn seen(&mut self, advert: Advert) -> bool {
        if let Some(known) = self.seen.iter_mut().find(|known| known.full_name == advert.full_name) {
            let changed = *known != advert;
            *known = advert;
            return changed;
        }
        let of_its_id = self.seen.iter().filter(|known| known.hub == advert.hub).count();
        if MOST_OF_ONE_ID <= of_its_id {
            return false;
        }
        if MOST_HUBS <= self.seen.len() {
            // Only our own hub may push a stranger out: the last one that came.
            let stranger = self.seen.iter().rposition(|known| Some(known.hub) != self.own);
            match stranger.filter(|_| self.own == Some(advert.hub)) {
                Some(at) => drop(self.seen.remove(at)),
                None => return false,
            }
        }
        self.seen.push(advert);
        true
    }

    /// Takes a goodbye in; whether anybody went.
    pub(super) fn gone(&mut self, full_name: &str) -> bool {
        let before = self.seen.len();
        self.seen.retain(|seen| seen.full_name != full_name);
        before != self.seen.len()
    }

    /// Forgets everybody; whether there was anybody.
    pub(super) fn forget(&mut self) -> bool {
        !std::mem::take(&mut self.seen).is_empty()
    }
}

impl SeenHub {
    /// Where players call this hub; nothing where it takes none.
    pub fn for_players(&self) -> Vec<SocketAddr> {
        let at = |mut address: SocketAddr, port| {
            address.set_port(port);
            address
        };
        self.tls.map_or_else(Vec::new, |port| self.addresses.iter().map(|place| at(*place, port)).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn hub(n: u128) -> HubId {
        HubId(Uuid::from_u128(n))
    }

    fn advert(name: &str, id: u128, address: &str) -> Advert {
        Advert {
            full_name: format!("{name}._roomtone._tcp.local."),
            name: name.to_owned(),
            hub: hub(id),
            venue: Some(VenueId(Uuid::from_u128(id))),
            tls: Some(4701),
            addresses: vec![address.parse().unwrap()],
        }
    }

    fn places(hubs: &Hubs, id: u128) -> Vec<String> {
        hubs.of(hub(id)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_hub_that_moves_is_where_it_said_last_and_told_once() {
        let mut hubs = Hubs::keeping(None);
        assert!(hubs.seen(advert("bar", 1, "192.0.2.1:4700")));
        assert!(!hubs.seen(advert("bar", 1, "192.0.2.1:4700")), "the same again is no news");
        assert!(hubs.seen(advert("bar", 1, "192.0.2.9:4700")));
        assert_eq!(places(&hubs, 1), ["192.0.2.9:4701"]);
        assert!(hubs.gone("bar._roomtone._tcp.local."));
        assert!(!hubs.gone("bar._roomtone._tcp.local."));
        assert!(hubs.is_empty());
    }

    #[test]
    fn hubs_of_one_name_are_told_apart_by_id_and_a_renamed_one_stays_itself() {
        let mut hubs = Hubs::keeping(None);
        hubs.seen(advert("bar", 1, "192.0.2.1:4700"));
        hubs.seen(advert("bar (2)", 2, "192.0.2.2:4700"));
        hubs.seen(advert("bistro", 1, "192.0.2.1:4700"));
        assert_eq!(places(&hubs, 1), ["192.0.2.1:4701"]);
        assert_eq!(places(&hubs, 2), ["192.0.2.2:4701"]);
        let foreign = hubs.foreign(VenueId(Uuid::from_u128(1)));
        assert_eq!(foreign.iter().map(|seen| seen.name.as_str()).collect::<Vec<_>>(), ["bar (2)"]);
    }

    #[test]
    fn an_impostor_adds_its_address_and_cannot_take_the_hubs_away() {
        let mut hubs = Hubs::keeping(Some(hub(1)));
        hubs.seen(advert("bar", 1, "192.0.2.1:4700"));
        for n in 0..100 {
            hubs.seen(advert(&format!("rogue {n}"), 1, &format!("198.51.100.{n}:4700")));
        }
        assert!(places(&hubs, 1).contains(&"192.0.2.1:4701".to_owned()));
        assert_eq!(hubs.len(), MOST_OF_ONE_ID);
    }

    #[test]
    fn a_long_list_of_an_impostor_hides_nobody() {
        let mut hubs = Hubs::keeping(Some(hub(1)));
        let many = (1..=16).map(|n| format!("198.51.100.{n}:4700").parse().unwrap()).collect();
        hubs.seen(Advert { addresses: many, ..advert("rogue", 1, "198.51.100.1:4700") });
        hubs.seen(advert("bar", 1, "192.0.2.1:4700"));
        assert_eq!(places(&hubs, 1)[1], "192.0.2.1:4701");
    }

    #[test]
    fn the_own_hub_has_a_place_after_any_flood() {
        let mut hubs = Hubs::keeping(Some(hub(1)));
        for n in 2..10_000 {
            hubs.seen(advert(&format!("flood {n}"), n, "198.51.100.1:4700"));
        }
        assert_eq!(hubs.len(), MOST_HUBS);
        assert!(hubs.seen(advert("bar", 1, "192.0.2.1:4700")));
        assert_eq!((hubs.len(), places(&hubs, 1).len()), (MOST_HUBS, 1));
    }

    #[test]
    fn a_hub_without_a_port_for_players_is_seen_and_not_called() {
        let mut hubs = Hubs::keeping(None);
        hubs.seen(Advert { tls: None, ..advert("old", 1, "192.0.2.1:4700") });
        assert_eq!((hubs.len(), hubs.of(hub(1)).len(), hubs.for_pairing().len()), (1, 0, 0));
    }

    proptest! {
        #[test]
        fn the_table_never_grows_and_never_loses_the_own_hub(
            steps in prop::collection::vec((0..200_u128, 0..300_u32, any::<bool>()), 0..600)
        ) {
            let mut hubs = Hubs::keeping(Some(hub(7)));
            hubs.seen(advert("own", 7, "192.0.2.1:4700"));
            for (id, name, goodbye) in steps {
                let name = format!("n{name}");
                if goodbye {
                    hubs.gone(&format!("{name}._roomtone._tcp.local."));
                } else {
                    hubs.seen(advert(&name, id, "198.51.100.1:4700"));
                }
                prop_assert!(hubs.len() <= MOST_HUBS);
                prop_assert!(places(&hubs, 7).contains(&"192.0.2.1:4701".to_owned()));
            }
        }
    }
}
