use std::collections::BTreeSet;

use serde::Deserialize;

use crate::begun::Begun;
use crate::change::{ChangeSet, PlaceId, ReceiptId};
use crate::difference::Difference;
use crate::digest::Digest;
use crate::error::ApplyError;
use crate::living::Instead;
use crate::lock::Lock;
use crate::place::Places;
use crate::progress::Progress;
use crate::receipt::{Journal, Receipt};
use crate::recover::unfinished;
use crate::run::{after_failure, choose_staging, forward};
use crate::store::{JOURNAL, RECEIPT, Store, UNDO};

/// What is done with files that changed since the apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// It is refused, and said which.
    Refuse,
    /// They are overwritten: a person has seen which ones.
    Overwrite,
}

/// The receipts on a root, by their names' order; what cannot be read as one is passed over with its reason.
pub fn receipts(places: &Places) -> Result<Vec<Result<Receipt, ApplyError>>, ApplyError> {
    let root = places.root()?;
    let mut receipts = Vec::new();
    for id in Store::all(root)? {
        let store = Store::new(root, &id);
        if store.has(RECEIPT)? {
            receipts.push(store.read(RECEIPT));
        }
    }
    Ok(receipts)
}

/// The places of all changes that were made or begun. What cannot be read is told by who needs it.
pub fn named_places(places: &Places) -> Result<BTreeSet<PlaceId>, ApplyError> {
    #[derive(Deserialize)]
    struct Document {
        set: ChangeSet,
    }
    let root = places.root()?;
    let mut named = BTreeSet::new();
    for id in Store::all(root)? {
        for name in [RECEIPT, JOURNAL, UNDO] {
            let document: Result<Document, ApplyError> = Store::new(root, &id).read(name);
            named.extend(document.map(|own| own.set.places()).unwrap_or_default());
        }
    }
    Ok(named)
}

/// The text of a boot menu or a loader entry that a change has kept.
pub fn kept_text(places: &Places, id: &ReceiptId, digest: &Digest) -> Option<Vec<u8>> {
    Store::new(places.root().ok()?, id).text(digest)
}

/// What an undo would meet.
#[derive(Clone, Debug)]
pub struct Ahead {
    /// Files of the change that are not as it left them: what an undo refuses, or overwrites.
    pub changed: Vec<Difference>,
    /// What becomes of files that others have written to.
    pub instead: Option<Instead>,
}

/// What an undo of this change would meet. Nothing is written.
pub fn ahead(places: &Places, id: &ReceiptId) -> Result<Ahead, ApplyError> {
    let store = Store::new(places.root()?, id);
    let begun = at_its_end(places, &store, id)?;
    Ok(Ahead {
        changed: changed(&begun),
        instead: begun.instead,
    })
}

/// Files of an applied change that are not as it left them.
pub fn changed_since(places: &Places, id: &ReceiptId) -> Result<Vec<Difference>, ApplyError> {
    Ok(ahead(places, id)?.changed)
}

/// An applied change, on its way back and no step gone.
fn at_its_end(places: &Places, store: &Store<'_>, id: &ReceiptId) -> Result<Begun, ApplyError> {
    if !store.has(RECEIPT)? {
        return Err(ApplyError::NoReceipt(id.to_string()));
    }
    let receipt: Receipt = store.read(RECEIPT)?;
    Begun::new(places, store, UNDO, Journal::new(receipt.set, receipt.made))
}

fn changed(begun: &Begun) -> Vec<Difference> {
    let set = &begun.sequence.set;
    if begun.seen.from_after(set).is_empty() {
        return Vec::new();
    }
    begun.seen.from_before(set)
}

/// Takes a change back: bytes, modes, owners and times are as before, what was added goes, and at the end the
/// folder with the receipt. As safe against power cuts as the apply was.
pub fn undo(
    places: &Places,
    id: &ReceiptId,
    since: Since,
    progress: &mut Progress<'_>,
) -> Result<(), ApplyError> {
    let _lock = Lock::take(places)?;
    if let Some(id) = unfinished(places)?.into_iter().next() {
        return Err(ApplyError::Unfinished(id));
    }
    let store = Store::new(places.root()?, id);
    let mut begun = at_its_end(places, &store, id)?;
    begun.may_go(since, &changed(&begun))?;
    if !begun.seen.from_after(&begun.sequence.set).is_empty() {
        let changed = changed(&begun);
        if since == Since::Refuse && !changed.is_empty() {
            return Err(ApplyError::Changed(changed));
        }
        begun.let_go(changed);
        let staging = choose_staging(places, &begun.sequence, &begun.seen, begun.copies())?;
        let kept = begun.keep(places, &store);
        let written = kept.and_then(|()| store.write(UNDO, &begun.journal));
        let done = written.and_then(|()| {
            forward(
                places,
                &begun.sequence,
                &begun.seen,
                staging,
                &store,
                progress,
            )
        });
        if let Err(cause) = done {
            let clean = || store.remove(UNDO);
            let overwritten = &begun.journal.overwritten;
            return Err(after_failure(
                places,
                &begun.sequence,
                overwritten,
                &store,
                cause,
                clean,
            ));
        }
    }
    store.remove_all(RECEIPT, UNDO, &begun.journal.made)
}
