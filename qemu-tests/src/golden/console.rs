use std::time::Duration;

use super::{Golden, PASSWORD};
use crate::{Failure, Run};

/// How long a command may take on the reference machine, some ten times what is seen there.
const A_COMMAND: Duration = Duration::from_secs(120);

/// A shell of root on the serial line of an installed system.
#[derive(Debug)]
pub struct Console<'a> {
    run: &'a mut Run,
    prompt: String,
    asked: usize,
}

impl<'a> Console<'a> {
    /// Waits for the login prompt, `patience` on the reference machine, and logs in.
    pub fn log_in(run: &'a mut Run, golden: Golden, patience: Duration) -> Result<Self, Failure> {
        let name = golden.name();
        run.wait_text(&format!("{name} login:"), patience)?;
        run.type_text("root\r")?;
        run.wait_text("Password:", A_COMMAND)?;
        run.type_text(&format!("{PASSWORD}\r"))?;
        let prompt = format!("root@{name}:");
        run.wait_text(&prompt, A_COMMAND)?;
        Ok(Self {
            run,
            prompt,
            asked: 0,
        })
    }

    /// What this command prints, without blanks at its ends; it has no double quotes.
    pub fn ask(&mut self, command: &str) -> Result<String, Failure> {
        self.asked += 1;
        let marks = [
            format!("<{number}<", number = self.asked),
            format!(">{number}>", number = self.asked),
        ];
        let [begin, end] = &marks;
        // What is typed while the shell still prints would be lost in its prompt.
        let prompts = self.asked;
        let prompt = self.prompt.clone();
        self.run.wait("the prompt", A_COMMAND, |run| {
            let seen = run.serial().text().matches(&prompt).count();
            (seen >= prompts).then_some(Ok(()))
        })?;
        self.run
            .type_text(&format!("echo \"{begin}$({command}){end}\"\r"))?;
        self.run
            .wait(&format!("the answer to '{command}'"), A_COMMAND, |run| {
                Some(Ok(answer(&run.serial().spoken(), begin, end)?))
            })
    }
}

/// What stands between the marks, where the command line itself does not.
fn answer(spoken: &str, begin: &str, end: &str) -> Option<String> {
    let answers = spoken.split(begin).skip(1);
    let answers = answers.filter(|rest| !rest.starts_with("$("));
    let whole = answers.filter_map(|rest| rest.split_once(end));
    Some(whole.last()?.0.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_from_the_command_that_asked_for_it() {
        let typed = "root@a:~# echo \"<1<$(uname -r)>1>\"\n";
        assert_eq!(answer(typed, "<1<", ">1>"), None);
        let half = format!("{typed}<1<6.1.0-50");
        assert_eq!(answer(&half, "<1<", ">1>"), None);
        let whole = format!("{half}-amd64>1>\nroot@a:~# ");
        assert_eq!(
            answer(&whole, "<1<", ">1>").as_deref(),
            Some("6.1.0-50-amd64")
        );
    }
}
