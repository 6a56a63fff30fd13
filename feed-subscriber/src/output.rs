//! Messages on standard output: as text, CSV or JSON.

use std::fmt;
use std::io::{self, Write};

use feed::decimal::{Price, Size};
use feed::{Message, UNDEFINED_TIME, line};

use crate::options::OutputFormat;

/// Writes messages in one format.
#[derive(Debug)]
pub(crate) struct Output<W> {
    format: OutputFormat,
    /// There is a table: CSV and JSON have two more fields.
    with_table: bool,
    writer: W,
}

/// What a table adds to a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extra<'a> {
    /// The symbol of the instrument; empty if there is none.
    pub(crate) symbol: &'a str,
    /// It is the last message of a row of a snapshot.
    pub(crate) snapshot: bool,
}

impl<W: Write> Output<W> {
    /// Writes the header, if the format has one.
    pub(crate) fn new(format: OutputFormat, with_table: bool, mut writer: W) -> io::Result<Self> {
        match format {
            OutputFormat::Csv => writeln!(
                writer,
                "sequence,ts_event,ts_publish,instrument,kind,side,flags,price,size,order_id,ask_price,ask_size,extra{}",
                if with_table { ",symbol,snapshot" } else { "" }
            )?,
            OutputFormat::Text => writeln!(writer, "{}", line::header())?,
            OutputFormat::None | OutputFormat::Json | OutputFormat::Dbn => {}
        }
        Ok(Output { format, with_table, writer })
    }

    /// Writes one message. `table` is what a table adds to it, if there is one.
    pub(crate) fn write(&mut self, sequence: u64, message: &Message, table: Option<Extra<'_>>) -> io::Result<()> {
        match self.format {
            // No message is a DBN record: `run` refuses this.
            OutputFormat::None | OutputFormat::Dbn => Ok(()),
            OutputFormat::Text => writeln!(self.writer, "{}", text(sequence, message, table)),
            OutputFormat::Csv => self.csv(sequence, message, table),
            OutputFormat::Json => self.json(sequence, message, table),
        }
    }

    /// Writes buffered output.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    fn csv(&mut self, sequence: u64, message: &Message, table: Option<Extra<'_>>) -> io::Result<()> {
        write!(
            self.writer,
            "{sequence},{},{},{},{},{},{},{},{},{},{},{},{}",
            OrEmpty(ts_event(message)),
            message.ts_publish,
            message.instrument,
            message.kind(),
            message.side(),
            message.flags,
            OrEmpty(message.price().map(Price)),
            OrEmpty(message.size().map(Size)),
            OrEmpty(message.order_id()),
            OrEmpty(message.ask_price().map(Price)),
            OrEmpty(message.ask_size().map(Size)),
            OrEmpty(extra(message)),
        )?;
        if self.with_table {
            let (symbol, snapshot) = table.map_or(("", false), |table| (table.symbol, table.snapshot));
            write!(self.writer, ",{},{}", CsvField(symbol), u8::from(snapshot))?;
        }
        writeln!(self.writer)
    }

    fn json(&mut self, sequence: u64, message: &Message, table: Option<Extra<'_>>) -> io::Result<()> {
        write!(
            self.writer,
            "{{\"sequence\":{sequence},\"ts_event\":{},\"ts_publish\":{},\"instrument\":{},\"kind\":\"{}\",\
             \"side\":\"{}\",\"flags\":{},\"price\":{},\"size\":{},\"order_id\":{},\"ask_price\":{},\"ask_size\":{},\
             \"extra\":{}",
            OrNull(ts_event(message)),
            message.ts_publish,
            message.instrument,
            message.kind(),
            message.side(),
            message.flags,
            OrNull(message.price().map(|price| Quoted(Price(price)))),
            OrNull(message.size().map(|size| Quoted(Size(size)))),
            OrNull(message.order_id()),
            OrNull(message.ask_price().map(|price| Quoted(Price(price)))),
            OrNull(message.ask_size().map(|size| Quoted(Size(size)))),
            OrNull(extra(message)),
        )?;
        if self.with_table {
            let (symbol, snapshot) = table.map_or(("", false), |table| (table.symbol, table.snapshot));
            write!(self.writer, ",\"symbol\":")?;
            serde_json::to_writer(&mut self.writer, &Some(symbol).filter(|symbol| !symbol.is_empty()))?;
            write!(self.writer, ",\"snapshot\":{snapshot}")?;
        }
        writeln!(self.writer, "}}")
    }
}

fn text(sequence: u64, message: &Message, table: Option<Extra<'_>>) -> String {
    let Some(Extra { symbol, snapshot }) = table else { return line::line(sequence, message) };
    let instrument = if symbol.is_empty() { message.instrument.to_string() } else { symbol.to_owned() };
    let mark = if snapshot { "*" } else { "" };
    line::named(&format!("{mark}{sequence}"), &instrument, message)
}

fn ts_event(message: &Message) -> Option<u64> {
    (message.ts_event != UNDEFINED_TIME).then_some(message.ts_event)
}

/// In a quote, the field is the ask's size.
fn extra(message: &Message) -> Option<u64> {
    message.order_id().map(|_| message.extra)
}

/// Displays `None` as nothing.
struct OrEmpty<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for OrEmpty<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |value| value.fmt(f))
    }
}

/// Displays `None` as `null`.
struct OrNull<T>(Option<T>);

impl<T: fmt::Display> fmt::Display for OrNull<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("null"),
        }
    }
}

/// Displays a value in quotation marks: JSON numbers would not keep decimals exact.
struct Quoted<T>(T);

impl<T: fmt::Display> fmt::Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// Displays text as a field of CSV, quoted if it has to be.
struct CsvField<'a>(&'a str);

impl fmt::Display for CsvField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains([',', '"', '\r', '\n']) {
            write!(f, "\"{}\"", self.0.replace('"', "\"\""))
        } else {
            f.write_str(self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed::{Kind, Side, UNDEFINED_PRICE, UNDEFINED_SIZE};

    fn lines(format: OutputFormat) -> Vec<String> {
        lines_with(format, None)
    }

    fn lines_with(format: OutputFormat, table: Option<Extra<'_>>) -> Vec<String> {
        let trade = Message {
            ts_publish: 9,
            instrument: 3,
            side: Side::Bid as u8,
            flags: 128,
            price: -58_710_200_000_000,
            size: 14_000_000,
            order_id: 41,
            extra: 42,
            ..Message::new(Kind::Trade, 7)
        };
        let quote = Message::new(Kind::Quote, UNDEFINED_TIME).with_quote((1, 2), (UNDEFINED_PRICE, UNDEFINED_SIZE));
        let mut output = Output::new(format, table.is_some(), Vec::new()).unwrap();
        output.write(5, &trade, table).unwrap();
        output.write(6, &quote, table.map(|table| Extra { symbol: "", ..table })).unwrap();
        output.flush().unwrap();
        String::from_utf8(output.writer).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn csv_has_a_header_and_readable_decimals() {
        assert_eq!(
            lines(OutputFormat::Csv),
            [
                "sequence,ts_event,ts_publish,instrument,kind,side,flags,price,size,order_id,ask_price,ask_size,extra",
                "5,7,9,3,trade,bid,128,-58710.2,0.014,41,,,42",
                "6,,0,0,quote,none,0,0.000000001,0.000000002,,,,",
            ]
        );
    }

    #[test]
    fn json_is_json() {
        let lines: Vec<serde_json::Value> =
            lines(OutputFormat::Json).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            lines,
            [
                serde_json::json!({"sequence": 5, "ts_event": 7, "ts_publish": 9, "instrument": 3, "kind": "trade",
                    "side": "bid", "flags": 128, "price": "-58710.2", "size": "0.014", "order_id": 41,
                    "ask_price": null, "ask_size": null, "extra": 42}),
                serde_json::json!({"sequence": 6, "ts_event": null, "ts_publish": 0, "instrument": 0, "kind": "quote",
                    "side": "none", "flags": 0, "price": "0.000000001", "size": "0.000000002", "order_id": null,
                    "ask_price": null, "ask_size": null, "extra": null}),
            ]
        );
    }

    #[test]
    fn text_has_a_header_and_a_line_for_each_message() {
        assert_eq!(
            lines(OutputFormat::Text),
            [
                " sequence            time  instr kind   side       price      size      id | ask",
                "        5 00:00:00.000000      3 trade  bid     -58710.2     0.014            41",
                "        6               -      0 quote       0.000000001 0.000000002           -",
            ]
        );
    }

    #[test]
    fn a_table_adds_the_symbol_and_marks_its_rows() {
        let table = Some(Extra { symbol: "A,\"\\\u{1}", snapshot: true });
        assert_eq!(
            lines_with(OutputFormat::Csv, table),
            [
                "sequence,ts_event,ts_publish,instrument,kind,side,flags,price,size,order_id,ask_price,ask_size,extra,symbol,\
                 snapshot",
                "5,7,9,3,trade,bid,128,-58710.2,0.014,41,,,42,\"A,\"\"\\\u{1}\",1",
                "6,,0,0,quote,none,0,0.000000001,0.000000002,,,,,,1",
            ]
        );
        let json = lines_with(OutputFormat::Json, table);
        let json: Vec<serde_json::Value> = json.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&json[0]["symbol"], &json[0]["snapshot"]), (&"A,\"\\\u{1}".into(), &true.into()));
        assert!(json[1]["symbol"].is_null());
        let table = Some(Extra { symbol: "ÉSH4", snapshot: true });
        assert_eq!(
            lines_with(OutputFormat::Text, table)[1..],
            [
                "       *5 00:00:00.000000   ?SH4 trade  bid     -58710.2     0.014            41",
                "       *6               -      0 quote       0.000000001 0.000000002           -",
            ]
        );
    }

    #[test]
    fn the_format_none_writes_nothing() {
        assert!(lines(OutputFormat::None).is_empty());
    }
}
