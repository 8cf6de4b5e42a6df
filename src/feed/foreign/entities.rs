//! The entities that the DOCTYPE of a feed declares: which there may be. None is ever resolved by what is declared.

use std::collections::BTreeSet;

use super::text;

/// The entities besides XML's own to which references can lead.
#[derive(Debug, Default)]
pub(super) struct Entities {
    /// Whether there is more than is seen here: a file of declarations, or a reference to one.
    is_open: bool,
    declared: BTreeSet<Box<str>>,
}

impl Entities {
    /// Those that `doctype` declares, which is what stands between `<!DOCTYPE` and the `>` that ends it.
    pub(super) fn of(doctype: &str) -> Self {
        let (outer, inner) = doctype.split_once('[').unwrap_or((doctype, ""));
        let is_external = outer.split_ascii_whitespace().any(|word| matches!(word, "SYSTEM" | "PUBLIC"));
        let mut declared = BTreeSet::new();
        let mut is_open = is_external;
        for declaration in inner.split("<!ENTITY").skip(1) {
            match declaration.split_ascii_whitespace().next() {
                Some("%") => is_open = true,
                Some(name) => _ = declared.insert(name.into()),
                None => {}
            }
        }
        Self { is_open, declared }
    }

    fn may_be(&self, name: &str) -> bool {
        !name.starts_with('#') && (self.is_open || self.declared.contains(name))
    }

    /// What stands in a text for a reference to an entity that is none of XML's own: what HTML means by it, else the
    /// reference itself. The error says what is wrong with it.
    pub(super) fn text(&self, name: &str) -> Result<String, String> {
        if !self.may_be(name) {
            return Err(text::unknown_entity(name));
        }
        Ok(text::html_name(name).map_or_else(|| format!("&{name};"), str::to_owned))
    }

    /// What is wrong with such a reference in an address.
    pub(super) fn refusal(&self, name: &str) -> String {
        if self.may_be(name) {
            format!("the entity `&{name};` is declared in the DOCTYPE, not resolved")
        } else {
            text::unknown_entity(name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_what_html_means_by_it_or_stays() {
        let inner = Entities::of("rss [ <!ENTITY show \"A show\">\n<!ENTITY\neacute '&#233;'> ]");
        assert_eq!(inner.text("show").as_deref(), Ok("&show;"));
        assert_eq!(inner.text("eacute").as_deref(), Ok("\u{e9}"));
        inner.text("nbsp").expect_err("not declared");
        assert_eq!(inner.refusal("show"), "the entity `&show;` is declared in the DOCTYPE, not resolved");
        assert_eq!(inner.refusal("nbsp"), text::unknown_entity("nbsp"));
        let dtd = "rss PUBLIC \"-//Netscape Communications//DTD RSS 0.91//EN\" \"http://my.example.org/rss-0.91.dtd\"";
        for open in [dtd, "rss SYSTEM 'a.dtd' []", "rss [<!ENTITY % more SYSTEM 'b.ent'> %more;]"] {
            assert_eq!(Entities::of(open).text("uuml").as_deref(), Ok("\u{fc}"), "{open}");
        }
        for closed in ["rss", "html", "rss []"] {
            Entities::of(closed).text("uuml").expect_err("not declared");
        }
    }
}
