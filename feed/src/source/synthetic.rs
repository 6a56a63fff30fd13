//! A synthetic market: quotes and trades of several instruments, a seeded random walk that is calm with bursts.
//!
//! The seed determines the feed on every machine: the walk uses integers, and the generator is ChaCha8. An event is a
//! quote, or a trade followed by the quote that it leaves. In a burst one instrument moves one way, and its events are
//! hundreds of nanoseconds apart instead of tens of microseconds.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::error::SourceError;
use super::notes::Notes;
use super::stream::{Captured, Source};
use crate::decimal::SCALE;
use crate::message::{Flags, Kind, Message, Side};

/// The number of instruments. They are numbered from 1.
pub const INSTRUMENTS: u32 = 8;

/// The event time at which every synthetic market opens: 2024-01-02 14:30 UTC.
pub const OPENING: u64 = 1_704_205_800_000_000_000;

/// The smallest step of a price: 0.01.
const TICK: i64 = 10_000_000;

/// The bounds of the walk in ticks: 1.00 to 100,000.00.
const WALK: (i64, i64) = (100, 10_000_000);

/// An endless market.
#[derive(Clone, Debug)]
pub struct Synthetic {
    rng: ChaCha8Rng,
    time: u64,
    instruments: [Instrument; INSTRUMENTS as usize],
    burst: Option<Burst>,
    trades: u64,
    /// The quote that a trade left: the next message.
    after_trade: Option<Message>,
    /// Never anything.
    notes: Notes,
}

#[derive(Clone, Copy, Debug)]
struct Instrument {
    /// In ticks.
    bid: i64,
    /// Above the bid, in ticks.
    spread: i64,
    /// Whole units at bid and ask.
    sizes: [u64; 2],
}

#[derive(Clone, Copy, Debug)]
struct Burst {
    events_left: u32,
    instrument: usize,
    direction: i64,
}

impl Synthetic {
    /// The market of this seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let instruments = std::array::from_fn(|_| Instrument {
            bid: rng.random_range(2_000..50_000),
            spread: 1,
            sizes: [rng.random_range(1..=100), rng.random_range(1..=100)],
        });
        Synthetic {
            rng,
            time: OPENING,
            instruments,
            burst: None,
            trades: 0,
            after_trade: None,
            notes: Notes::default(),
        }
    }

    /// The next message. The market never ends.
    pub fn advance(&mut self) -> Message {
        if let Some(quote) = self.after_trade.take() {
            return quote;
        }
        let (number, direction) = self.next_event();
        let mut instrument = self.instruments[number];
        let message = if self.rng.random_ratio(1, 5) {
            let trade = self.trade(&mut instrument, direction);
            self.after_trade = Some(self.quote(number, instrument));
            Message { instrument: number as u32 + 1, ..trade }
        } else {
            instrument.walk(direction, &mut self.rng);
            self.quote(number, instrument)
        };
        self.instruments[number] = instrument;
        message
    }

    /// Advances the time. Returns the instrument of the next event, and the direction in which its price is pushed (-1,
    /// 0, 1).
    fn next_event(&mut self) -> (usize, i64) {
        if self.burst.is_none() && self.rng.random_ratio(1, 500) {
            self.burst = Some(Burst {
                events_left: self.rng.random_range(20..400),
                instrument: self.rng.random_range(0..INSTRUMENTS as usize),
                direction: if self.rng.random_ratio(1, 2) { 1 } else { -1 },
            });
        }
        let Some(burst) = &mut self.burst else {
            self.time += self.rng.random_range(5_000..150_000);
            return (self.rng.random_range(0..INSTRUMENTS as usize), 0);
        };
        self.time += self.rng.random_range(100..1_500);
        let next = (burst.instrument, burst.direction);
        burst.events_left -= 1;
        if burst.events_left == 0 {
            self.burst = None;
        }
        next
    }

    fn quote(&self, number: usize, instrument: Instrument) -> Message {
        let bid = (instrument.bid * TICK, instrument.sizes[0] * SCALE);
        let ask = ((instrument.bid + instrument.spread) * TICK, instrument.sizes[1] * SCALE);
        Message {
            instrument: number as u32 + 1,
            flags: Flags::END_OF_EVENT.0 | Flags::TOP_OF_BOOK.0,
            ..Message::new(Kind::Quote, self.time).with_quote(bid, ask)
        }
    }

    /// Takes from the side that is pushed, or from either. The quote that it leaves is in `instrument`.
    fn trade(&mut self, instrument: &mut Instrument, direction: i64) -> Message {
        let buys = direction > 0 || (direction == 0 && self.rng.random_ratio(1, 2));
        let resting = &mut instrument.sizes[usize::from(buys)];
        let size = self.rng.random_range(1..=*resting);
        let price = if buys { instrument.bid + instrument.spread } else { instrument.bid } * TICK;
        *resting -= size;
        if *resting == 0 {
            *resting = self.rng.random_range(1..=100);
            instrument.step(if buys { 1 } else { -1 });
        }
        self.trades += 1;
        Message {
            side: if buys { Side::Bid } else { Side::Ask } as u8,
            price,
            size: size * SCALE,
            order_id: self.trades,
            ..Message::new(Kind::Trade, self.time)
        }
    }
}

impl Instrument {
    fn walk(&mut self, direction: i64, rng: &mut ChaCha8Rng) {
        match rng.random_range(0..8) {
            0 => self.step(1),
            1 => self.step(-1),
            2 => self.step(direction),
            3 => self.spread = rng.random_range(1..=4),
            _ => {}
        }
        self.sizes[usize::from(rng.random_ratio(1, 2))] = rng.random_range(1..=100);
    }

    fn step(&mut self, ticks: i64) {
        self.bid = (self.bid + ticks).clamp(WALK.0, WALK.1);
    }
}

impl Source for Synthetic {
    fn next_captured(&mut self) -> Result<Option<Captured>, SourceError> {
        let message = self.advance();
        Ok(Some(Captured { message, captured: Some(message.ts_event) }))
    }

    fn notes(&mut self) -> &mut Notes {
        &mut self.notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::Tally;

    fn digest(seed: u64, count: usize) -> String {
        let mut market = Synthetic::new(seed);
        let mut tally = Tally::default();
        (0..count).for_each(|_| tally.add(&market.advance()));
        tally.digest()
    }

    #[test]
    fn a_seed_fixes_the_feed() {
        assert_eq!(digest(1, 10_000), digest(1, 10_000));
        assert_ne!(digest(1, 10_000), digest(2, 10_000));
        // The digest is the same on every machine and in every version. Changing it changes everybody's feeds.
        assert_eq!(digest(1, 10_000), GOLDEN);
    }

    const GOLDEN: &str = "e50d90516a989120";

    #[test]
    fn it_is_a_market() {
        let mut market = Synthetic::new(3);
        let mut last: [Option<Message>; INSTRUMENTS as usize] = [None; INSTRUMENTS as usize];
        let (mut trades, mut bursts, mut calm, mut time) = (0, 0, 0, 0);
        let count = 200_000;
        for _ in 0..count {
            let message = market.advance();
            assert!(message.ts_event >= time, "time goes back");
            if message.ts_event - time < 1_500 {
                bursts += 1
            } else {
                calm += 1
            }
            time = message.ts_event;
            let before = last[message.instrument as usize - 1];
            match message.kind() {
                Kind::Quote => {
                    assert!(message.price() < message.ask_price());
                    assert!(message.size() > Some(0) && message.ask_size() > Some(0));
                    assert!(message.is_end_of_event());
                    last[message.instrument as usize - 1] = Some(message);
                }
                Kind::Trade => {
                    trades += 1;
                    assert!(!message.is_end_of_event(), "its quote follows");
                    if let Some(quote) = before {
                        let (price, size) = match message.side() {
                            Side::Bid => (quote.ask_price(), quote.ask_size()),
                            Side::Ask => (quote.price(), quote.size()),
                            Side::None => panic!("a trade without a side"),
                        };
                        assert_eq!(message.price(), price, "trades at the quote");
                        assert!(message.size() <= size, "trades no more than there is");
                    }
                }
                other => panic!("{other}"),
            }
        }
        assert!(last.iter().all(Option::is_some), "every instrument has quotes");
        assert!(trades > count / 10 && bursts > count / 10 && calm > count / 10, "{trades} {bursts} {calm}");
    }
}
