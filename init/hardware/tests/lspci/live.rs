use std::process::Command;

use hardware::{Machine, Names, Reading, Source, lspci};

/// What lspci prints of this machine, and the machine itself.
fn this_machine(options: &str) -> Option<(Machine, Machine)> {
    let live = match hardware::read(&Source::live()) {
        Ok(live) => live,
        Err(error) => {
            println!("skipped: {error}");
            return None;
        }
    };
    let output = match Command::new("lspci").arg(options).output() {
        Ok(output) => output,
        Err(error) => {
            crate::skip(&format!("lspci (package pciutils): {error}"));
            return None;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = Names::find();
    Some((live, lspci::parse(&text, names.as_ref()).unwrap()))
}

#[test]
fn this_machine_printed_is_this_machine() {
    for options in ["-nnvvvxxxx", "-Dnnvvxxx", "-nvx", "-nnv"] {
        let Some((live, printed)) = this_machine(options) else {
            return;
        };
        assert_eq!(live.functions.len(), printed.functions.len());
        for (live, printed) in live.functions.iter().zip(&printed.functions) {
            assert_eq!(
                (live.address, live.id),
                (printed.address, printed.id),
                "{options}"
            );
            assert_eq!(live.class.0 >> 8, printed.class.0 >> 8, "{options}");
            assert_eq!(live.driver.known(), printed.driver.known(), "{options}");
            assert_eq!(live.group.known(), printed.group.known(), "{options}");
            if let Reading::Known(group) = &printed.numa_node {
                assert_eq!(live.numa_node.known(), Some(group));
            }
            if options.contains("xxxx") {
                let bounds = |bars: &[hardware::Bar]| -> Vec<_> {
                    bars.iter()
                        .map(|bar| (bar.index, bar.start, bar.end))
                        .collect()
                };
                let live_bars = bounds(live.bars.known().unwrap());
                assert_eq!(
                    live_bars,
                    bounds(printed.bars.known().unwrap()),
                    "{}",
                    live.address
                );
                let length = printed.config.known().unwrap().bytes().len();
                assert_eq!(
                    live.config.known().unwrap().bytes().get(..64),
                    printed.config.known().unwrap().bytes().get(..64)
                );
                assert!(length >= 64);
            }
        }
    }
}

#[test]
fn names_alone_lead_back_to_ids_or_to_none() {
    let Some((live, printed)) = this_machine("-vvv") else {
        return;
    };
    let mut known = 0;
    for (live, printed) in live.functions.iter().zip(&printed.functions) {
        if printed.id.device.0 != u16::MAX {
            assert_eq!(live.id, printed.id);
            known += 1;
        }
    }
    println!("{known} of {} ids found by name", live.functions.len());
}
