/// A generation of integrated graphics.
pub(super) struct Family {
    /// As pci.ids and Intel name its processors.
    pub name: &'static str,
    /// First and last device id (include/drm/intel/pciids.h of the kernel).
    ids: (u16, u16),
    /// How the graphics control register tells the size of the stolen memory.
    stolen: Stolen,
    /// The base of the stolen memory is a 64-bit register: generation 11 and later.
    pub wide_base: bool,
    /// Firmware carries a legacy VGA ROM for it, which Intel gave up with generation 11.
    pub has_vbios: bool,
    /// The kernel's i915 driver can share it (GVT-g).
    pub gvt_g: bool,
}

/// Fields of the graphics control register, as the kernel's arch/x86/kernel/early-quirks.c reads them.
enum Stolen {
    /// Bits 7:3 in units of 32 MiB.
    Gen6,
    /// Bits 15:8 in units of 32 MiB.
    Gen8,
    /// Bits 15:8 in units of 32 MiB below 0xf0, in units of 4 MiB from there on.
    Gen9,
}

const fn early(name: &'static str, first: u16, last: u16) -> Family {
    Family {
        name,
        ids: (first, last),
        stolen: Stolen::Gen6,
        wide_base: false,
        has_vbios: true,
        gvt_g: false,
    }
}

const fn middle(name: &'static str, first: u16, last: u16) -> Family {
    Family {
        stolen: Stolen::Gen9,
        gvt_g: true,
        ..early(name, first, last)
    }
}

const fn late(name: &'static str, first: u16, last: u16) -> Family {
    Family {
        wide_base: true,
        has_vbios: false,
        gvt_g: false,
        ..middle(name, first, last)
    }
}

/// Sandy Bridge to Raptor Lake. What came later reserves its memory in other ways.
const FAMILIES: &[Family] = &[
    early("Sandy Bridge", 0x0102, 0x0126),
    early("Ivy Bridge", 0x0152, 0x016a),
    early("Haswell", 0x0402, 0x042e),
    early("Haswell", 0x0a02, 0x0a2e),
    early("Haswell", 0x0c02, 0x0c2e),
    early("Haswell", 0x0d02, 0x0d2e),
    early("Bay Trail", 0x0f30, 0x0f33),
    Family {
        stolen: Stolen::Gen8,
        ..middle("Broadwell", 0x1602, 0x163e)
    },
    middle("Skylake", 0x1902, 0x193d),
    middle("Apollo Lake", 0x5a84, 0x5a85),
    Family {
        gvt_g: false,
        ..middle("Gemini Lake", 0x3184, 0x3185)
    },
    middle("Kaby Lake", 0x5902, 0x593b),
    middle("Coffee Lake", 0x3e90, 0x3ea9),
    middle("Comet Lake", 0x9b21, 0x9bf6),
    late("Ice Lake", 0x8a50, 0x8a71),
    late("Elkhart Lake", 0x4541, 0x4571),
    late("Jasper Lake", 0x4e51, 0x4e71),
    late("Tiger Lake", 0x9a40, 0x9af8),
    late("Rocket Lake", 0x4c80, 0x4c9a),
    late("Alder Lake", 0x4626, 0x4628),
    late("Alder Lake", 0x462a, 0x462a),
    late("Alder Lake", 0x4680, 0x46d4),
    late("Raptor Lake", 0xa720, 0xa721),
    late("Raptor Lake", 0xa780, 0xa7ad),
];

/// The generation of a display at 00:02.0; none for what is not listed.
pub(super) fn family(device: u16) -> Option<&'static Family> {
    FAMILIES
        .iter()
        .find(|family| (family.ids.0..=family.ids.1).contains(&device))
}

impl Family {
    /// Size of the stolen memory in MiB; none for values that the registers' description reserves.
    pub fn stolen_mib(&self, control: u16) -> Option<u32> {
        let (early, size) = (u32::from(control >> 3) & 0x1f, u32::from(control >> 8));
        match self.stolen {
            Stolen::Gen6 => (early <= 0x10).then_some(early * 32),
            Stolen::Gen8 => (size <= 0x10).then_some(size * 32),
            Stolen::Gen9 if size < 0xf0 => Some(size * 32),
            Stolen::Gen9 => Some((size - 0xf0 + 1) * 4),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_device_id_is_in_two_families() {
        for (at, family) in FAMILIES.iter().enumerate() {
            assert!(family.ids.0 <= family.ids.1, "{}", family.name);
            for other in &FAMILIES[at + 1..] {
                let apart = family.ids.1 < other.ids.0 || other.ids.1 < family.ids.0;
                assert!(apart, "{} and {}", family.name, other.name);
            }
        }
    }

    #[test]
    fn the_size_of_stolen_memory_is_read_as_its_generation_writes_it() {
        let size = |device: u16, control| family(device).unwrap().stolen_mib(control);
        assert_eq!(size(0x0412, 1 << 3), Some(32));
        assert_eq!(size(0x0412, 0x1f << 3), None);
        assert_eq!(size(0x1612, 0x0200), Some(64));
        assert_eq!(size(0x1912, 0xf100), Some(8));
        assert_eq!(size(0xa780, 0xfe00), Some(60));
        assert!(family(0x7d55).is_none());
    }
}
