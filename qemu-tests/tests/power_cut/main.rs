//! Power cuts and failing disks: what the lab records, what it makes of it, and that it finds a missing
//! fsync.

mod bad_spot;
mod commit;
mod ext4;
mod lab;
mod mirror;
