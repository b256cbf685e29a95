use serde::{Deserialize, Serialize};

/// A section of a Proxmox configuration file: `type: id` or `id`, and indented lines (pve-common, SectionConfig).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// What stands before the colon: `zfspool`, `vm`.
    pub kind: Option<String>,
    /// Its name.
    pub id: String,
    /// Keys and values, in order; a key may come several times.
    pub properties: Vec<(String, String)>,
    /// The line that it begins on, counted from 1.
    pub line: u32,
}

impl Section {
    /// The values of a key, in order.
    pub fn values<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.properties.iter().filter(move |(name, _)| name == key);
        named.map(|(_, value)| value.as_str())
    }
}

/// Every section of a file.
pub fn parse_sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let content = line.trim();
        if content.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            let (key, value) = content.split_once([' ', '\t']).unwrap_or((content, ""));
            if let Some(section) = sections.last_mut() {
                section
                    .properties
                    .push((key.to_owned(), value.trim().to_owned()));
            }
            continue;
        }
        let (kind, id) = match content.split_once(':') {
            Some((kind, id)) if !id.trim().is_empty() => (Some(kind.trim().to_owned()), id.trim()),
            _ => (None, content.trim_end_matches(':')),
        };
        sections.push(Section {
            kind,
            id: id.to_owned(),
            properties: Vec::new(),
            line: number,
        });
    }
    sections
}
