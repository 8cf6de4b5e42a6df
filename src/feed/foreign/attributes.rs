//! The attributes of an element, and where in its tag they stand.

use quick_xml::events::attributes::AttrError;

use super::text;

/// The attributes of an element, raw.
pub(super) struct Attributes<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Attributes<'a> {
    pub(super) fn new(raw: Vec<(&'a str, &'a str)>) -> Self {
        Self(raw)
    }

    /// The value of an attribute as it is written.
    pub(super) fn raw(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find(|(found, _)| *found == key).map(|(_, value)| *value)
    }

    /// The value of an attribute without white space around it: its references resolved, if all of them can be.
    pub(super) fn get(&self, key: &str) -> Option<String> {
        let raw = self.raw(key)?;
        let value = text::attribute_value(raw, |name| Err(name.to_owned())).unwrap_or_else(|_| raw.to_owned());
        Some(value.trim().to_owned())
    }

    /// What a link leads to (RFC 4287, section 4.2.7.2).
    pub(super) fn rel(&self) -> String {
        let rel = self.get("rel").map_or_else(|| "alternate".to_owned(), |rel| rel.to_ascii_lowercase());
        rel.strip_prefix("http://www.iana.org/assignments/relation/").unwrap_or(&rel).to_owned()
    }

    /// The prefixes of the attributes that are no declarations.
    pub(super) fn prefixes(&self) -> impl Iterator<Item = &'a str> {
        let prefixes = self.0.iter().filter_map(|(key, _)| key.split_once(':'));
        prefixes.map(|(prefix, _)| prefix).filter(|prefix| *prefix != "xmlns")
    }
}

/// Where `part`, which is a part of `whole`, begins in it.
pub(super) fn offset_in(whole: &str, part: &str) -> usize {
    part.as_ptr().addr().checked_sub(whole.as_ptr().addr()).filter(|at| *at <= whole.len()).unwrap_or(0)
}

/// Where in a tag an attribute is wrong, and how.
pub(super) fn attribute_fault(start: &str, error: &AttrError) -> (usize, String) {
    match *error {
        AttrError::Duplicated(at, _) => {
            let name = start.get(at..).unwrap_or_default();
            let end = name.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(name.len());
            (at, format!("the attribute `{}` stands twice", &name[..end]))
        }
        AttrError::ExpectedEq(at) => (at, "an attribute has no `=`".to_owned()),
        AttrError::ExpectedValue(at) => (at, "an attribute has no value".to_owned()),
        AttrError::UnquotedValue(at) => (at, "the value of an attribute stands in no quotation marks".to_owned()),
        AttrError::ExpectedQuote(at, _) => (at, "the value of an attribute does not end".to_owned()),
    }
}
