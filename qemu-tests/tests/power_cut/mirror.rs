use std::fs;

use qemu_tests::Machine;
use qemu_tests::power_cut::{Bounds, Canvas, Recording, Replay};

use crate::lab::Lab;

#[test]
fn writes_to_two_disks_have_one_common_order() {
    let Some(lab) = Lab::open() else { return };
    let images = ["left", "right"].map(|name| lab.blank(name, 4 << 20));
    let recording = Recording::new(lab.folder(), "mirror", &[&images[0], &images[1]]).unwrap();
    lab.write("cut-mirror", "mirror", recording.on(Machine::q35()));

    let replay = Replay::of(&recording).unwrap();
    let order: Vec<usize> = replay.order().collect();
    assert_eq!(order, [0, 1].repeat(8));
    assert_eq!(replay.flushed(), (16, 0));

    // Both sides as they are at the end, each on an image of its own.
    let state = replay.states(Bounds::default()).last().unwrap();
    for side in 0..2 {
        let path = lab.folder().join(format!("side-{side}"));
        let mut canvas = Canvas::new(&replay, side, &path).unwrap();
        canvas.show(&state).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 4 << 20);
        for number in 0..8 {
            let block = &bytes[number * 4096..][..4096];
            assert!(block.iter().all(|byte| usize::from(*byte) == number));
        }
        assert!(bytes[8 * 4096..].iter().all(|byte| *byte == 0));
    }
}
