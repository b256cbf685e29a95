//! What lspci printed, cut into functions, capabilities and lines.

use std::collections::BTreeMap;
use std::process::Command;

use pci::Address;

pub struct PrintedFunction {
    pub header: Vec<String>,
    pub capabilities: Vec<PrintedCapability>,
}

pub struct PrintedCapability {
    pub offset: u16,
    pub version: Option<u8>,
    pub title: String,
    /// The title, and every line below with those that continue it.
    pub lines: Vec<String>,
}

impl PrintedFunction {
    pub fn has_extended(&self) -> bool {
        self.capabilities
            .iter()
            .any(|capability| capability.version.is_some())
    }
}

/// The output of the installed lspci for the hex in `text`.
pub fn lspci(text: &str) -> String {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    let output = Command::new("lspci")
        .arg("-F")
        .arg(file.path())
        .args(["-D", "-nn", "-vvv"])
        .output()
        .unwrap_or_else(|error| panic!("lspci: {error}. Install pciutils, or run make setup"));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Punctuation between fields is no field.
fn words(line: &str) -> String {
    line.replace([',', ';', '(', ')'], " ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn capability(line: &str) -> Option<PrintedCapability> {
    let (place, title) = line.strip_prefix("\tCapabilities: [")?.split_once("] ")?;
    let mut place = place.split(" v");
    Some(PrintedCapability {
        offset: u16::from_str_radix(place.next()?, 16).ok()?,
        version: place.next().map(|version| version.parse().unwrap()),
        title: title.to_owned(),
        lines: vec![words(title)],
    })
}

pub fn functions(text: &str) -> BTreeMap<Address, PrintedFunction> {
    text.split("\n\n")
        .filter(|block| !block.trim().is_empty())
        .map(|block| {
            let (first, rest) = block.trim_start_matches('\n').split_once('\n').unwrap();
            let at = first.split(' ').next().unwrap().parse().unwrap();
            let mut function = PrintedFunction {
                header: Vec::new(),
                capabilities: Vec::new(),
            };
            for line in rest.lines() {
                function.take(line);
            }
            (at, function)
        })
        .collect()
}

impl PrintedFunction {
    fn take(&mut self, line: &str) {
        if let Some(found) = capability(line) {
            self.capabilities.push(found);
            return;
        }
        let depth = line.chars().take_while(|char| *char == '\t').count();
        let continues = depth >= 3 || (self.capabilities.is_empty() && depth == 2);
        let lines = match self.capabilities.last_mut() {
            Some(capability) => &mut capability.lines,
            None => &mut self.header,
        };
        match lines.last_mut() {
            Some(last) if continues => {
                last.push(' ');
                last.push_str(&words(line));
            }
            _ => lines.push(words(line)),
        }
    }
}
