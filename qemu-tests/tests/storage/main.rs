//! A look at disks that real programs laid out in a real kernel, and whose power went while they were in
//! use: everything is found, and no byte is written.

mod host;
mod lab;
mod lvm;
mod partitions;
mod pools;
mod stacked;
