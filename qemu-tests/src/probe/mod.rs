//! A guest that is asked: its init carries out requests and sends the answers over virtio-serial. What a
//! kernel sees is then compared outside, where a test can say what it should be.

mod image;
mod request;

pub use image::image;
pub use request::{Answer, Answers, Refusal, Request};
