use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that the guest is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Load this module with what it depends on.
    Module(String),
    /// Run a program with these arguments and take what it prints.
    Run(Vec<String>),
    /// Read a whole file.
    Read(String),
    /// Write this text to a file in one go.
    Write(String, String),
    /// Where a link leads: the last name of its target.
    Link(String),
    /// The names in a folder, sorted.
    List(String),
    /// Enable a `rom` file of sysfs, read it, and disable it again.
    Rom(String),
    /// Map a `resource` file of sysfs and read so many bytes from an offset on, four at a time.
    Memory(String, u64, usize),
    /// Open the VFIO group of the function at this address, give it an IOMMU, open the function in it, and
    /// read its vendor and device id.
    Vfio(String),
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is done.
    Done,
    /// Text: a link's name, a program's standard output.
    Text(String),
    /// Names.
    Names(Vec<String>),
    /// Bytes, in hex.
    Hex(String),
}

/// Why the guest could not do it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The kernel's error number, where it was the kernel that refused.
    pub errno: Option<i32>,
    /// In words.
    pub why: String,
}

/// Requests and what came of each.
#[derive(Clone, Debug)]
pub struct Answers {
    answered: Vec<(Request, Result<Answer, Refusal>)>,
}

impl Request {
    /// Runs a program.
    pub fn run(words: &[&str]) -> Self {
        Self::Run(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// A file of a PCI function in sysfs.
    pub fn read(address: &str, file: &str) -> Self {
        Self::Read(function_file(address, file))
    }

    /// Text for a file of a PCI function in sysfs.
    pub fn write(address: &str, file: &str, text: &str) -> Self {
        Self::Write(function_file(address, file), text.to_owned())
    }

    /// A link of a PCI function in sysfs.
    pub fn link(address: &str, file: &str) -> Self {
        Self::Link(function_file(address, file))
    }

    /// The option ROM of a PCI function, in the kernel's way.
    pub fn rom(address: &str) -> Self {
        Self::Rom(function_file(address, "rom"))
    }

    /// So many bytes of a BAR of a PCI function.
    pub fn memory(address: &str, bar: u8, offset: u64, length: usize) -> Self {
        let file = function_file(address, &format!("resource{bar}"));
        Self::Memory(file, offset, length)
    }
}

fn function_file(address: &str, file: &str) -> String {
    format!("/sys/bus/pci/devices/{address}/{file}")
}

impl Answers {
    /// Answers in the order of their requests.
    pub fn new(requests: Vec<Request>, answers: Vec<Result<Answer, Refusal>>) -> Self {
        Self {
            answered: requests.into_iter().zip(answers).collect(),
        }
    }

    /// What came of a request, the first time.
    ///
    /// # Panics
    /// When it was not asked.
    pub fn to(&self, request: &Request) -> &Result<Answer, Refusal> {
        let mut answered = self.answered.iter();
        let answer = answered.find(|(asked, _)| asked == request);
        &answer.unwrap_or_else(|| panic!("not asked: {request:?}")).1
    }

    /// The bytes that a request gave.
    ///
    /// # Panics
    /// When it gave none.
    pub fn bytes(&self, request: &Request) -> Vec<u8> {
        let hex = match self.to(request) {
            Ok(Answer::Hex(hex)) => hex,
            other => panic!("no bytes from {request:?}: {other:?}"),
        };
        let digits = (0..hex.len()).step_by(2);
        digits
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap_or_else(|_| panic!("{hex}")))
            .collect()
    }

    /// The text that a request gave, without white space around it.
    ///
    /// # Panics
    /// When it gave none.
    pub fn text(&self, request: &Request) -> String {
        match self.to(request) {
            Ok(Answer::Text(text)) => text.trim().to_owned(),
            Ok(Answer::Hex(_)) => {
                let bytes = self.bytes(request);
                String::from_utf8_lossy(&bytes).trim().to_owned()
            }
            other => panic!("no text from {request:?}: {other:?}"),
        }
    }

    /// The kernel's error number for a request; none when it was carried out.
    pub fn errno(&self, request: &Request) -> Option<i32> {
        self.to(request).as_ref().err().and_then(|no| no.errno)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
