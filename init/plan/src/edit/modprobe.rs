//! Files of modprobe.d (modprobe.d(5)).

use std::ops::Range;

use pci::FunctionId;

use super::source::{Line, plain, same, words};
use super::{EditError, Source};

/// The file that is ours.
pub const OWN: &str = "/etc/modprobe.d/preflight-vfio.conf";
const IDS: &str = "ids";

/// Sees to it that a module's list option (`options MODULE OPTION=a,b`) has these items: added to the last line
/// that has the option, which is the one that holds, else on a line of its own.
///
/// # Errors
/// A value in quotes, a directive over several lines, an item that would have to be quoted.
pub fn add_items(
    file: &[u8],
    module: &str,
    option: &str,
    items: &[String],
) -> Result<Vec<u8>, EditError> {
    let mut source = Source::parse(file);
    source.check()?;
    for item in items {
        plain(item)?;
    }
    let Some(found) = values(&source, module, option)?.pop() else {
        if !items.is_empty() {
            append(
                &mut source,
                &format!("options {module} {option}={}", items.join(",")),
            )?;
        }
        return Ok(source.print());
    };
    let there = split(&found.value);
    let missing = items
        .iter()
        .filter(|item| !there.iter().any(|other| other.eq_ignore_ascii_case(item)));
    let all: Vec<&str> = there
        .iter()
        .copied()
        .chain(missing.map(String::as_str))
        .collect();
    if all.len() > there.len() {
        source.replace(found.span.clone(), &all.join(","));
    }
    Ok(source.print())
}

/// Takes items out of a module's list option wherever they stand. An option that is left empty goes, and a line
/// without any option too.
///
/// # Errors
/// A value in quotes, and a directive over several lines.
pub fn remove_items(
    file: &[u8],
    module: &str,
    option: &str,
    items: &[String],
) -> Result<Vec<u8>, EditError> {
    let mut source = Source::parse(file);
    source.check()?;
    for found in values(&source, module, option)?.into_iter().rev() {
        let there = split(&found.value);
        let gone = |item: &&str| items.iter().any(|other| other.eq_ignore_ascii_case(item));
        let kept: Vec<&str> = there.iter().copied().filter(|item| !gone(item)).collect();
        if kept.len() == there.len() {
            continue;
        }
        if !kept.is_empty() {
            source.replace(found.span, &kept.join(","));
        } else if found.alone {
            source.remove_line(found.line);
        } else {
            source.replace(found.word, "");
        }
    }
    Ok(source.print())
}

/// Sees to it that a module's option has this value.
///
/// # Errors
/// As [`add_items`].
pub fn set_option(
    file: &[u8],
    module: &str,
    option: &str,
    value: &str,
) -> Result<Vec<u8>, EditError> {
    let mut source = Source::parse(file);
    source.check()?;
    plain(value)?;
    let found = values(&source, module, option)?;
    if found.is_empty() {
        append(&mut source, &format!("options {module} {option}={value}"))?;
    }
    for found in found.into_iter().rev() {
        source.replace(found.span, value);
    }
    Ok(source.print())
}

/// Sees to it that a line with these words is there.
///
/// # Errors
/// What [`EditError`] says of all files.
pub fn add_line(file: &[u8], line: &str) -> Result<Vec<u8>, EditError> {
    let mut source = Source::parse(file);
    source.check()?;
    let is_it = |other: &str| {
        let (one, other) = (
            line.split_ascii_whitespace(),
            other.split_ascii_whitespace(),
        );
        let fold = |word: &str| word.replace('-', "_");
        one.map(fold).eq(other.map(fold))
    };
    let mut continues = false;
    let there = source.lines().any(|other| {
        let alone = !std::mem::replace(&mut continues, other.text.ends_with('\\'));
        alone && is_it(other.text)
    });
    if !there {
        append(&mut source, line)?;
    }
    Ok(source.print())
}

/// A line behind one that goes on would be a part of it.
fn append(source: &mut Source, line: &str) -> Result<(), EditError> {
    match source.lines().last() {
        Some(last) if last.text.ends_with('\\') => Err(EditError::Continued(last.number)),
        _ => {
            source.append_line(line);
            Ok(())
        }
    }
}

/// The ids of `options vfio-pci ids=` that hold in a file: those of the last line that has them.
pub fn vfio_ids(file: &[u8]) -> Vec<FunctionId> {
    let source = Source::parse(file);
    let found = values(&source, "vfio-pci", IDS)
        .ok()
        .and_then(|mut found| found.pop());
    let value = found.map(|found| found.value).unwrap_or_default();
    split(&value)
        .iter()
        .filter_map(|id| first_two(id))
        .collect()
}

/// The value that a module's option has by a file: that of the last line that has it.
pub fn option(file: &[u8], module: &str, option: &str) -> Option<String> {
    let mut found = values(&Source::parse(file), module, option).ok()?;
    found.pop().map(|found| found.value)
}

/// `vendor:device` of an item, which may go on with subsystem and class.
fn first_two(item: &str) -> Option<FunctionId> {
    let mut fields = item.split(':');
    let (vendor, device) = (fields.next()?, fields.next()?);
    format!("{vendor}:{device}").parse().ok()
}

fn split(value: &str) -> Vec<&str> {
    value.split(',').filter(|item| !item.is_empty()).collect()
}

struct Found {
    /// Where the line begins.
    line: usize,
    /// The word with a blank before it.
    word: Range<usize>,
    /// The value.
    span: Range<usize>,
    value: String,
    /// Nothing else is set on the line.
    alone: bool,
}

/// Every `options MODULE ... OPTION=value ...`, in order.
fn values(source: &Source, module: &str, option: &str) -> Result<Vec<Found>, EditError> {
    let mut found = Vec::new();
    let mut continues = false;
    for line in source.lines() {
        let whole = !continues && !line.text.ends_with('\\');
        let relevant = is_options(&line, module);
        if continues && line.text.contains(&format!("{option}=")) || relevant && !whole {
            return Err(EditError::Continued(line.number));
        }
        continues = line.text.ends_with('\\');
        if !relevant {
            continue;
        }
        let all: Vec<(usize, &str)> = words(line.text).collect();
        for (at, word) in all.iter().skip(2) {
            let Some((name, value)) = word.split_once('=').filter(|(name, _)| same(name, option))
            else {
                continue;
            };
            if value.contains(['"', '\'']) {
                return Err(EditError::Quoted(line.number));
            }
            let start = line.start + at;
            let end = start + word.len();
            found.push(Found {
                line: line.start,
                word: start - 1..end,
                span: start + name.len() + 1..end,
                value: value.to_owned(),
                alone: all.len() == 3,
            });
        }
    }
    Ok(found)
}

fn is_options(line: &Line, module: &str) -> bool {
    let mut words = line.text.split_ascii_whitespace();
    words.next() == Some("options") && words.next().is_some_and(|name| same(name, module))
}
