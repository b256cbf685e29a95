//! The lab itself: a kernel whose init fails in each of the ways that must be told apart.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use qemu_tests::{Boot, Images, Machine, Milestone, Outcome, Qemu, Showcase, baseline, bench};
use tempfile::TempDir;

struct Lab {
    qemu: Qemu,
    images: Images,
    _folder: TempDir,
}

fn init() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_baseline-init"))
}

/// The lab with the init that ends at once, or the reason printed why there is none.
fn lab() -> Option<Lab> {
    let made = || -> Result<Lab, String> {
        let qemu = Qemu::obtain().map_err(|error| error.to_string())?;
        let kernel = Images::kernel()?;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let initramfs = folder.path().join("initramfs.img");
        baseline::image(&init())
            .and_then(|bytes| std::fs::write(&initramfs, bytes))
            .map_err(|error| error.to_string())?;
        Ok(Lab {
            qemu,
            images: Images { kernel, initramfs },
            _folder: folder,
        })
    };
    made().map_err(|why| qemu_tests::skip(&why)).ok()
}

impl Lab {
    fn boot(&self, name: &str, way: &str) -> Boot {
        let deadlines = baseline::deadlines(&self.qemu, &self.images.kernel, &init()).unwrap();
        Boot::new(name, &self.images, Machine::q35().memory(256))
            .deadlines(deadlines)
            .option(&format!("baseline={way}"))
    }
}

#[test]
fn a_guest_that_powers_off_has_ended_and_left_no_process_and_no_logs() {
    let Some(lab) = lab() else { return };
    let boot = lab.boot("harness-end", "end");
    let logs = boot.logs();
    let mut run = boot.start(&lab.qemu).unwrap();
    run.wait_milestone(Milestone::Init).unwrap();
    run.wait_end().unwrap();
    let group = Pid::from_raw(run.process_group());
    drop(run);
    assert_eq!(killpg(group, None), Err(Errno::ESRCH));
    assert!(!Path::new(&logs).exists());
}

#[test]
fn a_guest_that_ends_without_a_result_gives_no_verdict() {
    let Some(lab) = lab() else { return };
    let mut run = lab.boot("harness-verdict", "end").start(&lab.qemu).unwrap();
    let failure = run.result().unwrap_err();
    assert_eq!(failure.outcome, Outcome::NoVerdict, "{failure}");
    assert!(failure.logs.join("serial.log").is_file());
}

#[test]
fn an_init_that_exits_is_a_kernel_panic() {
    let Some(lab) = lab() else { return };
    let mut run = lab.boot("harness-panic", "panic").start(&lab.qemu).unwrap();
    let failure = run.wait_end().unwrap_err();
    let Outcome::KernelPanic(line) = &failure.outcome else {
        panic!("{failure}");
    };
    assert!(line.contains("Attempted to kill init"), "{failure}");
}

#[test]
fn an_init_that_eats_all_memory_is_out_of_memory() {
    let Some(lab) = lab() else { return };
    let mut run = lab
        .boot("harness-memory", "memory")
        .start(&lab.qemu)
        .unwrap();
    let failure = run.wait_end().unwrap_err();
    assert!(
        matches!(failure.outcome, Outcome::OutOfMemory(_)),
        "{failure}"
    );
}

#[test]
fn a_guest_that_hangs_is_a_timeout_of_a_running_machine() {
    let Some(lab) = lab() else { return };
    let mut run = lab.boot("harness-hang", "hang").start(&lab.qemu).unwrap();
    run.wait_milestone(Milestone::Init).unwrap();
    let failure = run
        .wait_text("never printed", Duration::from_secs(1))
        .unwrap_err();
    assert!(matches!(failure.outcome, Outcome::Timeout(_)), "{failure}");
    assert_eq!(failure.machine_state.as_deref(), Some("running"));
    assert!(
        failure
            .last_lines
            .iter()
            .any(|line| line.contains("milestone init"))
    );
}

#[test]
fn what_is_typed_reaches_the_guest() {
    let Some(lab) = lab() else { return };
    let mut run = lab.boot("harness-echo", "echo").start(&lab.qemu).unwrap();
    run.wait_text("say something:", Duration::from_secs(60))
        .unwrap();
    run.type_text("good morning\r").unwrap();
    run.wait_text("you said good morning", Duration::from_secs(10))
        .unwrap();
    run.wait_end().unwrap();
}

#[test]
fn a_qemu_that_refuses_its_arguments_says_why() {
    let Some(lab) = lab() else { return };
    let machine = Machine::q35().processor("abacus");
    let failure = Boot::new("harness-arguments", &lab.images, machine)
        .start(&lab.qemu)
        .unwrap_err();
    assert!(failure.to_string().contains("abacus"), "{failure}");
}

#[test]
fn guest_time_counted_in_instructions_is_the_same_in_every_boot() {
    let Some(lab) = lab() else { return };
    let time = || {
        let boot = lab.boot("harness-instructions", "end");
        bench::guest_times(boot, &lab.qemu, ["Run /init as init process"]).unwrap()[0]
    };
    let (first, second) = (time(), time());
    let difference = first.abs_diff(second).as_secs_f64() / first.as_secs_f64();
    assert!(difference < 0.01, "{first:?} and {second:?}");
}

/// Processes whose command line has this text.
fn processes_with(text: &str) -> Vec<i32> {
    let numbers = std::fs::read_dir("/proc").unwrap();
    numbers
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(text)
        })
        .collect()
}

fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_lab_that_is_interrupted_leaves_no_machine_behind() {
    let Some(lab) = lab() else { return };
    let out = tempfile::tempdir().unwrap();
    if let Err(why) = Showcase::new(&lab.qemu, out.path()) {
        return qemu_tests::skip(&why.to_string());
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.arg("run").arg("--kernel").arg(&lab.images.kernel);
    command.arg("--initramfs").arg(&lab.images.initramfs);
    command.arg("--out").arg(out.path());
    command.args(["--option", "baseline=hang"]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();

    let machine = format!("{}/stick.img", out.path().display());
    until("the machine did not start", || {
        !processes_with(&machine).is_empty()
    });
    let lab = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(lab, Signal::SIGINT).unwrap();
    child.wait().unwrap();
    until("the machine is still there", || {
        processes_with(&machine).is_empty()
    });
}
