//! The audit of a chain, entry by entry: in memory are its hashes, and the forecasts and slots that are open.

use std::fmt;
use std::io::BufRead;

use jiff::Timestamp;
use market::ledger::entry_hash;
use market::{ChainId, Checkpoint, Hash};
use storage::{ScoreQuery, ScoreRow, Store};

use super::LedgerError;
use super::export::Pages;
use super::facts::{Facts, FirstFacts};
use super::line::{Line, Lines, NotALine};
use super::pending::{Pending, check_forecast};
use super::rule::{Fault, Rule, fault};
use super::slots::Slots;

/// What is known of a chain from elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// Its name; without one the chain is the one its first entry names.
    pub chain: Option<ChainId>,
    /// A head published earlier. Names the chain too.
    pub checkpoint: Option<Checkpoint>,
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All rules hold.
    Sound(Report),
    /// One does not.
    Broken(Broken),
}

/// A sound chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its name.
    pub chain: ChainId,
    /// How many entries it has.
    pub entries: u64,
    /// How many of them are forecasts,
    pub forecasts: u64,
    /// outcomes,
    pub outcomes: u64,
    /// voids
    pub voids: u64,
    /// and `missed` entries.
    pub missed: u64,
    /// How many slots those say were missed.
    pub missed_slots: u64,
    /// How many horizons wait for an outcome.
    pub open_horizons: u64,
    /// When the first entry was recorded.
    pub first_recorded_at: Timestamp,
    /// When the last entry was recorded.
    pub last_recorded_at: Timestamp,
    /// Hash of the last entry.
    pub head: Hash,
}

/// The first entry that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its position; for entries that are not there, the position of the first of them.
    pub seq: u64,
    /// The rule.
    pub rule: Rule,
    /// What was found, for people.
    pub detail: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken at seq {}: {}: {}", self.seq, self.rule, self.detail)
    }
}

/// Audits an export.
///
/// # Errors
/// When the input fails or is no export at all. A broken chain is no error but a [`Verdict`].
pub fn verify(input: impl BufRead, expected: Expected) -> Result<Verdict, LedgerError> {
    let mut lines = Lines::new(input);
    let mut verifier = Verifier::new(expected);
    let verdict = loop {
        match lines.next_line().map_err(LedgerError::Read)? {
            Some(Ok(line)) => match verifier.push(&line) {
                Ok(()) => {}
                Err(broken) => break Err(broken),
            },
            Some(Err(NotALine)) => {
                // One damaged line among others is a broken ledger; without others it is something else altogether.
                let is_export = verifier.next_seq > 0 || matches!(lines.next_line(), Ok(Some(Ok(_))));
                if !is_export {
                    return Err(LedgerError::NotAnExport { reason: "its first lines are no entries" });
                }
                break Err(verifier.locate(fault(Rule::Line, NotALine.to_string())));
            }
            None if verifier.next_seq == 0 && verifier.expected.checkpoint.is_none() => {
                return Err(LedgerError::NotAnExport { reason: "it is empty" });
            }
            None => break verifier.finish(),
        }
    };
    Ok(verdict.map_or_else(Verdict::Broken, Verdict::Sound))
}

/// Audits a chain in its store, up to its present head: its entries, and the scores table that track records are made
/// from.
///
/// # Errors
/// When the store fails, or the chain has no entry.
pub async fn verify_stored(
    store: &dyn Store,
    chain: &ChainId,
    checkpoint: Option<Checkpoint>,
) -> Result<Verdict, LedgerError> {
    let mut verifier = Verifier::new(Expected { chain: Some(chain.clone()), checkpoint });
    let mut pages = Pages::open(store, chain, 0).await?;
    loop {
        let entries = pages.next_entries().await?;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { break };
        let (after_seq, through_seq) = (first.seq.checked_sub(1), Some(last.seq));
        let query = ScoreQuery { after_seq, through_seq, ..ScoreQuery::default() };
        let mut rows = store.scores(chain, &query).await?;
        rows.sort_unstable_by_key(|row| row.seq);
        let mut rows = rows.into_iter().peekable();
        for entry in entries {
            let (prev, hash) = (entry.prev.to_string(), entry.hash.to_string());
            let line = Line { seq: entry.seq, prev: &prev, hash: &hash, body: &entry.body };
            let row = rows.next_if(|row| row.seq == entry.seq);
            let checked = verifier.take_next(&line).and_then(|scored| {
                check_row(scored, row.as_ref()).map_err(|fault| Broken { seq: entry.seq, ..verifier.locate(fault) })
            });
            if let Err(broken) = checked {
                return Ok(Verdict::Broken(broken));
            }
        }
    }
    // Rows after the end belong to entries that were appended meanwhile, or to none.
    let query = ScoreQuery { after_seq: verifier.next_seq.checked_sub(1), last: Some(1), ..ScoreQuery::default() };
    let beyond = store.scores(chain, &query).await?.pop();
    let head = store.head(chain).await?;
    let verdict = verifier.finish().and_then(|report| match beyond {
        Some(row) if head.is_none_or(|head| head.seq < row.seq) => {
            let Fault { rule, detail } = no_outcome();
            Err(Broken { seq: row.seq, rule, detail })
        }
        _ => Ok(report),
    });
    Ok(verdict.map_or_else(Verdict::Broken, Verdict::Sound))
}

/// Compares what an outcome says with its row in the scores table; what is no outcome has none.
fn check_row(scored: Option<ScoreRow>, row: Option<&ScoreRow>) -> Result<(), Fault> {
    let Some(scored) = scored else { return if row.is_some() { Err(no_outcome()) } else { Ok(()) } };
    let Some(row) = row else { return Err(fault(Rule::ScoresTable, "the outcome has no row in the scores table")) };
    // A store keeps instants to the microsecond.
    let kept = |instant: Timestamp| Timestamp::from_microsecond(instant.as_microsecond()).unwrap_or(instant);
    let [as_of, issued_at, target_time] = [scored.as_of, scored.issued_at, scored.target_time].map(kept);
    if (&ScoreRow { as_of, issued_at, target_time, ..scored }) != row {
        return Err(fault(Rule::ScoresTable, "its row in the scores table is not what the outcome says"));
    }
    Ok(())
}

fn no_outcome() -> Fault {
    fault(Rule::ScoresTable, "the scores table has a row for what is no outcome")
}

/// Audits a chain entry by entry. After the first broken rule there is nothing more to be learned from it.
#[derive(Debug)]
pub struct Verifier {
    expected: Expected,
    chain: Option<ChainId>,
    next_seq: u64,
    head: Hash,
    /// One an entry: a `checkpoint` may name any of them.
    hashes: Vec<Hash>,
    first_recorded_at: Option<Timestamp>,
    last_recorded_at: Option<Timestamp>,
    pending: Pending,
    slots: Slots,
    forecasts: u64,
    outcomes: u64,
    voids: u64,
    missed: u64,
    missed_slots: u64,
}

impl Verifier {
    /// An audit that has seen nothing yet.
    #[must_use]
    pub fn new(expected: Expected) -> Self {
        Self {
            expected,
            chain: None,
            next_seq: 0,
            head: Hash::ZERO,
            hashes: Vec::new(),
            first_recorded_at: None,
            last_recorded_at: None,
            pending: Pending::default(),
            slots: Slots::default(),
            forecasts: 0,
            outcomes: 0,
            voids: 0,
            missed: 0,
            missed_slots: 0,
        }
    }

    /// Checks the next entry.
    ///
    /// # Errors
    /// When it breaks a rule.
    pub fn push(&mut self, line: &Line<'_>) -> Result<(), Broken> {
        self.take_next(line).map(|_| ())
    }

    /// Checks the next entry. Gives an outcome's row in the scores table.
    fn take_next(&mut self, line: &Line<'_>) -> Result<Option<ScoreRow>, Broken> {
        let scored = self.check(line).map_err(|fault| self.locate(fault))?;
        self.next_seq += 1;
        Ok(scored)
    }

    /// Checks what only the end can show.
    ///
    /// # Errors
    /// When a slot is unexplained, or the chain ends before the checkpoint.
    pub fn finish(self) -> Result<Report, Broken> {
        if let Some(checkpoint) = self.expected.checkpoint.as_ref().filter(|c| c.seq >= self.next_seq) {
            let detail = format!("the chain ends before entry {} of the checkpoint", checkpoint.seq);
            return Err(self.locate(fault(Rule::Checkpoint, detail)));
        }
        if let Some((seq, detail)) = self.slots.unexplained() {
            return Err(Broken { seq, rule: Rule::SlotUnexplained, detail });
        }
        let (Some(chain), Some(first_recorded_at), Some(last_recorded_at)) =
            (self.chain.clone(), self.first_recorded_at, self.last_recorded_at)
        else {
            return Err(self.locate(fault(Rule::ScheduleFirst, "there are no entries")));
        };
        Ok(Report {
            chain,
            entries: self.next_seq,
            forecasts: self.forecasts,
            outcomes: self.outcomes,
            voids: self.voids,
            missed: self.missed,
            missed_slots: self.missed_slots,
            open_horizons: self.pending.n_horizons(),
            first_recorded_at,
            last_recorded_at,
            head: self.head,
        })
    }

    fn locate(&self, Fault { rule, detail }: Fault) -> Broken {
        Broken { seq: self.next_seq, rule, detail }
    }

    fn check(&mut self, line: &Line<'_>) -> Result<Option<ScoreRow>, Fault> {
        if line.seq != self.next_seq {
            return Err(fault(Rule::Seq, format!("it says {}", line.seq)));
        }
        if line.prev.as_bytes() != self.head.hex() {
            return Err(fault(Rule::Prev, format!("the entry before has the hash {}", self.head)));
        }
        let chain = match &mut self.chain {
            Some(chain) => chain,
            none => none.insert(self.expected.first(line.body)?),
        };
        let hash = entry_hash(chain, line.seq, &self.head, line.body);
        if line.hash.as_bytes() != hash.hex() {
            return Err(fault(Rule::Hash, format!("its hash is {hash}")));
        }
        if let Some(checkpoint) = self.expected.checkpoint.as_ref().filter(|c| c.seq == line.seq)
            && checkpoint.hash != hash
        {
            return Err(fault(Rule::Checkpoint, format!("the checkpoint's hash is {}", checkpoint.hash)));
        }
        let facts = Facts::parse(line.body).map_err(|e| fault(Rule::Body, e.to_string()))?;
        let recorded_at = facts.recorded_at();
        if let Some(last) = self.last_recorded_at.filter(|last| recorded_at < *last) {
            return Err(fault(Rule::RecordedAtOrder, format!("recorded at {recorded_at}, after an entry of {last}")));
        }
        self.slots.pass(line.seq, recorded_at);
        let scored = self.take(line.seq, hash, facts)?;
        self.first_recorded_at.get_or_insert(recorded_at);
        self.last_recorded_at = Some(recorded_at);
        self.head = hash;
        self.hashes.push(hash);
        Ok(scored)
    }

    fn take(&mut self, seq: u64, hash: Hash, facts: Facts<'_>) -> Result<Option<ScoreRow>, Fault> {
        match facts {
            Facts::Schedule(facts) => {
                if self.chain.as_ref().is_none_or(|chain| chain.to_string() != facts.chain) {
                    return Err(fault(Rule::Chain, format!("the schedule is of chain {:?}", facts.chain)));
                }
                self.slots.schedule(&facts, self.last_recorded_at)?;
            }
            Facts::Forecast(facts) => {
                self.forecasts += 1;
                check_forecast(&facts)?;
                let taken = self.slots.forecast(&facts)?;
                self.pending.check_resolved(&taken, facts.as_of.0)?;
                self.pending.add(seq, hash, taken, facts);
            }
            Facts::Outcome(facts) => {
                self.outcomes += 1;
                return self.pending.score(seq, &facts).map(Some);
            }
            Facts::Void(facts) => {
                self.voids += 1;
                self.pending.void(&facts)?;
            }
            Facts::Missed(facts) => {
                self.missed += 1;
                self.missed_slots = self.missed_slots.saturating_add(facts.count);
                self.slots.missed(&facts)?;
            }
            Facts::Model(facts) => {
                let (recorded_at, through) = (facts.recorded_at.0, facts.trained_through.0);
                if through > recorded_at {
                    return Err(fault(Rule::Body, format!("recorded at {recorded_at}, but trained through {through}")));
                }
            }
            Facts::Checkpoint(facts) => {
                let named = usize::try_from(facts.seq).ok().and_then(|at| self.hashes.get(at));
                if named != Some(&facts.hash.0) {
                    let detail = format!("no entry before is number {} with that hash", facts.seq);
                    return Err(fault(Rule::CheckpointRefers, detail));
                }
            }
        }
        Ok(None)
    }
}

impl Expected {
    /// The chain a first entry names, if it is the expected one.
    fn first(&self, body: &str) -> Result<ChainId, Fault> {
        let first: FirstFacts = serde_json::from_str(body).map_err(|e| fault(Rule::Body, e.to_string()))?;
        let kind = first.kind.as_ref().and_then(serde_json::Value::as_str);
        let name = first.chain.as_ref().and_then(serde_json::Value::as_str);
        let (Some("schedule"), Some(name)) = (kind, name) else {
            return Err(fault(Rule::ScheduleFirst, "the first entry is no schedule that names its chain"));
        };
        let chain = name.parse::<ChainId>().ok().filter(|chain| chain.to_string() == name);
        let chain = chain.ok_or_else(|| fault(Rule::Chain, format!("{name:?} names no chain")))?;
        let mut expected = self.chain.iter().chain(self.checkpoint.iter().map(|checkpoint| &checkpoint.chain));
        match expected.find(|expected| **expected != chain) {
            Some(expected) => Err(fault(Rule::Chain, format!("the chain is {chain}, not {expected}"))),
            None => Ok(chain),
        }
    }
}
