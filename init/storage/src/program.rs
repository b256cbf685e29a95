mod dialogue;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use dialogue::talk;

/// Where the image has programs.
const FOLDERS: [&str; 4] = ["/bin", "/usr/sbin", "/usr/bin", "/sbin"];
/// How long one program of a look gets. A disk that does not answer makes its driver give up after some minutes;
/// so long nobody waits.
pub const PROGRAM_PATIENCE: Duration = Duration::from_secs(40);
/// Most that a program may print, bytes.
const LONGEST: usize = 16 << 20;
/// A killed program that hangs in the kernel is waited for so long.
const REAPING: Duration = Duration::from_secs(2);

/// A program of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    path: PathBuf,
    patience: Duration,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// It ended with status 0.
    pub success: bool,
    /// Standard output; what is not UTF-8 is replaced.
    pub text: String,
    /// Standard error, its lines joined.
    pub complaint: String,
}

impl Program {
    /// The program of this name, when the image carries it.
    pub fn find(name: &str) -> Option<Self> {
        let mut places = FOLDERS.iter().map(|folder| Path::new(folder).join(name));
        places.find(|path| path.is_file()).map(|path| Self {
            path,
            patience: PROGRAM_PATIENCE,
        })
    }

    /// The same, which gets so long.
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Runs it to its end; `input` is what it reads. An error when it does not start, does not end in time, or
    /// prints more than 16 MiB; nothing of it runs on then.
    pub fn run(
        &self,
        arguments: &[&str],
        environment: &[(&str, &str)],
        input: Option<&[u8]>,
    ) -> io::Result<Output> {
        let child = Command::new(&self.path)
            .args(arguments)
            .env_clear()
            .env("PATH", FOLDERS.join(":"))
            .env("LC_ALL", "C")
            .envs(environment.iter().copied())
            .stdin(match input {
                Some(_) => Stdio::piped(),
                None => Stdio::null(),
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut running = Running(child);
        let deadline = Instant::now() + self.patience;
        let named = |error: io::Error| {
            let program = self.path.display();
            let why = match error.kind() {
                io::ErrorKind::TimedOut => format!(
                    "{program} did not end within {} s; a disk may not answer",
                    self.patience.as_secs()
                ),
                _ => format!("{program} {error}"),
            };
            io::Error::new(error.kind(), why)
        };
        let [text, complaint] =
            talk(&mut running.0, input.unwrap_or_default(), LONGEST, deadline).map_err(named)?;
        let status = running.ended(deadline).map_err(named)?;
        let complaint = String::from_utf8_lossy(&complaint);
        let lines = complaint.lines().map(str::trim);
        Ok(Output {
            success: status.success(),
            text: String::from_utf8_lossy(&text).into_owned(),
            complaint: lines
                .filter(|line| !line.is_empty())
                .collect::<Vec<_>>()
                .join("; "),
        })
    }

    /// Runs it and takes what it prints; when it fails, its complaint is the error.
    pub fn text(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Result<String, String> {
        let output = self
            .run(arguments, environment, None)
            .map_err(|error| error.to_string())?;
        if output.success {
            Ok(output.text)
        } else {
            Err(output.complaint)
        }
    }
}

/// A started program, which is killed and reaped when nobody waits for its end any more.
struct Running(Child);

impl Running {
    /// How it ended. One that has closed its outputs mostly has.
    fn ended(&mut self, deadline: Instant) -> io::Result<ExitStatus> {
        let mut pause = Duration::from_micros(200);
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        // What cannot be killed hangs in the kernel; whoever ends the look waits for it again.
        let _ = self.0.kill();
        let _ = self.ended(Instant::now() + REAPING);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell() -> Program {
        Program::find("sh").unwrap()
    }

    #[test]
    fn what_a_program_says_and_how_it_ends_is_told() {
        let script = "cat; echo \"$WORD\"; echo first >&2; echo second >&2; exit 3";
        let output = shell()
            .run(&["-c", script], &[("WORD", "word")], Some(b"typed\n"))
            .unwrap();
        assert!(!output.success);
        assert_eq!(output.text, "typed\nword\n");
        assert_eq!(output.complaint, "first; second");
    }

    #[test]
    fn a_program_that_is_not_carried_is_not_found() {
        assert_eq!(Program::find("no-such-program"), None);
    }

    #[test]
    fn more_output_than_is_taken_in_is_an_error_and_never_cut() {
        let error = shell()
            .run(&["-c", "exec cat /dev/zero"], &[], None)
            .unwrap_err();
        assert!(error.to_string().contains("more than 16 MiB"), "{error}");
    }

    #[test]
    fn a_program_that_does_not_end_is_killed_and_reaped() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("pid");
        let script = format!("echo $$ > {}; exec sleep 1000", own.display());
        let error = shell()
            .patience(Duration::from_millis(500))
            .run(&["-c", &script], &[], None)
            .unwrap_err();
        assert!(error.to_string().contains("did not end within"), "{error}");
        let pid = std::fs::read_to_string(own).unwrap();
        assert!(!Path::new("/proc").join(pid.trim()).exists());
    }

    #[test]
    fn a_program_that_does_not_read_what_it_is_given_ends_as_it_likes() {
        let much = vec![b'x'; 1 << 20];
        let output = shell()
            .run(&["-c", "exec <&-; echo done"], &[], Some(&much))
            .unwrap();
        assert_eq!((output.success, output.text.as_str()), (true, "done\n"));
    }
}
