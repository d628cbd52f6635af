//! Documents that stores answer with, as trees.
//!
//! rust-s3 has types for them, which take the spaces around a key away and insist on elements that not every store sends.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, Event};

use crate::bucket::{Answer, Refusal};

/// How deep elements may nest: those of S3 do to four.
const MAX_DEPTH: usize = 16;

/// An element without its attributes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// Reads a document to its end; `None` if it is not one.
    pub(super) fn parse(document: &str) -> Option<Element> {
        let mut reader = Reader::from_str(document.trim());
        let mut open = vec![Element::default()];
        loop {
            let depth = open.len();
            let here = open.last_mut()?;
            match reader.read_event().ok()? {
                Event::Start(start) if depth <= MAX_DEPTH => open.push(Element::named(start.local_name().as_ref())?),
                Event::Start(_) => return None,
                Event::Empty(empty) => here.children.push(Element::named(empty.local_name().as_ref())?),
                Event::End(_) => {
                    let whole = open.pop()?;
                    open.last_mut()?.children.push(whole);
                }
                Event::Text(text) => here.text.push_str(&text.decode().ok()?),
                Event::CData(text) => here.text.push_str(&text.decode().ok()?),
                Event::GeneralRef(reference) => here.push_reference(&reference)?,
                Event::Eof => break,
                Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_) => {}
            }
        }
        let mut document = open.pop().filter(|_| open.is_empty())?;
        document.children.pop().filter(|_| document.children.is_empty())
    }

    /// The text of a child.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.children.iter().find(|child| child.name == name).map(|child| child.text.as_str())
    }

    /// The text of a child that must be there.
    pub(super) fn required(&self, name: &str) -> Answer<&str> {
        let missing = || Refusal::nonsense(format!("the store's {} has no {name}", self.name));
        self.text(name).filter(|text| !text.is_empty()).ok_or_else(missing)
    }

    /// The children of a name, in order.
    pub(super) fn children(&self, name: &str) -> impl Iterator<Item = &Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    fn named(name: &[u8]) -> Option<Element> {
        Some(Element { name: std::str::from_utf8(name).ok()?.to_owned(), ..Element::default() })
    }

    fn push_reference(&mut self, reference: &BytesRef<'_>) -> Option<()> {
        match reference.resolve_char_ref().ok()? {
            Some(character) => self.text.push(character),
            None => self.text.push_str(resolve_xml_entity(&reference.decode().ok()?)?),
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn keys_are_read_to_the_letter() {
        let listing = Element::parse(
            "\n<?xml version=\"1.0\"?><L xmlns=\"http://s3\"><C><Key> a &amp;&lt;&#43;&#x20AC;&quot;<![CDATA[<b>]]> </Key></C><C/></L>",
        );
        let listing = listing.unwrap();
        let keys: Vec<_> = listing.children("C").map(|object| object.text("Key")).collect();
        assert_eq!(keys, [Some(" a &<+€\"<b> "), None]);
        assert_eq!(listing.name, "L");
        assert!(listing.required("Key").unwrap_err().to_string().contains("L has no Key"));
    }

    #[test]
    fn what_is_not_a_whole_document_is_none() {
        for text in ["", "no", "<a>", "<a><b></a>", "<a/><b/>", "<a>&unknown;</a>", "{\"a\": 1}", "<a>&lt</a>"] {
            assert_eq!(Element::parse(text), None, "{text:?}");
        }
        assert_eq!(Element::parse(&"<a>".repeat(100_000)), None);
    }
}
