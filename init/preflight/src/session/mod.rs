//! What runs below PID 1: makes devices ready, looks, saves, shows, and asks what next.

mod attempt;
pub mod capture;
mod coldplug;
mod devices;
mod fault;
mod first_answer;
mod grow;
mod guard;
mod kept_report;
mod kept_roms;
mod left_alone;
pub mod look;
mod menu;
mod module_loading;
mod module_queue;
mod panic;
mod randomness;
mod result;
mod run;
pub mod save;
mod settle;
pub mod shell;
mod uevent;

pub use attempt::Attempt;
pub use kept_report::KeptReport;
pub use kept_roms::KeptRoms;
pub use run::run;

/// Exit status that asks PID 1 to reboot.
pub const EXIT_REBOOT: i32 = 10;
/// Exit status that asks PID 1 to power off.
pub const EXIT_POWER_OFF: i32 = 11;
