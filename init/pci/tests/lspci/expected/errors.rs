use pci::{AdvancedErrors, CorrectableErrors, UncorrectableErrors};

use super::Expected;

pub fn errors(errors: &AdvancedErrors) -> Vec<Expected> {
    let capabilities = errors.capabilities;
    let log = errors
        .header_log
        .map(|word| format!("{word:08x}"))
        .join(" ");
    let mut lines = vec![
        uncorrectable("UESta:", errors.uncorrectable_status),
        uncorrectable("UEMsk:", errors.uncorrectable_mask),
        uncorrectable("UESvrt:", errors.uncorrectable_severity),
        correctable("CESta:", errors.correctable_status),
        correctable("CEMsk:", errors.correctable_mask),
        Expected::line("AERCap:")
            .field(format!(
                "First Error Pointer: {:02x}",
                capabilities.first_error()
            ))
            .flags([
                ("ECRCGenCap", capabilities.ecrc_generation_capable()),
                ("ECRCGenEn", capabilities.ecrc_generation_enabled()),
                ("ECRCChkCap", capabilities.ecrc_check_capable()),
                ("ECRCChkEn", capabilities.ecrc_check_enabled()),
                ("MultHdrRecCap", capabilities.multiple_header_capable()),
                ("MultHdrRecEn", capabilities.multiple_header_enabled()),
                ("TLPPfxPres", capabilities.prefix_log_present()),
                ("HdrLogCap", capabilities.completion_timeout_log_capable()),
            ]),
        Expected::line("HeaderLog:").field(log),
    ];
    if let Some(root) = errors.root {
        let (command, status) = (root.command, root.status);
        let message = status.interrupt_message();
        lines.extend([
            Expected::line("RootCmd:").flags([
                ("CERptEn", command.correctable()),
                ("NFERptEn", command.non_fatal()),
                ("FERptEn", command.fatal()),
            ]),
            Expected::line("RootSta:")
                .flags([
                    ("CERcvd", status.correctable()),
                    ("MultCERcvd", status.multiple_correctable()),
                    ("UERcvd", status.uncorrectable()),
                    ("MultUERcvd", status.multiple_uncorrectable()),
                    ("FirstFatal", status.first_fatal()),
                    ("NonFatalMsg", status.non_fatal()),
                    ("FatalMsg", status.fatal()),
                ])
                .either([format!("IntMsg {message}"), format!("IntMsgNum {message}")]),
            Expected::line("ErrorSrc:")
                .field(format!("ERR_COR: {:04x}", root.correctable_source))
                .field(format!(
                    "ERR_FATAL/NONFATAL: {:04x}",
                    root.uncorrectable_source
                )),
        ]);
    }
    lines
}

fn uncorrectable(start: &'static str, errors: UncorrectableErrors) -> Expected {
    Expected::line(start).flags([
        ("DLP", errors.data_link_protocol()),
        ("SDES", errors.surprise_down()),
        ("TLP", errors.poisoned()),
        ("FCP", errors.flow_control()),
        ("CmpltTO", errors.completion_timeout()),
        ("CmpltAbrt", errors.completer_abort()),
        ("UnxCmplt", errors.unexpected_completion()),
        ("RxOF", errors.receiver_overflow()),
        ("MalfTLP", errors.malformed()),
        ("ECRC", errors.ecrc()),
        ("UnsupReq", errors.unsupported_request()),
        ("ACSViol", errors.acs_violation()),
    ])
}

fn correctable(start: &'static str, errors: CorrectableErrors) -> Expected {
    Expected::line(start).flags([
        ("RxErr", errors.receiver()),
        ("BadTLP", errors.bad_tlp()),
        ("BadDLLP", errors.bad_dllp()),
        ("Rollover", errors.replay_rollover()),
        ("Timeout", errors.replay_timeout()),
        ("AdvNonFatalErr", errors.advisory_non_fatal()),
    ])
}
