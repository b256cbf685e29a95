//! What must hold for the text of any machine, however its firmware names things.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use assess::{Assessment, Severity};
use proptest::prelude::*;
use report::{TextOptions, json, summary_lines, text};
use support::{GPU, add, machine};

fn named(words: &[String]) -> Assessment {
    let word = |index: usize| words[index % words.len()].clone();
    let mut assessment = machine();
    assessment.machine.board = Some(word(0));
    assessment.machine.cpu = Some(word(1));
    assessment.kernel.release = Some(word(2));
    assessment.cards[1].slot = Some(word(3));
    for (index, function) in assessment.functions.iter_mut().enumerate() {
        function.name = Some(word(index + 4));
        function.driver = Some(word(index + 5));
    }
    let finding = add(
        &mut assessment,
        Severity::Caution,
        "x.y",
        Some(GPU),
        &word(9),
    );
    finding.evidence = words.to_vec();
    finding.remedy = Some(word(10).into());
    assessment
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_line_is_too_long_and_none_has_more_than_printable_ascii(
        words in proptest::collection::vec("\\PC{0,200}|[ -~\t\n]{0,200}|[A-Za-z]{100,200}", 1..8),
        width in 40..100_usize,
    ) {
        let assessment = named(&words);
        let report = text(&assessment, &TextOptions { width, color: false });
        for line in report.lines() {
            prop_assert!(line.len() <= width, "{} columns: {line}", line.len());
            prop_assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line:?}");
        }
        for line in summary_lines(&assessment) {
            prop_assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line:?}");
        }
    }
}

#[test]
fn colour_changes_nothing_but_the_colour() {
    let plain = text(&machine(), &TextOptions::default());
    let options = TextOptions {
        color: true,
        ..TextOptions::default()
    };
    let colored = text(&machine(), &options);
    assert!(colored.starts_with("\x1b[1;32mYES.\x1b[0m "));
    let codes = ["\x1b[1;31m", "\x1b[1;32m", "\x1b[1;33m", "\x1b[0m"];
    let without = codes
        .iter()
        .fold(colored, |text, code| text.replace(code, ""));
    assert_eq!(without, plain);
}

#[test]
fn json_reads_back_as_the_same_assessment() {
    let assessment = machine();
    let document = json(&assessment);
    assert!(document.ends_with("}\n"));
    let back: Assessment = serde_json::from_str(&document).unwrap();
    assert_eq!(back, assessment);
}

#[test]
fn json_has_the_fields_of_the_contract() {
    let document: serde_json::Value = serde_json::from_str(&json(&machine())).unwrap();
    assert_eq!(document["schema"], "preflight.assessment/1");
    assert_eq!(document["iommu"]["vendor"], "intel");
    let gpu = &document["functions"][3];
    assert_eq!(gpu["address"], "0000:01:00.0");
    assert_eq!(gpu["vendor"], "1002");
    assert_eq!(gpu["class"], "030000");
    assert_eq!(gpu["rom"]["state"], "read");
    assert_eq!(gpu["rom"]["verdict"], "good");
    assert_eq!(gpu["rom"]["images"][0]["type"], "x86");
}
