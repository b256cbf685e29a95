use crate::fields::is_filled;
use crate::image::{NoImage, SIGNATURE};
use crate::{Image, Problem, ProblemId, Rom, Trailing, Verdict};

/// Images start on such boundaries (PCI Firmware specification 3.3, 5.1.1), and so do those behind
/// the file headers that NVIDIA's tools write.
const STEP: usize = 512;

pub(crate) fn parse(bytes: &[u8]) -> Rom {
    if let Some(problem) = nothing_there(bytes) {
        return Rom {
            leading: 0,
            images: Vec::new(),
            trailing: trailing(bytes),
            verdict: Verdict::of(std::slice::from_ref(&problem)),
            problems: vec![problem],
        };
    }
    let leading = first_image(bytes);
    let mut walk = Walk {
        bytes,
        images: Vec::new(),
        problems: Vec::new(),
        pcir_last: false,
    };
    if leading > 0 {
        walk.report(
            ProblemId::LeadingData,
            format!("The first image starts at {leading:#x}; a ROM file must start with it."),
        );
    }
    let trailing = walk.run(leading);
    Rom {
        leading,
        images: walk.images,
        trailing,
        verdict: Verdict::of(&walk.problems),
        problems: walk.problems,
    }
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

/// Where the first image starts. Only here is anything searched for, and only when the file does not
/// start as a ROM: inside an image a `55 AA` means nothing.
fn first_image(bytes: &[u8]) -> usize {
    if bytes.starts_with(SIGNATURE) {
        return 0;
    }
    (STEP..bytes.len())
        .step_by(STEP)
        .find(|at| {
            let rest = bytes.get(*at..).unwrap_or_default();
            rest.starts_with(SIGNATURE) && crate::pcir::find(rest).is_ok()
        })
        .unwrap_or(0)
}

struct Walk<'a> {
    bytes: &'a [u8],
    images: Vec<Image>,
    problems: Vec<Problem>,
    /// An image was the last by PCIR; only NPDE can announce more.
    pcir_last: bool,
}

impl Walk<'_> {
    /// Follows the images from `at` on; every one has a length, so this ends.
    fn run(&mut self, mut at: usize) -> Trailing {
        loop {
            let image = match Image::read(self.bytes, at, &mut self.problems) {
                Ok(image) => image,
                Err(why) => return self.no_image(at, why),
            };
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
            let (id, detail) = no_first_image(at, why);
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
        self.problems.push(Problem { id, detail });
    }
}

fn no_first_image(at: usize, why: NoImage) -> (ProblemId, String) {
    match why {
        NoImage::Signature => (
            ProblemId::NoSignature,
            "No 55 AA with a PCIR structure at the start or on any 512-byte boundary.".to_owned(),
        ),
        NoImage::Pcir => (
            ProblemId::NoPcir,
            format!("The image at {at:#x} starts with 55 AA and has no PCIR structure."),
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

fn trailing(bytes: &[u8]) -> Trailing {
    if bytes.is_empty() {
        Trailing::None
    } else if is_filled(bytes, 0xff) || is_filled(bytes, 0) {
        Trailing::Padding(bytes.len())
    } else {
        Trailing::Data(bytes.len())
    }
}
