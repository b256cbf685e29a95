use std::path::{Path, PathBuf};
use std::process::Command;

use hardware::{Function, Reading, lspci};

/// Real dumps, beside the working tree.
fn dumps() -> Vec<PathBuf> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/pci-config/pciutils");
    match std::fs::read_dir(&root) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(error) => {
            crate::skip(&format!("{}: {error}", root.display()));
            Vec::new()
        }
    }
}

/// What pciutils prints of a dump.
fn printed(dump: &Path, options: &str) -> Option<String> {
    let output = Command::new("lspci")
        .arg("-F")
        .arg(dump)
        .arg(options)
        .output();
    match output {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error) => {
            crate::skip(&format!("lspci (package pciutils): {error}"));
            None
        }
    }
}

/// Where both readings know a register they must say the same; counts those.
fn agree<T: PartialEq + std::fmt::Debug>(
    what: &str,
    function: &Function,
    hex: &Reading<T>,
    words: &Reading<T>,
) -> usize {
    match (hex, words) {
        (Reading::Unknown(_), _) | (_, Reading::Unknown(_)) => 0,
        (hex, words) => {
            assert_eq!(hex, words, "{what} of {}", function.address);
            1
        }
    }
}

#[test]
fn hex_and_what_lspci_makes_of_it_in_words_are_the_same_machine() {
    let (mut registers, mut known_acs, mut known_sriov) = (0, 0, 0);
    let dumps = dumps();
    for path in &dumps {
        let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        let from_hex = lspci::parse(&text, None).unwrap();
        for options in ["-nnvvv", "-nvv", "-nnDv"] {
            let Some(words) = printed(path, options) else {
                return;
            };
            let from_words = lspci::parse(&words, None).unwrap();
            assert_eq!(
                from_hex.functions.len(),
                from_words.functions.len(),
                "{}",
                path.display()
            );
            for (hex, words) in from_hex.functions.iter().zip(&from_words.functions) {
                assert_eq!((hex.address, hex.id), (words.address, words.id));
                assert_eq!(hex.class.0 >> 8, words.class.0 >> 8);
                assert_eq!(hex.revision, words.revision);
                assert!(hex.config.known().is_some() && words.config.known().is_none());
                registers += agree("port type", hex, &hex.port_type(), &words.port_type());
                registers += agree("buses", hex, &hex.bridge_buses(), &words.bridge_buses());
                registers += agree("link", hex, &hex.link, &words.link);
                registers += agree("power state", hex, &hex.power_state, &words.power_state);
                // lspci prints no subsystem without a vendor.
                let has_vendor = |id: &pci::FunctionId| id.vendor.0 != 0;
                if hex.subsystem.known().is_some_and(has_vendor) {
                    registers += agree("subsystem", hex, &hex.subsystem, &words.subsystem);
                }
                known_acs += agree("ACS", hex, &hex.acs(), &words.acs());
                known_sriov += agree(
                    "virtual functions",
                    hex,
                    &hex.total_virtual_functions,
                    &words.total_virtual_functions,
                );
            }
        }
    }
    if !dumps.is_empty() {
        assert!(registers > 200, "{registers} registers compared");
        assert!(
            known_acs > 30 && known_sriov > 20,
            "{known_acs}, {known_sriov}"
        );
    }
}

#[test]
fn a_dump_of_256_bytes_leaves_the_extended_space_unknown() {
    for path in dumps() {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        let short: String = text
            .lines()
            .filter(|line| line.as_bytes().get(3) != Some(&b':'))
            .flat_map(|line| [line, "\n"])
            .collect();
        let words_cut_away: Vec<&str> = short
            .lines()
            .filter(|line| !line.starts_with(char::is_whitespace))
            .collect();
        for function in lspci::parse(&words_cut_away.join("\n"), None)
            .unwrap()
            .functions
        {
            assert!(function.config.known().unwrap().bytes().len() <= 256);
            let express = function.port_type().known().is_some();
            assert_eq!(function.acs().is_unknown(), express, "{}", path.display());
        }
    }
}
