use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Short names of Debian's and of MODULE_LICENSE (the kernel's license-rules.rst) with what SPDX calls them. The
/// kernel's `GPL` leaves open whether later versions count, so that version 2 alone is sure.
const LICENSES: [(&str, &str); 27] = [
    ("MIT OR Apache-2.0", "MIT OR Apache-2.0"),
    ("GPL", "GPL-2.0-only"),
    ("GPL v2", "GPL-2.0-only"),
    ("GPL-2", "GPL-2.0-only"),
    ("GPL-2.0", "GPL-2.0-only"),
    ("GPL-2+", "GPL-2.0-or-later"),
    ("GPL-2.0+", "GPL-2.0-or-later"),
    ("GPL-3", "GPL-3.0-only"),
    ("GPL-3+", "GPL-3.0-or-later"),
    ("LGPL-2", "LGPL-2.0-only"),
    ("LGPL-2+", "LGPL-2.0-or-later"),
    ("LGPL-2.1", "LGPL-2.1-only"),
    ("LGPL-2.1+", "LGPL-2.1-or-later"),
    ("LGPL-3+", "LGPL-3.0-or-later"),
    ("BSD-2-clause", "BSD-2-Clause"),
    ("BSD-2-Clause", "BSD-2-Clause"),
    ("BSD-3-clause", "BSD-3-Clause"),
    ("BSD-3-Clause", "BSD-3-Clause"),
    ("BSD-4-clause", "BSD-4-Clause"),
    ("Expat", "MIT"),
    ("zlib", "Zlib"),
    ("Zlib", "Zlib"),
    ("ISC", "ISC"),
    ("MIT", "MIT"),
    ("X11", "X11"),
    ("CC0-1.0", "CC0-1.0"),
    ("Beerware", "Beerware"),
];

/// Licences that SPDX has no name for.
#[derive(Default)]
pub(super) struct Licenses(BTreeMap<String, String>);

impl Licenses {
    /// The SPDX expression of a short name.
    pub(super) fn of(&mut self, name: &str) -> String {
        let choices = name.split(" or ").map(|choice| {
            let known = LICENSES.iter().find(|(known, _)| *known == choice);
            known.map(|(_, expression)| *expression)
        });
        if let Some(choices) = choices.collect::<Option<Vec<_>>>() {
            return choices.join(" OR ");
        }
        let id = format!("LicenseRef-{}", plain(name));
        self.0.insert(id.clone(), name.to_owned());
        id
    }

    pub(super) fn extracted(&self) -> Vec<Value> {
        let named = self.0.iter().map(|(id, name)| {
            let text = format!(
                "'{name}': its text is in the copyright files below /usr/share/preflight/licenses or licenses, or the \
                 module says no more"
            );
            json!({"licenseId": id, "name": name, "extractedText": text})
        });
        named.collect()
    }
}

/// Letters, digits, dots and dashes are what an identifier may have (section 7.2).
pub(super) fn plain(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    text.chars()
        .map(|c| if is_plain(c) { c } else { '-' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_without_a_name_in_spdx_is_explained() {
        let mut licenses = Licenses::default();
        assert_eq!(licenses.of("GPL-2+"), "GPL-2.0-or-later");
        assert_eq!(
            licenses.of("BSD-3-clause or GPL-2"),
            "BSD-3-Clause OR GPL-2.0-only"
        );
        assert_eq!(licenses.of("Dual BSD/GPL"), "LicenseRef-Dual-BSD-GPL");
        assert_eq!(licenses.extracted().len(), 1);
    }
}
