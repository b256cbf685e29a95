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
        Some(Fault::PanicInit | Fault::SlowSave | Fault::NoFirmware | Fault::RomCrash) | None => {}
    }
}

/// The same for a session that is killed while it copies a ROM.
pub fn while_copying(fault: Option<Fault>) {
    if fault == Some(Fault::RomCrash) {
        let _ = raise(Signal::SIGKILL);
    }
}
