use crate::fields::{is_filled, sum, u8_at, units};
use crate::image::NoImage;
use crate::leading::Leading;
use crate::work::Work;
use crate::{Image, Problem, ProblemId, Rom, Trailing, Verdict};

/// The ROM, and how many steps it took to read it.
pub(crate) fn parse(bytes: &[u8]) -> (Rom, u64) {
    let mut walk = Walk {
        bytes,
        images: Vec::new(),
        work: Work::new(),
        pcir_last: false,
    };
    // Whether all is of one value, here or behind the last image.
    walk.work.count(2 * bytes.len());
    if let Some(problem) = nothing_there(bytes) {
        let rom = Rom {
            leading: 0,
            images: Vec::new(),
            trailing: trailing(bytes),
            verdict: Verdict::of(std::slice::from_ref(&problem)),
            problems: vec![problem],
        };
        return (rom, walk.work.steps());
    }
    let leading = Leading::find(bytes);
    walk.work.count(leading.looked_at);
    if let Some(detail) = leading.detail(bytes) {
        walk.report(ProblemId::LeadingData, detail);
    }
    let trailing = walk.run(leading.length);
    let steps = walk.work.steps();
    let problems = walk.work.problems;
    let rom = Rom {
        leading: leading.length,
        images: walk.images,
        trailing,
        verdict: Verdict::of(&problems),
        problems,
    };
    (rom, steps)
}

fn nothing_there(bytes: &[u8]) -> Option<Problem> {
    let (id, what) = if bytes.is_empty() {
        (ProblemId::Empty, "There are no bytes".to_owned())
    } else if is_filled(bytes, 0xff) {
        (
            ProblemId::AllOnes,
            format!("All {} bytes are 0xff", bytes.len()),
        )
    } else if is_filled(bytes, 0) {
        (
            ProblemId::AllZeros,
            format!("All {} bytes are 0x00", bytes.len()),
        )
    } else {
        return None;
    };
    let detail = format!("{what}.");
    Some(Problem { id, detail })
}

struct Walk<'a> {
    bytes: &'a [u8],
    images: Vec<Image>,
    work: Work,
    /// An image was the last by PCIR; only NPDE can announce more.
    pcir_last: bool,
}

impl Walk<'_> {
    /// Follows the images from `at` on; every one has a length, so this ends.
    fn run(&mut self, mut at: usize) -> Trailing {
        loop {
            let image = match Image::read(self.bytes, at, &mut self.work) {
                Ok(image) => image,
                Err(why) => return self.no_image(at, why),
            };
            self.work.count(1);
            at = image.end();
            let ends = image.ends_rom();
            let cut = at > self.bytes.len();
            if cut {
                self.cut_image(&image);
            }
            self.pcir_last |= image.pcir.last;
            self.images.push(image);
            if cut {
                return Trailing::None;
            }
            if ends {
                return self.behind(at);
            }
        }
    }

    fn cut_image(&mut self, image: &Image) {
        let missing = image.end().saturating_sub(self.bytes.len());
        self.report(
            self.or_vendor_tail(ProblemId::Truncated),
            format!(
                "{} has {} bytes, and the last {missing} of them are not there.",
                image.place(),
                image.length
            ),
        );
    }

    /// An image was expected at `at`, and there is none.
    fn no_image(&mut self, at: usize, why: NoImage) -> Trailing {
        let rest = trailing(self.bytes.get(at..).unwrap_or_default());
        let Some(before) = self.images.last().map(Image::place) else {
            let (id, detail) = no_first_image(self.bytes, at, why);
            self.report(id, detail);
            return rest;
        };
        let (id, detail) = match (rest, why) {
            (Trailing::None, _) => (
                ProblemId::LastMissing,
                format!("{before} is not marked as the last, and the bytes end behind it."),
            ),
            (Trailing::Padding(length), _) => (
                ProblemId::LastMissing,
                format!(
                    "{before} is not marked as the last, and only {length} bytes of padding follow."
                ),
            ),
            (Trailing::Data(length), NoImage::Truncated) => (
                ProblemId::Truncated,
                format!("An image starts at {at:#x}, and the bytes end {length} bytes into it."),
            ),
            (Trailing::Data(_), NoImage::ZeroLength) => (
                ProblemId::ZeroLength,
                format!("The image at {at:#x} says that its length is zero."),
            ),
            (Trailing::Data(length), NoImage::Signature | NoImage::Pcir) => (
                ProblemId::ChainBroken,
                format!(
                    "{before} is not marked as the last, and the {length} bytes that follow at \
                     {at:#x} are no image."
                ),
            ),
        };
        self.report(self.or_vendor_tail(id), detail);
        if let Trailing::Padding(length) = rest {
            self.padding(at, length);
        }
        rest
    }

    /// Names what stands behind the last image.
    fn behind(&mut self, at: usize) -> Trailing {
        let rest = trailing(self.bytes.get(at..).unwrap_or_default());
        match rest {
            Trailing::None => {}
            Trailing::Padding(length) => self.padding(at, length),
            Trailing::Data(length) => self.report(
                ProblemId::TrailingData,
                format!("{length} bytes that are no padding follow the last image at {at:#x}."),
            ),
        }
        rest
    }

    fn padding(&mut self, at: usize, length: usize) {
        self.report(
            ProblemId::TrailingPadding,
            format!("{length} bytes of padding follow the last image at {at:#x}."),
        );
    }

    /// The kernel's sysfs file ends behind the image that PCIR calls the last, so what is wrong
    /// behind it tells nothing about the images that firmware runs.
    fn or_vendor_tail(&self, id: ProblemId) -> ProblemId {
        if self.pcir_last {
            ProblemId::VendorTailMissing
        } else {
            id
        }
    }

    fn report(&mut self, id: ProblemId, detail: String) {
        self.work.report(id, detail);
    }
}

fn no_first_image(bytes: &[u8], at: usize, why: NoImage) -> (ProblemId, String) {
    match why {
        NoImage::Signature => (
            ProblemId::NoSignature,
            "No 55 AA with a PCIR structure at the start or on any 512-byte boundary.".to_owned(),
        ),
        NoImage::Pcir => (
            ProblemId::NoPcir,
            format!(
                "The image at {at:#x} starts with 55 AA and has no PCIR structure{}.",
                isa_style(bytes.get(at..).unwrap_or_default())
            ),
        ),
        NoImage::Truncated => (
            ProblemId::Truncated,
            format!("The bytes end within the headers of the image at {at:#x}."),
        ),
        NoImage::ZeroLength => (
            ProblemId::ZeroLength,
            format!("The image at {at:#x} says that its length is zero."),
        ),
    }
}

/// Before PCI a ROM had a size byte and a sum and nothing else (Plug and Play BIOS specification 1.0A,
/// 3.1); such are VGA BIOSes for ISA and small boot helpers.
fn isa_style(image: &[u8]) -> &'static str {
    let size = units(u8_at(image, 2).unwrap_or(0).into());
    match image.get(..size) {
        Some(own) if size > 0 && sum(own) == 0 => {
            ": by its size byte and its sum it is a whole ISA-style ROM"
        }
        _ => "",
    }
}

fn trailing(bytes: &[u8]) -> Trailing {
    if bytes.is_empty() {
        Trailing::None
    } else if is_filled(bytes, 0xff) || is_filled(bytes, 0) {
        Trailing::Padding(bytes.len())
    } else {
        Trailing::Data(bytes.len())
    }
}
