//! Records as their fields: every record of every sample, and bytes that are none.

use feed::sample::{DBN_SCHEMAS, ITCH_TYPES, dbn as dbn_sample, itch_message};
use feed::source::{dbn, itch};
use proptest::prelude::*;

/// The records of a DBN file, each as its bytes.
fn records(file: &[u8]) -> Vec<Vec<u8>> {
    let length = u32::from_le_bytes(file[4..8].try_into().unwrap()) as usize;
    let mut rest = &file[8 + length..];
    let mut records = Vec::new();
    while let Some(&units) = rest.first() {
        let (record, behind) = rest.split_at(usize::from(units) * 4);
        records.push(record.to_vec());
        rest = behind;
    }
    records
}

#[test]
fn dbn_records_have_all_their_fields() {
    let text = |schema: &str| dbn::shown(&records(&dbn_sample(3, schema, 1))[0]).unwrap().text();
    assert_eq!(
        text("mbo"),
        "mbo ts_recv=2024-01-02T14:30:00.000000700Z ts_event=2024-01-02T14:30:00.000000000Z publisher_id=1 instrument_id=1 \
         action=A side=B price=4700.000000000 size=1 channel_id=0 order_id=6000000000 flags=0 ts_in_delta=20 sequence=0"
    );
    assert!(text("mbp-1").contains(" levels=[{bid_px=4699.750000000, ask_px="), "{}", text("mbp-1"));
    for schema in DBN_SCHEMAS {
        for record in records(&dbn_sample(3, schema, 20)) {
            let shown = dbn::shown(&record).unwrap();
            let json: serde_json::Value = serde_json::from_str(&shown.json()).unwrap();
            assert!(json["hd"]["ts_event"].is_string(), "{json}");
            // One that is shorter, longer, or of a type with another length is none.
            assert_eq!(dbn::shown(&record[..record.len() - 8]), None);
            assert_eq!(dbn::shown(&[&record[..], &[0; 8]].concat()), None);
            for rtype in 0..=u8::MAX {
                let mut other = record.clone();
                other[1] = rtype;
                let _ = dbn::shown(&other);
            }
        }
    }
}

#[test]
fn itch_messages_have_all_their_fields() {
    let text = |kind| itch::shown(&itch_message(kind, 7)).unwrap().text();
    let time = "stock_locate=2 tracking_number=0 timestamp=09:30:00.000007000";
    for (kind, expected) in [
        (b'S', format!("system event type=S {time} event_code=O")),
        (
            b'L',
            format!(
                "market participant position type=L {time} attribution=MPID stock=SAMPLE primary_market_maker=Y market_maker_mode=N participant_state=A"
            ),
        ),
        (
            b'F',
            format!(
                "add order type=F {time} order=1007 side=S shares=107 stock=SAMPLE price=150.0007 attribution=MPID"
            ),
        ),
        (b'U', format!("order replaced type=U {time} original_order=507 order=1007 shares=107 price=150.0007")),
        (
            b'Q',
            format!("cross trade type=Q {time} shares=107 stock=SAMPLE price=150.0007 match_number=7007 cross_type=O"),
        ),
    ] {
        assert_eq!(text(kind), expected);
    }
    for &kind in ITCH_TYPES {
        let json: serde_json::Value =
            serde_json::from_str(&itch::shown(&itch_message(kind, 7)).unwrap().json()).unwrap();
        assert_eq!(
            (json["type"].as_str(), json["stock_locate"].as_u64()),
            (Some(&*char::from(kind).to_string()), Some(2))
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_are_shown_without_control_characters_or_not_at_all(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        for shown in [itch::shown(&bytes), dbn::shown(&bytes)].into_iter().flatten() {
            prop_assert!(!shown.text().chars().any(char::is_control));
            prop_assert!(serde_json::from_str::<serde_json::Value>(&shown.json()).is_ok());
        }
    }

    #[test]
    fn any_itch_fields_are(seed in proptest::collection::vec(any::<u8>(), 60), kind in 0..ITCH_TYPES.len()) {
        let mut message = itch_message(ITCH_TYPES[kind], 1);
        let length = message.len();
        message[1..].copy_from_slice(&seed[1..length]);
        let shown = itch::shown(&message).unwrap();
        prop_assert!(!shown.text().chars().any(char::is_control), "{}", shown.text());
        prop_assert!(!shown.json().chars().any(char::is_control), "{}", shown.json());
        prop_assert!(serde_json::from_str::<serde_json::Value>(&shown.json()).is_ok(), "{}", shown.json());
    }
}

/// Every type with every length, filled with bytes that are likely to be wrong.
#[test]
fn dbn_records_may_hold_anything() {
    let mut mixed = 1u64;
    let mut types = std::collections::BTreeSet::new();
    for (rtype, units) in (0..=u8::MAX).flat_map(|rtype| (2..128).map(move |units| (rtype, units))) {
        for fill in [Some(0), Some(0xff), Some(0x9b), None] {
            let byte = |_| {
                mixed = mixed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                fill.unwrap_or((mixed >> 56) as u8)
            };
            let mut record: Vec<u8> = (0..units * 8).map(byte).collect();
            (record[0], record[1]) = (units as u8 * 2, rtype);
            if let Some(shown) = dbn::shown(&record) {
                types.insert((shown.name, units));
                assert!(!shown.text().chars().any(char::is_control), "{}", shown.text());
                assert!(!shown.json().chars().any(char::is_control), "{}", shown.json());
                let json: serde_json::Value = serde_json::from_str(&shown.json()).unwrap();
                assert_eq!(json["hd"]["rtype"], rtype);
            }
        }
    }
    assert!(types.len() > 40, "with and without a send time: {types:?}");
}
