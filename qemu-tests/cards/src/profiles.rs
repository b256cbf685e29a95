//! Cards that are ready to be served. Ids, BARs and capabilities are those of real ones; every ROM is
//! made up.

use pci::{AcsBits, ClassCode, FunctionId, PortType};
use rom_maker::{EfiImage, Image, RomMaker};

use crate::{
    Amd, Bar, BarKind, Capability, CardProfile, Express, ExtendedCapability, Function, Nvidia,
    Register, Rom,
};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const VGA: ClassCode = ClassCode(0x03_00_00);
const AUDIO: ClassCode = ClassCode(0x04_03_00);
const NETWORK: ClassCode = ClassCode(0x02_00_00);
/// Everything but egress control.
const ACS: AcsBits = AcsBits(0x005f);
/// NVIDIA's register that puts the ROM's shadow before its flash; on, as after POST.
const NVIDIA_ROM_SHADOW: (usize, Register) = (0x50, Register::writable(1, 1));

/// A GeForce GTX 650 (GK107) and its audio function: no function-level reset, no ACS, a ROM for BIOS
/// and UEFI with NVIDIA's extensions, and PROM in BAR 0. BAR 1 is mapped, the others are counted.
pub fn nvidia_gtx650() -> CardProfile {
    let gpu = FunctionId::new(0x10de, 0x0fc6);
    let board = FunctionId::new(0x1043, 0x8428);
    let (offset, shadow) = NVIDIA_ROM_SHADOW;
    let express = || Capability::Express(Express::new(PortType::Endpoint));
    let msi = || Capability::Msi { vectors_log2: 0 };
    let graphics = Function::new(gpu)
        .class(VGA)
        .revision(0xa1)
        .subsystem(board)
        .interrupt_pin()
        .bar(
            0,
            Bar::new(BarKind::Memory32, 16 * MIB).model(Nvidia::new(0x0e70_00a2)),
        )
        .bar(1, Bar::new(BarKind::Prefetchable64, 128 * MIB).mapped())
        .bar(3, Bar::new(BarKind::Prefetchable64, 32 * MIB))
        .bar(5, Bar::new(BarKind::Io, 128))
        .rom(Rom::new(nvidia_rom(gpu)).bar_size(512 * KIB))
        .register(offset, shadow)
        .capability(Capability::PowerManagement)
        .capability(msi())
        .capability(express())
        .extended(ExtendedCapability::AdvancedErrors)
        .extended(ExtendedCapability::LatencyTolerance)
        .extended(ExtendedCapability::Vendor {
            id: 1,
            revision: 1,
            bytes: vec![0; 16],
        });
    let audio = Function::new(FunctionId::new(0x10de, 0x0e1b))
        .class(AUDIO)
        .revision(0xa1)
        .subsystem(board)
        .interrupt_pin()
        .bar(0, Bar::new(BarKind::Memory32, 16 * KIB))
        .capability(Capability::PowerManagement)
        .capability(msi())
        .capability(express());
    CardProfile::new(vec![graphics, audio])
}

/// A Radeon RX 480 (Polaris 10) and its audio function: function-level reset and ACS on the graphics
/// function, ACS on the audio function, the ROM by index and data in BAR 5. BAR 0 is mapped, the
/// others are counted.
pub fn amd_rx480() -> CardProfile {
    let gpu = FunctionId::new(0x1002, 0x67df);
    let legacy = || Express::new(PortType::LegacyEndpoint);
    let msi = || Capability::Msi { vectors_log2: 0 };
    let acs = || ExtendedCapability::AccessControl {
        capability: ACS,
        control: AcsBits(0),
    };
    let rom = RomMaker::new(gpu)
        .legacy(0xe800)
        .efi(EfiImage::x64().data(0x6000).compressed())
        .build();
    let graphics = Function::new(gpu)
        .class(VGA)
        .revision(0xc7)
        .subsystem(FunctionId::new(0x1682, 0x9480))
        .interrupt_pin()
        .bar(0, Bar::new(BarKind::Prefetchable64, 256 * MIB).mapped())
        .bar(2, Bar::new(BarKind::Prefetchable64, 2 * MIB))
        .bar(4, Bar::new(BarKind::Io, 256))
        .bar(5, Bar::new(BarKind::Memory32, 256 * KIB).model(Amd::new()))
        .rom(Rom::new(rom).bar_size(128 * KIB))
        .capability(Capability::Vendor(vec![0, 2, 3, 4, 5]))
        .capability(Capability::PowerManagement)
        .capability(Capability::Express(legacy().function_level_reset()))
        .capability(msi())
        .extended(ExtendedCapability::AdvancedErrors)
        .extended(ExtendedCapability::SerialNumber(0x1122_3344_5566_7788))
        .extended(ExtendedCapability::ResizableBar {
            bar: 0,
            sizes: 0x1f00,
            current: 8,
        })
        .extended(acs())
        .extended(ExtendedCapability::AddressTranslation { queue_depth: 0 })
        .extended(ExtendedCapability::ProcessAddressSpace { width: 16 });
    let audio = Function::new(FunctionId::new(0x1002, 0xaaf0))
        .class(AUDIO)
        .subsystem(FunctionId::new(0x1682, 0xaaf0))
        .interrupt_pin()
        .bar(0, Bar::new(BarKind::Memory64, 16 * KIB))
        .capability(Capability::PowerManagement)
        .capability(Capability::Express(legacy()))
        .capability(msi())
        .extended(acs());
    CardProfile::new(vec![graphics, audio])
}

/// Intel's HD Graphics 630, part of a processor: no ROM, no OpRegion, function-level reset. BAR 2 is mapped, the
/// others are counted.
pub fn intel_hd630() -> CardProfile {
    let function = Function::new(FunctionId::new(0x8086, 0x5912))
        .class(VGA)
        .revision(0x04)
        .subsystem(FunctionId::new(0x1043, 0x8694))
        .interrupt_pin()
        .bar(0, Bar::new(BarKind::Memory64, 16 * MIB))
        .bar(2, Bar::new(BarKind::Prefetchable64, 256 * MIB).mapped())
        .bar(4, Bar::new(BarKind::Io, 64))
        .capability(Capability::Express(
            Express::new(PortType::RootComplexEndpoint).function_level_reset(),
        ))
        .capability(Capability::Msi { vectors_log2: 0 })
        .capability(Capability::PowerManagement);
    CardProfile::new(vec![function])
}

/// A card of one function with these ids and a network controller's class, with one counted BAR, MSI-X
/// and function-level reset, and no ROM.
pub fn generic(id: FunctionId) -> CardProfile {
    let function = Function::new(id)
        .class(NETWORK)
        .subsystem(id)
        .bar(0, Bar::new(BarKind::Memory32, 64 * KIB))
        .capability(Capability::PowerManagement)
        .capability(Capability::Express(
            Express::new(PortType::Endpoint).function_level_reset(),
        ))
        .capability(Capability::MsiX {
            vectors: 4,
            bar: 0,
            table: 0x2000,
            pending: 0x3000,
        })
        .extended(ExtendedCapability::AdvancedErrors);
    CardProfile::new(vec![function])
}

/// A ROM as NVIDIA lays it out: NPDE says that images of its own follow the one that PCIR calls the
/// last.
fn nvidia_rom(id: FunctionId) -> Vec<u8> {
    RomMaker::new(id)
        .image(Image::legacy(0xf800).npde().decoys())
        .image(
            Image::efi(EfiImage::x64().data(0x8000).compressed())
                .npde()
                .last(true),
        )
        .image(Image::other(0xe0, 0x2000).npde())
        .build()
}
