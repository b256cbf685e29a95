use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{io, thread};

use nix::sys::memfd::{MFdFlags, memfd_create};

/// Where the image has programs.
const FOLDERS: [&str; 4] = ["/bin", "/usr/sbin", "/usr/bin", "/sbin"];
/// A disk that does not answer makes its driver give up after some minutes; so long nobody waits.
const PATIENCE: Duration = Duration::from_secs(120);
/// Most of what a program may print that is taken in, bytes.
const LONGEST: u64 = 16 << 20;

/// A program of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program(PathBuf);

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
        places.find(|path| path.is_file()).map(Self)
    }

    /// Runs it to its end; `input` is what it reads. An error when it does not start or does not end in time.
    pub fn run(
        &self,
        arguments: &[&str],
        environment: &[(&str, &str)],
        input: Option<&[u8]>,
    ) -> io::Result<Output> {
        // Files in memory: no pipe that fills up, no thread that reads it.
        let mut out = memory()?;
        let mut complaint = memory()?;
        let mut child = Command::new(&self.0)
            .args(arguments)
            .env_clear()
            .env("PATH", FOLDERS.join(":"))
            .env("LC_ALL", "C")
            .envs(environment.iter().copied())
            .stdin(match input {
                Some(_) => Stdio::piped(),
                None => Stdio::null(),
            })
            .stdout(out.try_clone()?)
            .stderr(complaint.try_clone()?)
            .spawn()?;
        if let (Some(bytes), Some(mut stdin)) = (input, child.stdin.take()) {
            stdin.write_all(bytes)?;
        }
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_millis(1);
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() > deadline {
                child.kill()?;
                return Err(io::Error::other(format!(
                    "{} did not end within {} s; a disk may not answer",
                    self.0.display(),
                    PATIENCE.as_secs()
                )));
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        };
        let complaint = contents(&mut complaint)?;
        let lines = complaint.lines().map(str::trim);
        Ok(Output {
            success: status.success(),
            text: contents(&mut out)?,
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

fn memory() -> io::Result<File> {
    Ok(File::from(memfd_create("output", MFdFlags::MFD_CLOEXEC)?))
}

fn contents(file: &mut File) -> io::Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_and_how_it_ends_is_told() {
        let shell = Program::find("sh").unwrap();
        let script = "cat; echo \"$WORD\"; echo first >&2; echo second >&2; exit 3";
        let output = shell
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
}
