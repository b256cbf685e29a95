use std::io;

use anyhow::Context;

/// Print the manual page of this program, or of one of its subcommands, for man(1).
///
/// To read it at once: `image-builder man usb | man -l -`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The subcommand
    subcommand: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, program: &mut clap::Command) -> anyhow::Result<()> {
    program.build();
    let command = match &arguments.subcommand {
        None => &*program,
        Some(name) => program
            .find_subcommand(name)
            .with_context(|| format!("there is no subcommand '{name}'; --help lists them"))?,
    };
    let title = command
        .get_display_name()
        .unwrap_or_else(|| command.get_name());
    let title = title.replace(' ', "-");
    let page = clap_mangen::Man::new(command.clone())
        .title(title.to_uppercase())
        .source(concat!("image-builder ", env!("CARGO_PKG_VERSION")));
    page.render(&mut io::stdout())
        .context("cannot write to standard output")
}
