//! Splicing: a few spans of a file become others, and every byte outside of them stays what it is. It knows nothing of
//! what stands in the file.

use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::ops::Range;

/// A span of a file, and what is to stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The bytes that go; an empty range where something is inserted.
    pub span: Range<u64>,
    /// The bytes that come.
    pub bytes: Vec<u8>,
    /// The line of the span's first byte, counted from 1.
    pub line: usize,
}

impl Edit {
    /// Whether `source` holds other bytes there than those that are to come.
    fn changes(&self, source: &mut (impl Read + Seek)) -> io::Result<bool> {
        if self.span.end - self.span.start != self.bytes.len() as u64 {
            return Ok(true);
        }
        let mut found = vec![0; self.bytes.len()];
        source.seek(SeekFrom::Start(self.span.start))?;
        source.read_exact(&mut found)?;
        Ok(found != self.bytes)
    }
}

/// Those of `edits` that change `source`.
pub fn changing(edits: Vec<Edit>, source: &mut (impl Read + Seek)) -> io::Result<Vec<Edit>> {
    let mut kept = Vec::new();
    for edit in edits {
        if edit.changes(source)? {
            kept.push(edit);
        }
    }
    Ok(kept)
}

/// Copies `source`, from its beginning, to `target` with `edits`, which stand in the order of their spans and do not overlap.
pub fn apply(mut source: impl BufRead, edits: &[Edit], target: &mut impl Write) -> io::Result<()> {
    let mut at = 0;
    for edit in edits {
        let before = edit.span.start.checked_sub(at).ok_or_else(|| io::Error::other("edits that overlap"))?;
        copy_exactly(&mut source, before, target)?;
        target.write_all(&edit.bytes)?;
        copy_exactly(&mut source, edit.span.end - edit.span.start, &mut io::sink())?;
        at = edit.span.end;
    }
    io::copy(&mut source, target).map(drop)
}

fn copy_exactly(source: &mut impl BufRead, bytes: u64, target: &mut impl Write) -> io::Result<()> {
    let copied = io::copy(&mut source.by_ref().take(bytes), target)?;
    if copied == bytes { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn edit(span: Range<u64>, text: &str) -> Edit {
        Edit { span, bytes: text.as_bytes().to_vec(), line: 1 }
    }

    #[test]
    fn what_stands_outside_of_the_spans_stays() {
        let mut out = Vec::new();
        let edits = [edit(0..0, "<"), edit(2..4, "-"), edit(4..4, "+"), edit(6..6, ">")];
        apply(&b"abcdef"[..], &edits, &mut out).expect("written");
        assert_eq!(out, b"<ab-+ef>");
        for wrong in [vec![edit(2..4, ""), edit(3..5, "")], vec![edit(5..9, "")]] {
            apply(&b"abcdef"[..], &wrong, &mut Vec::new()).expect_err("not in that file");
        }
    }

    #[test]
    fn an_edit_that_puts_there_what_stands_there_is_none() {
        let edits = vec![edit(0..2, "ab"), edit(2..4, "xd"), edit(4..4, ""), edit(5..5, "y")];
        let kept = changing(edits.clone(), &mut Cursor::new(b"abcdef")).expect("read");
        assert_eq!(kept, [edits[1].clone(), edits[3].clone()]);
    }
}
