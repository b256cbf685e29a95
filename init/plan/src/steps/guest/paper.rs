use proxmox::guests::Guest;

use crate::context::Context;
use crate::draft::Draft;
use crate::edit::guest::GuestFile;
use crate::plan::Tree;

/// What is to be done inside the guest, for a person.
pub(super) fn checklist(draft: &mut Draft, guest: &Guest, file: &GuestFile) {
    let windows = file
        .value("ostype")
        .ok()
        .flatten()
        .is_some_and(|kind| kind.starts_with('w'));
    let mut lines = vec![
        format!(
            "Guest {}, after the host has started with the new configuration",
            guest.number
        ),
        String::new(),
        "On the host:".to_owned(),
    ];
    for function in &draft.ctx.given {
        lines.push(format!(
            "[ ] lspci -nnks {} shows vfio-pci",
            function.address
        ));
    }
    lines.push("[ ] the guest starts, and its log shows no error of vfio-pci".to_owned());
    lines.push(String::new());
    lines.push("In the guest:".to_owned());
    lines
        .push("[ ] the maker's driver is installed, and the device is without an error".to_owned());
    if windows {
        lines.push("[ ] Device Manager, View, Resources by type: interrupts of the device are negative numbers (MSI)".to_owned());
        lines.push(format!(
            "    else, as administrator: powershell -ExecutionPolicy Bypass -File guest-{}-msi.ps1, and start the guest anew",
            guest.number
        ));
        for function in &draft.ctx.given {
            lines.push(format!(
                "    which sets HKLM\\SYSTEM\\CurrentControlSet\\Enum\\PCI\\VEN_{:04X}&DEV_{:04X}...\\Device Parameters\\Interrupt Management\\MessageSignaledInterruptProperties, MSISupported (DWORD) = 1",
                function.id.vendor.0, function.id.device.0
            ));
        }
        lines.push(
            "[ ] a remote desktop works before the guest's own display is taken away".to_owned(),
        );
    }
    if windows {
        let name = format!("guest-{}-msi.ps1", guest.number);
        let why = "Interrupts by message (MSI) for drivers of Windows that do not switch them on.";
        draft.put(Tree::Stick, &name, msi(draft.ctx).into_bytes(), None, why);
    }
    let text = format!("{}\n", lines.join("\n"));
    let name = format!("guest-{}-checklist.txt", guest.number);
    draft.put(
        Tree::Stick,
        &name,
        text.into_bytes(),
        None,
        "What is left to do by hand.",
    );
}

/// The registry names each place of a device in the guest, which only the guest knows: so a script finds it.
fn msi(ctx: &Context) -> String {
    const BEFORE: &str = "# Written by Preflight. Run as administrator in the guest, then start it anew.\n$devices = @(";
    const AFTER: &str = ")\nforeach ($device in $devices) {\n  \
        Get-ChildItem \"HKLM:\\SYSTEM\\CurrentControlSet\\Enum\\PCI\" | Where-Object PSChildName -like \"$device*\" | Get-ChildItem | ForEach-Object {\n    \
        $key = \"$($_.PSPath)\\Device Parameters\\Interrupt Management\\MessageSignaledInterruptProperties\"\n    \
        if (!(Test-Path $key)) { New-Item -Path $key -Force | Out-Null }\n    \
        Set-ItemProperty -Path $key -Name MSISupported -Type DWord -Value 1\n  }\n}\n";
    let ids = ctx.given.iter().map(|function| {
        format!(
            "\"VEN_{:04X}&DEV_{:04X}\"",
            function.id.vendor.0, function.id.device.0
        )
    });
    format!("{BEFORE}{}{AFTER}", ids.collect::<Vec<_>>().join(", "))
}
