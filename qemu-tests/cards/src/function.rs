use std::collections::BTreeMap;

use pci::{ClassCode, FunctionId};

use crate::nvidia::{AUDIO_ENABLE, AUDIO_ENABLE_BIT};
use crate::{Bar, Capability, ExtendedCapability, Register, Rom};

/// One function of a card, described.
#[derive(Clone, Debug)]
pub struct Function {
    pub(crate) id: FunctionId,
    pub(crate) class: ClassCode,
    pub(crate) revision: u8,
    pub(crate) subsystem: FunctionId,
    pub(crate) bars: BTreeMap<u8, Bar>,
    pub(crate) rom: Option<Rom>,
    pub(crate) capabilities: Vec<Capability>,
    pub(crate) extended: Vec<ExtendedCapability>,
    pub(crate) registers: Vec<(usize, Register)>,
    pub(crate) interrupt_pin: bool,
    pub(crate) stuck_in_d3: bool,
    pub(crate) audio_switch: bool,
    pub(crate) behind_audio_switch: bool,
}

impl Function {
    /// A function with these ids, no class, and nothing else.
    pub const fn new(id: FunctionId) -> Self {
        Self {
            id,
            class: ClassCode(0),
            revision: 0,
            subsystem: FunctionId::new(0, 0),
            bars: BTreeMap::new(),
            rom: None,
            capabilities: Vec::new(),
            extended: Vec::new(),
            registers: Vec::new(),
            interrupt_pin: false,
            stuck_in_d3: false,
            audio_switch: false,
            behind_audio_switch: false,
        }
    }

    /// Its class.
    #[must_use]
    pub const fn class(mut self, class: ClassCode) -> Self {
        self.class = class;
        self
    }

    /// Its revision id.
    #[must_use]
    pub const fn revision(mut self, revision: u8) -> Self {
        self.revision = revision;
        self
    }

    /// Its subsystem ids.
    #[must_use]
    pub const fn subsystem(mut self, id: FunctionId) -> Self {
        self.subsystem = id;
        self
    }

    /// This as BAR `index`, 0 to 5.
    #[must_use]
    pub fn bar(mut self, index: u8, bar: Bar) -> Self {
        self.bars.insert(index, bar);
        self
    }

    /// With this option ROM.
    #[must_use]
    pub fn rom(mut self, rom: Rom) -> Self {
        self.rom = Some(rom);
        self
    }

    /// With one more capability; the list keeps the order.
    #[must_use]
    pub fn capability(mut self, capability: Capability) -> Self {
        self.capabilities.push(capability);
        self
    }

    /// With one more extended capability; the list keeps the order.
    #[must_use]
    pub fn extended(mut self, capability: ExtendedCapability) -> Self {
        self.extended.push(capability);
        self
    }

    /// With a device-specific register at this offset of configuration space.
    #[must_use]
    pub fn register(mut self, offset: usize, register: Register) -> Self {
        self.registers.push((offset, register));
        self
    }

    /// With the interrupt pin INTA#.
    #[must_use]
    pub const fn interrupt_pin(mut self) -> Self {
        self.interrupt_pin = true;
        self
    }

    /// In D3hot from power-on, and no write brings it back: BARs and ROM read as ones. Needs
    /// [`Capability::PowerManagement`].
    #[must_use]
    pub const fn stuck_in_d3(mut self) -> Self {
        self.stuck_in_d3 = true;
        self
    }

    /// NVIDIA's bit 25 of configuration register 0x488, off after power-on: without it the function
    /// [`behind`](Self::behind_audio_switch) it is not there.
    #[must_use]
    pub fn audio_switch(mut self) -> Self {
        self.audio_switch = true;
        self.register(AUDIO_ENABLE, Register::writable(0, AUDIO_ENABLE_BIT))
    }

    /// Shows its ids to a bus scan only while the card's [`audio_switch`](Self::audio_switch) is on.
    #[must_use]
    pub const fn behind_audio_switch(mut self) -> Self {
        self.behind_audio_switch = true;
        self
    }

    /// Vendor and device id.
    pub const fn id(&self) -> FunctionId {
        self.id
    }

    /// Class code.
    pub const fn class_code(&self) -> ClassCode {
        self.class
    }

    /// Revision id.
    pub const fn revision_id(&self) -> u8 {
        self.revision
    }

    /// Subsystem ids.
    pub const fn subsystem_id(&self) -> FunctionId {
        self.subsystem
    }

    /// The capabilities, in the order of the list.
    pub fn capabilities(&self) -> &[Capability] {
        &self.capabilities
    }

    /// The extended capabilities, in the order of the list.
    pub fn extended_capabilities(&self) -> &[ExtendedCapability] {
        &self.extended
    }

    /// The option ROM.
    pub const fn option_rom(&self) -> Option<&Rom> {
        self.rom.as_ref()
    }

    /// The BARs by number.
    pub const fn base_address_registers(&self) -> &BTreeMap<u8, Bar> {
        &self.bars
    }
}
