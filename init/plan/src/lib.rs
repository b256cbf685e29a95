//! What is to be changed in an installed system so that a device can be given to a guest, and why. Pure: files
//! as bytes go in, files as bytes come out, and nothing is written.

pub mod edit;
