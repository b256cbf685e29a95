use hardware::Reading;
use proxmox::Installation;
use proxmox::settings::{DriverOverride, ModprobeDirective};

use crate::label::fact;
use crate::page::Page;

/// Modules whose settings decide who gets a card: vfio's, and the drivers of display, sound and USB.
const MODULES: [&str; 15] = [
    "vfio",
    "pci_stub",
    "nvidia",
    "nouveau",
    "amdgpu",
    "radeon",
    "i915",
    "xe",
    "ast",
    "mgag200",
    "snd_hda",
    "xhci",
    "kvm",
    "nvidiafb",
    "simpledrm",
];

pub(super) fn settings(page: &mut Page, installation: &Installation) {
    let settings = &installation.settings;
    page.title("PASSTHROUGH SETTINGS");
    let mut any = false;
    let mut say = |page: &mut Page, label: &str, text: &str| {
        any = true;
        fact(page, label, text);
    };
    if let Reading::Known(grub) = &settings.grub {
        for name in ["GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT"] {
            if let Some(variable) = grub.variables.get(name) {
                let doubt = if variable.certain {
                    ""
                } else {
                    " (only a shell can say it)"
                };
                let places: Vec<String> = variable.places.iter().map(ToString::to_string).collect();
                say(
                    page,
                    "GRUB",
                    &format!(
                        "{name}=\"{}\"{doubt} ({})",
                        variable.value,
                        places.join(", ")
                    ),
                );
            }
        }
    }
    if let Reading::Known(cmdline) = &settings.kernel_cmdline {
        say(
            page,
            "cmdline",
            &format!("{} (/etc/kernel/cmdline:1)", cmdline.command_line),
        );
    }
    for file in &settings.modprobe {
        for setting in file
            .directives
            .iter()
            .filter(|setting| is_told(&setting.value, &file.path))
        {
            say(
                page,
                "modprobe",
                &format!("{} ({})", setting.value, setting.place),
            );
        }
    }
    for setting in &settings.modules {
        let module = &setting.value.module;
        if MODULES.iter().any(|told| module.starts_with(told)) {
            say(
                page,
                "loads",
                &format!(
                    "{module} {} ({})",
                    setting.value.options.join(" "),
                    setting.place
                ),
            );
        }
    }
    for setting in settings.sysfs.iter().chain(&settings.sysctl) {
        say(
            page,
            "sets",
            &format!(
                "{} = {} ({})",
                setting.value.key, setting.value.value, setting.place
            ),
        );
    }
    for setting in &settings.driver_overrides {
        let text = match &setting.value {
            DriverOverride::Driverctl { address, driver } => format!("{address} gets {driver}"),
            DriverOverride::Udev { rule } => rule.clone(),
        };
        say(page, "driver", &format!("{text} ({})", setting.place));
    }
    if !any {
        fact(page, "", "None.");
    }
}

fn is_told(directive: &ModprobeDirective, path: &str) -> bool {
    // What a package brings in /usr/lib is the same everywhere; what is in /etc was put there.
    let module = directive.module().unwrap_or_default();
    let others = match directive {
        ModprobeDirective::Softdep { pre, post, .. } => [pre.as_slice(), post.as_slice()].concat(),
        _ => Vec::new(),
    };
    path.starts_with("/etc/")
        && MODULES.iter().any(|told| {
            module.starts_with(told) || others.iter().any(|other| other.starts_with(told))
        })
}
