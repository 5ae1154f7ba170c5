//! Completion scripts, run by the shells themselves.

use std::process::Command;

use crate::support::{Setup, skipped};

/// The line before the cursor, and its only completion.
const CASES: [(&str, &str); 14] = [
    ("ref", "refresh"),
    ("auth", "authorize-url"),
    ("--vers", "--version"),
    ("refresh --client-s", "--client-secret-file"),
    ("revoke --no-h", "--no-hint"),
    ("authorize-url --sa", "--save"),
    ("login --client-auth bas", "basic"),
    ("login --no-l", "--no-listen"),
    ("login --q", "--qr"),
    ("login --verb", "--verbose"),
    ("sandbox --tl", "--tls"),
    ("keep --database-c", "--database-ca-file"),
    ("token --key", "--keys"),
    ("sandbox --save", "--save-ca"),
];

/// A line before the cursor, and an option that does nothing there.
const UNLISTED: [(&str, &str); 4] = [
    ("profile --client-a", "--client-auth"),
    ("refresh --redirect", "--redirect-uri"),
    ("accounts --verb", "--verbose"),
    ("refresh --datab", "--database"),
];

/// Saves the completion script of a shell, and runs `program` in that shell once for each case. The arguments of the
/// program are the path of the script, the line, and the expected completion.
fn try_all(shell: &[&str], script_name: &str, program: &[&str]) {
    let setup = Setup::new();
    let script = setup.folder.0.join(script_name);
    std::fs::write(&script, setup.run(&["completions", shell[0]]).expect(0).stdout).unwrap();
    if Command::new(shell[0]).arg("--version").output().is_err() {
        return skipped(&format!("{0} is not installed (Debian: apt-get install {0})", shell[0]));
    }
    let mut wrong = Vec::new();
    let cases = CASES.iter().map(|case| (case, true)).chain(UNLISTED.iter().map(|case| (case, false)));
    for (&(line, expected), is_listed) in cases {
        let output = Command::new("timeout")
            .arg("30")
            .args(shell)
            .arg("-c")
            .args(program)
            .args([script.to_str().unwrap(), &format!("restream-oauth {line}"), expected])
            .env("HOME", &setup.elsewhere.0)
            .env("TERM", "dumb")
            .current_dir(&setup.elsewhere.0)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if said.contains(expected) != is_listed {
            wrong.push((line, said, String::from_utf8_lossy(&output.stderr).into_owned()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// clap #6421.
#[test]
fn bash_completes_before_and_after_a_subcommand() {
    try_all(
        &["bash", "--norc"],
        "restream-oauth.bash",
        &[
            r#"
        source "$1"
        function=$(complete -p restream-oauth)
        function=${function#* -F }
        read -ra COMP_WORDS <<<"$2"
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        "${function%% *}" restream-oauth "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
        "#,
            "test",
        ],
    );
}

#[test]
fn fish_completes_before_and_after_a_subcommand() {
    try_all(&["fish", "--no-config"], "restream-oauth.fish", &["source $argv[1]; complete --do-complete $argv[2]"]);
}

/// zsh completes only in a terminal, so one zsh runs another in a pseudo-terminal. The echo of the line does not hold
/// the completion yet, and a bell says that there is none.
#[test]
fn zsh_completes_before_and_after_a_subcommand() {
    try_all(
        &["zsh", "-f"],
        "_restream-oauth",
        &[
            r#"
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell 'PS1="<REA""DY>"; fpath=('${1:h}' $fpath); autoload -Uz compinit; compinit -u -D'
        zpty -r shell seen '*<READY>*'
        zpty -n -w shell "$2"$'\t'
        all=
        for _ in {1..100}; do
            while zpty -r -t shell seen; do all+=$seen; done
            [[ $all == *"$3"* || $all == *$'\a'* ]] && break
            sleep 0.1
        done
        print -r -- $all
        zpty -d shell
        "#,
            "test",
        ],
    );
}
