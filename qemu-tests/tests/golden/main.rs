//! Installed systems, as they come out of the cache.

mod boots;
mod lab;
mod layouts;
