//! What a person is asked who named no card: which one, and for which guest.

use anyhow::Result;
use assess::{Assessment, Card, FunctionSummary, Verdict};
use hardware::Reading;
use pci::Address;
use proxmox::Installation;
use proxmox::guests::{Guest, GuestKind};

/// Prints a question and gives the line that was typed; none when there is nobody to type one.
pub type Ask<'a> = &'a mut dyn FnMut(&str) -> Result<Option<String>>;

/// What was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The functions of the card that decide: its display, or all of them where it has none.
    pub devices: Vec<Address>,
    /// The guest; none leaves guests alone.
    pub guest: Option<u32>,
}

/// Asks; none when nothing was chosen.
pub fn choose(
    assessment: &Assessment,
    installation: &Installation,
    ask: Ask<'_>,
) -> Result<Option<Chosen>> {
    let cards: Vec<&Card> = assessment.cards.iter().collect();
    if cards.is_empty() {
        return Ok(None);
    }
    let lines = (1..).zip(&cards).map(|(number, card)| {
        format!(
            "  {number:>2}  {}\n",
            described(card, &assessment.functions)
        )
    });
    let question = format!(
        "\nWhich card is to be given to a guest?\n{}Its number, or nothing for none: ",
        lines.collect::<String>()
    );
    let is_card = |number: u32| number >= 1 && (number as usize) <= cards.len();
    let Some(card) = number(&question, &is_card, ask)? else {
        return Ok(None);
    };
    let Some(card) = cards.get(card.saturating_sub(1) as usize) else {
        return Ok(None);
    };
    let guests: Vec<&Guest> = match &installation.guests {
        Reading::Known(guests) => {
            let own = guests.guests.iter();
            own.filter(|guest| guest.kind == GuestKind::Qemu && !guest.template)
                .collect()
        }
        Reading::Absent | Reading::Unknown(_) => Vec::new(),
    };
    let guest = if guests.is_empty() {
        None
    } else {
        let lines = guests.iter().map(|guest| {
            format!(
                "  {:>5}  {}\n",
                guest.number,
                guest.name.as_deref().unwrap_or("without a name")
            )
        });
        let question = format!(
            "\nWhich guest is to get it?\n{}Its number, or nothing to leave all guests as they are: ",
            lines.collect::<String>()
        );
        let is_guest = |number: u32| guests.iter().any(|guest| guest.number == number);
        number(&question, &is_guest, ask)?
    };
    Ok(Some(Chosen {
        devices: deciding(card, &assessment.functions),
        guest,
    }))
}

/// Whether the guest is to be given the copy of a ROM that was read, for this reason; asks until the answer is one.
pub fn wants_rom(reason: &str, ask: Ask<'_>) -> Result<bool> {
    let question = format!("\n{reason}\nIs the guest to be given that one? yes or no: ");
    loop {
        match ask(&question)?.as_deref().map(str::trim) {
            Some("yes") => return Ok(true),
            Some("no") | None => return Ok(false),
            Some(_) => {}
        }
    }
}

/// Asks until the answer is one of the numbers; none for an empty line, and for the end of the input.
fn number(question: &str, is_one: &dyn Fn(u32) -> bool, ask: Ask<'_>) -> Result<Option<u32>> {
    let mut question = question.to_owned();
    loop {
        let Some(answer) = ask(&question)? else {
            return Ok(None);
        };
        let answer = answer.trim();
        if answer.is_empty() {
            return Ok(None);
        }
        match answer.parse() {
            Ok(number) if is_one(number) => return Ok(Some(number)),
            _ => {
                question =
                    format!("'{answer}' is none of them. A number from the list, or nothing: ")
            }
        }
    }
}

/// The other functions of a card go with these.
fn deciding(card: &Card, functions: &[FunctionSummary]) -> Vec<Address> {
    let displays = card.functions.iter().filter(|address| {
        let mut functions = functions.iter();
        functions.any(|function| function.address == **address && function.class.is_display())
    });
    let displays: Vec<Address> = displays.copied().collect();
    if displays.is_empty() {
        card.functions.clone()
    } else {
        displays
    }
}

fn described(card: &Card, functions: &[FunctionSummary]) -> String {
    let first = deciding(card, functions).into_iter().next();
    let name = functions
        .iter()
        .find(|function| Some(function.address) == first)
        .and_then(|function| function.name.as_deref())
        .unwrap_or("of no known name");
    let address = first.map(|address| address.to_string()).unwrap_or_default();
    let slot = card.slot.as_ref().map(|slot| format!(", slot {slot}"));
    format!(
        "{address}  {name}{}: {}",
        slot.unwrap_or_default(),
        said(card.verdict)
    )
}

fn said(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ready => "ready",
        Verdict::Caution => "ready, with cautions",
        Verdict::Blocked => "blocked",
        Verdict::Unknown => "cannot be told",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers one after another, and what was asked.
    fn answers<'a>(
        given: &'a [&'a str],
        asked: &'a mut Vec<String>,
    ) -> impl FnMut(&str) -> Result<Option<String>> + 'a {
        let mut given = given.iter();
        move |question| {
            asked.push(question.to_owned());
            Ok(given.next().map(|answer| format!("{answer}\n")))
        }
    }

    #[test]
    fn what_is_no_number_of_the_list_is_asked_again_and_an_empty_line_is_no_choice() {
        let is_one = |number: u32| number == 102;
        let mut asked = Vec::new();
        let found = number("?", &is_one, &mut answers(&["x", "7", "102"], &mut asked)).unwrap();
        assert_eq!(found, Some(102));
        assert_eq!(asked[0], "?");
        assert!(asked[2].starts_with("'7' is none of them"), "{}", asked[2]);
        for given in [&[""][..], &[]] {
            assert_eq!(
                number("?", &is_one, &mut answers(given, &mut Vec::new())).unwrap(),
                None
            );
        }
    }

    #[test]
    fn a_rom_is_given_for_a_yes_alone() {
        let wants = |given: &[&str]| {
            wants_rom("It may be changed.", &mut answers(given, &mut Vec::new())).unwrap()
        };
        assert!(wants(&["", "y", "yes"]));
        assert!(!wants(&["maybe", "no"]) && !wants(&[]));
    }
}
