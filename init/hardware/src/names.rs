mod lookup;
mod subset;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::OnceLock;

use flate2::read::GzDecoder;
use pci::{ClassCode, FunctionId, VendorId};

pub(crate) use self::lookup::Lookup;

/// The list has 1.5 MB; more than this is no list of PCI ids.
const LIMIT: u64 = 16 << 20;

/// Where the list is: in our own image, and where distributions put it.
const PLACES: &[&str] = &[
    "/usr/share/preflight/pci.ids",
    "/usr/share/misc/pci.ids",
    "/usr/share/misc/pci.ids.gz",
    "/usr/share/hwdata/pci.ids",
];

/// Names of vendors, devices, subsystems and classes, from a pci.ids file.
///
/// Only vendors and base classes are indexed at once: of some forty thousand lines a machine asks for a few
/// dozen. A vendor's devices are indexed when the first of them is asked for.
pub struct Names {
    text: String,
    vendors: BTreeMap<u16, Range<usize>>,
    devices: BTreeMap<u16, OnceLock<Devices>>,
    classes: BTreeMap<u8, Range<usize>>,
}

/// Where each device of a vendor is in the vendor's block, its subsystems included; by id.
type Devices = Vec<(u16, Range<u32>)>;

impl Names {
    /// Takes a gzipped pci.ids file.
    ///
    /// # Errors
    /// What is wrong with the compression, or that it holds more than 16 MiB.
    pub fn from_gz(bytes: &[u8]) -> io::Result<Self> {
        let mut text = Vec::new();
        GzDecoder::new(bytes)
            .take(LIMIT + 1)
            .read_to_end(&mut text)?;
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > LIMIT {
            return Err(io::Error::other(format!(
                "the list of PCI names is over {LIMIT} bytes"
            )));
        }
        Ok(Self::from_text(readable(text)))
    }

    /// Takes the text of a pci.ids file.
    pub fn from_text(text: String) -> Self {
        let mut blocks: Vec<(Block, usize)> = Vec::new();
        for start in line_starts(&text) {
            if let Some(block) = text.get(start..).and_then(Block::of) {
                blocks.push((block, start));
            }
        }
        let ends: Vec<usize> = blocks
            .iter()
            .skip(1)
            .map(|(_, start)| *start)
            .chain([text.len()])
            .collect();
        let (mut vendors, mut classes) = (BTreeMap::new(), BTreeMap::new());
        for ((block, start), end) in blocks.into_iter().zip(ends) {
            match block {
                Block::Vendor(id) => _ = vendors.insert(id, start..end),
                Block::Class(base) => _ = classes.insert(base, start..end),
                Block::Other => {}
            }
        }
        Self {
            text,
            devices: vendors.keys().map(|id| (*id, OnceLock::new())).collect(),
            vendors,
            classes,
        }
    }

    /// Reads the list from where it is on this system: first our own copy, then the distribution's.
    pub fn find() -> Option<Self> {
        PLACES.iter().find_map(|place| {
            let bytes = std::fs::read(place).ok()?;
            if place.ends_with(".gz") {
                Self::from_gz(&bytes).ok()
            } else {
                Some(Self::from_text(readable(bytes)))
            }
        })
    }

    /// The vendor's name.
    pub fn vendor(&self, id: VendorId) -> Option<&str> {
        heading(self.vendor_block(id)?)
    }

    /// The device's name, without its vendor's.
    pub fn device(&self, id: FunctionId) -> Option<&str> {
        heading(self.device_block(id)?.trim_start())
    }

    /// The name of a card that carries this function: subsystems are listed below their device.
    pub fn subsystem(&self, id: FunctionId, subsystem: FunctionId) -> Option<&str> {
        let key = format!("{} {}", subsystem.vendor, subsystem.device);
        entries(self.device_block(id)?, 2).find_map(|line| named(line, &key))
    }

    /// The name of the class: of the programming interface where it has one, else of the subclass, else
    /// of the base class.
    pub fn class(&self, class: ClassCode) -> Option<&str> {
        let block = self.text.get(self.classes.get(&class.base())?.clone())?;
        let sub = format!("{:02x}", class.sub());
        let interface = format!("{:02x}", class.interface());
        below(block, 1, &sub)
            .find_map(|line| named(line, &interface))
            .or_else(|| entries(block, 1).find_map(|line| named(line, &sub)))
            .or_else(|| heading(block))
    }

    fn vendor_block(&self, id: VendorId) -> Option<&str> {
        self.text.get(self.vendors.get(&id.0)?.clone())
    }

    /// The device's line and its subsystems' below.
    fn device_block(&self, id: FunctionId) -> Option<&str> {
        let block = self.vendor_block(id.vendor)?;
        let index = self.devices.get(&id.vendor.0)?;
        let devices = index.get_or_init(|| devices(block));
        let first = devices.partition_point(|(known, _)| *known < id.device.0);
        let (known, place) = devices.get(first)?;
        let place = usize::try_from(place.start).ok()?..usize::try_from(place.end).ok()?;
        block.get(place).filter(|_| *known == id.device.0)
    }
}

/// Takes the bytes over; only a list in another encoding is written anew.
fn readable(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Where lines begin, found many bytes at a time: the list has forty thousand.
fn line_starts(text: &str) -> impl Iterator<Item = usize> {
    let ends = memchr::memchr_iter(b'\n', text.as_bytes());
    std::iter::once(0).chain(ends.map(|end| end + 1))
}

/// The devices of a vendor's block. Of two with the same id the first counts.
fn devices(block: &str) -> Devices {
    // A list is at most 16 MiB long.
    let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let mut found = Devices::new();
    for start in line_starts(block) {
        let line = block.as_bytes().get(start..).unwrap_or_default();
        if let [b'\t', digits @ .., b' ', b' '] = line.get(..7).unwrap_or_default()
            && let Ok(digits) = str::from_utf8(digits)
            && let Ok(id) = u16::from_str_radix(digits, 16)
        {
            if let Some((_, last)) = found.last_mut() {
                last.end = place(start);
            }
            found.push((id, place(start)..place(block.len())));
        }
    }
    // They are in order already, all but a few.
    found.sort_by_key(|(id, _)| *id);
    found
}

/// What a line without indentation opens.
enum Block {
    /// `10de  NVIDIA Corporation`
    Vendor(u16),
    /// `C 03  Display controller`
    Class(u8),
    /// Another list behind these.
    Other,
}

impl Block {
    /// The block that is opened by the line at which the text begins.
    fn of(text: &str) -> Option<Self> {
        if matches!(text.as_bytes().first()?, b'\t' | b'#' | b'\n' | b'\r') {
            return None;
        }
        let line = text.lines().next()?;
        let id = line.split_whitespace().next()?;
        if let Some(class) = line.strip_prefix("C ") {
            let base = class
                .get(..2)
                .and_then(|digits| u8::from_str_radix(digits, 16).ok());
            return Some(base.map_or(Self::Other, Self::Class));
        }
        let vendor = (id.len() == 4)
            .then(|| u16::from_str_radix(id, 16).ok())
            .flatten();
        Some(vendor.map_or(Self::Other, Self::Vendor))
    }
}

/// The name in a block's first line.
fn heading(block: &str) -> Option<&str> {
    let line = block.lines().next()?;
    Some(
        line.strip_prefix("C ")
            .unwrap_or(line)
            .split_once("  ")?
            .1
            .trim(),
    )
}

/// Lines with exactly `depth` tabs, without them.
fn entries(block: &str, depth: usize) -> impl Iterator<Item = &str> {
    block.lines().filter_map(move |line| {
        let text = line.trim_start_matches('\t');
        (line.len() - text.len() == depth && !text.starts_with('#')).then_some(text)
    })
}

/// Lines one deeper than the entry at `depth` with this id, up to the next entry.
fn below<'a>(block: &'a str, depth: usize, id: &str) -> impl Iterator<Item = &'a str> {
    let tabs = move |line: &str| line.len() - line.trim_start_matches('\t').len();
    let id = id.to_owned();
    block
        .lines()
        .skip_while(move |line| tabs(line) != depth || named(line.trim_start(), &id).is_none())
        .skip(1)
        .take_while(move |line| tabs(line) > depth || line.starts_with('#'))
        .filter(move |line| tabs(line) == depth + 1)
        .map(str::trim_start)
}

/// The name behind an id and two spaces.
fn named<'a>(line: &'a str, id: &str) -> Option<&'a str> {
    let (found, name) = line.split_once("  ")?;
    (found == id).then(|| name.trim())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TEXT: &str = "# made for this test\n\n\
        1002  First Vendor\n\t1111  One\n\t\t1002 0001  One on a card\n\t2222  Two\n\
        10de  Second Vendor\n\t1111  Other One\n\n\
        C 03  Display controller\n\t00  VGA compatible controller\n\t\t00  VGA controller\n\
        \t02  3D controller\nC 0c  Serial bus controller\n\t03  USB controller\n\t\t30  XHCI\n";

    #[test]
    fn names_are_found_in_their_own_vendors_block() {
        let names = Names::from_text(TEXT.to_owned());
        assert_eq!(names.vendor(VendorId(0x10de)), Some("Second Vendor"));
        assert_eq!(names.device(FunctionId::new(0x1002, 0x1111)), Some("One"));
        assert_eq!(
            names.device(FunctionId::new(0x10de, 0x1111)),
            Some("Other One")
        );
        assert_eq!(names.device(FunctionId::new(0x10de, 0x2222)), None);
        assert_eq!(
            names.subsystem(FunctionId::new(0x1002, 0x1111), FunctionId::new(0x1002, 1)),
            Some("One on a card")
        );
        assert_eq!(
            names.subsystem(FunctionId::new(0x1002, 0x2222), FunctionId::new(0x1002, 1)),
            None
        );
    }

    #[test]
    fn of_two_devices_with_the_same_id_the_first_counts_and_comments_are_none() {
        let text = "1002  Vendor\n\t#1111  Not it\n\t1111  First\n\t1111  Second\n";
        let names = Names::from_text(text.to_owned());
        assert_eq!(names.device(FunctionId::new(0x1002, 0x1111)), Some("First"));
    }

    #[test]
    fn a_class_is_named_as_closely_as_the_list_can() {
        let names = Names::from_text(TEXT.to_owned());
        assert_eq!(names.class(ClassCode(0x03_00_00)), Some("VGA controller"));
        assert_eq!(names.class(ClassCode(0x03_02_00)), Some("3D controller"));
        assert_eq!(
            names.class(ClassCode(0x03_80_00)),
            Some("Display controller")
        );
        assert_eq!(names.class(ClassCode(0x0c_03_30)), Some("XHCI"));
        assert_eq!(names.class(ClassCode(0x7f_00_00)), None);
    }

    #[test]
    fn a_compressed_list_is_read_and_a_bomb_is_refused() {
        let gz = |bytes: &[u8]| {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        let names = Names::from_gz(&gz(TEXT.as_bytes())).unwrap();
        assert_eq!(names.vendor(VendorId(0x1002)), Some("First Vendor"));
        assert!(Names::from_gz(&gz(&vec![b'x'; (16 << 20) + 1])).is_err());
        assert!(Names::from_gz(b"no gzip").is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_indexed_without_panic(text: String, vendor: u16, class: u32) {
            let names = Names::from_text(text);
            let id = FunctionId::new(vendor, 0);
            let _ = names.vendor(VendorId(vendor)).or(names.device(id));
            let _ = names.subsystem(id, id).or(names.class(ClassCode(class)));
        }
    }
}
