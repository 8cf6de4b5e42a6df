//! `everseed serve`, `heal`, `mirror` and `verify` where the program was built without them: they are not among the commands, and
//! who types one is told why.

use std::ffi::OsString;

use clap::ArgMatches;

use super::report::Failure;
use crate::problem::Problem;

/// Whatever is typed after the command.
#[derive(Debug, clap::Args)]
#[command(hide = true, disable_help_flag = true)]
pub struct ServeArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _typed: Vec<OsString>,
}

/// Whatever is typed after `heal`.
#[cfg(not(feature = "serve"))]
pub type HealArgs = ServeArgs;

/// Whatever is typed after `verify`.
#[cfg(not(feature = "serve"))]
pub type VerifySiteArgs = ServeArgs;

/// What `init` proposes to type next, for a show in `folder`.
pub fn next(folder: &str) -> String {
    format!("`everseed build {folder}` builds it.")
}

/// Says that there is no server in this build.
pub fn run(_: ServeArgs, _: &ArgMatches) -> Result<(), Failure> {
    unserved()
}

/// `everseed mirror`.
#[cfg(not(feature = "serve"))]
pub mod mirror {
    use super::Failure;

    /// Whatever is typed after it.
    pub type MirrorArgs = super::ServeArgs;

    /// Says that there is no server in this build.
    pub fn run(_: &MirrorArgs) -> Result<(), Failure> {
        super::unserved()
    }
}

fn unserved() -> Result<(), Failure> {
    let problem = Problem::new("this everseed was built without its server");
    Err(Failure::usage(problem.help(
        "install it with its default features, or with the feature `serve`; or give what `everseed build` writes to any \
         web server",
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, FromArgMatches as _};

    #[test]
    fn whatever_is_typed_is_answered_with_the_way_to_a_server() {
        for typed in [&["serve"][..], &["serve", "show"], &["serve", "--help"], &["serve", "--site", "x", "-y"]] {
            let command = ServeArgs::augment_args(clap::Command::new("serve"));
            let matches = command.try_get_matches_from(typed).expect("anything may be typed");
            let args = ServeArgs::from_arg_matches(&matches).expect("anything may be typed");
            let Err(Failure::Usage(problems)) = run(args, &matches) else { panic!("{typed:?} is answered") };
            assert!(problems[0].to_string().contains("with the feature `serve`"), "{typed:?}: {}", problems[0]);
        }
        assert!(ServeArgs::augment_args(clap::Command::new("serve")).is_hide_set());
        assert_eq!(next("show"), "`everseed build show` builds it.");
    }
}
