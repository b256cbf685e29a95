//! The image on emulated machines: what a person sees, what the stick holds, and what stays untouched.

mod disks;
mod first_line;
mod lab;
mod options;
mod saved;
mod stick;
mod trouble;
