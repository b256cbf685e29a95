use std::path::PathBuf;

use crate::consoles::Consoles;
use crate::init::Ending;
use crate::options::End;
use crate::session::run::Pages;
use crate::session::shell;

/// Lines of a text screen, less the one that asks for a key.
const PAGE: usize = 23;

const MENU: &str = "\n  r  show the report again    s  shell    b  reboot    p  power off\n";
/// The same where installed systems were looked at.
const MENU_WITH_SYSTEMS: &str = "\n  r  show the report again    i  show the installed systems\n  \
                                 s  shell    b  reboot    p  power off\n";

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
            's' | 'S' => {
                let left = shell::start(&console).and_then(|mut shell| Ok(shell.wait()?));
                consoles.reopen();
                if let Err(error) = left {
                    consoles.line(&format!("{error:#}"));
                }
            }
            _ => {}
        }
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
    let lines: Vec<&str> = report.trim().lines().collect();
    let mut pages = lines.chunks(PAGE).peekable();
    while let Some(page) = pages.next() {
        consoles.print(&format!("{}\n", page.join("\n")));
        if pages.peek().is_none() {
            return;
        }
        if let Some(('q' | 'Q', _)) = ask("-- any key for more, q to end --\n", consoles) {
            return;
        }
    }
}
