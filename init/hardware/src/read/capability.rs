use super::attribute::Attributes;
use super::small;
use crate::Reading;

/// No driver offers more kinds.
const MAX_TYPES: usize = 1024;

/// What a function can do besides being passed whole, and how it may sleep.
impl Attributes<'_> {
    /// `d3cold_allowed`.
    pub fn d3cold_allowed(&self) -> Reading<bool> {
        self.folder
            .read_text("d3cold_allowed")
            .and_then(|text| Ok(small::<u8>(&text)? != 0))
    }

    /// `sriov_numvfs`.
    pub fn enabled_virtual_functions(&self) -> Reading<u16> {
        self.folder
            .read_text("sriov_numvfs")
            .and_then(|text| small(&text))
    }

    /// The folder `mdev_supported_types`, or NVIDIA's own list on a virtual function: a line a type, below
    /// a heading that has no number.
    pub fn mediated_types(&self) -> Reading<Vec<String>> {
        const FOLDER: &str = "mdev_supported_types";
        match self.folder.reading(FOLDER, self.folder.list(FOLDER)) {
            Reading::Absent => {}
            listed => return listed.map(|names| names.into_iter().take(MAX_TYPES).collect()),
        }
        let list = self.folder.read_text("nvidia/creatable_vgpu_types");
        list.map(|text| {
            let numbered = text.lines().map(str::trim).filter(|line| {
                let number = line.split([' ', ':', '\t']).next().unwrap_or_default();
                number.parse::<u32>().is_ok()
            });
            numbered.take(MAX_TYPES).map(str::to_owned).collect()
        })
    }
}
