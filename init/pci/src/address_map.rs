use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::LazyLock;

use crate::Address;

/// Values by function. Large machines are asked for functions hundreds of thousands of times: an address is
/// found in it at once, whatever the machine's size. It has no order.
pub type AddressMap<V> = HashMap<Address, V, AddressHash>;

/// What an [`AddressMap`] hashes with: two multiplications, with a secret of the process, so that nobody can
/// write a listing whose addresses all meet.
#[derive(Clone, Copy, Debug)]
pub struct AddressHash(u64);

static SECRET: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));

/// Any odd number of about as many ones as zeros.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Default for AddressHash {
    fn default() -> Self {
        Self(*SECRET)
    }
}

impl BuildHasher for AddressHash {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(self.0)
    }
}

/// The hash so far.
#[derive(Clone, Copy, Debug)]
pub struct Folded(u64);

impl Hasher for Folded {
    #[inline]
    fn write_u64(&mut self, number: u64) {
        let product = (self.0 ^ number).wrapping_mul(FACTOR);
        self.0 = (product ^ (product >> 32)).wrapping_mul(FACTOR);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

impl Hash for Address {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.key());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn every_address() -> impl Iterator<Item = Address> {
        (0..=u16::MAX).map(|number| {
            let [bus, rest] = number.to_be_bytes();
            Address {
                domain: u32::from(bus & 1),
                bus,
                device: rest >> 3,
                function: rest & 7,
            }
        })
    }

    #[test]
    fn each_function_has_a_value_of_its_own() {
        let map: AddressMap<String> = every_address().map(|at| (at, at.to_string())).collect();
        assert_eq!(map.len(), 1 << 16);
        assert!(every_address().all(|at| map[&at] == at.to_string()));
    }

    #[test]
    fn addresses_do_not_meet() {
        let hash = AddressHash::default();
        let seen: BTreeSet<u64> = every_address().map(|at| hash.hash_one(at)).collect();
        assert_eq!(seen.len(), 1 << 16);
        // The low bits choose the place in the map.
        let places: BTreeSet<u64> = seen.iter().map(|hash| hash & 0xffff).collect();
        assert!(places.len() > 1 << 15, "{} places", places.len());
    }
}
