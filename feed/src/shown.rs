//! A record of a format as its fields, for people and for programs: what a ring of records carries as it came.

use std::fmt::Write as _;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

/// The type of a record and its fields, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The name of the type.
    pub name: &'static str,
    /// The fields by their names.
    pub fields: Vec<(String, Value)>,
    json: Option<String>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// There is none.
    Null,
    /// A number or a decimal, as text.
    Number(String),
    /// A text. It came with the record: it may hold anything.
    Text(String),
    /// Several values.
    List(Vec<Value>),
    /// Fields of their own.
    Fields(Vec<(String, Value)>),
}

impl Shown {
    /// A record of these fields.
    pub fn new(name: &'static str, fields: Vec<(String, Value)>) -> Self {
        Shown { name, fields, json: None }
    }

    /// The same, of which a format says itself what its JSON is: an object on one line.
    pub(crate) fn with_json(self, json: String) -> Self {
        Shown { json: Some(json), ..self }
    }

    /// One line for people: the type, and `name=value` for each field. A text is in quotes, without control characters, if it
    /// is not plainly one word.
    pub fn text(&self) -> String {
        let mut text = self.name.to_owned();
        for (name, value) in &self.fields {
            text.push(' ');
            write_field(&mut text, name, value);
        }
        text
    }

    /// A JSON object of the fields, without control characters.
    pub fn json(&self) -> String {
        let json = self.json.clone().unwrap_or_else(|| {
            let mut json = String::new();
            write_object(&mut json, &self.fields);
            json
        });
        // JSON may have those from U+007F on as they are, and a terminal obeys them. They can only be within texts.
        match json.contains(char::is_control) {
            false => json,
            true => json.chars().fold(String::new(), |mut escaped, letter| {
                let _ = match letter.is_control() {
                    true => write!(escaped, "\\u{:04x}", u32::from(letter)),
                    false => escaped.write_char(letter),
                };
                escaped
            }),
        }
    }
}

fn write_field(text: &mut String, name: &str, value: &Value) {
    text.push_str(name);
    text.push('=');
    write_text(text, value);
}

fn write_text(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push('-'),
        Value::Number(number) => text.push_str(number),
        Value::Text(found) if is_word(found) => text.push_str(found),
        Value::Text(found) => {
            // Writing to a String cannot fail.
            let _ = write!(text, "{found:?}");
        }
        Value::List(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                write_text(text, value);
            }
            text.push(']');
        }
        Value::Fields(fields) => {
            text.push('{');
            for (index, (name, value)) in fields.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                write_field(text, name, value);
            }
            text.push('}');
        }
    }
}

/// A text that nobody can take for more than one.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:+".contains(&byte))
}

fn write_json(json: &mut String, value: &Value) {
    match value {
        Value::Null => json.push_str("null"),
        Value::Number(number) => json.push_str(number),
        Value::Text(text) => json.push_str(&serde_json::Value::from(text.as_str()).to_string()),
        Value::List(values) => {
            json.push('[');
            for (index, value) in values.iter().enumerate() {
                json.push_str(if index > 0 { "," } else { "" });
                write_json(json, value);
            }
            json.push(']');
        }
        Value::Fields(fields) => write_object(json, fields),
    }
}

fn write_object(json: &mut String, fields: &[(String, Value)]) {
    json.push('{');
    for (index, (name, value)) in fields.iter().enumerate() {
        json.push_str(if index > 0 { "," } else { "" });
        json.push_str(&serde_json::Value::from(name.as_str()).to_string());
        json.push(':');
        write_json(json, value);
    }
    json.push('}');
}

/// Reads JSON in the order in which it is written.
struct InOrder;

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InOrder)
    }
}

impl<'de> Visitor<'de> for InOrder {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = values.next_element()? {
            list.push(value);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(field) = fields.next_entry()? {
            list.push(field);
        }
        Ok(Value::Fields(list))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_in_their_order_and_texts_hold_nothing_that_a_terminal_obeys() {
        let value: Value =
            serde_json::from_str(r#"{"b":1,"a":"x y\u001b[2J\u009b","c":[{"z":-2,"y":null}],"d":"","e":"2.50"}"#)
                .unwrap();
        let Value::Fields(fields) = value else { panic!("{value:?}") };
        let shown = Shown::new("trade", fields);
        assert_eq!(shown.text(), r#"trade b=1 a="x y\u{1b}[2J\u{9b}" c=[{z=-2, y=-}] d="" e=2.50"#);
        assert_eq!(shown.json(), r#"{"b":1,"a":"x y\u001b[2J\u009b","c":[{"z":-2,"y":null}],"d":"","e":"2.50"}"#);
        assert_eq!(shown.with_json("{}".to_owned()).json(), "{}");
    }
}
