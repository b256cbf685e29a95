//! Option ROMs of Debian's packages, ROMs made of them, and EDK2's own tool beside ours.

mod free;
mod mutated;
mod oracle;
mod ovmf;
mod packages;
