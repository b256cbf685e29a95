use std::collections::BTreeMap;
use std::ops::Range;

/// modules.alias, by bus. Of its thousands of lines a machine asks for a few dozen, so that a line is taken apart only
/// then.
#[derive(Debug, Default)]
pub struct Aliases {
    text: String,
    /// Where the patterns of each bus are in the text, each to the end of its line.
    by_bus: BTreeMap<String, Vec<Range<usize>>>,
}

impl Aliases {
    /// Takes the text of the file.
    pub fn new(text: String) -> Self {
        let mut by_bus: BTreeMap<String, Vec<Range<usize>>> = BTreeMap::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let end = start + line.len();
            if let Some(rest) = line.strip_prefix("alias ") {
                let bus = bus_of(rest);
                let place = end - rest.len()..end;
                match by_bus.get_mut(bus) {
                    Some(places) => places.push(place),
                    None => _ = by_bus.insert(bus.to_owned(), vec![place]),
                }
            }
            start = end;
        }
        Self { text, by_bus }
    }

    /// Patterns that could match this modalias, each with its module, in the order of the file.
    pub fn of(&self, modalias: &str) -> impl Iterator<Item = (&str, &str)> {
        let bus = bus_of(modalias);
        let of_bus = self.by_bus.get(bus).filter(|_| !bus.is_empty());
        // Patterns such as `*` have no bus of their own.
        let of_any = self.by_bus.get("");
        let places = of_bus.into_iter().chain(of_any).flatten();
        places.filter_map(|place| {
            let mut words = self.text.get(place.clone())?.split_whitespace();
            Some((words.next()?, words.next()?))
        })
    }
}

/// The text before the first `:`, or nothing when a wildcard comes earlier.
fn bus_of(alias: &str) -> &str {
    match alias.split_once(':') {
        Some((bus, _)) if !bus.contains(['*', '?', '[']) => bus,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modalias_meets_the_patterns_of_its_bus_and_those_of_none() {
        let aliases = Aliases::new(
            "# Aliases extracted from modules themselves.\nalias pci:v1* one\nalias usb:v1* two\nalias * three\n\
             alias pci:broken\nalias pci:v2* four"
                .to_owned(),
        );
        let of = |modalias| aliases.of(modalias).collect::<Vec<_>>();
        assert_eq!(
            of("pci:v1d2"),
            [("pci:v1*", "one"), ("pci:v2*", "four"), ("*", "three")]
        );
        assert_eq!(of("usb:v1"), [("usb:v1*", "two"), ("*", "three")]);
        assert_eq!(of("no bus"), [("*", "three")]);
        assert!(Aliases::default().of("pci:v1").next().is_none());
    }
}
