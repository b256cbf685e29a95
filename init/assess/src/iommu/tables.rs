use hardware::acpi::{Dmar, Ivrs, TableError, TableProblem};
use hardware::{Machine, Reading};

/// The tables that describe IOMMUs, parsed once. None where there is no such table or it was not read.
#[derive(Default)]
pub(crate) struct Tables {
    pub dmar: Option<Result<Dmar, TableError>>,
    pub ivrs: Option<Result<Ivrs, TableError>>,
}

impl Tables {
    pub fn of(machine: &Machine) -> Self {
        let tables = machine.tables.known();
        let bytes = |signature| tables?.get(signature).and_then(Reading::known);
        Self {
            dmar: bytes("DMAR").map(|bytes| Dmar::parse(bytes)),
            ivrs: bytes("IVRS").map(|bytes| Ivrs::parse(bytes)),
        }
    }

    pub fn dmar(&self) -> Option<&Dmar> {
        self.dmar.as_ref()?.as_ref().ok()
    }

    pub fn ivrs(&self) -> Option<&Ivrs> {
        self.ivrs.as_ref()?.as_ref().ok()
    }

    /// Each table that was read, with what is wrong with it.
    pub fn problems(&self) -> impl Iterator<Item = (&'static str, &TableProblem)> {
        let dmar = self.dmar().into_iter().flat_map(|table| &table.problems);
        let ivrs = self.ivrs().into_iter().flat_map(|table| &table.problems);
        let named = |name| move |problem| (name, problem);
        dmar.map(named("DMAR")).chain(ivrs.map(named("IVRS")))
    }

    /// Each table that is none, and why.
    pub fn errors(&self) -> impl Iterator<Item = (&'static str, &TableError)> {
        let dmar = self.dmar.as_ref().and_then(|table| table.as_ref().err());
        let ivrs = self.ivrs.as_ref().and_then(|table| table.as_ref().err());
        [("DMAR", dmar), ("IVRS", ivrs)]
            .into_iter()
            .filter_map(|(name, error)| Some((name, error?)))
    }
}
