//! The values of a tag, and the prefixes in it.

use std::borrow::Cow;
use std::io::Read;

use quick_xml::events::BytesStart;

use super::{ATTRIBUTES_MAX, Attributes, Fault, NAME_BYTES_MAX, NAMESPACES_MAX, SHOWN_BYTES_MAX, Scan, URL_BYTES_MAX};
use crate::feed::foreign::attributes::{attribute_fault, offset_in};
use crate::feed::foreign::text;
use crate::feed::xml::limited;

impl<R: Read> Scan<R> {
    /// The attributes of an element; its declarations are taken.
    pub(super) fn attributes<'a>(&mut self, start: &'a BytesStart) -> Result<Attributes<'a>, Fault> {
        let within = self.begin.position + 1;
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| {
                let (at, message) = attribute_fault(start, &error);
                Fault::At(within + at as u64, message)
            })?;
            let Cow::Borrowed(value) = attribute.value else { unreachable!("a value is a part of its tag") };
            let key = attribute.key.0;
            if let Some(at) = value.find('<') {
                let at = offset_in(start, value) + at;
                return Err(Fault::At(within + at as u64, format!("`<` in the value of `{key}`")));
            }
            if attributes.len() == ATTRIBUTES_MAX {
                return Err(self.too_large(format!("more than {ATTRIBUTES_MAX} attributes")));
            }
            let declared = if key == "xmlns" { Some("") } else { key.strip_prefix("xmlns:") };
            if let Some(prefix) = declared {
                let uri = self.value(start, value)?;
                if prefix.len().max(uri.len()) > NAME_BYTES_MAX {
                    return Err(self.too_large(format!("a namespace of more than {} KiB", NAME_BYTES_MAX >> 10)));
                }
                if !self.namespaces.declare(self.open.len() + 1, prefix, &uri) {
                    return Err(self.too_many_namespaces());
                }
            }
            attributes.push((key, value));
        }
        Ok(Attributes::new(attributes))
    }

    /// Tells that a prefix is not declared, if it is not.
    pub(super) fn undeclared(&mut self, prefix: &str) -> Result<(), Fault> {
        match self.namespaces.undeclared(prefix) {
            None => Ok(()),
            Some(_) if prefix.len() > NAME_BYTES_MAX => {
                Err(self.too_large(format!("a name of more than {} KiB", NAME_BYTES_MAX >> 10)))
            }
            Some(false) => Err(self.too_many_namespaces()),
            Some(true) => {
                let prefix = limited(prefix, SHOWN_BYTES_MAX);
                let fault = format!("the prefix `{prefix}` is not declared: feed readers refuse that");
                self.tell(self.begin.place.line, fault)
            }
        }
    }

    pub(super) fn too_many_namespaces(&self) -> Fault {
        self.too_large(format!("more than {NAMESPACES_MAX} namespaces"))
    }

    pub(super) fn long_address(&self) -> Fault {
        self.too_large(format!("an address of more than {} KiB", URL_BYTES_MAX >> 10))
    }

    /// The value of an attribute of the present element.
    pub(super) fn value(&self, start: &str, raw: &str) -> Result<String, Fault> {
        self.resolved(start, raw, |name| self.entities.text(name))
    }

    /// The value of an attribute of the present element that is the address of an enclosure.
    pub(super) fn address(&self, start: &str, raw: &str) -> Result<String, Fault> {
        self.resolved(start, raw, |name| Err(self.entities.refusal(name)))
    }

    pub(super) fn resolved(
        &self,
        start: &str,
        raw: &str,
        entity: impl Fn(&str) -> Result<String, String>,
    ) -> Result<String, Fault> {
        text::attribute_value(raw, entity).map_err(|(at, message)| {
            let at = offset_in(start, raw) + at;
            Fault::At(self.begin.position + 1 + at as u64, message)
        })
    }
}
