//! libFuzzer around one target, which `FUZZ_TARGET` names; its arguments are libFuzzer's. One program
//! for all, because most of its size is common to them.
#![no_main]

use std::env;
use std::sync::OnceLock;

use fuzz::Target;
use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<&Target> = OnceLock::new();

fuzz_target!(init: choose(), |bytes: &[u8]| if let Some(target) = TARGET.get() {
    (target.run)(bytes);
});

fn choose() {
    let name = env::var("FUZZ_TARGET").unwrap_or_default();
    let names: Vec<_> = fuzz::TARGETS.iter().map(|target| target.name).collect();
    let Some(target) = Target::named(&name) else {
        panic!("FUZZ_TARGET='{name}' is none of: {}", names.join(" "));
    };
    TARGET.get_or_init(|| target);
}
