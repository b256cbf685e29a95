use std::path::Path;

use serde_json::Value;

use crate::said;

/// A bill of materials (SPDX 2.3).
pub struct Bill(Value);

impl Bill {
    pub fn of(path: &Path) -> Self {
        Self(serde_json::from_str(&said(path, "spdx")).unwrap())
    }

    fn lines(&self, key: &str) -> &[Value] {
        self.0[key].as_array().unwrap()
    }

    fn find(&self, list: &str, key: &str, value: &str) -> &Value {
        let found = self.lines(list).iter().find(|part| part[key] == value);
        found.unwrap_or_else(|| panic!("no {value} in {:#}", self.0))
    }

    pub fn package(&self, name: &str) -> &Value {
        self.find("packages", "name", name)
    }

    /// Whether a file is said to be of a package.
    pub fn is_from(&self, package: &str, file: &str) -> bool {
        let file = &self.find("files", "fileName", file)["SPDXID"];
        let package = &self.package(package)["SPDXID"];
        self.lines("relationships").iter().any(|line| {
            line["relationshipType"] == "GENERATED_FROM"
                && (&line["spdxElementId"], &line["relatedSpdxElement"]) == (file, package)
        })
    }

    /// How many files whose names begin so are said to be unlisted.
    pub fn files_of_no_package(&self, start: &str) -> usize {
        let names = self.lines("files").iter().filter(|file| {
            let comment = file.get("comment").and_then(Value::as_str);
            let name = file["fileName"].as_str().unwrap();
            name.starts_with(start) && comment.unwrap_or_default().contains("does not list it")
        });
        names.count()
    }

    pub fn each_identifier_is_there_once(&self) {
        let parts = self.lines("files").iter().chain(self.lines("packages"));
        let mut ids: Vec<_> = parts.map(|part| part["SPDXID"].as_str().unwrap()).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
