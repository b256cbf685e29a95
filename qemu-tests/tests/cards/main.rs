//! Cards in software on emulated machines: what a real kernel sees of them, and what is done to them.

mod lab;
mod view;
