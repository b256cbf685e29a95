use pci::FunctionId;

use crate::{Image, ImageType, Problem, ProblemId, Rom};

impl Image {
    /// Whether PCIR or its device list names this function.
    pub fn is_for(&self, function: FunctionId) -> bool {
        let device = function.device;
        self.vendor == function.vendor
            && (self.device == device || self.pcir.devices.contains(&device))
    }
}

impl Rom {
    /// Names each image that is for other ids than the function's. A warning only: there are cards
    /// whose own images carry 0000, ffff or a sibling's id, and a graphics ROM may be given to the
    /// card's audio function on purpose. Vendor types are not looked at; firmware never runs them.
    pub fn check_ids(&self, function: FunctionId) -> Vec<Problem> {
        self.images
            .iter()
            .filter(|image| !matches!(image.kind, ImageType::Other(_)))
            .filter(|image| !image.is_for(function))
            .map(|image| Problem {
                id: ProblemId::IdMismatch,
                detail: format!(
                    "{} is for {}:{}, and the function is {function}.",
                    image.place(),
                    image.vendor,
                    image.device
                ),
            })
            .collect()
    }
}
