//! A look at disks that real programs laid out in a real kernel, and whose power went while they were in
//! use: everything is found, and no byte is written but to what is opened for it.

mod host;
mod lab;
mod lvm;
mod partitions;
mod pools;
mod stacked;
mod written;
