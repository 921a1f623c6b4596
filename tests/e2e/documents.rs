//! What the documents tell people to type works.

use std::collections::BTreeSet;

use roomtone_tests::{Finished, cloud, hub, player, workspace};

const DOCUMENTS: &[&str] = &["README.md", "CONTRIBUTING.md", "SECURITY.md"];

#[test]
fn every_command_in_the_documents_exists_with_its_options() {
    let mut seen = 0;
    for document in DOCUMENTS {
        for (program, line) in commands(&read(document)) {
            let words: Vec<_> =
                line.split_whitespace().take_while(|word| !["#", "|", "&&", ">"].contains(word)).collect();
            let options: BTreeSet<_> =
                words.iter().filter(|word| word.starts_with("--") && **word != "--").collect();
            let help = help_of(program, &words);
            for option in options {
                let name = option.split('=').next().unwrap();
                assert!(help.contains(name), "{document}: `{line}`: no option {name} in\n{help}");
            }
            seen += 1;
        }
    }
    assert!(seen >= 5, "only {seen} commands found: are they still written the same way?");
}

#[test]
fn every_command_of_the_programs_is_in_the_readme() {
    let readme = read("README.md");
    for program in [hub as Program, player, cloud] {
        every_command_is_in(&readme, &program(vec!["--help".to_owned()]).succeeded().stdout);
    }
}

fn every_command_is_in(readme: &str, help: &str) {
    let commands = help.split("Commands:").nth(1).expect("a list of commands").lines().skip(1);
    // What is indented more is the rest of a description.
    let is_name = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    for line in commands.take_while(|line| !line.trim().is_empty()).filter(is_name) {
        let name = line.split_whitespace().next().unwrap();
        assert!(name == "help" || readme.contains(name), "README.md does not mention `{name}`");
    }
}

#[test]
fn the_printed_configuration_is_one_that_the_hub_accepts() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let printed = hub(["--data", data, "--print-config"]).succeeded().stdout;
    let file = folder.path().join("again.toml");
    std::fs::write(&file, &printed).unwrap();
    let again =
        hub(["--data", data, "--config", file.to_str().unwrap(), "--print-config"]).succeeded().stdout;
    assert_eq!(printed, again);
}

/// One of ours, run with arguments.
type Program = fn(Vec<String>) -> Finished;

/// The lines of shell blocks that call one of our programs: which, and without what calls it.
fn commands(text: &str) -> Vec<(Program, String)> {
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(str::lines).map(|line| line.trim_start_matches("$ ").trim());
    let calls: [(Program, &str); 6] = [
        (cloud, "cargo run --release --package roomtone-cloud -- "),
        (cloud, "roomtone-cloud "),
        (hub, "sudo roomtone-hub "),
        (hub, "roomtone-hub "),
        (player, "roomtone-player "),
        (hub, "cargo run --release -- "),
    ];
    let called = |line: &str| {
        calls.iter().find_map(|(program, call)| Some((*program, line.strip_prefix(call)?.to_owned())))
    };
    lines.filter_map(called).collect()
}

/// The help of the (sub)command that `words` name.
fn help_of(program: Program, words: &[&str]) -> String {
    let plain: Vec<_> =
        words.iter().take_while(|word| word.chars().all(|c| c.is_ascii_lowercase())).copied().collect();
    for depth in (0..=plain.len().min(2)).rev() {
        let out = program(plain[..depth].iter().copied().chain(["--help"]).map(str::to_owned).collect());
        if out.status.success() && (depth > 0 || plain.is_empty()) {
            return out.stdout;
        }
    }
    panic!("no such command: {}", words.join(" "));
}

fn read(name: &str) -> String {
    std::fs::read_to_string(workspace::root().join(name)).unwrap()
}
