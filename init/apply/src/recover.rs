use crate::begun::Begun;
use crate::change::{ChangeSet, ReceiptId};
use crate::commit::finish;
use crate::difference::Difference;
use crate::error::ApplyError;
use crate::living::Instead;
use crate::lock::Lock;
use crate::place::Places;
use crate::progress::Progress;
use crate::receipt::{Journal, Receipt};
use crate::store::{FOLDER, JOURNAL, RECEIPT, Store, UNDO};
use crate::undo::Since;

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

/// A change that was begun and not ended, and what a recovery will make of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Unended {
    /// Its name.
    pub id: ReceiptId,
    /// How it will end.
    pub ends: Recovered,
    /// The change itself, before and after as its apply has them; none where it went no further than copying.
    pub set: Option<ChangeSet>,
    /// Files that are neither old nor new: with them a recovery stops, unless they are overwritten.
    pub changed: Vec<Difference>,
    /// What becomes of files that others have written to.
    pub instead: Option<Instead>,
}

/// What a recovery would do. Nothing is written.
pub fn unended(places: &Places) -> Result<Vec<Unended>, ApplyError> {
    let ahead = |id: ReceiptId| {
        let store = Store::new(places.root()?, &id);
        let ahead = Ahead::of(places, &store)?;
        Ok(Unended {
            id,
            ends: ahead.ends(),
            set: ahead.set(),
            changed: match &ahead {
                Ahead::Forward(begun) | Ahead::UndoForward(begun) => begun.foreign(),
                _ => Vec::new(),
            },
            instead: match ahead {
                Ahead::Forward(begun) | Ahead::UndoForward(begun) | Ahead::UndoGiveUp(begun) => {
                    begun.instead
                }
                _ => None,
            },
        })
    };
    unfinished(places)?.into_iter().map(ahead).collect()
}

/// Ends what a power cut, a crash or an error left: forward if anything that is read was switched already, else
/// back. Either way what is read is then wholly old or wholly new, on all places and not only for each loader. Stops
/// at a file that is neither.
pub fn recover(
    places: &Places,
    progress: &mut Progress<'_>,
) -> Result<Vec<(ReceiptId, Recovered)>, ApplyError> {
    recover_over(places, Since::Refuse, progress)
}

/// The same, and a person has said what is to become of files that are neither old nor new.
pub fn recover_over(
    places: &Places,
    since: Since,
    progress: &mut Progress<'_>,
) -> Result<Vec<(ReceiptId, Recovered)>, ApplyError> {
    let _lock = Lock::take(places)?;
    let mut ended = Vec::new();
    for id in unfinished(places)? {
        let store = Store::new(places.root()?, &id);
        let ahead = Ahead::of(places, &store)?;
        let ends = ahead.ends();
        ahead.go(places, &store, since, progress)?;
        ended.push((id, ends));
    }
    Ok(ended)
}

/// What is ahead of a change that was begun.
enum Ahead {
    /// It went no further than copying.
    Forget,
    /// The receipt takes the journal's place.
    Finish(Journal),
    Forward(Begun),
    GiveUp(Begun),
    /// The receipt is gone, and the rest goes.
    Clear(Journal),
    UndoForward(Begun),
    UndoGiveUp(Begun),
}

impl Ahead {
    fn of(places: &Places, store: &Store<'_>) -> Result<Self, ApplyError> {
        let has_receipt = store.has(RECEIPT)?;
        if store.has(UNDO)? {
            if !has_receipt {
                return Ok(Self::Clear(store.read(UNDO)?));
            }
            let begun = Begun::read(places, store, UNDO)?;
            return Ok(if begun.is_switched() {
                Self::UndoForward(begun)
            } else {
                Self::UndoGiveUp(begun)
            });
        }
        if !store.has(JOURNAL)? {
            return Ok(Self::Forget);
        }
        if has_receipt {
            return Ok(Self::Finish(store.read(JOURNAL)?));
        }
        let begun = Begun::read(places, store, JOURNAL)?;
        Ok(if begun.is_switched() {
            Self::Forward(begun)
        } else {
            Self::GiveUp(begun)
        })
    }

    fn ends(&self) -> Recovered {
        match self {
            Self::Forget | Self::GiveUp(_) => Recovered::NotApplied,
            Self::Finish(journal) => Recovered::Applied(journal.clone().receipt()),
            Self::Forward(begun) => Recovered::Applied(begun.journal.clone().receipt()),
            Self::Clear(_) | Self::UndoForward(_) => Recovered::Undone,
            Self::UndoGiveUp(_) => Recovered::NotUndone,
        }
    }

    fn set(&self) -> Option<ChangeSet> {
        match self {
            Self::Forget => None,
            Self::Finish(journal) | Self::Clear(journal) => Some(journal.set.clone()),
            Self::Forward(begun)
            | Self::GiveUp(begun)
            | Self::UndoForward(begun)
            | Self::UndoGiveUp(begun) => Some(begun.journal.set.clone()),
        }
    }

    fn go(
        self,
        places: &Places,
        store: &Store<'_>,
        since: Since,
        progress: &mut Progress<'_>,
    ) -> Result<(), ApplyError> {
        match self {
            Self::Forget => store.remove_all(JOURNAL, JOURNAL, &[FOLDER.to_owned()]),
            Self::Finish(journal) => finish(store, journal).map(drop),
            Self::Forward(mut begun) => {
                let done = begun.finish(places, store, since, progress);
                if let Ok(()) | Err(ApplyError::NotVerified(_)) = done {
                    finish(store, begun.journal)?;
                }
                done
            }
            Self::GiveUp(begun) => {
                begun.give_up(places, store, progress)?;
                store.remove_all(JOURNAL, JOURNAL, &begun.journal.made)
            }
            Self::Clear(journal) => store.remove_all(RECEIPT, UNDO, &journal.made),
            Self::UndoForward(mut begun) => {
                begun.finish(places, store, since, progress)?;
                // The receipt goes first when all else is done.
                store.remove_all(RECEIPT, UNDO, &begun.journal.made)
            }
            Self::UndoGiveUp(begun) => {
                begun.give_up(places, store, progress)?;
                store.remove(UNDO)
            }
        }
    }
}
