use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vfio_bindings::bindings::vfio::{VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_ROM_REGION_INDEX};
use vfio_user::{DmaMapFlags, DmaUnmapFlags, ServerBackend};

use crate::bar::Backing;
use crate::layout::Layout;
use crate::log::{AccessLog, Region, Span, Touch};
use crate::nvidia::{AUDIO_ENABLE, AUDIO_ENABLE_BIT};
use crate::{ConfigRegisters, Flash, Function, Inside, RegisterModel};

/// Initiate Function Level Reset: bit 7 of the upper byte of device control.
const INITIATE_RESET: u8 = 0x80;
/// Multi-function bit of the header type register, and where it is.
const HEADER_TYPE: usize = 0x0e;
const MULTIFUNCTION: u8 = 0x80;

/// Bytes of vendor and device id, at offset 0.
const IDS: usize = 4;

/// What the functions of one card share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) log: AccessLog,
    pub(crate) audio_enabled: Arc<AtomicBool>,
    pub(crate) stopping: Arc<AtomicBool>,
}

/// One function at work.
pub(crate) struct Device {
    number: u8,
    function: Function,
    layout: Layout,
    shared: Shared,
    config: ConfigRegisters,
    flash: Flash,
    models: BTreeMap<u8, Box<dyn RegisterModel>>,
}

impl Device {
    /// The function after power-on.
    pub(crate) fn new(number: u8, function: Function, layout: Layout, shared: Shared) -> Self {
        let mut device = Self {
            number,
            config: layout.registers.clone(),
            flash: Flash::default(),
            models: BTreeMap::new(),
            function,
            layout,
            shared,
        };
        device.power_on();
        device
    }

    /// Puts everything back to its state after power-on; the log goes on.
    pub(crate) fn power_on(&mut self) {
        self.config = self.layout.registers.clone();
        self.flash = self
            .function
            .rom
            .as_ref()
            .map(Flash::new)
            .unwrap_or_default();
        self.models = self.models_after_power_on();
        self.follow_audio_switch();
    }

    /// A reset of the function: what is in registers goes, the flash's wear stays.
    fn reset_registers(&mut self) {
        self.config = self.layout.registers.clone();
        self.models = self.models_after_power_on();
        self.follow_audio_switch();
    }

    fn models_after_power_on(&self) -> BTreeMap<u8, Box<dyn RegisterModel>> {
        let bars = self.function.bars.iter();
        bars.filter_map(|(index, bar)| match bar.backing() {
            Backing::Counted(model) => Some((*index, model.clone())),
            Backing::Mapped => None,
        })
        .collect()
    }

    /// The function's own multi-function bit follows the switch, and so does its sibling.
    fn follow_audio_switch(&mut self) {
        if !self.function.audio_switch {
            return;
        }
        let on = self.config.u32(AUDIO_ENABLE) & AUDIO_ENABLE_BIT != 0;
        self.shared.audio_enabled.store(on, Ordering::SeqCst);
        let header_type = self.config.u8(HEADER_TYPE) & !MULTIFUNCTION;
        let bit = if on { MULTIFUNCTION } else { 0 };
        self.config.set(HEADER_TYPE, header_type | bit);
    }

    fn is_hidden(&self) -> bool {
        self.function.behind_audio_switch && !self.shared.audio_enabled.load(Ordering::SeqCst)
    }

    pub(crate) fn read(&mut self, region: Region, offset: u64, data: &mut [u8]) -> io::Result<()> {
        let result = self.answer(region, offset, data);
        if result.is_err() {
            data.fill(0);
        }
        let span = Span::new(region, offset, data);
        self.shared.log.add(self.number, Touch::Read(span));
        result
    }

    fn answer(&mut self, region: Region, offset: u64, data: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        // QEMU reads the whole space and many single registers to learn what the card is, and must
        // see it: only a guest's scan, which asks for the ids alone, finds nothing.
        if region == Region::Config && self.is_hidden() && at.saturating_add(data.len()) <= IDS {
            data.fill(0xff);
            return Ok(());
        }
        if region == Region::Config {
            self.config.read(at, data);
            return Ok(());
        }
        if self.function.stuck_in_d3 {
            data.fill(0xff);
            return Ok(());
        }
        match region {
            Region::Rom => self.flash.read(at, data),
            Region::Bar(index) => {
                self.with_model(index, |model, inside| model.read(inside, offset, data))
            }
            Region::Config | Region::Other(_) => {
                data.fill(0xff);
                Ok(())
            }
        }
    }

    pub(crate) fn write(&mut self, region: Region, offset: u64, data: &[u8]) -> io::Result<()> {
        let span = Span::new(region, offset, data);
        self.shared.log.add(self.number, Touch::Write(span));
        let at = usize::try_from(offset).map_err(io::Error::other)?;
        match region {
            Region::Config => {
                self.config.write(at, data);
                if self.asks_for_reset(at, data) {
                    let touch = Touch::FunctionLevelReset;
                    self.shared.log.add(self.number, touch);
                    self.reset_registers();
                }
            }
            Region::Bar(index) if !self.function.stuck_in_d3 => {
                self.with_model(index, |model, inside| model.write(inside, offset, data))?;
            }
            Region::Bar(_) | Region::Rom | Region::Other(_) => {}
        }
        self.follow_audio_switch();
        Ok(())
    }

    fn asks_for_reset(&self, offset: usize, data: &[u8]) -> bool {
        let upper = self.layout.device_control.map(|control| control + 1);
        upper
            .and_then(|upper| data.get(upper.checked_sub(offset)?))
            .is_some_and(|byte| byte & INITIATE_RESET != 0)
    }

    fn with_model(
        &mut self,
        index: u8,
        access: impl FnOnce(&mut dyn RegisterModel, &mut Inside<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(model) = self.models.get_mut(&index) else {
            return Err(io::Error::other(format!("BAR {index} is not there")));
        };
        let mut inside = Inside {
            config: &mut self.config,
            flash: &mut self.flash,
        };
        access(model.as_mut(), &mut inside)
    }

    /// Notes that the client has gone.
    pub(crate) fn disconnected(&self, error: Option<String>) {
        let touch = Touch::Disconnected { error };
        self.shared.log.add(self.number, touch);
    }

    /// The card was not taken out yet.
    pub(crate) fn is_running(&self) -> bool {
        !self.shared.stopping.load(Ordering::SeqCst)
    }

    fn check_running(&self) -> io::Result<()> {
        if self.is_running() {
            return Ok(());
        }
        Err(io::Error::other("the card was taken out"))
    }
}

fn region(index: u32) -> Region {
    match (index, u8::try_from(index)) {
        (VFIO_PCI_CONFIG_REGION_INDEX, _) => Region::Config,
        (VFIO_PCI_ROM_REGION_INDEX, _) => Region::Rom,
        (0..=5, Ok(number)) => Region::Bar(number),
        _ => Region::Other(index),
    }
}

impl ServerBackend for Device {
    fn region_read(&mut self, index: u32, offset: u64, data: &mut [u8]) -> io::Result<()> {
        self.check_running()?;
        self.read(region(index), offset, data)
    }

    fn region_write(&mut self, index: u32, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check_running()?;
        self.write(region(index), offset, data)
    }

    fn dma_map(
        &mut self,
        _: DmaMapFlags,
        _: u64,
        _: u64,
        _: u64,
        _: Option<File>,
    ) -> io::Result<()> {
        Ok(())
    }

    fn dma_unmap(&mut self, _: DmaUnmapFlags, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        self.shared.log.add(self.number, Touch::Reset);
        self.reset_registers();
        Ok(())
    }

    /// Interrupts are accepted and never raised.
    fn set_irqs(&mut self, _: u32, _: u32, _: u32, _: u32, _: Vec<File>) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pci::FunctionId;

    use super::*;
    use crate::{Bar, BarKind, Entry, Rom, RomFault};

    fn device(rom: Rom) -> Device {
        let function = Function::new(FunctionId::new(0x1234, 1))
            .bar(0, Bar::new(BarKind::Memory32, 4096))
            .rom(rom);
        let layout = Layout::new(&function, 0, false).unwrap();
        let shared = Shared {
            log: AccessLog::new(),
            audio_enabled: Arc::default(),
            stopping: Arc::default(),
        };
        Device::new(0, function, layout, shared)
    }

    #[test]
    fn a_read_that_fails_is_logged_and_gives_nothing_away() {
        let mut device = device(Rom::new(vec![7; 4096]).fault(RomFault::Error(512)));
        let mut data = [1; 1024];
        assert!(device.read(Region::Rom, 0, &mut data).is_err());
        assert_eq!(data, [0; 1024]);
        let entries = device.shared.log.entries();
        assert_eq!(entries.first().and_then(Entry::span).unwrap().length, 1024);
    }

    #[test]
    fn a_bar_that_is_not_there_is_an_error() {
        let mut device = device(Rom::new(vec![]));
        assert!(device.read(Region::Bar(1), 0, &mut [0; 4]).is_err());
        assert!(device.write(Region::Bar(1), 0, &[0; 4]).is_err());
        assert!(device.read(Region::Bar(0), 0, &mut [0; 4]).is_ok());
    }

    #[test]
    fn a_card_that_was_taken_out_answers_nobody() {
        let mut device = device(Rom::new(vec![]));
        assert!(device.region_read(7, 0, &mut [0; 4]).is_ok());
        device.shared.stopping.store(true, Ordering::SeqCst);
        assert!(device.region_read(7, 0, &mut [0; 4]).is_err());
        assert!(device.region_write(7, 0, &[0; 4]).is_err());
    }
}
