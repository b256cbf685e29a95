use hardware::RomSource;
use nix::sys::signal::{Signal, raise};

use super::Attempt;
use crate::options::Fault;

/// Makes the fault that a test asked for, on the first attempt only.
pub fn after_reading(fault: Option<Fault>, attempt: Attempt) {
    if !attempt.is_first() {
        return;
    }
    match fault {
        Some(Fault::Crash) => {
            let _ = raise(Signal::SIGKILL);
        }
        #[expect(clippy::panic, reason = "this is the fault that the test asked for")]
        Some(Fault::Panic) => panic!("preflight.test=panic"),
        Some(Fault::PanicInit | Fault::SlowSave | Fault::NoFirmware | Fault::PromCrash) | None => {}
    }
}

/// The same in the middle of a ROM, when one of the card's registers is changed.
pub fn while_copying(fault: Option<Fault>, source: RomSource) {
    if fault == Some(Fault::PromCrash) && source == RomSource::NvidiaProm {
        let _ = raise(Signal::SIGKILL);
    }
}
