//! An installed system that is changed by the stick: it starts by its own boot loader as it is meant to, and all
//! of it is taken back.

mod control;
mod host;
mod inventory;
mod lab;
mod planned;
mod power;
mod round_trip;
mod trouble;
