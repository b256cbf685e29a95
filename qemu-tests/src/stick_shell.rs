use std::time::Duration;

use crate::{Boot, Failure, Milestone, Outcome, Qemu, Run};

/// On the reference machine, some ten times what is seen there.
const A_PROMPT: Duration = Duration::from_secs(120);

/// What the shell of the image prints when it waits for a command.
const PROMPT: &str = "preflight# ";

/// The shell of the stick, on the serial line.
#[derive(Debug)]
pub struct StickShell {
    run: Run,
    asked: usize,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its exit status.
    pub status: i32,
    /// All that it printed.
    pub text: String,
}

impl StickShell {
    /// Starts this boot of the image in the mode `shell`, and waits until devices are ready and the shell is.
    pub fn open(boot: Boot, qemu: &Qemu) -> Result<Self, Failure> {
        let boot = boot
            .option("preflight.mode=shell")
            .option("preflight.end=poweroff");
        let mut run = boot.start(qemu)?;
        run.wait_milestone(Milestone::Settled)?;
        run.wait_text(PROMPT, A_PROMPT)?;
        Ok(Self { run, asked: 0 })
    }

    /// Runs a command to its end, `patience` on the reference machine. It prints to a pipe, and what it prints
    /// is on the serial line at once.
    pub fn ask(&mut self, command: &str, patience: Duration) -> Result<Said, Failure> {
        self.asked += 1;
        let number = self.asked;
        // What is typed while the shell still prints could be lost in its prompt.
        let ready = move |run: &mut Run| {
            let prompts = run.serial().text().matches(PROMPT).count();
            (prompts >= number).then_some(Ok(()))
        };
        let a_prompt = self.deadlines_of(A_PROMPT);
        self.run.wait("the prompt of the stick", a_prompt, ready)?;
        // The marks as they are printed do not stand in the line as it is typed.
        self.run.type_text(&format!(
            "printf '\\n<%s<\\n' {number}; {{ {command}; echo $? >/run/status; }} 2>&1 | cat; \
             printf '\\n>%s %s>\\n' {number} $(cat /run/status)\r"
        ))?;
        let patience = self.deadlines_of(patience);
        self.run
            .wait(&format!("the end of '{command}'"), patience, |run| {
                said(&run.serial().spoken(), number).map(Ok::<_, Outcome>)
            })
    }

    /// Leaves the shell, and waits until the machine has switched itself off: whatever was written is then on
    /// the disks.
    pub fn power_off(mut self) -> Result<(), Failure> {
        self.run.type_text("exit\r")?;
        self.run.wait_end()
    }

    /// The guest.
    pub fn run(&mut self) -> &mut Run {
        &mut self.run
    }

    fn deadlines_of(&self, time: Duration) -> Duration {
        self.run.deadlines().of(time)
    }
}

/// What stands between the marks of this number, and the status behind it.
fn said(spoken: &str, number: usize) -> Option<Said> {
    let (_, rest) = spoken.split_once(&format!("\n<{number}<\n"))?;
    let (text, rest) = rest.split_once(&format!("\n>{number} "))?;
    let (status, _) = rest.split_once(">\n")?;
    Some(Said {
        status: status.trim().parse().ok()?,
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_said_something_when_its_status_is_there() {
        let typed = "preflight# printf '\\n<%s<\\n' 1; { uname; echo $? >/run/status; }\n";
        assert_eq!(said(typed, 1), None);
        let half = format!("{typed}\n<1<\nLinux\n");
        assert_eq!(said(&half, 1), None);
        let whole = format!("{half}\n>1 3>\npreflight# ");
        let expected = Said {
            status: 3,
            text: "Linux\n".to_owned(),
        };
        assert_eq!(said(&whole, 1), Some(expected));
        assert_eq!(said(&whole, 2), None);
    }
}
