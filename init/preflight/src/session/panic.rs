use std::panic;

use crate::consoles::Consoles;

/// Shows a panic of the session on every console and in the kernel log, before it ends the process. PID 1
/// then offers to start again.
pub fn show_on_consoles() {
    panic::set_hook(Box::new(|panic| {
        let text = panic.to_string();
        tracing::error!("{text}");
        Consoles::open().line(&format!("\nPreflight met an error in itself: {text}"));
    }));
}
