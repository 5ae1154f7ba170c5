//! Which options a command lists. Commands share groups of options, and an option that does nothing for a command is
//! not listed there. It is accepted all the same, so that a script can give every command the same options.

use clap::{Arg, Command};

/// For each command, the options that do nothing there, by their long names.
const UNUSED: &[(&str, &[&str])] = &[
    // These send nothing, or say nothing beside their result.
    ("sandbox", &["verbose"]),
    ("accounts", &["verbose"]),
    ("completions", &["quiet", "verbose"]),
    ("man", &["quiet", "verbose"]),
    ("authorize-url", &["client-secret-file", "revoke-url", "profile-url", "ca-file", "timeout", "quiet", "verbose"]),
    // The keeper asks for the profile to learn whether an access token is alive, and revokes a pair that came too late.
    ("refresh", &["redirect-uri", "authorize-url"]),
    ("token", &["redirect-uri", "authorize-url"]),
    ("api", &["redirect-uri", "authorize-url"]),
    ("keep", &["redirect-uri", "authorize-url"]),
    ("revoke", &["redirect-uri", "authorize-url", "profile-url"]),
    ("status", &["client-secret-file", "client-auth", "redirect-uri", "authorize-url", "revoke-url"]),
    // It may have to refresh first.
    ("logout", &["redirect-uri", "authorize-url"]),
    ("profile", &["client-secret-file", "client-auth", "redirect-uri", "authorize-url", "revoke-url"]),
];

/// Hides the options that do nothing from help and manual pages.
pub(crate) fn without_unused(command: Command) -> Command {
    let global: Vec<Arg> = command.get_arguments().filter(|argument| argument.is_global_set()).cloned().collect();
    command.mut_subcommands(|subcommand| {
        let row = UNUSED.iter().find(|(name, _)| *name == subcommand.get_name());
        let unused = row.map_or(&[][..], |(_, unused)| *unused);
        let is_unused = |argument: &Arg| argument.get_long().is_some_and(|long| unused.contains(&long));
        // clap passes a global option on to each subcommand that has none of its name.
        let hidden = global.iter().filter(|argument| is_unused(argument)).map(|argument| argument.clone().hide(true));
        subcommand
            .mut_args(|argument| if is_unused(&argument) { argument.hide(true) } else { argument })
            .args(hidden.collect::<Vec<_>>())
    })
}

/// Returns the command with nothing but its listed options, for a completion script: those of clap list hidden options
/// too, and a global option with every subcommand.
pub(crate) fn listed(command: &Command) -> Command {
    let global: Vec<&Arg> = command.get_arguments().filter(|argument| argument.is_global_set()).collect();
    let lists = |subcommand: &Command, option: &Arg| {
        subcommand.get_arguments().all(|argument| argument.get_id() != option.get_id() || !argument.is_hide_set())
    };
    let subcommands = command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()).map(|subcommand| {
        let passed_on = global.iter().filter(|option| lists(subcommand, option));
        self::listed(subcommand).args(passed_on.map(|option| (*option).clone().global(false)))
    });
    let mut listed = Command::new(command.get_name().to_owned());
    if let Some(about) = command.get_about() {
        listed = listed.about(about.clone());
    }
    if let Some(version) = command.get_version() {
        listed = listed.version(version.to_owned());
    }
    let visible = command.get_arguments().filter(|argument| !argument.is_hide_set());
    listed.args(visible.map(|argument| argument.clone().global(false))).subcommands(subcommands)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::arguments::Arguments;

    /// Returns the long names of the options of a subcommand that have this visibility.
    fn options(name: &str, hidden: bool) -> Vec<String> {
        let command = without_unused(Arguments::command());
        let subcommand = command.find_subcommand(name).unwrap();
        let options = subcommand.get_arguments().filter(|argument| argument.is_hide_set() == hidden);
        options.filter_map(|argument| argument.get_long().map(str::to_owned)).collect()
    }

    #[test]
    fn each_row_names_a_command_and_its_options() {
        for (name, unused) in UNUSED {
            let mut hidden = options(name, true);
            hidden.sort();
            let mut unused = unused.to_vec();
            unused.sort_unstable();
            assert_eq!(hidden, unused, "{name}");
        }
    }

    #[test]
    fn options_that_do_something_are_listed() {
        for (name, used) in [
            ("login", &["profile-url", "revoke-url", "client-id", "redirect-uri", "qr", "tokens"][..]),
            ("authorize-url", &["authorize-url", "client-id", "redirect-uri", "token-url", "save"]),
            // The saved login holds the authorization URL, and is compared with it.
            ("exchange", &["authorize-url", "profile-url", "revoke-url", "redirect-uri", "timeout"]),
            ("login", &["database", "keys", "database-ca-file"]),
            ("keep", &["database", "keys", "database-ca-file"]),
            ("token", &["client-id", "client-secret-file", "token-url", "profile-url", "valid-for", "rejected"]),
            ("api", &["client-id", "client-secret-file", "token-url", "profile-url", "method", "input", "timeout"]),
            ("refresh", &["client-id", "client-secret-file", "token-url", "profile-url", "revoke-url", "ca-file"]),
            ("revoke", &["client-id", "client-secret-file", "client-auth", "revoke-url", "token-url"]),
            ("keep", &["client-id", "token-url", "profile-url", "revoke-url", "account", "socket"]),
            (
                "status",
                &["client-id", "base-url", "token-url", "profile-url", "ca-file", "timeout", "account", "all", "check"],
            ),
            ("logout", &["client-id", "client-secret-file", "client-auth", "revoke-url", "token-url"]),
            ("profile", &["client-id", "profile-url", "token-url", "base-url", "ca-file", "timeout", "tokens"]),
        ] {
            let listed = options(name, false);
            for option in used {
                assert!(listed.iter().any(|listed| listed == option), "{name} lists --{option}");
            }
        }
    }
}
