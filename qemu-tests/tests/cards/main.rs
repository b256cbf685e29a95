//! Cards in software on emulated machines: what a real kernel sees of them, and what is done to them.

mod groups;
mod lab;
mod lspci;
mod rom_faults;
mod rom_sources;
mod session;
mod untouched;
mod view;
