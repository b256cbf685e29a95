//! The table of options. docs/plan.md has the same table in words; a test holds the two together.

/// One option of `--set`.
pub struct PlanOption {
    /// Its name.
    pub name: &'static str,
    /// The values that it takes: words with `|` between them, or a shape in capitals.
    pub values: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
    free: Option<fn(&str) -> bool>,
}

impl PlanOption {
    /// Whether it takes this value.
    pub fn takes(&self, value: &str) -> bool {
        self.values
            .split('|')
            .any(|known| known == value && !is_shape(known))
            || self.free.is_some_and(|takes| takes(value))
    }

    /// Whether a value leaves things as they are: `none` or `leave` where the option takes one of them, else `no`.
    pub(crate) fn asks_for_nothing(&self, value: &str) -> bool {
        let mut values = self.values.split('|');
        let neutral = values.find(|known| matches!(*known, "none" | "leave"));
        value == neutral.unwrap_or("no")
    }
}

fn is_shape(word: &str) -> bool {
    word.bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte == b',')
}

const fn fixed(name: &'static str, values: &'static str, about: &'static str) -> PlanOption {
    PlanOption {
        name,
        values,
        about,
        free: None,
    }
}

const fn free(
    name: &'static str,
    values: &'static str,
    about: &'static str,
    takes: fn(&str) -> bool,
) -> PlanOption {
    PlanOption {
        name,
        values,
        about,
        free: Some(takes),
    }
}

/// Every option.
pub const OPTIONS: &[PlanOption] = &[
    fixed(
        "functions",
        "card|chosen",
        "whether all functions of a card go with the one that was named",
    ),
    fixed(
        "iommu",
        "on|leave",
        "whether the kernel is told to switch the IOMMU on",
    ),
    fixed(
        "iommu-pt",
        "yes|no",
        "whether devices that stay with the host are mapped one to one (iommu=pt)",
    ),
    fixed(
        "bind",
        "ids|address|guest-start",
        "how vfio-pci gets the card: at the start by its ids, by its address, or when the guest starts",
    ),
    free(
        "blacklist",
        "none|DRIVER,DRIVER",
        "drivers that are not loaded for any device",
        is_names,
    ),
    fixed(
        "framebuffer",
        "off|leave",
        "whether the kernel keeps off the firmware's framebuffer, and with it from the screen",
    ),
    fixed(
        "disable-vga",
        "yes|no",
        "whether vfio-pci takes the card out of VGA arbitration",
    ),
    fixed(
        "disable-idle-d3",
        "yes|no",
        "whether vfio-pci keeps an idle card powered",
    ),
    fixed(
        "unsafe-interrupts",
        "yes|no",
        "whether guests may be given devices without interrupt remapping",
    ),
    free(
        "acs-override",
        "none|LIST",
        "groups are split without hardware that isolates: downstream, multifunction, id:VVVV:DDDD",
        is_acs,
    ),
    fixed(
        "x2apic-opt-out",
        "leave|ignore",
        "whether the kernel heeds firmware that asks it not to use x2APIC",
    ),
    fixed(
        "x-vga",
        "yes|no",
        "whether the card is the guest's first display",
    ),
    fixed(
        "rombar",
        "leave|yes|no",
        "whether the guest sees the card's ROM",
    ),
    fixed("machine", "leave|q35|i440fx", "the guest's machine type"),
    fixed("bios", "leave|ovmf|seabios", "the guest's firmware"),
    fixed(
        "igd-legacy",
        "yes|no",
        "legacy mode of Intel's integrated display, with the arguments that it needs",
    ),
    fixed(
        "hide-kvm",
        "yes|no",
        "whether the guest is told that it runs on KVM: old NVIDIA drivers stop with code 43 when it is",
    ),
    fixed(
        "libvirt-hook",
        "yes|no",
        "whether the card is taken away and found again before a guest of libvirt starts",
    ),
    free(
        "mapping",
        "none|NAME",
        "a resource mapping that stands for the device in the guest",
        is_name,
    ),
    free(
        "sriov",
        "none|COUNT",
        "virtual functions that are made at every start",
        is_count,
    ),
    free(
        "mdev",
        "none|TYPE",
        "the kind of mediated device (GVT-g, vGPU) that the guest is given instead of the card",
        is_name,
    ),
];

fn is_name(value: &str) -> bool {
    let mut bytes = value.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphanumeric())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn is_names(value: &str) -> bool {
    value.split(',').all(is_name)
}

fn is_count(value: &str) -> bool {
    value.parse::<u16>().is_ok_and(|count| count > 0)
}

fn is_acs(value: &str) -> bool {
    value.parse::<assess::Override>().is_ok()
}
