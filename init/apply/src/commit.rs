use std::io::Read;

use crate::change::{ChangeSet, FileChange};
use crate::contents::Contents;
use crate::digest::Digest;
use crate::error::ApplyError;
use crate::lock::Lock;
use crate::observe::observe_set;
use crate::place::Places;
use crate::progress::{Event, Progress};
use crate::receipt::{Journal, Receipt};
use crate::recover::unfinished;
use crate::run::{after_failure, choose_staging, copies, forward};
use crate::sequence::{Sequence, Way};
use crate::store::{JOURNAL, RECEIPT, Store};

/// How an apply ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Applied {
    /// Everything is changed, and was read again.
    Done(Receipt),
    /// Everything was so already.
    Nothing,
}

/// Changes the files of a change set. First everything is checked, then all contents, old and new, are copied to
/// the root; then the acts of [`Sequence::order`] follow, and everything is read again. A failure leaves the old
/// system ([`ApplyError::GivenUp`], or an error that says that nothing was changed) or something for
/// [`crate::recover()`] to end ([`ApplyError::NotEnded`]).
pub fn apply(
    places: &Places,
    set: ChangeSet,
    contents: &dyn Contents,
    progress: &mut Progress<'_>,
) -> Result<Applied, ApplyError> {
    let root = places.root()?;
    let _lock = Lock::take(places)?;
    if let Some(id) = unfinished(places)?.into_iter().next() {
        return Err(ApplyError::Unfinished(id));
    }
    let seen = observe_set(places, &set)?;
    if seen.from_after(&set).is_empty() {
        return Ok(Applied::Nothing);
    }
    let changed = seen.from_before(&set);
    if !changed.is_empty() {
        return Err(ApplyError::Changed(changed));
    }
    let text = |file: &FileChange, digest: &Digest| text(places, contents, file, digest);
    let sequence = Sequence::new(set, Way::There, &text)?;
    let staging = choose_staging(places, &sequence, &seen, copies(&sequence))?;
    let store = Store::new(root, &sequence.set.id);
    let made = store.make()?;
    let journal = Journal::new(sequence.set.clone(), made.clone());
    let clean = || store.remove_all(JOURNAL, JOURNAL, &made);
    let done = save(places, &sequence, contents, &store, progress)
        .and_then(|()| store.write(JOURNAL, &journal))
        .and_then(|()| forward(places, &sequence, &seen, staging, &store, progress));
    match done {
        Ok(()) => finish(&store, journal).map(Applied::Done),
        // The receipt is what an undo needs.
        Err(wrong @ ApplyError::NotVerified(_)) => finish(&store, journal).and(Err(wrong)),
        Err(cause) => Err(after_failure(places, &sequence, &[], &store, cause, clean)),
    }
}

/// The receipt takes the journal's place.
pub(crate) fn finish(store: &Store<'_>, journal: Journal) -> Result<Receipt, ApplyError> {
    let receipt = journal.receipt();
    store.write(RECEIPT, &receipt)?;
    store.forget_new(&receipt.set.files)?;
    store.remove(JOURNAL)?;
    Ok(receipt)
}

fn text(
    places: &Places,
    contents: &dyn Contents,
    file: &FileChange,
    digest: &Digest,
) -> Option<Vec<u8>> {
    /// grub.cfg of a host with very many kernels is some hundred kilobytes.
    const LARGEST: u64 = 16 << 20;
    let mut bytes = Vec::new();
    if let Ok(input) = contents.open(digest)
        && input.take(LARGEST).read_to_end(&mut bytes).is_ok()
        && Digest::of(&bytes) == *digest
    {
        return Some(bytes);
    }
    let root = places.own(&file.place).ok()?.root;
    let bytes = root.read(&file.path, LARGEST).ok()?;
    (Digest::of(&bytes) == *digest).then_some(bytes)
}

/// Copies all contents to the root: from there, going on and going back both work after any power cut.
fn save(
    places: &Places,
    sequence: &Sequence,
    contents: &dyn Contents,
    store: &Store<'_>,
    progress: &mut Progress<'_>,
) -> Result<(), ApplyError> {
    let files = || sequence.set.files.iter();
    let old = files().filter_map(|file| file.before);
    let new = files()
        .flat_map(|file| [file.between, file.after])
        .flatten();
    let of = old.chain(new).map(|state| state.size).sum();
    let mut done = 0;
    let mut wrote = |bytes| {
        done += bytes;
        let _ = progress(Event::Saving { done, of });
    };
    for file in files() {
        if let Some(before) = file.before {
            let root = places.own(&file.place)?.root;
            let mut input = root.file(&file.path)?;
            store.keep(&before.digest, &mut input, &mut wrote)?;
        }
        let new = [file.between, file.after.filter(|_| !file.is_same())];
        for state in new.into_iter().flatten() {
            let is_kept = file
                .before
                .is_some_and(|before| before.digest == state.digest);
            if !is_kept {
                let mut input = contents.open(&state.digest)?;
                store.keep(&state.digest, &mut input, &mut wrote)?;
            }
        }
    }
    Ok(())
}
