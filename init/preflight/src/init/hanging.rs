use std::fs;

use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

/// Place of the exit status among the words behind a process's name in /proc/PID/stat (proc_pid_stat(5): fields 3
/// and 52), which has the state as its first.
const EXIT_CODE: usize = 52 - 3;

/// How a process has ended of which a thread hangs in the kernel: waitpid(2) tells of its end only when the thread is
/// let go, which a disk that is dying may never do.
pub fn status(process: Pid) -> Option<WaitStatus> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    WaitStatus::from_raw(process, ended(&text)?).ok()
}

/// The status that a process has left (wait(2)'s own number), once its first thread has ended.
fn ended(stat: &str) -> Option<i32> {
    // The name stands in parentheses and may have any.
    let (_, words) = stat.rsplit_once(')')?;
    let mut words = words.split_whitespace();
    let state = words.next()?;
    let code = words.nth(EXIT_CODE - 1)?.parse().ok()?;
    (state == "Z").then_some(code)
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_process_that_has_ended_is_known_by_its_status_before_it_is_waited_for() {
        let mut child = Command::new("sh").args(["-c", "exit 11"]).spawn().unwrap();
        let process = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let started = Instant::now();
        let status = loop {
            if let Some(status) = status(process) {
                break status;
            }
            assert!(started.elapsed() < Duration::from_secs(60));
            thread::sleep(Duration::from_millis(10));
        };
        assert_eq!(status, WaitStatus::Exited(process, 11));
        child.wait().unwrap();
    }

    #[test]
    fn a_process_that_lives_has_no_status() {
        let own = Pid::this();
        assert_eq!(status(own), None);
    }

    #[test]
    fn the_state_and_the_status_are_found_behind_a_name_of_any_kind() {
        let stat = |state: &str| {
            let between = "0 ".repeat(EXIT_CODE - 1);
            format!("7 (a) Z (b) {state} {between}2816\n")
        };
        assert_eq!(ended(&stat("Z")), Some(2816));
        assert_eq!(ended(&stat("S")), None);
        assert_eq!(ended("7 (a) Z 0 0"), None);
    }
}
