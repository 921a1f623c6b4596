//! How many connections each address has.
//!
//! An address is what the other end says it is: whoever takes several counts several times.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Everybody's connections; nothing is counted where there is no bound.
#[derive(Debug)]
pub(super) struct Sources {
    most: Option<usize>,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection of an address; counted until it is dropped.
#[derive(Debug)]
pub(super) struct Source {
    sources: Arc<Sources>,
    address: IpAddr,
}

/// An address has as many as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its address has {0} connections already")]
pub(super) struct TooMany(usize);

impl Sources {
    pub(super) fn new(most: Option<usize>) -> Self {
        Self { most, open: Mutex::default() }
    }

    /// Counts one more of this address.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Option<Source>, TooMany> {
        let Some(most) = self.most else { return Ok(None) };
        let address = address.to_canonical();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.get(&address).copied().unwrap_or_default();
        if own >= most {
            return Err(TooMany(own));
        }
        open.insert(address, own + 1);
        drop(open);
        Ok(Some(Source { sources: Arc::clone(self), address }))
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let mut open = self.sources.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut own) = open.entry(self.address) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_counts_in_both_ways_to_write_it_and_for_as_long_as_it_is_here() {
        let sources = Arc::new(Sources::new(Some(2)));
        let (one, mapped) = ("192.0.2.1".parse().unwrap(), "::ffff:192.0.2.1".parse().unwrap());
        let first = sources.enter(one).unwrap();
        let _second = sources.enter(mapped).unwrap();
        assert_eq!(sources.enter(one).unwrap_err(), TooMany(2));
        let other = sources.enter("192.0.2.2".parse().unwrap()).unwrap();
        drop((first, other));
        let _third = sources.enter(one).unwrap();
        assert_eq!(sources.open.lock().unwrap().len(), 1, "who has left is forgotten");
    }

    #[test]
    fn without_a_bound_nothing_is_counted() {
        let sources = Arc::new(Sources::new(None));
        assert!(sources.enter("192.0.2.1".parse().unwrap()).unwrap().is_none());
    }
}
