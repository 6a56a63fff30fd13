//! Tests with real market data: counts against the data's README.

mod common;

use std::path::Path;
use std::sync::Arc;

use common::drain;
use feed::source::input;
use feed::source::{Input, SourceError};
use feed::summary::{ByKind, Sequences, Summary, Sums, Tally};
use feed_testing::market_data;

fn open(path: &Path) -> Result<Input, SourceError> {
    input::open(path, None, Arc::default())
}

fn summary(file: &str) -> Option<Summary> {
    let mut input = open(&market_data(file)?).unwrap();
    let (messages, error) = drain(&mut input);
    assert!(error.is_none(), "{}", error.unwrap());
    let mut tally = Tally::default();
    messages.iter().for_each(|message| tally.add(message));
    Some(Summary::new(&tally, Sequences::default(), 1.0))
}

fn sums(summary: &Summary) -> &Sums {
    summary.sums.as_ref().expect("messages have them")
}

#[test]
fn esh4_is_what_the_vendors_decoder_says() {
    let Some(summary) = summary("esh4-glbx-mdp3-20231225.mbo.dbn.zst") else { return };
    assert_eq!(summary.messages, 68_792);
    let kinds = ByKind { add: 29_216, cancel: 17_999, modify: 12_233, fill: 6_371, trade: 2_973, ..ByKind::default() };
    assert_eq!(sums(&summary).by_kind, kinds);
    assert_eq!(sums(&summary).price_sum, "330362247500000000");
    assert_eq!(sums(&summary).size_sum, "192312000000000");
    assert_eq!(sums(&summary).order_id_xor, "6411781014467");
    assert_eq!(summary.first_ts, Some(1_703_422_805_243_925_307));
    assert_eq!(summary.last_ts, Some(1_703_548_799_446_724_905));
}

#[test]
fn btcusdt_has_every_row() {
    let Some(summary) = summary("btcusdt_20240808.csv.gz") else { return };
    assert_eq!(summary.messages, 530_888);
    let kinds = ByKind { level: 443_487, quote: 66_088, trade: 21_313, ..ByKind::default() };
    assert_eq!(sums(&summary).by_kind, kinds);
}

#[test]
fn itch_has_every_message() {
    let Some(summary) = summary("ex20101224.TEST_ITCH_50") else { return };
    assert_eq!(summary.messages, 12_012);
    // A and F, D and X, U, P, E; and S, R, H.
    let kinds =
        ByKind { add: 5_000, cancel: 1_790, modify: 12, trade: 5_000, fill: 198, other: 12, ..ByKind::default() };
    assert_eq!(sums(&summary).by_kind, kinds);
}

#[test]
fn the_formats_own_fixtures_have_two_records_each() {
    for schema in ["mbo", "mbp-1", "tbbo", "trades"] {
        let Some(summary) = summary(&format!("test_data.{schema}.v3.dbn.zst")) else { return };
        assert_eq!(summary.messages, 2, "{schema}");
        assert!(sums(&summary).by_kind.other == 0, "{schema}");
    }
    let Some(path) = market_data("test_data.mbp-10.v3.dbn.zst") else { return };
    let refused = open(&path).unwrap_err().to_string();
    assert!(refused.ends_with("holds DBN schema mbp-10: mbo, mbp-1, tbbo and trades are supported"), "{refused}");
}
