//! The media that a person boots from, started by real firmware.

mod first_boot;
mod iso;
mod lab;
mod netboot;
mod uki;
mod usb;
