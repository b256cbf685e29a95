use hardware::Function;
use pci::{Address, Slot};

/// All functions that a person gives to a guest together: those of one slot, without bridges. A
/// virtual function can be given alone, so it is a card of its own.
#[derive(Clone, Debug)]
pub(crate) struct CardFunctions<'a> {
    /// The function that the card is named by: its display function, else its first.
    pub lead: &'a Function,
    /// All of them, by address.
    pub functions: Vec<&'a Function>,
}

impl CardFunctions<'_> {
    pub fn has(&self, address: Address) -> bool {
        self.functions.iter().any(|f| f.address == address)
    }

    pub fn is_display(&self) -> bool {
        self.lead.class.is_display()
    }
}

/// The cards among these functions, which come by address: display cards first, then the others, each by address.
pub(crate) fn cards<'a>(functions: impl Iterator<Item = &'a Function>) -> Vec<CardFunctions<'a>> {
    let mut places: Vec<Vec<&Function>> = Vec::new();
    // The slot of the functions before this one, and its place.
    let mut open: Option<(Slot, usize)> = None;
    for function in functions.filter(|f| !f.class.is_bridge()) {
        let slot = function.address.slot();
        let known = open.filter(|(last, _)| *last == slot);
        let known = known.and_then(|(_, place)| places.get_mut(place));
        match known {
            _ if function.physical_function.known().is_some() => places.push(vec![function]),
            Some(card) => card.push(function),
            None => {
                open = Some((slot, places.len()));
                places.push(vec![function]);
            }
        }
    }
    let mut cards: Vec<_> = places.into_iter().filter_map(card).collect();
    cards.sort_by_key(|card| {
        (
            !card.is_display(),
            card.functions.first().map(|f| f.address),
        )
    });
    cards
}

fn card(functions: Vec<&Function>) -> Option<CardFunctions<'_>> {
    let display = functions.iter().copied().find(|f| f.class.is_display());
    let lead = display.or(functions.first().copied())?;
    Some(CardFunctions { lead, functions })
}

#[cfg(test)]
mod tests {
    use hardware::Reading;

    use super::*;
    use crate::testing::{address, function};

    fn addresses(card: &CardFunctions) -> Vec<String> {
        card.functions
            .iter()
            .map(|f| f.address.to_string())
            .collect()
    }

    #[test]
    fn the_functions_of_a_slot_are_one_card_and_display_cards_come_first() {
        let machine = [
            function("00:00.0", 0x06_00_00),
            function("00:01.0", 0x06_04_00),
            function("00:1f.2", 0x01_06_01),
            function("01:00.1", 0x04_03_00),
            function("01:00.0", 0x03_00_00),
        ];
        let cards = cards(machine.iter());
        assert_eq!(cards.len(), 2);
        assert_eq!(cards[0].lead.address, address("01:00.0"));
        assert_eq!(cards[0].functions.len(), 2);
        assert_eq!(addresses(&cards[1]), ["0000:00:1f.2"]);
    }

    #[test]
    fn a_virtual_function_is_a_card_of_its_own() {
        let mut virtual_function = function("02:00.1", 0x02_00_00);
        virtual_function.physical_function = Reading::Known(address("02:00.0"));
        let machine = [function("02:00.0", 0x02_00_00), virtual_function];
        let cards = cards(machine.iter());
        assert_eq!(cards.len(), 2);
        assert_eq!(addresses(&cards[0]), ["0000:02:00.0"]);
        assert_eq!(addresses(&cards[1]), ["0000:02:00.1"]);
    }
}
