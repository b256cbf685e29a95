use crate::{Framebuffer, Reading, Source};

/// A machine with thousands of functions has some hundred kilobytes of it.
const IOMEM_LIMIT: usize = 4 << 20;

/// Names under which firmware's framebuffer and its drivers hold their memory.
const OWNERS: &[&str] = &[
    "BOOTFB",
    "efifb",
    "simplefb",
    "simple-framebuffer",
    "vesafb",
    "vga16fb",
    "simpledrm",
    "efidrm",
    "vesadrm",
];

/// Who holds a framebuffer, from /proc/iomem.
pub(super) fn framebuffers(source: &Source) -> Reading<Vec<Framebuffer>> {
    source
        .proc_text("iomem", IOMEM_LIMIT)
        .and_then(|text| parse(&text))
}

fn parse(text: &str) -> Result<Vec<Framebuffer>, String> {
    let ranges: Vec<Framebuffer> = text.lines().filter_map(range).collect();
    if ranges
        .iter()
        .all(|range| range.start == 0 && range.end == 0)
    {
        return Err("/proc/iomem shows no addresses: needs root".to_owned());
    }
    let is_owner = |name: &str| OWNERS.iter().any(|owner| name.starts_with(owner));
    Ok(ranges
        .into_iter()
        .filter(|range| is_owner(&range.owner))
        .collect())
}

/// One line, however deep it is nested: `  d0000000-d02fffff : efifb`.
fn range(line: &str) -> Option<Framebuffer> {
    let (bounds, owner) = line.split_once(" : ")?;
    let (start, end) = bounds.trim().split_once('-')?;
    Some(Framebuffer {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        owner: owner.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_framebuffer_is_found_inside_the_bar_that_holds_it() {
        let text = "00000000-00000fff : Reserved\n\
                    c0000000-febfffff : PCI Bus 0000:00\n\
                    \x20 d0000000-dfffffff : PCI Bus 0000:01\n\
                    \x20   d0000000-dfffffff : 0000:01:00.0\n\
                    \x20     d0000000-d02fffff : BOOTFB\n\
                    \x20       d0000000-d02fffff : simple-framebuffer.0\n";
        let found = parse(text).unwrap();
        let owners: Vec<&str> = found.iter().map(|range| range.owner.as_str()).collect();
        assert_eq!(owners, ["BOOTFB", "simple-framebuffer.0"]);
        assert!(
            found
                .iter()
                .all(|range| range.start == 0xd000_0000 && range.end == 0xd02f_ffff)
        );
    }

    #[test]
    fn zeros_are_not_addresses() {
        let text = "00000000-00000000 : Reserved\n  00000000-00000000 : efifb\n";
        assert!(parse(text).unwrap_err().ends_with("needs root"));
        assert!(parse("").is_err());
    }
}
