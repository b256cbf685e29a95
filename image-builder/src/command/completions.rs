use std::io;

use anyhow::Context;
use clap_complete::Shell;

/// Print what a shell needs to complete the words of this program.
///
/// For bash: `image-builder completions bash > ~/.local/share/bash-completion/completions/image-builder`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments, program: &mut clap::Command) -> anyhow::Result<()> {
    let name = program.get_name().to_owned();
    // The generator panics when it cannot write, as into a pipe that was closed.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, program, name, &mut script);
    io::Write::write_all(&mut io::stdout(), &script).context("cannot write to standard output")
}
