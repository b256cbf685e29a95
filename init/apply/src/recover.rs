use crate::change::{FileChange, ReceiptId};
use crate::commit::finish;
use crate::digest::Digest;
use crate::error::ApplyError;
use crate::lock::Lock;
use crate::observe::observe;
use crate::order::Staging;
use crate::place::Places;
use crate::progress::Progress;
use crate::receipt::{Journal, Receipt};
use crate::run::{forward, run};
use crate::sequence::{Sequence, Way};
use crate::store::{JOURNAL, RECEIPT, Store, UNDO};
use crate::undo::back;

/// What became of something that was begun and not ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Recovered {
    /// The apply had switched something, and is done now.
    Applied(Receipt),
    /// The apply had switched nothing, and left nothing.
    NotApplied,
    /// The undo had switched something, and is done now.
    Undone,
    /// The undo had switched nothing; the change is still there, and its receipt.
    NotUndone,
}

/// Changes that were begun and not ended.
pub fn unfinished(places: &Places) -> Result<Vec<ReceiptId>, ApplyError> {
    let root = places.root()?;
    let mut unfinished = Vec::new();
    for id in Store::all(root)? {
        let store = Store::new(root, &id);
        if store.has(UNDO)? || store.has(JOURNAL)? || !store.has(RECEIPT)? {
            unfinished.push(id);
        }
    }
    Ok(unfinished)
}

/// Ends what a power cut, a crash or an error left: forward if anything that is read was switched already, else
/// back. Either way what is read is then wholly old or wholly new, on all places and not only for each loader.
pub fn recover(
    places: &Places,
    progress: &mut Progress<'_>,
) -> Result<Vec<(ReceiptId, Recovered)>, ApplyError> {
    let _lock = Lock::take(places)?;
    let mut ended = Vec::new();
    for id in unfinished(places)? {
        let store = Store::new(places.root()?, &id);
        let recovered = if store.has(UNDO)? {
            undoing(places, &store, progress)
        } else if store.has(JOURNAL)? {
            applying(places, &store, progress)
        } else {
            // It went no further than copying.
            let made = [crate::store::FOLDER.to_owned()];
            store
                .remove_all(JOURNAL, JOURNAL, &made)
                .map(|()| Recovered::NotApplied)
        };
        ended.push((id, recovered?));
    }
    Ok(ended)
}

fn applying(
    places: &Places,
    store: &Store<'_>,
    progress: &mut Progress<'_>,
) -> Result<Recovered, ApplyError> {
    let journal: Journal = store.read(JOURNAL)?;
    if store.has(RECEIPT)? {
        return finish(store, journal).map(Recovered::Applied);
    }
    let text = |_: &FileChange, digest: &Digest| store.text(digest);
    let sequence = Sequence::new(journal.set.clone(), Way::There, &text)?;
    let seen = observe(places, &sequence)?;
    if sequence.is_begun(&seen) {
        let done = forward(
            places,
            &sequence,
            &seen,
            Staging::UnitByUnit,
            store,
            progress,
        );
        if let Ok(()) | Err(ApplyError::NotVerified(_)) = done {
            let receipt = finish(store, journal)?;
            return done.map(|()| Recovered::Applied(receipt));
        }
        done?;
    }
    run(places, &sequence.give_up(&seen), store, progress)?;
    store.remove_all(JOURNAL, JOURNAL, &journal.made)?;
    Ok(Recovered::NotApplied)
}

fn undoing(
    places: &Places,
    store: &Store<'_>,
    progress: &mut Progress<'_>,
) -> Result<Recovered, ApplyError> {
    let journal: Journal = store.read(UNDO)?;
    // The receipt goes first when all else is done.
    if store.has(RECEIPT)? {
        let sequence = back(store, &store.read(RECEIPT)?)?;
        let seen = observe(places, &sequence)?;
        if !sequence.is_begun(&seen) {
            run(places, &sequence.give_up(&seen), store, progress)?;
            store.remove(UNDO)?;
            return Ok(Recovered::NotUndone);
        }
        forward(
            places,
            &sequence,
            &seen,
            Staging::UnitByUnit,
            store,
            progress,
        )?;
    }
    store.remove_all(RECEIPT, UNDO, &journal.made)?;
    Ok(Recovered::Undone)
}
