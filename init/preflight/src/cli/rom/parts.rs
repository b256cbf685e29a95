use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args as _, Command, Error, FromArgMatches, value_parser};

/// A file that becomes an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PartFile {
    /// An EFI driver, and whether to pack it.
    Efi { path: PathBuf, compress: bool },
    /// A ROM of one legacy image.
    Legacy(PathBuf),
}

/// The images in the order in which they were named, which derived arguments do not keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts(pub(super) Vec<PartFile>);

const EFI: &str = "efi";
const LEGACY: &str = "legacy";
const COMPRESS: &str = "compress";

const NOTHING_TO_PACK: &str = "--compress packs the driver of the --efi before it, and none is there; write \
                               --efi F.efi --compress";

/// What an error from here quotes the usage of; without it, that would be `preflight` itself.
fn build_command() -> Command {
    super::build::Arguments::augment_args(Command::new("preflight rom build"))
}

impl PartFile {
    pub(super) fn path(&self) -> &PathBuf {
        match self {
            Self::Efi { path, .. } | Self::Legacy(path) => path,
        }
    }
}

impl clap::Args for Parts {
    fn augment_args(command: Command) -> Command {
        let file = |name: &'static str, value: &'static str| {
            Arg::new(name)
                .long(name)
                .value_name(value)
                .value_parser(value_parser!(PathBuf))
                .action(ArgAction::Append)
        };
        let compress = Arg::new(COMPRESS)
            .long(COMPRESS)
            .num_args(0)
            .default_missing_value("true")
            .value_parser(value_parser!(bool))
            .action(ArgAction::Append);
        command
            .arg(
                file(EFI, "F.efi")
                    .help("An EFI driver; can be repeated, and images keep their order"),
            )
            .arg(compress.help("Pack the driver of the --efi before it"))
            .arg(
                file(LEGACY, "F.rom")
                    .help("A ROM of one x86 image, for a legacy BIOS; can be repeated"),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Parts {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut parts = placed(matches, EFI, |path| PartFile::Efi {
            path,
            compress: false,
        });
        parts.extend(placed(matches, LEGACY, PartFile::Legacy));
        parts.sort_by_key(|(place, _)| *place);
        for flag in matches.indices_of(COMPRESS).into_iter().flatten() {
            let before = parts.iter_mut().rev().find(|(place, _)| *place < flag);
            match before {
                Some((_, PartFile::Efi { compress, .. })) => *compress = true,
                _ => {
                    let error = Error::raw(ErrorKind::MissingRequiredArgument, NOTHING_TO_PACK);
                    return Err(error.format(&mut build_command()));
                }
            }
        }
        Ok(Self(parts.into_iter().map(|(_, part)| part).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Each value of an argument, with its place on the command line.
fn placed(
    matches: &ArgMatches,
    name: &str,
    part: impl Fn(PathBuf) -> PartFile,
) -> Vec<(usize, PartFile)> {
    let paths = matches.get_many::<PathBuf>(name).into_iter().flatten();
    let places = matches.indices_of(name).into_iter().flatten();
    places.zip(paths.cloned().map(part)).collect()
}

#[cfg(test)]
mod tests {
    use clap::Args;

    use super::*;

    fn parse(words: &[&str]) -> Result<Vec<PartFile>, Error> {
        let command = Parts::augment_args(Command::new("build").no_binary_name(true));
        let matches = command.try_get_matches_from(words)?;
        Parts::from_arg_matches(&matches).map(|parts| parts.0)
    }

    fn efi(name: &str, compress: bool) -> PartFile {
        PartFile::Efi {
            path: name.into(),
            compress,
        }
    }

    #[test]
    fn images_keep_the_order_in_which_they_were_named() {
        let parts = parse(&["--efi", "a", "--legacy", "b", "--efi", "c"]).unwrap();
        let legacy = PartFile::Legacy("b".into());
        assert_eq!(parts, [efi("a", false), legacy, efi("c", false)]);
    }

    #[test]
    fn compress_is_for_the_driver_before_it_alone() {
        let words = [
            "--efi",
            "a",
            "--compress",
            "--efi",
            "b",
            "--efi=c",
            "--compress",
        ];
        assert_eq!(
            parse(&words).unwrap(),
            [efi("a", true), efi("b", false), efi("c", true)]
        );
    }

    #[test]
    fn compress_without_a_driver_before_it_is_refused() {
        for words in [
            &["--compress", "--efi", "a"][..],
            &["--efi", "a", "--legacy", "b", "--compress"],
        ] {
            let error = parse(words).unwrap_err().to_string();
            assert!(error.contains("none is there"), "{error}");
        }
    }
}
