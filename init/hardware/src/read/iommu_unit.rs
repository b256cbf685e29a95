use super::group::UNITS;
use crate::tree::Tree;
use crate::{AmdViUnit, IommuUnit, Reading, VtdUnit};

/// The registers of each unit, as its driver shows them (Documentation/ABI/testing/
/// sysfs-class-iommu-intel-iommu and -amd-iommu). All numbers there are hex without 0x.
pub(super) fn registers(sys: &Tree, names: &Reading<Vec<String>>) -> Reading<Vec<IommuUnit>> {
    names.as_ref().map(|names| {
        let units = names.iter().map(|name| IommuUnit {
            name: name.clone(),
            intel: of_make(name, "dmar", || intel(sys, name)),
            amd: of_make(name, "ivhd", || amd(sys, name)),
        });
        units.collect()
    })
}

fn of_make<T>(name: &str, prefix: &str, read: impl FnOnce() -> Result<T, String>) -> Reading<T> {
    if !name.starts_with(prefix) {
        return Reading::Absent;
    }
    read().map_or_else(Reading::unknown, Reading::Known)
}

fn intel(sys: &Tree, name: &str) -> Result<VtdUnit, String> {
    let read = |file: &str| text(sys, &format!("{UNITS}/{name}/intel-iommu/{file}"));
    let number = |file: &str| hex(&read(file)?);
    let version = read("version")?;
    let (major, minor) = version
        .split_once(':')
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)))
        .ok_or_else(|| format!("'{version}' is no version"))?;
    Ok(VtdUnit {
        address: number("address")?,
        version: (major, minor),
        capability: number("cap")?,
        extended_capability: number("ecap")?,
    })
}

fn amd(sys: &Tree, name: &str) -> Result<AmdViUnit, String> {
    let read = |file: &str| text(sys, &format!("{UNITS}/{name}/amd-iommu/{file}"));
    let capability = hex(&read("cap")?)?;
    Ok(AmdViUnit {
        capability: u32::try_from(capability)
            .map_err(|_| format!("{capability:#x} is too large"))?,
        features: read("features")?
            .split(':')
            .map(hex)
            .collect::<Result<_, _>>()?,
    })
}

fn text(sys: &Tree, path: &str) -> Result<String, String> {
    match sys.expected(path, sys.text(path)) {
        Reading::Known(text) => Ok(text),
        Reading::Unknown(why) => Err(why.into_owned()),
        Reading::Absent => Err(format!("{path} is not there")),
    }
}

fn hex(text: &str) -> Result<u64, String> {
    let text = text.trim();
    u64::from_str_radix(text, 16).map_err(|_| format!("'{text}' is no hexadecimal number"))
}
