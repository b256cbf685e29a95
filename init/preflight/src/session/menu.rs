use std::convert::Infallible;
use std::path::PathBuf;
use std::process::Child;

use crate::consoles::Consoles;
use crate::init::Ending;
use crate::options::End;
use crate::pages;
use crate::session::shell;

const MENU: &str = "\n  r  show the report again    s  shell    b  reboot    p  power off\n";
/// The same where installed systems were looked at.
const MENU_WITH_SYSTEMS: &str = "\n  r  show the report again    i  show the installed systems\n  \
                                 a  give a card to a guest\n  \
                                 s  shell    b  reboot    p  power off\n";

/// What asks for a card and a guest, rehearses, shows and asks again.
const APPLY: [&str; 3] = ["apply", "--root", "auto"];

/// What a person reads.
#[derive(Default)]
pub struct Pages {
    /// The report, as it was shown.
    pub report: String,
    /// What is installed on the disks; empty where nobody has looked.
    pub systems: String,
}

/// Ends as the options say, or asks until the person chose an end.
pub fn choose_end(end: End, pages: &Pages, consoles: &mut Consoles) -> Ending {
    match end {
        End::Reboot => return Ending::Reboot,
        End::PowerOff => return Ending::PowerOff,
        End::Menu => {}
    }
    loop {
        let menu = if pages.systems.is_empty() {
            MENU
        } else {
            MENU_WITH_SYSTEMS
        };
        let Some((key, console)) = ask(menu, consoles) else {
            continue;
        };
        match key {
            'r' | 'R' => show_in_pages(&pages.report, consoles),
            'i' | 'I' => show_in_pages(&pages.systems, consoles),
            'b' | 'B' => return Ending::Reboot,
            'p' | 'P' => return Ending::PowerOff,
            's' | 'S' => on_console(shell::start(&console), consoles),
            'a' | 'A' if !pages.systems.is_empty() => {
                on_console(shell::start_own(&console, &APPLY), consoles);
            }
            _ => {}
        }
    }
}

/// Waits for what has the console now.
fn on_console(started: anyhow::Result<Child>, consoles: &mut Consoles) {
    let left = started.and_then(|mut child| Ok(child.wait()?));
    consoles.reopen();
    if let Err(error) = left {
        consoles.line(&format!("{error:#}"));
    }
}

/// Prints the question and waits for its key, which comes with the console's node.
fn ask(question: &str, consoles: &mut Consoles) -> Option<(char, PathBuf)> {
    let mut listening = consoles.listen();
    listening.print(question);
    listening.key(None, None)
}

/// A screen without a way to scroll back shows the report a page at a time.
fn show_in_pages(report: &str, consoles: &mut Consoles) {
    let shown = pages::turn(report.trim(), "any key", |page, question| {
        consoles.print(page);
        let answer = question.and_then(|question| ask(&format!("{question}\n"), consoles));
        Ok::<_, Infallible>(!matches!(answer, Some(('q' | 'Q', _))))
    });
    let Ok(()) = shown;
}
