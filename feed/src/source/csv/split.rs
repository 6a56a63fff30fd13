//! One record of CSV split into its fields, by RFC 4180.
//!
//! The crate `csv` accepts a quotation mark anywhere: `"BTC"x` and ` "BTC"` would be further symbols, silently. By
//! RFC 4180 a field is quoted as a whole or has no quotation mark, so such a record is wrong.

/// The fields of a record, without their quotation marks.
#[derive(Debug, Default)]
pub(super) struct Fields {
    bytes: Vec<u8>,
    /// Where each field begins and ends in `bytes`.
    spans: Vec<(usize, usize)>,
}

impl Fields {
    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// # Panics
    /// If there is no such field.
    #[inline]
    pub(super) fn get(&self, index: usize) -> &[u8] {
        let (begin, end) = self.spans[index];
        &self.bytes[begin..end]
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }
}

/// What a text begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// A record that takes so many bytes, its line end included.
    Record(usize),
    /// A quoted field that the text does not close.
    Open,
    /// A quotation mark where RFC 4180 has none.
    Misquoted,
}

/// Splits the record at the beginning of `text`. It ends with LF, CR LF, CR, or the text.
pub(super) fn split(text: &[u8], fields: &mut Fields) -> Split {
    fields.clear();
    match split_plain(text, fields) {
        Some(taken) => Split::Record(taken),
        None => {
            fields.clear();
            split_quoted(text, fields)
        }
    }
}

/// Splits a record without quotation marks, which nearly all are; `None` if there is one.
fn split_plain(text: &[u8], fields: &mut Fields) -> Option<usize> {
    let mut begin = 0;
    let mut taken = text.len();
    let mut end = text.len();
    for (at, &byte) in text.iter().enumerate() {
        // Digits and letters come after all of these.
        if byte > b',' {
            continue;
        }
        match byte {
            b',' => {
                fields.spans.push((begin, at));
                begin = at + 1;
            }
            b'\n' | b'\r' => {
                end = at;
                taken = at + 1 + usize::from(text[at..].starts_with(b"\r\n"));
                break;
            }
            b'"' => return None,
            _ => {}
        }
    }
    fields.spans.push((begin, end));
    fields.bytes.extend_from_slice(&text[..end]);
    Some(taken)
}

fn split_quoted(text: &[u8], fields: &mut Fields) -> Split {
    let mut at = 0;
    loop {
        let begin = fields.bytes.len();
        if text.get(at) == Some(&b'"') {
            at += 1;
            loop {
                let Some(length) = text[at..].iter().position(|&byte| byte == b'"') else { return Split::Open };
                fields.bytes.extend_from_slice(&text[at..at + length]);
                at += length + 1;
                if text.get(at) != Some(&b'"') {
                    break;
                }
                fields.bytes.push(b'"');
                at += 1;
            }
        } else {
            let ends = |&byte: &u8| matches!(byte, b',' | b'\n' | b'\r' | b'"');
            let length = text[at..].iter().position(ends).unwrap_or(text.len() - at);
            fields.bytes.extend_from_slice(&text[at..at + length]);
            at += length;
        }
        fields.spans.push((begin, fields.bytes.len()));
        match text[at..] {
            [b',', ..] => at += 1,
            [b'\r', b'\n', ..] => return Split::Record(at + 2),
            [b'\n' | b'\r', ..] => return Split::Record(at + 1),
            [] => return Split::Record(at),
            _ => return Split::Misquoted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(text: &[u8]) -> (Split, Vec<Vec<u8>>) {
        let mut fields = Fields::default();
        let split = split(text, &mut fields);
        (split, (0..fields.len()).map(|index| fields.get(index).to_vec()).collect())
    }

    #[test]
    fn records_split_by_rfc_4180() {
        for (text, taken, expected) in [
            ("a,b\nc", 4, &["a", "b"][..]),
            ("a,\r\nc", 4, &["a", ""]),
            ("a\rb", 2, &["a"]),
            ("\"a\",\"b,c\"\n", 10, &["a", "b,c"]),
            ("\"a\"\"b\",\"\"\r\n", 11, &["a\"b", ""]),
            ("\"a\r\nb\",c\n", 9, &["a\r\nb", "c"]),
            (",,", 2, &["", "", ""]),
            ("a", 1, &["a"]),
        ] {
            let (split, fields) = fields(text.as_bytes());
            assert_eq!(split, Split::Record(taken), "{text:?}");
            assert_eq!(fields, expected.iter().map(|field| field.as_bytes().to_vec()).collect::<Vec<_>>(), "{text:?}");
        }
        for text in ["\"a\nb,c\n", "a,\"", "\"a\"\""] {
            assert_eq!(fields(text.as_bytes()).0, Split::Open, "{text:?}");
        }
        for text in ["a\"b,c\n", "\"a\"b,c\n", "a, \"b\"\n", "\"a\" ,b\n", "a\"\n"] {
            assert_eq!(fields(text.as_bytes()).0, Split::Misquoted, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_the_csv_crate_writes_is_split_into_the_same_fields(
            record in prop::collection::vec("[a\",\r\n ]{0,6}", 2..9), always in any::<bool>(),
        ) {
            let style = if always { ::csv::QuoteStyle::Always } else { ::csv::QuoteStyle::Necessary };
            let mut writer = ::csv::WriterBuilder::new().quote_style(style).from_writer(Vec::new());
            writer.write_record(&record).unwrap();
            let text = writer.into_inner().unwrap();
            let (split, fields) = fields(&text);
            prop_assert_eq!(split, Split::Record(text.len()));
            prop_assert_eq!(fields, record.iter().map(|field| field.as_bytes().to_vec()).collect::<Vec<_>>());
        }
    }
}
