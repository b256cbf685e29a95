use std::fmt::Write;

use super::Function;

/// Where a folder laid out like /sys has its functions.
pub const FOLDER: &str = "bus/pci/devices";

/// What `lspci -xxxx` prints of the functions, with so many bytes of each configuration space.
pub fn lspci(functions: &[Function], length: usize) -> String {
    // It prints domains when there is one beside 0000.
    let with_domain = functions.iter().any(|function| function.address.domain > 0);
    let mut text = String::with_capacity(functions.len() * (96 + length * 55 / 16));
    for Function {
        address,
        kind,
        config,
    } in functions
    {
        let address = address.to_string();
        let shown = if with_domain { &address } else { &address[5..] };
        let _ = write!(text, "{shown} {}", kind.text);
        if kind.revision > 0 {
            let _ = write!(text, " (rev {:02x})", kind.revision);
        }
        text.push('\n');
        for (row, bytes) in config[..length].chunks(16).enumerate() {
            let _ = write!(text, "{:02x}:", row * 16);
            for byte in bytes {
                let _ = write!(text, " {byte:02x}");
            }
            text.push('\n');
        }
        text.push('\n');
    }
    text
}

/// Files of a folder laid out like /sys, each with its path from there.
pub fn folder(functions: &[Function]) -> impl Iterator<Item = (String, &[u8])> {
    functions.iter().map(|function| {
        let path = format!("{FOLDER}/{}/config", function.address);
        (path, function.config.as_slice())
    })
}

#[cfg(test)]
mod tests {
    use super::super::machine;
    use super::*;

    #[test]
    fn the_text_has_a_heading_and_a_line_for_each_sixteen_bytes() {
        let text = lspci(&machine(8), 256);
        let sections: Vec<Vec<&str>> = text
            .trim_end()
            .split("\n\n")
            .map(|section| section.lines().collect())
            .collect();
        let headings: Vec<_> = sections.iter().map(|section| section[0]).collect();
        for heading in [
            "00:00.0 Host bridge: Intel Corporation Sky Lake-E DMI3 Registers (rev 04)",
            "00:01.0 PCI bridge: Intel Corporation Sky Lake-E PCI Express Root Port A (rev 04)",
            "01:00.0 VGA compatible controller: NVIDIA Corporation GM204 [GeForce GTX 970] (rev a1)",
        ] {
            assert!(headings.contains(&heading), "{headings:?}");
        }
        assert!(sections.iter().all(|section| section.len() == 17));
        assert!(sections[0][1].starts_with("00: 86 80 20 20 06 01 10 00 04 00 00 06"));
        assert!(sections[0][16].starts_with("f0: 00"));
    }

    #[test]
    fn domains_are_printed_when_there_are_several() {
        let machine = machine(4096);
        let text = lspci(&machine, 64);
        assert!(text.starts_with("0000:00:00.0 Host bridge"));
        assert!(text.contains("\n0001:00:00.0 Host bridge"));
        assert_eq!(folder(&machine).count(), 4096);
    }
}
