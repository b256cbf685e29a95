use std::collections::BTreeMap;

use crate::licenses::Package;

/// Where the files of an image come from. Paths have no slash at the start.
#[derive(Debug, Default)]
pub struct Origins {
    packages: BTreeMap<String, Package>,
    files: BTreeMap<String, String>,
    licenses: BTreeMap<String, String>,
}

impl Origins {
    /// What is known of a Debian package.
    pub fn package(&mut self, name: &str, known: Package) {
        self.packages.insert(name.to_owned(), known);
    }

    /// A file is from this package.
    pub fn file(&mut self, path: &str, package: &str) {
        self.files.insert(trimmed(path), package.to_owned());
    }

    /// A file says itself which licence it has.
    pub fn license(&mut self, path: &str, license: &str) {
        self.licenses.insert(trimmed(path), license.to_owned());
    }

    /// All packages.
    pub fn packages(&self) -> &BTreeMap<String, Package> {
        &self.packages
    }

    /// The package of a file, where it is from one that is known.
    pub fn package_of(&self, path: &str) -> Option<&str> {
        let package = self.files.get(path).map(String::as_str);
        package.filter(|name| self.packages.contains_key(*name))
    }

    /// What a file says itself.
    pub fn license_of(&self, path: &str) -> Option<&str> {
        self.licenses.get(path).map(String::as_str)
    }
}

fn trimmed(path: &str) -> String {
    path.trim_matches('/').to_owned()
}
