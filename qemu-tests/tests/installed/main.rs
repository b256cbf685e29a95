//! Looks at installed systems: each is found and told apart, in whatever state it was left, and no disk is
//! written to but those that are opened for it.

mod clean;
mod control;
mod degraded;
mod described;
mod host;
mod killed;
mod lab;
mod planned;
mod product;
mod rehearsal;
mod several;
mod thin_pool;
mod untouched;
mod written;
