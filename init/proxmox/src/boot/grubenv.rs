use std::collections::BTreeMap;

/// First line of GRUB's environment block (GRUB manual, 15.2 The GRUB environment block).
const SIGNATURE: &str = "# GRUB Environment Block\n";

/// The variables of an environment block (grubenv): `saved_entry`, `next_entry`. Fails with the reason.
pub fn parse_grubenv(text: &str) -> Result<BTreeMap<String, String>, String> {
    let body = text
        .strip_prefix(SIGNATURE)
        .ok_or("it does not begin as a GRUB environment block does")?;
    let mut variables = BTreeMap::new();
    let (mut name, mut value, mut in_value) = (String::new(), String::new(), false);
    let mut characters = body.chars();
    while let Some(character) = characters.next() {
        match character {
            '#' if !in_value && name.is_empty() => {
                // A comment, or the padding.
                let _ = characters.by_ref().find(|character| *character == '\n');
            }
            '\\' => {
                let escaped = characters.next();
                if let Some(escaped) = escaped {
                    if in_value {
                        value.push(escaped)
                    } else {
                        name.push(escaped)
                    }
                }
            }
            '=' if !in_value => in_value = true,
            '\n' => {
                if in_value {
                    variables.insert(std::mem::take(&mut name), std::mem::take(&mut value));
                }
                name.clear();
                in_value = false;
            }
            other if in_value => value.push(other),
            other => name.push(other),
        }
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn variables_end_at_their_line_and_padding_is_none() {
        let text = format!(
            "{SIGNATURE}# WARNING: do not edit\nsaved_entry=Debian>1\\\\2\nnext_entry=\n{}",
            "#".repeat(900)
        );
        let variables = parse_grubenv(&text).unwrap();
        assert_eq!(variables.len(), 2);
        assert_eq!(variables["saved_entry"], "Debian>1\\2");
        assert_eq!(variables["next_entry"], "");
    }

    #[test]
    fn a_block_without_its_first_line_is_refused() {
        assert!(parse_grubenv("saved_entry=1\n").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(?s).{0,100}") {
            let _ = parse_grubenv(&format!("{SIGNATURE}{text}"));
        }
    }
}
