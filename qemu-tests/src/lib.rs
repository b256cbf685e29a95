//! The lab: a real kernel on a machine described in a few lines.
//!
//! A [`Machine`] is a value that becomes QEMU arguments. A [`Boot`] puts a kernel, an initramfs and a
//! command line on it and starts a [`Run`], which waits for milestones, takes the result, and tells
//! the ways apart in which a guest can fail. Nothing of a run is left behind: QEMU lives in a process
//! group that is ended, and checked to be gone, when the `Run` is dropped.

pub mod acpi;
mod argument;
pub mod baseline;
pub mod bench;
mod boot;
pub mod catalog;
mod chipset;
mod deadline;
mod description;
mod device;
mod digest;
pub mod disk;
mod dmar;
mod efi_driver;
mod efi_rom;
mod elsewhere;
mod events;
mod failure;
pub mod golden;
mod gpt;
mod guests;
mod images;
pub mod initramfs;
mod lab_image;
mod layout;
pub mod little_system;
mod machine;
mod ovmf;
pub mod peers;
mod ports;
pub mod power_cut;
pub mod probe;
mod process;
mod product;
mod qemu;
mod qmp;
mod run;
mod screen;
mod serial;
mod served_card;
mod showcase;
pub mod stick;
mod stick_shell;
pub mod storage_guest;
pub mod synthetic;
mod topology;
mod unpacked_kernel;
mod usb;

pub use boot::Boot;
pub use chipset::{Chipset, Iommu};
pub use deadline::{Deadlines, Milestone};
pub use description::{Description, Part};
pub use device::{Device, Port, ScsiController};
pub use digest::{sha256, sha256_of_file};
pub use disk::Disk;
pub use dmar::Dmar;
pub use efi_driver::{efi_driver, efi_driver_marks};
pub use efi_rom::{EfiRom, EfiRomError, RomFile};
pub use elsewhere::same_from_capture;
pub use events::{RunResult, Saved, SavedFile};
pub use failure::{Failure, Outcome};
pub use images::Images;
pub use lab_image::Reads;
pub use machine::Machine;
pub use ovmf::{Ovmf, OvmfError};
pub use product::{image_with_zfs, preflight_of_image, release_image};
pub use qemu::{Qemu, QemuError, Version};
pub use run::Run;
pub use serial::Serial;
pub use served_card::ServedCard;
pub use showcase::{Showcase, card_rom};
pub use stick::Stick;
pub use stick_shell::{Said, StickShell};
pub use topology::{Bridge, Function, Slot};
pub use usb::UsbTransport;

/// Prints why a test cannot run here. Where the lab is said to be complete (`PREFLIGHT_LAB=complete`, as
/// `make test` does), a test that cannot run is a test that fails.
pub fn skip(why: &str) {
    let complete = std::env::var_os("PREFLIGHT_LAB").is_some_and(|lab| lab == "complete");
    assert!(!complete, "the lab should be complete: {why}");
    eprintln!("skipped: {why}");
}
