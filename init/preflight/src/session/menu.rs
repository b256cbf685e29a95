use crate::consoles::Consoles;
use crate::init::Ending;
use crate::options::End;
use crate::session::shell;

const MENU: &str = "\n  r  show the report again    s  shell    b  reboot    p  power off\n";

/// Ends as the options say, or asks until the person chose an end.
pub fn choose_end(end: End, report: &str, consoles: &mut Consoles) -> Ending {
    match end {
        End::Reboot => return Ending::Reboot,
        End::PowerOff => return Ending::PowerOff,
        End::Menu => {}
    }
    loop {
        consoles.print(MENU);
        let Some((key, console)) = consoles.key(None) else {
            continue;
        };
        match key {
            'r' | 'R' => consoles.print(report),
            'b' | 'B' => return Ending::Reboot,
            'p' | 'P' => return Ending::PowerOff,
            's' | 'S' => {
                if let Err(error) = shell::start(&console).and_then(|mut shell| Ok(shell.wait()?)) {
                    consoles.line(&format!("{error:#}"));
                }
            }
            _ => {}
        }
    }
}
