use crate::change::{FileChange, ReceiptId};
use crate::digest::Digest;
use crate::error::ApplyError;
use crate::lock::Lock;
use crate::observe::observe;
use crate::observed::{Observed, Seen};
use crate::place::Places;
use crate::progress::Progress;
use crate::receipt::{Journal, Receipt};
use crate::recover::unfinished;
use crate::run::{after_failure, choose_staging, forward};
use crate::sequence::{Sequence, Way};
use crate::store::{RECEIPT, Store, UNDO};

/// What an undo does with files that changed since the apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// It refuses, and says which.
    Refuse,
    /// It puts the old files in their place: a person has seen which ones.
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
    if !store.has(RECEIPT)? {
        return Err(ApplyError::NoReceipt(id.to_string()));
    }
    let receipt: Receipt = store.read(RECEIPT)?;
    let sequence = back(&store, &receipt)?;
    let mut seen = observe(places, &sequence)?;
    if !seen.from_after(&sequence.set).is_empty() {
        let changed = seen.from_before(&sequence.set);
        match since {
            Since::Refuse if !changed.is_empty() => return Err(ApplyError::Changed(changed)),
            Since::Refuse => {}
            Since::Overwrite => take_as_ours(&sequence, &mut seen),
        }
        let staging = choose_staging(places, &sequence, &seen, 0)?;
        let journal = Journal::new(receipt.set.clone(), receipt.made.clone());
        let done = store
            .write(UNDO, &journal)
            .and_then(|()| forward(places, &sequence, &seen, staging, &store, progress));
        if let Err(cause) = done {
            let clean = || store.remove(UNDO);
            return Err(after_failure(places, &sequence, &store, cause, clean));
        }
    }
    store.remove_all(RECEIPT, UNDO, &receipt.made)
}

/// The sequence of the way back.
pub(crate) fn back(store: &Store<'_>, receipt: &Receipt) -> Result<Sequence, ApplyError> {
    let text = |_: &FileChange, digest: &Digest| store.text(digest);
    Ok(Sequence::new(receipt.set.inverse(), Way::Back, &text)?)
}

/// Takes files that are neither old nor new for those that the apply left.
fn take_as_ours(sequence: &Sequence, seen: &mut Observed) {
    for (file, seen) in sequence.set.files.iter().zip(&mut seen.files) {
        let known = seen.is(file.before.as_ref()) || seen.is(file.after.as_ref());
        if let (false, Some(before)) = (known || *seen == Seen::Absent, file.before) {
            *seen = Seen::File(before);
        }
    }
}
