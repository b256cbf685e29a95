use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Modaliases whose modules are to be loaded: each once, what is needed most first.
#[derive(Default)]
pub struct ModuleQueue {
    waiting: Mutex<Waiting>,
    has_more: Condvar,
}

#[derive(Default)]
struct Waiting {
    closed: bool,
    next: BTreeSet<(Need, String)>,
    seen: BTreeSet<String>,
    /// Something that was taken is being worked on.
    at_work: bool,
}

/// What a module is needed for, the most needed first. A driver can be held for ever by a disk that is dying, and so
/// is whatever would be loaded after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The stick and the keyboard.
    StickOrKeyboard,
    /// Anything else.
    Other,
    /// Disks.
    Disk,
}

/// Modaliases by their beginning.
const NEEDS: &[(&str, Need)] = &[
    ("usb:", Need::StickOrKeyboard),
    ("hid:", Need::StickOrKeyboard),
    ("serio:", Need::StickOrKeyboard),
    ("input:", Need::StickOrKeyboard),
    // Keyboards and their PS/2 controllers (Plug and Play IDs 03xx).
    ("acpi:PNP03", Need::StickOrKeyboard),
    // virtio block device and SCSI host (Virtual I/O Device specification, 5).
    ("virtio:d00000002v", Need::Disk),
    ("virtio:d00000008v", Need::Disk),
    ("scsi:", Need::Disk),
    ("mmc:", Need::Disk),
];

impl Need {
    /// What the device with this modalias is needed for.
    pub fn of(modalias: &str) -> Self {
        if let Some((_, need)) = NEEDS.iter().find(|(bus, _)| modalias.starts_with(bus)) {
            return *need;
        }
        // Class codes of the PCI Code and ID Assignment specification: 0C03 is USB, 0C04 Fibre Channel, 01 storage.
        match modalias
            .strip_prefix("pci:")
            .and_then(|id| id.split_once("bc"))
        {
            Some((_, class)) if class.starts_with("0Csc03") => Self::StickOrKeyboard,
            Some((_, class)) if class.starts_with("01") || class.starts_with("0Csc04") => {
                Self::Disk
            }
            _ => Self::Other,
        }
    }
}

impl ModuleQueue {
    /// Adds those that were never there before.
    pub fn add(&self, modaliases: impl IntoIterator<Item = String>) {
        let mut waiting = self.lock();
        if waiting.closed {
            return;
        }
        for modalias in modaliases {
            if waiting.seen.insert(modalias.clone()) {
                waiting.next.insert((Need::of(&modalias), modalias));
            }
        }
        self.has_more.notify_all();
    }

    /// Takes nothing in from now on: nobody would take it out.
    pub fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        waiting.next.clear();
    }

    /// Takes the one that is needed most, if one waits. To ask for the next is to have done the last.
    pub fn take(&self) -> Option<String> {
        self.lock().take()
    }

    /// The same; waits for one.
    pub fn wait(&self) -> String {
        let mut waiting = self.lock();
        loop {
            if let Some(modalias) = waiting.take() {
                return modalias;
            }
            waiting = self
                .has_more
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether nothing waits, and all that was taken is done.
    pub fn is_done(&self) -> bool {
        let waiting = self.lock();
        waiting.next.is_empty() && !waiting.at_work
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn take(&mut self) -> Option<String> {
        let (_, modalias) = self.next.pop_first().unzip();
        self.at_work = modalias.is_some();
        modalias
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    const SATA: &str = "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01";
    const XHCI: &str = "pci:v00008086d0000A12Fsv00001AF4sd00001100bc0Csc03i30";

    #[test]
    fn the_stick_and_the_keyboard_come_before_disks() {
        let queue = ModuleQueue::default();
        let console = "virtio:d00000003v00001AF4";
        let others = [
            SATA,
            "virtio:d00000002v00001AF4",
            console,
            XHCI,
            "usb:v0627p0001",
            "acpi:PNP0303:PNP030B:",
        ];
        queue.add(others.map(str::to_owned));
        let order: Vec<String> = std::iter::from_fn(|| queue.take()).collect();
        assert_eq!(
            order,
            [
                "acpi:PNP0303:PNP030B:",
                XHCI,
                "usb:v0627p0001",
                console,
                SATA,
                "virtio:d00000002v00001AF4",
            ]
        );
    }

    #[test]
    fn what_was_there_once_does_not_come_again() {
        let queue = ModuleQueue::default();
        queue.add([SATA.to_owned(), SATA.to_owned()]);
        assert_eq!(queue.take().as_deref(), Some(SATA));
        queue.add([SATA.to_owned()]);
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn it_is_done_when_the_last_one_that_was_taken_is_done() {
        let queue = ModuleQueue::default();
        assert!(queue.is_done());
        queue.add([XHCI.to_owned()]);
        assert!(!queue.is_done());
        queue.take();
        assert!(!queue.is_done());
        queue.take();
        assert!(queue.is_done());
    }

    #[test]
    fn what_nobody_takes_out_is_not_waited_for() {
        let queue = ModuleQueue::default();
        queue.add([SATA.to_owned()]);
        queue.close();
        queue.add([XHCI.to_owned()]);
        assert!(queue.is_done());
    }

    #[test]
    fn one_who_waits_gets_what_comes_later() {
        let queue = Arc::new(ModuleQueue::default());
        let of_waiter = Arc::clone(&queue);
        let waiter = thread::spawn(move || of_waiter.wait());
        queue.add([SATA.to_owned()]);
        assert_eq!(waiter.join().unwrap(), SATA);
    }
}
