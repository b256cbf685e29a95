//! Doing the acts, and what follows when one of them fails.

use std::ops::ControlFlow;

use crate::act::Act;
use crate::begun::take_as_ours;
use crate::change::PlaceId;
use crate::contents::Contents;
use crate::difference::Difference;
use crate::error::ApplyError;
use crate::observe::observe;
use crate::observed::Observed;
use crate::order::Staging;
use crate::perform::perform;
use crate::place::Places;
use crate::progress::{Event, Progress};
use crate::room::{needed, taken};
use crate::sequence::Sequence;
use crate::store::{FOLDER, Room, Store};

/// What a room check leaves for whoever else writes.
const MARGIN: u64 = 1 << 20;

/// How new boot files are staged: all first where there is room. Fails where a place cannot be written to, or has
/// too little room for even one unit after the other and, where receipts are kept, for this much more.
pub(crate) fn choose_staging(
    places: &Places,
    sequence: &Sequence,
    seen: &Observed,
    copies: u64,
) -> Result<Staging, ApplyError> {
    let acts = |staging| sequence.order(seen, staging).map_err(ApplyError::Changed);
    let ample = check_room(places, sequence, &acts(Staging::AllFirst)?, copies);
    if let Err(ApplyError::NoRoom { .. }) = ample {
        check_room(places, sequence, &acts(Staging::UnitByUnit)?, copies)?;
        return Ok(Staging::UnitByUnit);
    }
    ample.map(|()| Staging::AllFirst)
}

/// Fails where a place cannot be written to, or has too little room for these acts and, where receipts are kept, for
/// this much more.
fn check_room(
    places: &Places,
    sequence: &Sequence,
    acts: &[Act],
    copies: u64,
) -> Result<(), ApplyError> {
    let mut needed = needed(&sequence.set, acts);
    let on_root = needed.entry(PlaceId::root()).or_default();
    match Store::room(places.root()?)? {
        Room::Roots => *on_root += copies,
        Room::Own(free) => enough(PlaceId::FileSystem(FOLDER.to_owned()), copies, free)?,
    }
    for (place, needed) in needed {
        let free = places.get(&place)?.free(&place)?;
        enough(place, needed, free)?;
    }
    Ok(())
}

fn enough(place: PlaceId, needed: u64, free: Option<u64>) -> Result<(), ApplyError> {
    let needed = needed.saturating_add(MARGIN);
    match free {
        None => Err(ApplyError::ReadOnly { place }),
        Some(free) if free < needed => Err(ApplyError::NoRoom {
            place,
            needed,
            free,
        }),
        Some(_) => Ok(()),
    }
}

/// What copies of all contents of a sequence take.
pub(crate) fn copies(sequence: &Sequence) -> u64 {
    let states = sequence
        .set
        .files
        .iter()
        .flat_map(|file| [file.before, file.between, file.after]);
    let mut sizes: Vec<_> = states
        .flatten()
        .map(|state| (state.digest, state.size))
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes.into_iter().map(|(_, size)| taken(size)).sum()
}

/// Does all acts that lead from what was seen to what is wanted.
pub(crate) fn forward(
    places: &Places,
    sequence: &Sequence,
    seen: &Observed,
    staging: Staging,
    contents: &dyn Contents,
    progress: &mut Progress<'_>,
) -> Result<(), ApplyError> {
    let acts = sequence.order(seen, staging).map_err(ApplyError::Changed)?;
    run(places, &acts, contents, progress)?;
    let _ = progress(Event::Verifying);
    let wrong = observe(places, sequence)?.from_after(&sequence.set);
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(ApplyError::NotVerified(wrong))
    }
}

/// Does these acts, one after the other.
pub(crate) fn run(
    places: &Places,
    acts: &[Act],
    contents: &dyn Contents,
    progress: &mut Progress<'_>,
) -> Result<(), ApplyError> {
    let total = acts.iter().map(Act::bytes).sum();
    let mut written = 0;
    for (number, act) in acts.iter().enumerate() {
        let of = acts.len();
        if let ControlFlow::Break(()) = progress(Event::Doing { act, number, of }) {
            return Err(ApplyError::Stopped);
        }
        perform(places, act, contents, &mut |bytes| {
            written += bytes;
            let _ = progress(Event::Written {
                done: written,
                of: total,
            });
        })?;
    }
    Ok(())
}

/// After a failure: takes back what was staged if nothing was switched, and says which of the two it is.
pub(crate) fn after_failure(
    places: &Places,
    sequence: &Sequence,
    overwritten: &[Difference],
    store: &Store<'_>,
    cause: ApplyError,
    clean: impl Fn() -> Result<(), ApplyError>,
) -> ApplyError {
    let tidy = || {
        let mut seen = observe(places, sequence)?;
        take_as_ours(sequence, overwritten, &mut seen);
        if sequence.is_begun(&seen) {
            return Ok(false);
        }
        let acts = sequence.give_up(&seen);
        run(places, &acts, store, &mut crate::progress::unwatched)?;
        clean()?;
        Ok::<bool, ApplyError>(true)
    };
    // The kernel tells a write error once more to whoever syncs next.
    match tidy().or_else(|_| tidy()) {
        Ok(true) => ApplyError::GivenUp(Box::new(cause)),
        Ok(false) => ApplyError::NotEnded {
            cause: Box::new(cause),
            tidying: None,
        },
        Err(error) => ApplyError::NotEnded {
            cause: Box::new(cause),
            tidying: Some(Box::new(error)),
        },
    }
}
