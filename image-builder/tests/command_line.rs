//! What the program tells about its own command line.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::{Command, Output};

fn run(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_image-builder"))
        .args(words)
        .output()
        .unwrap()
}

fn printed(words: &[&str]) -> String {
    let output = run(words);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// As the program's help lists them.
fn subcommands() -> Vec<String> {
    let help = printed(&["--help"]);
    let list = help
        .split_once("Commands:\n")
        .unwrap()
        .1
        .split("\n\n")
        .next();
    let names = list
        .unwrap()
        .lines()
        .map(|line| line.split_whitespace().next().unwrap());
    let names: Vec<String> = names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect();
    assert!(names.len() >= 7, "{help}");
    names
}

#[test]
fn completions_of_every_shell_know_every_subcommand_and_bash_takes_them() {
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&["completions", shell]);
        for name in subcommands() {
            assert!(script.contains(&name), "{shell}: {name}");
        }
    }
    let script = printed(&["completions", "bash"]);
    let question = format!(
        "{script}\nfunction=$(complete -p image-builder | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n\
         COMP_WORDS=(image-builder in); COMP_CWORD=1\n\
         $function image-builder in image-builder; echo \"${{COMPREPLY[@]}}\""
    );
    let answer = Command::new("bash")
        .args(["-c", &question])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&answer.stdout).trim(),
        "initramfs inspect"
    );
}

#[test]
fn the_manual_has_a_page_for_the_program_and_for_each_subcommand() {
    let page = printed(&["man"]);
    for name in subcommands() {
        assert!(page.contains(&name), "{name}");
        let page = printed(&["man", &name]);
        assert!(page.contains(".SH OPTIONS"), "{page}");
        let title = format!(".TH IMAGE-BUILDER-{}", name.to_uppercase());
        assert!(page.contains(&title), "{page}");
    }
    let output = run(&["man", "nothing"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && error.contains("'nothing'"),
        "{error}"
    );
}
