use std::io::Write;

use assess::NoNames;
use serde_json::Value;

use crate::events::RunResult;
use crate::stick::Stick;

/// Judges the capture that a session left on its stick here, away from the machine, and holds the
/// assessment against the guest's own. A session that could save nothing has no capture.
pub fn same_from_capture(result: &RunResult, stick: &Stick) -> Result<(), String> {
    let Some(saved) = &result.saved else {
        return Ok(());
    };
    let capture = stick
        .file(&format!("{}/capture.tar.zst", saved.folder))
        .map_err(|error| error.to_string())?;
    let here = judged(&capture)?;
    match difference(&result.assessment, &here, "") {
        None => Ok(()),
        Some(what) => Err(format!(
            "the capture is judged otherwise than the machine: {what}"
        )),
    }
}

fn judged(capture: &[u8]) -> Result<Value, String> {
    let mut file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
    file.write_all(capture).map_err(|error| error.to_string())?;
    let saved = hardware::load(file.path(), None).map_err(|error| error.to_string())?;
    let roms = saved.roms.as_deref();
    let assessment = match &saved.names {
        Some(names) => assess::assess(&saved.machine, roms, names),
        None => assess::assess(&saved.machine, roms, &NoNames),
    };
    serde_json::from_str(&report::json(&assessment)).map_err(|error| error.to_string())
}

/// The first place where two documents differ, with both values.
fn difference(there: &Value, here: &Value, place: &str) -> Option<String> {
    match (there, here) {
        (Value::Object(there), Value::Object(here)) => {
            let names = there.keys().chain(here.keys());
            names.into_iter().find_map(|name| {
                let of = |object: &serde_json::Map<String, Value>| {
                    object.get(name).cloned().unwrap_or(Value::Null)
                };
                difference(&of(there), &of(here), &format!("{place}/{name}"))
            })
        }
        (Value::Array(there), Value::Array(here)) if there.len() == here.len() => {
            let pairs = there.iter().zip(here).enumerate();
            pairs.into_iter().find_map(|(index, (there, here))| {
                difference(there, here, &format!("{place}/{index}"))
            })
        }
        (there, here) if there == here => None,
        (there, here) => Some(format!(
            "{place} is {there} on the machine and {here} from its capture"
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_is_named_by_its_place() {
        let one = json!({"cards": [{"verdict": "ready"}], "groups": []});
        assert_eq!(difference(&one, &one, ""), None);
        let other = json!({"cards": [{"verdict": "caution"}], "groups": []});
        let named = difference(&one, &other, "").unwrap();
        assert!(
            named.starts_with("/cards/0/verdict is \"ready\""),
            "{named}"
        );
        let more = json!({"cards": [{"verdict": "ready"}], "groups": [], "kernel": 1});
        assert!(difference(&one, &more, "").is_some());
        assert!(difference(&one, &json!({"cards": []}), "").is_some());
    }
}
