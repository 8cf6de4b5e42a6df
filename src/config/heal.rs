//! From what stands in the file to what healing and the DHT need.

use super::{Config, Faults};
use crate::fetch::swarm::Dht;
use crate::heal::{self, MIRROR_HELP, Mode};
use crate::problem::{Problem, nearest};
use crate::serve::Healing;

impl Config {
    /// Where damaged files are healed from; else everything that is wrong with it.
    pub fn heal_options(&self) -> Result<heal::Options, Vec<Problem>> {
        let mut faults = Faults::default();
        let healing = self.healing(&mut faults);
        faults.none(healing.options)
    }

    /// `heal`, `mirrors` and `dht` of `[seed]`.
    pub(super) fn healing(&self, faults: &mut Faults) -> Healing {
        let mut healing = Healing::default();
        if let Some(text) = &self.seed.heal {
            healing.mode = faults.ok(self.heal_mode(text)).unwrap_or_default();
        }
        let mirrors = self
            .seed
            .mirrors
            .iter()
            .map(|text| heal::mirror(text).map_err(|wrong| self.wrong("seed", "mirrors", wrong).help(MIRROR_HELP)));
        healing.options.mirrors = mirrors.filter_map(|mirror| faults.ok(mirror)).collect();
        healing.options.dht = self.dht(faults);
        healing
    }

    /// `dht` and `dht_nodes` of `[seed]`.
    pub(super) fn dht(&self, faults: &mut Faults) -> Option<Dht> {
        let nodes = self.seed.dht_nodes.iter().map(|node| {
            let parts = node.rsplit_once(':').filter(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
            parts.map(|_| node.clone()).ok_or_else(|| {
                let problem = self.wrong("seed", "dht_nodes", format!("{node:?} is not a host with a port"));
                problem.help("write it as dht.example.org:6881, or leave all out for those that the world uses")
            })
        });
        let bootstrap = nodes.filter_map(|node| faults.ok(node)).collect();
        (self.seed.dht == Some(true)).then_some(Dht { bootstrap })
    }

    fn heal_mode(&self, text: &str) -> Result<Mode, Problem> {
        let names = Mode::ALL.map(Mode::as_str);
        Mode::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or_else(|| {
            let problem = self.wrong("seed", "heal", format!("{text:?} is none of {}", names.join(", ")));
            problem.help(match nearest(text, names) {
                Some(name) => format!("did you mean {name:?}?"),
                None => "\"ask\" shows what would be done, \"on\" does it, \"off\" does neither".to_owned(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn healing(text: &str) -> Result<Healing, String> {
        let config = Config::parse(text, Path::new("everseed.toml")).expect("known keys");
        let mut faults = Faults::default();
        let healing = config.healing(&mut faults);
        let told = |problems: Vec<Problem>| problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n");
        faults.none(healing).map_err(told)
    }

    #[test]
    fn healing_is_asked_for_unless_somebody_says_otherwise() {
        let nothing = healing("").expect("nothing");
        assert_eq!((nothing.mode, nothing.options.mirrors.len(), nothing.options.dht), (Mode::Ask, 0, None));
        let some = "[seed]\nheal = \"on\"\nmirrors = [\"https://a.example.org/show\", \"http://b.example.org\"]\ndht = true\ndht_nodes = [\"[2001:db8::1]:6881\"]\n";
        let some = healing(some).expect("right");
        assert_eq!(some.mode, Mode::On);
        assert_eq!(some.options.mirrors, ["https://a.example.org/show/", "http://b.example.org/"]);
        assert_eq!(some.options.dht, Some(Dht { bootstrap: vec!["[2001:db8::1]:6881".into()] }));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_what_may_stand_there() {
        let wrong = [
            "[seed]\nheal = \"no\"\nmirrors = [\"mirror.example.org\"]\n",
            "[seed]\ndht_nodes = [\"dht.example.org\"]\nheal = \"asks\"\nmirrors = [\"https://me:pass@mirror.example.org\", \"https://b.example.org/?a\"]\n",
        ];
        let told = wrong.map(|text| healing(text).expect_err("wrong"));
        expect_test::expect![[r#"
            everseed.toml:2: `heal`: "no" is none of off, ask, on
              help: "ask" shows what would be done, "on" does it, "off" does neither
            everseed.toml:3: `mirrors`: "mirror.example.org" is not the address of a copy of the site
              help: write the root of the copy, https or http, as https://mirror.example.org/show/

            everseed.toml:3: `heal`: "asks" is none of off, ask, on
              help: did you mean "ask"?
            everseed.toml:4: `mirrors`: a user name or password stands in the address of a copy of the site
              help: write the root of the copy, https or http, as https://mirror.example.org/show/
            everseed.toml:4: `mirrors`: "https://b.example.org/?a" is not the root of a copy of the site: it has a `?` or a `#`
              help: write the root of the copy, https or http, as https://mirror.example.org/show/
            everseed.toml:2: `dht_nodes`: "dht.example.org" is not a host with a port
              help: write it as dht.example.org:6881, or leave all out for those that the world uses"#]].assert_eq(&told.join("\n\n"));
    }
}
