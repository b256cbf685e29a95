//! What runs on the workstation: fetches what an image is made of, and builds the image.
//!
//! Nothing here needs root, and nothing here changes the machine's own package state.

pub mod apt;
pub mod boot_menu;
pub mod cache;
mod digest;
pub mod elf;
pub mod fat;
pub mod firmware;
pub mod gpt;
pub mod grub;
pub mod image;
pub mod initramfs;
pub mod inspect;
pub mod io;
pub mod iso;
pub mod kernel_image;
pub mod licenses;
pub mod medium;
pub mod microcode;
pub mod modules;
pub mod netboot;
pub mod package;
mod parallel;
pub mod progress;
pub mod tools;
pub mod uki;
pub mod usb;
