//! Random change sets on real folders, stopped after every act, against a model of what boot loaders read.

mod between;
mod collected;
mod crash;
mod machine;
mod mounted;
mod refusals;
