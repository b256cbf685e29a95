use hardware::{Board, Function, Reading};
use isolation::{AcsService, Basis, Isolation};

use crate::context::Context;
use crate::{
    AcsSummary, Answer, FunctionSummary, IsolationSummary, KernelSummary, MachineSummary, Services,
};

pub(crate) fn machine(ctx: &Context) -> MachineSummary {
    let machine = ctx.machine;
    let board = &machine.board;
    MachineSummary {
        board: board_name(board),
        bios: joined(&board.bios_version, &board.bios_date),
        cpu: machine.cpu.model.known().cloned(),
        firmware: machine.firmware.known().copied(),
    }
}

pub(crate) fn kernel(ctx: &Context) -> KernelSummary {
    KernelSummary {
        release: ctx.machine.kernel.release.known().cloned(),
        command_line: ctx.machine.kernel.command_line.known().cloned(),
    }
}

pub(crate) fn function(ctx: &Context, function: &Function) -> FunctionSummary {
    FunctionSummary {
        address: function.address,
        vendor: function.id.vendor,
        device: function.id.device,
        class: function.class,
        name: ctx.name(function),
        driver: function.driver.known().cloned(),
        group: ctx.group_of(function).known().copied(),
        acs: acs(function),
        isolation: isolation(ctx, function),
        reset: match &function.reset_methods {
            Reading::Known(methods) => Some(methods.clone()),
            Reading::Absent => Some(Vec::new()),
            Reading::Unknown(_) => None,
        },
        link: function.link.known().cloned(),
        boot_vga: function.boot_vga.known() == Some(&true),
        rom: ctx.rom(function).clone(),
    }
}

/// The board's own name, else what the vendor of the whole calls it, as on virtual machines.
fn board_name(board: &Board) -> Option<String> {
    joined(&board.vendor, &board.name).or_else(|| joined(&board.system_vendor, &board.product))
}

fn joined(first: &Reading<String>, second: &Reading<String>) -> Option<String> {
    let parts: Vec<_> = [first, second]
        .into_iter()
        .filter_map(Reading::known)
        .collect();
    let words: Vec<_> = parts.into_iter().map(String::as_str).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn acs(function: &Function) -> AcsSummary {
    match function.acs() {
        Reading::Known(acs) => AcsSummary::Present(acs),
        Reading::Absent => AcsSummary::Absent,
        Reading::Unknown(_) => AcsSummary::Unknown,
    }
}

fn isolation(ctx: &Context, function: &Function) -> IsolationSummary {
    let Some(state) = ctx.asked.acs(function.address) else {
        return IsolationSummary::default();
    };
    let answer = |service| match state.service(service) {
        Isolation::Yes => Answer::Yes,
        Isolation::No => Answer::No,
        Isolation::Unknown(_) => Answer::Unknown,
    };
    let expected = Services {
        sv: answer(AcsService::SourceValidation),
        rr: answer(AcsService::RequestRedirect),
        cr: answer(AcsService::CompletionRedirect),
        uf: answer(AcsService::UpstreamForwarding),
    };
    IsolationSummary {
        now: match state.basis {
            Basis::Control => expected,
            Basis::Capability => Services::default(),
        },
        expected,
        quirk: state.quirk.map(str::to_owned),
        declared_by: state.declared_by.map(|term| term.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use pci::ConfigSpace;

    use super::*;
    use crate::testing::{Builder, PORT, address, function};

    fn acs_of(config: Vec<u8>) -> AcsSummary {
        let mut function = function("01:00.0", 0x03_00_00);
        function.config = Reading::Known(ConfigSpace::new(config));
        acs(&function)
    }

    #[test]
    fn acs_is_absent_only_where_all_of_the_space_that_can_hold_it_was_read() {
        let mut express = vec![0; 256];
        express[0x06] = 0x10;
        express[0x34] = 0x40;
        express[0x40] = 0x10;
        assert_eq!(acs_of(express.clone()), AcsSummary::Unknown);
        express.resize(4096, 0);
        assert_eq!(acs_of(express), AcsSummary::Absent);
        assert_eq!(acs_of(vec![0; 256]), AcsSummary::Absent);
        assert_eq!(acs_of(vec![0; 64]), AcsSummary::Unknown);
        assert_eq!(acs_of(vec![0xff; 4096]), AcsSummary::Unknown);
    }

    #[test]
    fn what_a_port_isolates_is_unknown_while_the_iommu_is_off() {
        let port = |machine: Builder| {
            let assessment = machine.assess();
            let mut functions = assessment.functions.into_iter();
            let port = functions.find(|one| one.address == address(PORT)).unwrap();
            (port.isolation.now.rr, port.isolation.expected.rr)
        };
        assert_eq!(port(Builder::good()), (Answer::Yes, Answer::Yes));
        let off = Builder::good().units(&[]).without_groups();
        assert_eq!(port(off), (Answer::Unknown, Answer::Yes));
    }

    #[test]
    fn a_board_without_a_name_goes_by_its_systems_name() {
        let known = |text: &str| Reading::Known(text.to_owned());
        let mut board = Board {
            system_vendor: known("QEMU"),
            product: known("Standard PC (Q35 + ICH9, 2009)"),
            vendor: Reading::Absent,
            name: Reading::Absent,
            ..Board::default()
        };
        assert_eq!(
            board_name(&board).unwrap(),
            "QEMU Standard PC (Q35 + ICH9, 2009)"
        );
        board.vendor = known("ASUSTeK");
        board.name = known("B550M");
        assert_eq!(board_name(&board).unwrap(), "ASUSTeK B550M");
    }
}
