//! An installed system that is changed by the stick: it starts by its own boot loader as it is meant to, and all
//! of it is taken back.

mod away;
mod by_hand;
mod by_shell;
mod control;
mod host;
mod host_kernel;
mod interrupted;
mod inventory;
mod lab;
mod native;
mod planned;
mod power;
mod round_trip;
mod running;
mod trouble;
mod variants;
