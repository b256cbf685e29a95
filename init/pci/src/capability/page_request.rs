use serde::{Deserialize, Serialize};

use crate::register::{Registers, register};
use crate::{ConfigSpace, extended};

/// Page Request Interface (10.5.2): the function asks for pages that are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    /// What is switched on.
    pub control: PageRequestControl,
    /// What happened.
    pub status: PageRequestStatus,
    /// Requests that the function can have outstanding.
    pub capacity: u32,
    /// Requests that it may have outstanding.
    pub allocation: u32,
}

register! {
    /// Page request control (10.5.2.2).
    PageRequestControl: u16;
    flags {
        /// The function may ask.
        enabled = 0;
        /// Its credits are being reset.
        reset = 1;
    }
    fields {}
}

register! {
    /// Page request status (10.5.2.3).
    PageRequestStatus: u16;
    flags {
        /// A response said failure.
        response_failure = 0;
        /// A response to a group that nobody asked for.
        unexpected_group = 1;
        /// Nothing is outstanding since it was switched off.
        stopped = 8;
        /// Responses need a PASID.
        pasid_required = 15;
    }
    fields {}
}

impl PageRequest {
    pub(crate) fn read(registers: Registers<'_>) -> Option<Self> {
        Some(Self {
            control: PageRequestControl(registers.u16(4)?),
            status: PageRequestStatus(registers.u16(6)?),
            capacity: registers.u32(8)?,
            allocation: registers.u32(0x0c)?,
        })
    }
}

impl ConfigSpace {
    /// Page Request Interface. Outer `None`: unknown. Inner `None`: there is none.
    pub fn page_request(&self) -> Option<Option<PageRequest>> {
        self.extended(extended::PAGE_REQUEST, PageRequest::read)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::extended;

    #[test]
    fn capacity_and_allocation_are_told_apart() {
        let config = extended(0x13, &[1, 0, 0, 1, 0, 0x80, 0, 0, 4, 0, 0, 0]);
        let requests = config.page_request().unwrap().unwrap();
        assert!(requests.control.enabled() && requests.status.stopped());
        assert_eq!((requests.capacity, requests.allocation), (0x8000, 4));
    }
}
